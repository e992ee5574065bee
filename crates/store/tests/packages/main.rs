//! Data packages in files and SQLite.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "figures are for who runs this")]

mod backup;
mod contract;
mod cuts;
mod database;
mod faults;
mod full_disk;
mod health;
mod owner;
mod repair;
mod search;
mod support;
mod unseen;
