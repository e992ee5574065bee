//! What there is: lists of packages, and what is known of each (marti-api A.7, A.10 to A.12).

mod filter;
mod listing;
mod row;

use std::ops::ControlFlow;
use std::sync::Arc;

use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use store::packages::{
    ContentHash, DataPackage, PackageChange, PackageFilter, PackageStore, Viewer,
};

use super::packages;
use crate::Role;
use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::budget::Room;
use crate::envelope::Envelope;
use crate::error::ApiError;
use crate::service::Inner;
use crate::sight::Sight;

use self::listing::Listing;
pub(super) use self::row::Row;
use self::row::{FileRow, Resource};

/// Most bytes of the rows of an answer.
const MAX_ROW_BYTES: usize = 2 << 20;

/// Bytes of a megabyte, as clients are told the limit.
const MEGABYTE: u64 = 1 << 20;

/// What a client looks for, in the form that ATAK reads.
pub(crate) async fn search<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let filter = filter::search(&ask.query, viewer(&marti, &ask))?;
    let mut listing = Listing::default();
    let room = visit(&*marti.packages, marti.room(&ask), filter, |package| {
        listing.push(&Row::of(&package), MAX_ROW_BYTES)
    })
    .await?;
    let found = Found { result_count: listing.len(), results: [] };
    listing.into_answer(&found, room)
}

/// The list that ATAK reads.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    result_count: usize,
    /// Where the rows go.
    results: [(); 0],
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
    let mut filter = filter::search(&ask.query, viewer(&marti, &ask))?;
    let is_operator = ask.caller.role == Role::Operator;
    filter.each_audience = is_operator && ask.query.is_set("eachAudience");
    filter.include_damaged = is_operator && ask.query.is_set("damaged");
    let mut listing = Listing::default();
    let room = visit(&*marti.packages, marti.room(&ask), filter, |package| {
        listing.push(&Resource::of(&package, is_operator), MAX_ROW_BYTES)
    })
    .await?;
    listing.into_answer(&Envelope::new("Resource", [(); 0], &marti.config.node_id), room)
}

/// What is known of one content, as a list of the one that the caller sees.
pub(crate) async fn by_hash<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let hash = packages::hash_of(ask.param("hash"))?;
    let found = find(&marti, viewer(&marti, &ask), hash).await?;
    let rows = [Resource::of(&found, ask.caller.role == Role::Operator)];
    Ok(answer::ok(&Envelope::new("Resource", rows, &marti.config.node_id)))
}

/// All files, by the page.
pub(crate) async fn files<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let filter = filter::files(&ask.query, viewer(&marti, &ask))?;
    let sight = Sight::of(&ask, &marti.relay);
    let mut listing = Listing::default();
    let room = visit(&*marti.packages, marti.room(&ask), filter, |package| {
        listing.push(&FileRow::of(&package, &sight), MAX_ROW_BYTES)
    })
    .await?;
    listing.into_answer(&Envelope::new("Files", [(); 0], &marti.config.node_id), room)
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
    ask: Ask,
) -> Result<Answer, ApiError> {
    let hash = packages::hash_of(ask.param("hash"))?;
    packages::remove(&marti, ask, hash).await
}

/// Changes what is known of a file that the caller owns. To whom it belongs only the operator says.
pub(crate) async fn set_file<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
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

/// The rows of what is found, as far as an answer may have them; `row` makes one, and says how many
/// bytes it has. Of the entries themselves there is never more than one in memory, and of the rows
/// of all who ask no more than there is room for.
pub(super) async fn rows<P: PackageStore, R: Send>(
    packages: &P,
    room: Room,
    filter: PackageFilter,
    mut row: impl FnMut(&DataPackage) -> Result<(R, usize), ApiError> + Send,
) -> Result<Vec<R>, ApiError> {
    let (mut rows, mut bytes) = (Vec::new(), 0);
    visit(packages, room, filter, |package| {
        let (row, len) = row(&package)?;
        bytes += len;
        if bytes > MAX_ROW_BYTES && !rows.is_empty() {
            return Ok(None);
        }
        rows.push(row);
        Ok(Some(len))
    })
    .await?;
    Ok(rows)
}

/// Gives what is found to `take`, which says how many bytes it keeps of it, or that it has enough.
/// Gives back the room that these take.
async fn visit<P: PackageStore>(
    packages: &P,
    mut room: Room,
    filter: PackageFilter,
    mut take: impl FnMut(DataPackage) -> Result<Option<usize>, ApiError> + Send,
) -> Result<Room, ApiError> {
    let mut failure = None;
    let visitor = |package| {
        let taken = take(package).and_then(|taken| match taken {
            Some(len) if !room.grow(len) => Err(ApiError::too_much()),
            Some(_) => Ok(ControlFlow::Continue(())),
            None => Ok(ControlFlow::Break(())),
        });
        taken.unwrap_or_else(|error| {
            failure = Some(error);
            ControlFlow::Break(())
        })
    };
    packages.visit(&filter, visitor).await?;
    failure.map_or(Ok(room), Err)
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
