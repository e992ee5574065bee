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

#[path = "packages/transport.rs"]
mod transport;
