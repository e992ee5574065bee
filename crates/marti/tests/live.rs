//! Events for web tools over real sockets: `POST`, server-sent events and WebSockets, beside clients
//! that speak CoT.

#[path = "live/limits.rs"]
mod limits;
#[path = "live/post.rs"]
mod post;
mod support;
#[path = "live/tools.rs"]
mod tools;
#[path = "live/view.rs"]
mod view;
