//! Forms with a file, as `multipart/form-data` (marti-api A.4).

use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use multer::{Error, Field, Multipart};

use super::reader::{Allowance, Measured, PieceReader};
use crate::ask::{Ask, AskBody, broken};
use crate::error::ApiError;

/// Bytes that may come before the file: fields without one, and the heads of all of them.
const MAX_BEFORE: usize = 128 << 10;

/// Names of the field that has the file, for clients that give it no file name.
const FILE_FIELDS: [&str; 2] = ["assetfile", "resource"];

/// A form that is on its way.
pub(super) struct Form<'a> {
    multipart: Multipart<'a>,
    allowance: &'a Allowance,
}

/// The file in a form.
pub(super) struct FilePart<'a> {
    /// As the form calls it.
    pub(super) filename: Option<String>,
    /// As the form says.
    pub(super) mime_type: Option<String>,
    pub(super) content: PieceReader<Content<'a>>,
}

/// An allowance for what comes before the file.
pub(super) fn allowance() -> Allowance {
    Allowance::new(MAX_BEFORE)
}

/// The boundary between the parts, when the request is a form with files. What the header says
/// decides, not what the body looks like (marti-api checklist 20).
///
/// # Errors
///
/// It is one without a boundary.
pub(super) fn boundary(ask: &Ask) -> Result<Option<String>, ApiError> {
    if ask.content_type() != "multipart/form-data" {
        return Ok(None);
    }
    let whole = ask.header(http::header::CONTENT_TYPE).unwrap_or_default();
    let boundary = multer::parse_boundary(whole)
        .ok()
        // A longer one is none (RFC 2046), and an empty one is found everywhere.
        .filter(|boundary| (1..=70).contains(&boundary.len()));
    let missing = || ApiError::BadRequest("the type of the body has no boundary".to_owned());
    boundary.map(Some).ok_or_else(missing)
}

impl<'a> Form<'a> {
    /// Begins to read a form.
    pub(super) fn new(body: &'a mut AskBody, boundary: String, allowance: &'a Allowance) -> Self {
        let multipart = Multipart::new(Measured::new(body, &boundary, allowance), boundary);
        Self { multipart, allowance }
    }

    /// The first file.
    ///
    /// # Errors
    ///
    /// There is none, not within the first 128 KiB, or the form cannot be read.
    pub(super) async fn file(mut self) -> Result<FilePart<'a>, ApiError> {
        while let Some(field) = self.multipart.next_field().await.map_err(refused)? {
            let is_file = field.file_name().is_some()
                || field.name().is_some_and(|name| FILE_FIELDS.contains(&name));
            if is_file {
                self.allowance.lift();
                return Ok(FilePart {
                    filename: field.file_name().map(str::to_owned),
                    mime_type: field.content_type().map(|mime| mime.essence_str().to_owned()),
                    content: PieceReader::new(Content(field)),
                });
            }
        }
        Err(ApiError::BadRequest("there is no file in the form".to_owned()))
    }
}

/// The content of a file in a form.
pub(super) struct Content<'a>(Field<'a>);

impl Stream for Content<'_> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.0).poll_next(cx);
        next.map(|next| next.map(|piece| piece.map_err(into_io)))
    }
}

/// What stopped the form, as a reader says it.
fn into_io(error: Error) -> io::Error {
    match error {
        Error::StreamReadFailed(cause) => match cause.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(cause) => io::Error::other(cause),
        },
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

/// What stopped the form, as a client is told.
fn refused(error: Error) -> ApiError {
    let error = into_io(error);
    match error.kind() {
        io::ErrorKind::InvalidData => {
            let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
            ApiError::BadRequest(format!("the form cannot be read: {error}{cause}"))
        }
        _ => broken(&error),
    }
}
