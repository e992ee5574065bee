//! What there is: lists of packages, and what is known of each (marti-api A.7, A.10 to A.12).

mod filter;
mod row;

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;
use store::packages::{
    ContentHash, DataPackage, PackageChange, PackageFilter, PackageStore, Viewer,
};

use super::packages;
use crate::Role;
use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::envelope::Envelope;
use crate::error::ApiError;
use crate::service::Inner;
use crate::sight::Sight;

pub(super) use self::row::Row;
use self::row::{FileRow, Resource};

/// Bytes of a megabyte, as clients are told the limit.
const MEGABYTE: u64 = 1 << 20;

/// What a client looks for, in the form that ATAK reads.
pub(crate) async fn search<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let found = marti.packages.list(&filter::search(&ask.query, viewer(&marti, &ask))?).await?;
    let rows: Vec<_> = found.iter().map(Row::of).collect();
    Ok(answer::ok(&json!({ "resultCount": rows.len(), "results": rows })))
}

/// What is known of one package.
pub(crate) async fn row<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let hash = packages::hash_of(ask.param("hash"))?;
    Ok(answer::ok(&Row::of(&find(&marti, viewer(&marti, &ask), hash).await?)))
}

/// What a client looks for, in the form of the newer API.
pub(crate) async fn api_search<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let found = marti.packages.list(&filter::search(&ask.query, viewer(&marti, &ask))?).await?;
    Ok(resources(&marti, &ask, &found))
}

/// What is known of one content, as a list of the one that the caller sees.
pub(crate) async fn by_hash<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let hash = packages::hash_of(ask.param("hash"))?;
    let found = find(&marti, viewer(&marti, &ask), hash).await?;
    Ok(resources(&marti, &ask, std::slice::from_ref(&found)))
}

/// All files, by the page.
pub(crate) async fn files<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let found = marti.packages.list(&filter::files(&ask.query, viewer(&marti, &ask))?).await?;
    let sight = Sight::of(&ask, &marti.relay);
    let rows: Vec<_> = found.iter().map(|package| FileRow::of(package, &sight)).collect();
    Ok(answer::ok(&Envelope::new("Files", rows, &marti.config.node_id)))
}

/// How many files there are.
pub(crate) async fn files_count<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let count = marti.packages.count(&filter::files(&ask.query, viewer(&marti, &ask))?).await?;
    Ok(answer::ok(&Envelope::new("Count", count, &marti.config.node_id)))
}

/// A file.
pub(crate) async fn file<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let hash = packages::hash_of(ask.param("hash"))?;
    packages::give(&marti, ask, hash).await
}

/// Removes a file that the caller owns.
pub(crate) async fn delete_file<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    ask.discard().await;
    let hash = packages::hash_of(ask.param("hash"))?;
    packages::remove(&marti, ask, hash).await
}

/// Changes what is known of a file that the caller owns. To whom it belongs only the operator says.
pub(crate) async fn set_file<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    ask.discard().await;
    let hash = packages::hash_of(ask.param("hash"))?;
    let mut change = PackageChange::default();
    let keywords: Vec<_> = ask.query.list("keywords").map(str::to_owned).collect();
    change.keywords = ask.query.first("keywords").map(|_| keywords);
    change.expires_ms = packages::expiration(&ask.query)?;
    if ask.caller.role == Role::Operator {
        change.submitter = ask.query.first("user").map(|user| Some(user.to_owned()));
    }
    packages::alter(&marti, ask, hash, change).await?;
    Ok(answer::empty(StatusCode::OK))
}

/// How much may be uploaded.
pub(crate) async fn files_config<P: PackageStore>(
    marti: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Ok(answer::ok(&json!({ "uploadSizeLimit": marti.config.max_upload_bytes / MEGABYTE })))
}

fn resources<P: PackageStore>(marti: &Inner<P>, ask: &Ask, found: &[DataPackage]) -> Answer {
    let is_operator = ask.caller.role == Role::Operator;
    let rows: Vec<_> = found.iter().map(|package| Resource::of(package, is_operator)).collect();
    answer::ok(&Envelope::new("Resource", rows, &marti.config.node_id))
}

/// The entry of a content that a viewer sees.
async fn find<P: PackageStore>(
    marti: &Inner<P>,
    viewer: Viewer,
    hash: ContentHash,
) -> Result<DataPackage, ApiError> {
    let found = marti.packages.find(hash, &viewer).await?;
    found.ok_or_else(|| packages::absent(hash))
}

fn viewer<P: PackageStore>(marti: &Inner<P>, ask: &Ask) -> Viewer {
    Sight::of(ask, &marti.relay).viewer(&marti.relay)
}

/// Everything that a viewer sees, and not more than an answer may have.
fn everything(viewer: Viewer) -> PackageFilter {
    let mut filter = PackageFilter::new(viewer);
    filter.limit = filter::MAX_ROWS;
    filter
}
