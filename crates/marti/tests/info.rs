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

use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use marti::Caller;
use tower_service::Service;

use support::Server;

/// What the operator is answered: status and body. Sockets are for everyone, so without one.
fn operator(server: &Server, method: Method, path: &str, body: &str) -> (u16, String) {
    let body = Full::new(bytes::Bytes::copy_from_slice(body.as_bytes()));
    let request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:8088");
    let mut request = request.body(body).unwrap();
    request.extensions_mut().insert(Caller::operator());
    let mut marti = server.marti.clone();
    server.run(async move {
        let Ok(answer) = marti.call(request).await;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    })
}
