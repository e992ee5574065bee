//! What is needed to show that a store loses nothing: a file system in memory that forgets what was
//! not synced and fails on demand, and the suite that every implementation of
//! [`StateStore`](crate::StateStore) passes.

mod contract;
mod sim;

pub use crate::packages::contract::package_contract;
pub use contract::state_contract;
pub use sim::{Crash, Fault, SimFs};
