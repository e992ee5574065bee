#![doc = include_str!("../README.md")]

mod error;
mod state;

pub use error::StoreError;
pub use state::{Change, LoadReport, Loaded, StateStore};
