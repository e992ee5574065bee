#![doc = include_str!("../README.md")]

mod close;
mod deframer;
mod header;
mod limits;
mod mend;
mod reject;
mod scan;
mod text;
mod walk;
mod work;

pub use deframer::{Deframer, Item};
pub use header::{
    ChatRef, ContactRef, Dest, Dests, EmergencyRef, FlowTagsRef, GroupRef, Header, LinkRef, Members,
};
pub use limits::Limits;
pub use reject::{FrameError, Reject, RejectCode};
pub use scan::Scanner;
pub use text::Text;

pub mod build;
pub mod detail;
mod event;
mod event_type;
#[cfg(feature = "generate")]
pub mod generate;
#[cfg(feature = "serde")]
pub mod json;
mod parse_error;
mod point;
mod team;
mod time;
pub mod xml;

pub use event::Event;
pub use event_type::{Affiliation, Dimension, EventType};
pub use parse_error::ParseError;
pub use point::Point;
pub use team::{DEFAULT_TEAM, ROLES, TEAMS};
pub use time::{CotTime, TimeError};
