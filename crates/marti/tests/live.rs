//! Events for web tools over real sockets: `POST`, server-sent events and WebSockets, beside clients
//! that speak CoT.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test that is out of bounds has failed"
)]

#[path = "live/limits.rs"]
mod limits;
#[path = "live/post.rs"]
mod post;
mod support;
#[path = "live/tools.rs"]
mod tools;
#[path = "live/view.rs"]
mod view;
