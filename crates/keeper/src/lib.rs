#![doc = include_str!("../README.md")]

pub mod record;

mod clock;
mod dump;
mod feed;
mod keeper;
mod queue;
mod restore;
mod state;
mod status;
mod worker;

pub use keeper::{Builder, Health, Keeper, KeeperStats, Monitor, StartError};
pub use restore::Restoration;
pub use state::{StateConfig, StateStats};
pub use status::Condition;
