//! Dumps: what is written is read back, whatever happens to the disk in between.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod faults;
mod formats;
mod full_disk;
mod recovery;
mod rotation;
mod support;
