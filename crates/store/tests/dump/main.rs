//! Dumps: what is written is read back, whatever happens to the disk in between.

mod damage;
mod formats;
mod full_disk;
mod recovery;
mod rotation;
mod support;
