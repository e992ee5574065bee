#![doc = include_str!("../README.md")]

pub mod fs;

#[cfg(feature = "dump")]
pub mod dump;
mod error;
pub mod packages;
mod state;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::{LowSpace, Quota, StoreError};
pub use fs::DirLock;
#[cfg(feature = "json")]
pub use state::JsonState;
pub use state::{
    Change, LoadReport, Loaded, MAX_KEY_BYTES, MAX_VALUE_BYTES, MemoryState, StateStore,
};
