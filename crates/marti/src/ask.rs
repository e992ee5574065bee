//! A request as handlers see it.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method};
use http_body::Body as _;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::upgrade::OnUpgrade;
use serde::de::DeserializeOwned;

use crate::Caller;
use crate::budget::Room;
use crate::error::ApiError;
use crate::query::Query;
use crate::serve::Stopping;

/// The body of a request, whose sender is held to a pace (see [`pace`](crate::pace)).
pub(crate) type AskBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// A request: where it went, what it said, and who it is from.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Query,
    /// What stands for the names in the route's path, decoded.
    pub(crate) params: BTreeMap<&'static str, String>,
    pub(crate) caller: Caller,
    /// `scheme://host`, as the client named this server.
    pub(crate) base_url: String,
    pub(crate) body: AskBody,
    /// Room for a body that is needed as a whole.
    pub(crate) room: Room,
    /// The connection, if the client wants another protocol on it.
    pub(crate) upgrade: Option<OnUpgrade>,
    /// When the server stops, where that is known: for answers that have no end of their own.
    pub(crate) stopping: Option<Stopping>,
}

impl Ask {
    /// The part of the path that the route calls `name`.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// A header that is text.
    pub(crate) fn header(&self, name: http::header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The type of the body, lower case, without its parameters.
    pub(crate) fn content_type(&self) -> String {
        let whole = self.header(http::header::CONTENT_TYPE).unwrap_or_default();
        let bare = whole.split(';').next().unwrap_or_default();
        bare.trim().to_ascii_lowercase()
    }

    /// How long the body is said to be. Bytes.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// The whole body.
    ///
    /// # Errors
    ///
    /// It is longer than `max` bytes, too slow, or broken off; or too much of others is here.
    pub(crate) async fn bytes(&mut self, max: usize) -> Result<Bytes, ApiError> {
        let too_large = || ApiError::TooLarge(format!("the body has more than {max} bytes"));
        if self.content_length().is_some_and(|len| len > max as u64) {
            return Err(too_large());
        }
        let mut whole = BytesMut::new();
        while let Some(frame) = self.body.frame().await {
            let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
            if whole.len() + data.len() > max {
                return Err(too_large());
            }
            if !self.room.grow(data.len()) {
                let text = "too much is on its way from this address, or from all together";
                return Err(ApiError::Unavailable(text.to_owned()));
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    }

    /// The whole body as text; what is no UTF-8 is replaced.
    ///
    /// # Errors
    ///
    /// See [`Ask::bytes`].
    pub(crate) async fn text(&mut self, max: usize) -> Result<String, ApiError> {
        Ok(String::from_utf8_lossy(&self.bytes(max).await?).into_owned())
    }

    /// The whole body as JSON.
    ///
    /// # Errors
    ///
    /// See [`Ask::bytes`]; it is not what is expected.
    pub(crate) async fn json<T: DeserializeOwned>(&mut self, max: usize) -> Result<T, ApiError> {
        let bytes = self.bytes(max).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| ApiError::BadRequest(format!("the body is not as expected: {error}")))
    }

    /// Reads the whole body and keeps nothing of it. Says how many bytes that were.
    ///
    /// # Errors
    ///
    /// See [`Ask::bytes`].
    pub(crate) async fn drain(&mut self, max: u64) -> Result<u64, ApiError> {
        let mut whole = 0;
        let mut is_too_large = self.content_length().is_some_and(|len| len > max);
        while !is_too_large && let Some(frame) = self.body.frame().await {
            whole += frame
                .map_err(|error| broken(&error))?
                .data_ref()
                .map_or(0, |data| data.len() as u64);
            is_too_large = whole > max;
        }
        if is_too_large {
            return Err(ApiError::TooLarge(format!("the body has more than {max} bytes")));
        }
        Ok(whole)
    }
}

/// What is said of a body that cannot be read on.
pub(crate) fn broken(error: &std::io::Error) -> ApiError {
    match error.kind() {
        std::io::ErrorKind::TimedOut => {
            ApiError::Timeout("the body did not come in time".to_owned())
        }
        _ => ApiError::BadRequest("the body was broken off".to_owned()),
    }
}
