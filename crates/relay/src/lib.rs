//! A team-aware routing hub for Cursor-on-Target.
//!
//! The crate has two halves. The [`Hub`] is a plain value: it performs no I/O, reads no clock and
//! spawns nothing, so it can be driven by any program and any test. The shell, `server` (feature
//! `tokio`, on by default), puts sockets, timers and tasks around it.
//!
//! ```text
//!   bytes -> Deframer -> Header -> Hub --+-- log --+-- cursor of client 1 -> vectored write
//!            (cot-core)            audience decided |-- cursor of client 2 -> vectored write
//!                                  once per event   +-- cursor of a newcomer: the current picture
//! ```
//!
//! One ordered log is the relay. An accepted event is appended once, with its audience, and with
//! its uid when it is the state of something. Every client is a cursor into the log: live
//! delivery, replay to newcomers, and catching up after a stall are the same read. What the crate
//! does not do: it does not store anything on disk, speak HTTP or TLS, or change events.

mod client;
mod config;
mod hub;
mod now;
mod observe;
mod reason;
#[cfg(feature = "tokio")]
pub mod server;
mod stats;
mod teams;
mod viewer;

pub use client::{ClientId, Peer};
pub use config::HubConfig;
pub use hub::{Batch, ExportCursor, Hub, Output, PublishError, Scope, Submitted};
pub use now::Now;
pub use observe::{
    Accepted, Audience, HeldEvent, Item, ItemKind, KnownContact, Observe, Observed, PictureChange,
    Record, RecordKey, Restored,
};
pub use reason::{CloseReason, DropReason, PerReason, Reason, RefuseReason};
pub use stats::{ClientInfo, ContactInfo, EndpointInfo, Stats, TeamInfo};
pub use teams::{AllowRule, AllowRuleError, TeamPolicy};
pub use viewer::Viewer;

#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../../../docs/embedding.md")]
mod embedding {}
