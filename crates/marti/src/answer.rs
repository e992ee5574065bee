//! Answers, in the few forms that clients expect.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use serde::Serialize;

use crate::Body;

/// What a handler gives.
pub(crate) type Answer = Response<Body>;

/// JSON, without a charset: a client compares the whole type (marti-api 0.2, checklist 4).
pub(crate) const JSON: &str = "application/json";
pub(crate) const XML: &str = "application/xml";
const TEXT: &str = "text/plain";

/// A value as JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(bytes) => of(status, JSON, Body::whole(bytes)),
        Err(_) => of(StatusCode::INTERNAL_SERVER_ERROR, JSON, Body::whole("{}")),
    }
}

/// A value as JSON, with success.
pub(crate) fn ok(value: &impl Serialize) -> Answer {
    json(StatusCode::OK, value)
}

/// A text.
pub(crate) fn text(text: impl Into<String>) -> Answer {
    of(StatusCode::OK, TEXT, Body::whole(text.into()))
}

/// An XML document.
pub(crate) fn xml(document: impl Into<bytes::Bytes>) -> Answer {
    of(StatusCode::OK, XML, Body::whole(document))
}

/// A status without a body.
pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Answer::new(Body::empty());
    *answer.status_mut() = status;
    protect(&mut answer);
    answer
}

/// A body of a type.
pub(crate) fn of(status: StatusCode, content_type: &'static str, body: Body) -> Answer {
    let mut answer = Answer::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    protect(&mut answer);
    answer
}

/// What every answer has: it is what its type says, and nobody keeps it.
fn protect(answer: &mut Answer) {
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}
