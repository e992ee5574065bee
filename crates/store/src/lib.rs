#![doc = include_str!("../README.md")]

pub mod fs;

#[cfg(feature = "dump")]
pub mod dump;
mod error;
mod state;

pub use error::StoreError;
pub use fs::DirLock;
pub use state::{Change, LoadReport, Loaded, StateStore};
