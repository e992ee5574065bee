//! Cursor-on-Target for servers and tools: framing, validation, a routing header, and a typed model.

mod time;

pub use time::{CotTime, TimeError};
