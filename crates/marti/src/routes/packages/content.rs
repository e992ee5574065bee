//! Downloads (marti-api A.6).

use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http_body::{Body as HttpBody, Frame, SizeHint};
use store::packages::{ContentHash, PackageFilter, PackageStore, ReadContent, Viewer};
use tokio::io::AsyncSeekExt;

use super::range::Part;
use super::{disposition, hash_of, media};
use crate::Body;
use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::error::ApiError;
use crate::service::Inner;
use crate::sight::Sight;

/// The version of the API, as the official server says with every download.
const API_VERSION: HeaderName = HeaderName::from_static("api-version");

/// The content of a package, or a part of it, by hash or UID.
pub(crate) async fn content<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let named = match ask.param("hash") {
        "" => ask.query.get("hash"),
        hash => Some(hash),
    };
    let hash = match (named, ask.query.get("uid")) {
        (Some(hash), _) => hash_of(hash)?,
        (None, Some(uid)) => {
            let viewer = Sight::of(&ask, &marti.relay).viewer(&marti.relay);
            by_uid(&marti, viewer, uid).await?
        }
        (None, None) => return Err(ApiError::BadRequest("there must be a hash".to_owned())),
    };
    give(&marti, ask, hash).await
}

/// The content of a package, or the part of it that the request asks for.
pub(in crate::routes) async fn give<P: PackageStore>(
    marti: &Inner<P>,
    ask: Ask,
    hash: ContentHash,
) -> Result<Answer, ApiError> {
    let viewer = Sight::of(&ask, &marti.relay).viewer(&marti.relay);
    let (package, mut content) = marti.packages.open(hash, &viewer).await?;
    let etag = format!("\"{hash}\"");
    let part = Part::of(&ask, package.size, &etag)?;
    if part.from > 0 {
        content.seek(SeekFrom::Start(part.from)).await.map_err(|error| unreadable(&error))?;
    }
    let body = Body::content(Content { content, left: part.len }, Arc::clone(&marti.counters));
    let mut answer = answer::of(part.status, media::harmless(&package.mime_type), body);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_LENGTH, part.len.into());
    let disposition = disposition::attachment(&package.name, &hash.to_string());
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    let policy = HeaderValue::from_static("sandbox; default-src 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(API_VERSION, HeaderValue::from_static("3"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    let range = part.content_range(package.size);
    if let Some(Ok(range)) = range.map(|range| HeaderValue::from_str(&range)) {
        headers.insert(header::CONTENT_RANGE, range);
    }
    Ok(answer)
}

/// The hash of what was uploaded last under a UID, which may be a hash itself.
async fn by_uid<P: PackageStore>(
    marti: &Inner<P>,
    viewer: Viewer,
    uid: &str,
) -> Result<ContentHash, ApiError> {
    if let Ok(hash) = uid.parse() {
        return Ok(hash);
    }
    let mut filter = PackageFilter::new(viewer);
    filter.uid = Some(uid.to_owned());
    filter.limit = 1;
    let found = marti.packages.list(&filter).await?.into_iter().next();
    let absent = || ApiError::NotFound("there is no content with this uid".to_owned());
    Ok(found.ok_or_else(absent)?.hash)
}

fn unreadable(error: &io::Error) -> ApiError {
    tracing::error!(%error, "the content of a package cannot be read");
    ApiError::Internal("the content cannot be read".to_owned())
}

/// A part of a content on its way to a client.
struct Content<C> {
    content: C,
    /// Bytes.
    left: u64,
}

impl<C: ReadContent> HttpBody for Content<C> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let piece = ready!(Pin::new(&mut this.content).poll_piece(cx, this.left))?;
        let len = piece.len() as u64;
        if piece.is_empty() || len > this.left {
            // The client sees that it is not all.
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        this.left -= len;
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_part_is_sent_in_chunks_and_a_lack_is_an_error() {
        let whole: Vec<u8> = (0..251_u8).cycle().take(200_000).collect();
        let part = |left| Content { content: Cursor::new(Arc::from(whole.as_slice())), left };
        let sent = part(150_000).collect().await.unwrap().to_bytes();
        assert!(sent == whole[..150_000]);
        assert!(part(0).is_end_stream());
        assert_eq!(part(7).size_hint().exact(), Some(7));
        let error = part(200_001).collect().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
