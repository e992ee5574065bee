//! What readers ask.

use std::ops::ControlFlow;

use futures_util::TryStreamExt;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use sqlx::{QueryBuilder, Row};

use super::Inner;
use super::database::failed;
use super::rows::{self, Entry, select_entry, select_package};
use crate::StoreError;
use crate::packages::filter::fold;
use crate::packages::{
    Circle, ContentHash, DataPackage, MAX_KEYWORDS, PackageFilter, PackageUsage, SortBy, Viewer,
};

const READING: &str = "read the database";

/// Rows that are read at a time. The database is that many ahead of the visitor at most.
const PAGE_ROWS: usize = 32;

/// Gives the entries that match, until the visitor breaks off.
pub(super) async fn visit(
    inner: &Inner,
    filter: &PackageFilter,
    mut visitor: impl FnMut(DataPackage) -> ControlFlow<()> + Send,
) -> Result<(), StoreError> {
    let keys = match filter.circle {
        None => picked(inner, filter).await?,
        Some(circle) => {
            let mut keys = within(inner, filter, circle).await?;
            keys.drain(..keys.len().min(filter.offset as usize));
            keys.truncate(filter.limit as usize);
            keys
        }
    };
    // The rows of those that are given are read when these are known, and no others: some at a time,
    // as each may be large, and a visitor may soon have enough.
    let sql = select_package!(
        " FROM json_each(?) picked CROSS JOIN packages p ON p.id = picked.value ",
        "JOIN contents c ON c.id = p.content JOIN audiences a ON a.id = p.audience ",
        "ORDER BY picked.rowid"
    );
    let mut connection = inner.readers.acquire().await.map_err(failed(READING))?;
    for keys in keys.chunks(PAGE_ROWS) {
        let mut rows = sqlx::query(sql).bind(rows::json(keys)).fetch(&mut *connection);
        while let Some(row) = rows.try_next().await.map_err(failed(READING))? {
            let package = rows::package(&row).map_err(failed(READING))?;
            // A damaged index may lead to rows that are for others.
            if package.audience.includes(&filter.viewer) && visitor(package).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The numbers of the entries that are given, in order.
async fn picked(inner: &Inner, filter: &PackageFilter) -> Result<Vec<i64>, StoreError> {
    let mut query = visible(&filter.viewer);
    // As one value: each has its price.
    query.push("SELECT json_group_array(id) FROM (SELECT p.id");
    if !push_matches(&mut query, filter, inner.config.clock.now_ms()) {
        return Ok(Vec::new());
    }
    query.push(order(filter));
    // A bare number would have the statement prepared again for each search.
    query.push(" LIMIT 0 + ").push_bind(i64::from(filter.limit));
    query.push(" OFFSET ").push_bind(i64::from(filter.offset)).push(")");
    let keys: String =
        query.build_query_scalar().fetch_one(&inner.readers).await.map_err(failed(READING))?;
    rows::numbers(&keys).map_err(failed(READING))
}

fn order(filter: &PackageFilter) -> &'static str {
    match (filter.sort, filter.is_ascending) {
        (SortBy::Name, true) => " ORDER BY p.name_folded, p.revision",
        (SortBy::Name, false) => " ORDER BY p.name_folded DESC, p.revision DESC",
        (SortBy::Size, true) => " ORDER BY c.size, p.revision",
        (SortBy::Size, false) => " ORDER BY c.size DESC, p.revision DESC",
        (SortBy::Submitted, true) => " ORDER BY p.revision",
        (SortBy::Submitted, false) => " ORDER BY p.revision DESC",
    }
}

/// How many entries match.
pub(super) async fn count(inner: &Inner, filter: &PackageFilter) -> Result<u64, StoreError> {
    if let Some(circle) = filter.circle {
        return Ok(within(inner, filter, circle).await?.len() as u64);
    }
    let mut query = visible(&filter.viewer);
    query.push("SELECT count(*)");
    if !push_matches(&mut query, filter, inner.config.clock.now_ms()) {
        return Ok(0);
    }
    query.build_query_scalar().fetch_one(&inner.readers).await.map_err(failed(READING))
}

/// The numbers of all entries that match, in order. The database knows no sines.
async fn within(
    inner: &Inner,
    filter: &PackageFilter,
    circle: Circle,
) -> Result<Vec<i64>, StoreError> {
    let mut query = visible(&filter.viewer);
    query.push("SELECT p.id, p.latitude, p.longitude");
    if !push_matches(&mut query, filter, inner.config.clock.now_ms()) {
        return Ok(Vec::new());
    }
    let (south, north) = circle.latitudes();
    query.push(" AND p.latitude >= ").push_bind(south);
    query.push(" AND p.latitude <= ").push_bind(north);
    query.push(" AND p.longitude IS NOT NULL").push(order(filter));
    let places: Vec<(i64, f64, f64)> =
        query.build_query_as().fetch_all(&inner.readers).await.map_err(failed(READING))?;
    let inside = places.into_iter().filter(|&(_, lat, lon)| circle.contains(lat, lon));
    Ok(inside.map(|(key, ..)| key).collect())
}

/// The entry of a content that a viewer sees.
pub(super) async fn find(
    inner: &Inner,
    hash: ContentHash,
    viewer: &Viewer,
) -> Result<Option<Entry>, StoreError> {
    let mut connection = inner.readers.acquire().await.map_err(failed(READING))?;
    let now_ms = inner.config.clock.now_ms();
    Ok(seen(&mut connection, hash, viewer, now_ms).await?.into_iter().next())
}

/// All entries of a content that are for a viewer, the newest first.
pub(super) async fn seen(
    connection: &mut SqliteConnection,
    hash: ContentHash,
    viewer: &Viewer,
    now_ms: i64,
) -> Result<Vec<Entry>, StoreError> {
    let mut query = visible(viewer);
    query.push(select_entry!("WHERE c.sha256 = ")).push_bind(hash.as_bytes().as_slice());
    query.push(" AND coalesce(p.expires_ms > ").push_bind(now_ms).push(", TRUE)");
    if let Viewer::Groups(_) = viewer {
        query.push(" AND p.audience IN (SELECT id FROM visible)");
    }
    query.push(" ORDER BY p.revision DESC");
    let rows = query.build().fetch_all(connection).await.map_err(failed(READING))?;
    let entries = rows.iter().map(rows::entry).collect::<Result<Vec<_>, _>>();
    let mut entries = entries.map_err(failed(READING))?;
    // A damaged index may lead to other rows.
    entries.retain(|entry| entry.package.hash == hash);
    Ok(entries)
}

/// How much there is. It is counted once after each change.
pub(super) async fn usage(inner: &Inner) -> Result<PackageUsage, StoreError> {
    let changes = match inner.status.usage() {
        Ok(usage) => return Ok(usage),
        Err(changes) => changes,
    };
    let sql = "SELECT (SELECT count(*) FROM packages), count(*), coalesce(sum(size), 0), \
               coalesce(sum(is_damaged), 0) FROM contents";
    let row = sqlx::query(sql).fetch_one(&inner.readers).await.map_err(failed(READING))?;
    let number = |at: usize| row.try_get(at).map_err(failed(READING));
    let usage = PackageUsage {
        packages: number(0)?,
        contents: number(1)?,
        bytes: number(2)?,
        damaged: number(3)?,
    };
    inner.status.remember_usage(changes, usage);
    Ok(usage)
}

/// Begins a query that knows the audiences a viewer belongs to.
fn visible(viewer: &Viewer) -> QueryBuilder<Sqlite> {
    match viewer {
        Viewer::Everything => QueryBuilder::new(""),
        Viewer::Groups(groups) => {
            let mut query = QueryBuilder::new(
                "WITH visible (id) AS MATERIALIZED (SELECT id FROM audiences WHERE key = '*' \
                 UNION SELECT audience FROM audience_groups \
                 WHERE name IN (SELECT value FROM json_each(",
            );
            query.push_bind(rows::json(groups)).push("))) ");
            query
        }
    }
}

/// Adds where entries come from and what the filter says of them, except for the circle; `false`
/// when nothing can match.
fn push_matches(query: &mut QueryBuilder<Sqlite>, filter: &PackageFilter, now_ms: i64) -> bool {
    let mut keywords: Vec<_> = filter.keywords.iter().collect();
    keywords.sort_unstable();
    keywords.dedup();
    let is_keyword = |keyword: &&String| !keyword.is_empty() && !keyword.contains(char::is_control);
    if keywords.len() > MAX_KEYWORDS || !keywords.iter().all(is_keyword) {
        return false;
    }
    query.push(" FROM packages p");
    if filter.sort == SortBy::Size {
        query.push(" JOIN contents c ON c.id = p.content");
    }
    push_seen(query, filter, now_ms);
    push_texts(query, filter);
    for keyword in keywords {
        query.push(" AND instr(p.keywords, ").push_bind(format!("\n{keyword}\n")).push(")");
    }
    if let Some(uid) = &filter.uid {
        query.push(" AND (p.uid = ").push_bind(uid.clone());
        if let Some(hash) = filter.uid_as_hash() {
            query.push(" OR p.content = (SELECT id FROM contents WHERE sha256 = ");
            query.push_bind(hash.as_bytes().to_vec()).push(")");
        }
        query.push(")");
    }
    if let Some(hash) = filter.hash {
        query.push(" AND p.content = (SELECT id FROM contents WHERE sha256 = ");
        query.push_bind(hash.as_bytes().to_vec()).push(")");
    }
    if let Some(key) = filter.key {
        query.push(" AND p.id = ").push_bind(key);
    }
    if let Some(since_ms) = filter.since_ms {
        query.push(" AND p.submitted_ms >= ").push_bind(since_ms);
    }
    if let Some(until_ms) = filter.until_ms {
        query.push(" AND p.submitted_ms <= ").push_bind(until_ms);
    }
    push_place(query, filter);
    if !filter.include_damaged {
        query.push(" AND p.content NOT IN (SELECT id FROM contents WHERE is_damaged = 1)");
    }
    true
}

/// Of each content, the newest entry that is for the viewer, or all of them.
fn push_seen(query: &mut QueryBuilder<Sqlite>, filter: &PackageFilter, now_ms: i64) {
    let is_limited = matches!(filter.viewer, Viewer::Groups(_));
    // The sign keeps the index of audiences out of it: in the order of the uploads, which most ask
    // for, the search may end early.
    query.push(if is_limited {
        " WHERE +p.audience IN (SELECT id FROM visible)"
    } else {
        " WHERE TRUE"
    });
    query.push(" AND coalesce(p.expires_ms > ").push_bind(now_ms).push(", TRUE)");
    if filter.each_audience {
        return;
    }
    query.push(" AND NOT EXISTS (SELECT 1 FROM packages q WHERE q.content = p.content");
    query.push(" AND q.revision > p.revision AND coalesce(q.expires_ms > ");
    query.push_bind(now_ms).push(", TRUE)");
    if is_limited {
        query.push(" AND q.audience IN (SELECT id FROM visible)");
    }
    query.push(")");
}

fn push_texts(query: &mut QueryBuilder<Sqlite>, filter: &PackageFilter) {
    let equal = [
        (" AND p.tool = ", &filter.tool),
        (" AND p.mime_type = ", &filter.mime_type),
        (" AND p.submitter = ", &filter.submitter),
        (" AND p.creator_uid = ", &filter.creator_uid),
        (" AND p.mission = ", &filter.mission),
    ];
    for (condition, text) in equal {
        if let Some(text) = text {
            query.push(condition).push_bind(text.clone());
        }
    }
    let contained = [
        (" AND instr(p.name_folded, ", &filter.name),
        (" AND instr(p.filename_folded, ", &filter.filename),
    ];
    for (condition, text) in contained {
        if let Some(text) = text {
            query.push(condition).push_bind(fold(text)).push(")");
        }
    }
}

fn push_place(query: &mut QueryBuilder<Sqlite>, filter: &PackageFilter) {
    if let Some(bounds) = filter.bounds {
        query.push(" AND p.latitude >= ").push_bind(bounds.south);
        query.push(" AND p.latitude <= ").push_bind(bounds.north);
        query.push(" AND (p.longitude >= ").push_bind(bounds.west);
        query.push(if bounds.west <= bounds.east { " AND" } else { " OR" });
        query.push(" p.longitude <= ").push_bind(bounds.east).push(")");
    }
    if let Some(least) = filter.min_altitude {
        query.push(" AND p.altitude >= ").push_bind(least);
    }
    if let Some(most) = filter.max_altitude {
        query.push(" AND p.altitude <= ").push_bind(most);
    }
}
