//! Data packages over HTTP, from the side of clients: what each of them sends, byte for byte, and
//! what it needs to get back. Numbers are those of the checklist of the HTTP API.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::allow_attributes,
    reason = "a test that is out of bounds has failed"
)]

mod support;

#[path = "packages/atak.rs"]
mod atak;
#[path = "packages/broken.rs"]
mod broken;
#[path = "packages/counted.rs"]
mod counted;
#[path = "packages/hostile.rs"]
mod hostile;
#[path = "packages/lists.rs"]
mod lists;
#[path = "packages/others.rs"]
mod others;
#[path = "packages/owners.rs"]
mod owners;
#[path = "packages/push.rs"]
mod push;
#[path = "packages/ranges.rs"]
mod ranges;
#[path = "packages/shapes.rs"]
mod shapes;
#[path = "packages/share.rs"]
mod share;
#[path = "packages/teams.rs"]
mod teams;
#[path = "packages/transport.rs"]
mod transport;
#[path = "packages/unseen.rs"]
mod unseen;
#[path = "packages/writing.rs"]
mod writing;
