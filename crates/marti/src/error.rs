//! Failures as clients are told of them.

use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use store::StoreError;

use crate::answer::{self, Answer};

/// Why a request was not answered as it was meant to be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// A parameter, a header or the body is wrong.
    #[error("{0}")]
    BadRequest(String),
    /// There is something already.
    #[error("{0}")]
    Conflict(String),
    /// Not for this caller.
    #[error("{0}")]
    Forbidden(String),
    /// There was something, which is gone.
    #[error("{0}")]
    Gone(String),
    /// Something failed here; the cause is in the log.
    #[error("{0}")]
    Internal(String),
    /// The method is not for this path; these are.
    #[error("{method} is not for this path; use {allowed}")]
    MethodNotAllowed {
        /// What was asked.
        method: String,
        /// What there is, joined by commas.
        allowed: String,
    },
    /// There is no such thing, or not for this caller.
    #[error("{0}")]
    NotFound(String),
    /// Known, and not supported.
    #[error("{0}")]
    NotImplemented(String),
    /// The disk or a quota is full.
    #[error("{0}")]
    Full(String),
    /// The body did not come in time.
    #[error("{0}")]
    Timeout(String),
    /// The body is larger than it may be.
    #[error("{0}")]
    TooLarge(String),
    /// The part that is asked for is none of the content.
    #[error("the content has only {size} bytes")]
    Unsatisfiable {
        /// Size of the content. Bytes.
        size: u64,
    },
    /// Nobody is known to call.
    #[error("{0}")]
    Unauthorized(String),
    /// Try again later.
    #[error("{0}")]
    Unavailable(String),
    /// The content is not what it was said to be.
    #[error("{0}")]
    Unprocessable(String),
}

impl ApiError {
    /// Too much waits for those who asked for it.
    pub(crate) fn too_much() -> Self {
        let text = "too much is on its way to this address, or to all together";
        Self::Unavailable(text.to_owned())
    }

    /// Status, and its name and number in the body.
    fn codes(&self) -> (StatusCode, &'static str, Option<u32>) {
        use StatusCode as S;
        match self {
            Self::BadRequest(_) => (S::BAD_REQUEST, "BAD_REQUEST", Some(2)),
            Self::Conflict(_) => (S::CONFLICT, "CONFLICT", Some(4)),
            Self::Forbidden(_) => (S::FORBIDDEN, "FORBIDDEN", Some(10)),
            Self::Full(_) => (S::INSUFFICIENT_STORAGE, "INSUFFICIENT_STORAGE", None),
            Self::Gone(_) => (S::GONE, "GONE", Some(8)),
            Self::Internal(_) => (S::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", Some(6)),
            Self::MethodNotAllowed { .. } => (S::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", None),
            Self::NotFound(_) => (S::NOT_FOUND, "NOT_FOUND", Some(1)),
            Self::NotImplemented(_) => (S::NOT_IMPLEMENTED, "NOT_IMPLEMENTED", Some(3)),
            Self::Timeout(_) => (S::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", None),
            Self::TooLarge(_) => (S::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", None),
            Self::Unsatisfiable { .. } => (S::RANGE_NOT_SATISFIABLE, "RANGE_NOT_SATISFIABLE", None),
            Self::Unauthorized(_) => (S::UNAUTHORIZED, "UNAUTHORIZED", Some(9)),
            Self::Unavailable(_) => (S::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", None),
            Self::Unprocessable(_) => (S::UNPROCESSABLE_ENTITY, "UNPROCESSABLE_ENTITY", None),
        }
    }

    /// The answer: a status and a JSON body that says what is wrong.
    pub(crate) fn into_answer(self) -> Answer {
        let (status, name, code) = self.codes();
        let mut body = json!({ "status": name, "message": self.to_string() });
        if let (Some(code), Some(fields)) = (code, body.as_object_mut()) {
            fields.insert("code".to_owned(), code.into());
        }
        let mut answer = answer::json(status, &body);
        match self {
            Self::MethodNotAllowed { allowed, .. } => {
                if let Ok(allowed) = HeaderValue::from_str(&allowed) {
                    answer.headers_mut().insert(header::ALLOW, allowed);
                }
            }
            Self::Unsatisfiable { size } => {
                if let Ok(range) = HeaderValue::from_str(&format!("bytes */{size}")) {
                    answer.headers_mut().insert(header::CONTENT_RANGE, range);
                }
            }
            Self::Unavailable(_) => {
                answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
            }
            // What is left of the body is not read.
            Self::Timeout(_) | Self::TooLarge(_) => {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(header::CONNECTION, close);
            }
            _ => {}
        }
        answer
    }
}

/// What a store's refusal means to a client. Nothing of the machine is told: paths and causes are
/// for the log.
impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::Busy => Self::Unavailable(text),
            StoreError::Damaged { .. } => Self::Gone(text),
            StoreError::Degraded => {
                Self::Unavailable("the store takes nothing until the server is restarted".into())
            }
            StoreError::Full { low: Some(low), .. } => Self::Full(format!(
                "the disk of the server has {} MiB too little: its operator has to make room, or \
                 let less stay free (`packages_free`)",
                low.missing().div_ceil(1 << 20)
            )),
            StoreError::Full { low: None, .. } => {
                Self::Full("the disk of the server is full: its operator has to make room".into())
            }
            StoreError::HashMismatch { .. } => Self::Unprocessable(text),
            StoreError::Interrupted { source } if source.kind() == std::io::ErrorKind::TimedOut => {
                Self::Timeout("the body did not come in time".to_owned())
            }
            StoreError::Interrupted { .. }
            | StoreError::SizeMismatch { .. }
            | StoreError::Unfit { .. } => Self::BadRequest(text),
            StoreError::NotFound { .. } => Self::NotFound(text),
            StoreError::NotOwner { .. } => Self::Forbidden(text),
            StoreError::QuotaExceeded { .. } => Self::Full(format!(
                "{text}: the operator of the server has to remove packages, or allow more"
            )),
            StoreError::TooLarge { .. } => Self::TooLarge(text),
            error => {
                tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
                Self::Internal("the store failed; the server's log says why".to_owned())
            }
        }
    }
}
