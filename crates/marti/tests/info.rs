//! What the server says of itself and of who is there, profiles, and what else clients ask, from
//! the side of clients. Numbers are those of the checklist of the HTTP API.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::allow_attributes,
    reason = "a test that is out of bounds has failed"
)]

mod support;

#[path = "info/forms.rs"]
mod forms;
#[path = "info/people.rs"]
mod people;
#[path = "info/profiles.rs"]
mod profiles;
#[path = "info/rest.rs"]
mod rest;
