//! Cursor-on-Target for servers and tools: framing, validation, a routing header, and a typed model.

#[cfg(feature = "generate")]
pub mod generate;
mod team;
mod time;

pub use team::{DEFAULT_TEAM, ROLES, TEAMS};
pub use time::{CotTime, TimeError};
