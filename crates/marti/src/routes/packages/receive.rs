//! Uploads: from a request into the store, with as little in memory as possible.

use store::StoreError;
use store::packages::{DataPackage, PackageStore, Upload};
use tokio::io::AsyncRead;

use super::reader::{PieceReader, Pieces};
use super::{describe, multipart};
use crate::ask::Ask;
use crate::error::ApiError;
use crate::service::Inner;
use crate::sight::Sight;

/// Bytes that a form may have around its file.
const MAX_AROUND: u64 = 1 << 20;

/// Takes a data package, which is the file of a form.
pub(super) async fn package<P: PackageStore>(
    marti: &Inner<P>,
    ask: &mut Ask,
) -> Result<DataPackage, ApiError> {
    let sight = Sight::of(ask, &marti.relay);
    let upload = describe::package(ask, &sight)?;
    let Some(boundary) = multipart::boundary(ask)? else {
        let text = "the body must be multipart/form-data with a file";
        return Err(ApiError::BadRequest(text.to_owned()));
    };
    take(marti, ask, upload, Some(boundary)).await
}

/// Takes a file, which is the body itself or in a form.
pub(super) async fn file<P: PackageStore>(
    marti: &Inner<P>,
    ask: &mut Ask,
) -> Result<DataPackage, ApiError> {
    let sight = Sight::of(ask, &marti.relay);
    let upload = describe::file(ask, &sight)?;
    let boundary = multipart::boundary(ask)?;
    take(marti, ask, upload, boundary).await
}

async fn take<P: PackageStore>(
    marti: &Inner<P>,
    ask: &mut Ask,
    mut upload: Upload,
    boundary: Option<String>,
) -> Result<DataPackage, ApiError> {
    let limit = marti.config.max_upload_bytes;
    let around = if boundary.is_some() { MAX_AROUND } else { 0 };
    let announced = ask.content_length();
    if announced.is_some_and(|len| len > limit.saturating_add(around)) {
        return Err(StoreError::TooLarge { limit }.into());
    }
    upload.check()?;
    // Who has no address is the operator or an application, and is not held to this.
    let crowd = &marti.shared.packages.uploads;
    let place = ask.caller.addr.map(|addr| crowd.enter(Some(addr)).ok_or_else(too_many));
    let _place = place.transpose()?;
    let Some(boundary) = boundary else {
        upload.size = announced;
        return insert(marti, upload, PieceReader::new(Pieces::new(&mut ask.body))).await;
    };
    let is_typed = ask.query.get("mimetype").or_else(|| ask.query.get("mime")).is_some();
    let allowance = multipart::allowance();
    let form = multipart::Form::new(&mut ask.body, boundary, &allowance);
    let part = form.file().await?;
    if upload.name.is_empty() {
        upload.name = part.filename.clone().unwrap_or_default();
    }
    if let Some(mime_type) = part.mime_type.filter(|_| !is_typed) {
        upload.mime_type = mime_type;
    }
    insert(marti, upload, part.content).await
}

async fn insert<P: PackageStore>(
    marti: &Inner<P>,
    upload: Upload,
    content: impl AsyncRead + Send + Unpin,
) -> Result<DataPackage, ApiError> {
    Ok(marti.packages.insert(upload, content).await?)
}

fn too_many() -> ApiError {
    ApiError::Unavailable("there are too many uploads from this address".to_owned())
}
