//! Cursor-on-Target for servers and tools: framing, validation, a routing header, and a typed model.

mod deframer;
mod header;
mod limits;
mod mend;
mod reject;
mod scan;
mod text;
mod walk;

pub use deframer::{Deframer, Item};
pub use header::{
    ChatRef, ContactRef, Dest, Dests, EmergencyRef, FlowTagsRef, GroupRef, Header, LinkRef, Members,
};
pub use limits::Limits;
pub use reject::{FrameError, Reject, RejectCode};
pub use scan::Scanner;
pub use text::Text;

#[cfg(feature = "generate")]
pub mod generate;
mod team;
mod time;

pub use team::{DEFAULT_TEAM, ROLES, TEAMS};
pub use time::{CotTime, TimeError};
