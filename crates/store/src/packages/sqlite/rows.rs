//! What is read and written by the one who writes. Every value is bound, every statement fixed.

use serde::Deserialize;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::database::failed;
use super::{database, search};
use crate::StoreError;
use crate::packages::filter::fold;
use crate::packages::{Audience, ContentHash, DataPackage, Owner, PackageChange, Upload, Viewer};

/// Entries that are removed at a time.
const SWEEP: i64 = 256;

const READING: &str = "read the database";
const WRITING: &str = "write the database";

/// A content as the database knows it.
pub(super) struct ContentRow {
    pub(super) id: i64,
    pub(super) checksum: blake3::Hash,
    pub(super) size: u64,
    pub(super) is_damaged: bool,
}

/// An entry and the content it is of.
pub(super) struct Entry {
    pub(super) package: DataPackage,
    pub(super) content: i64,
    pub(super) checksum: blake3::Hash,
}

/// What [`package`] reads, of `packages p`, `contents c` and `audiences a`.
///
/// One value, because each is allocated by the database, sent to another thread, copied and freed:
/// with a column for each field, that took most of the time of a search. Degrees and metres are
/// apart, because as text they would not be the same to the last bit.
macro_rules! select_package {
    ($($rest:literal),+) => {
        concat!(
            "SELECT json_array(p.id, hex(c.sha256), c.size, p.uid, p.name, p.filename, ",
            "p.mime_type, p.tool, p.keywords, p.submitter, p.creator_uid, p.submitted_ms, ",
            "p.expires_ms, p.remarks, p.download_path, p.mission, p.contacts, a.key, ",
            "c.is_damaged, p.origin), p.latitude, p.longitude, p.altitude",
            $($rest),+
        )
    };
}
pub(super) use select_package;

/// What [`entry`] reads.
macro_rules! select_entry {
    ($rest:literal) => {
        $crate::packages::sqlite::rows::select_package!(
            ", c.id, c.blake3 FROM packages p JOIN contents c ON c.id = p.content ",
            "JOIN audiences a ON a.id = p.audience ",
            $rest
        )
    };
}
pub(super) use select_entry;

/// The first value of [`select_package`].
#[derive(Deserialize)]
struct Packed {
    id: i64,
    sha256: String,
    size: u64,
    uid: String,
    name: String,
    filename: String,
    mime_type: String,
    tool: String,
    keywords: String,
    submitter: Option<String>,
    creator_uid: Option<String>,
    submitted_ms: i64,
    expires_ms: Option<i64>,
    remarks: Option<String>,
    download_path: Option<String>,
    mission: Option<String>,
    contacts: Option<String>,
    audience: String,
    is_damaged: u8,
    origin: Option<String>,
}

/// Reads what [`select_package`] gives.
pub(super) fn package(row: &SqliteRow) -> Result<DataPackage, sqlx::Error> {
    let packed: Packed = serde_json::from_str(row.try_get(0)?).map_err(decode)?;
    let package = DataPackage::new(
        packed.id,
        Upload {
            uid: Some(packed.uid),
            filename: Some(packed.filename),
            mime_type: packed.mime_type,
            tool: packed.tool,
            keywords: packed.keywords.split('\n').map(str::to_owned).collect(),
            submitter: packed.submitter,
            creator_uid: packed.creator_uid,
            expires_ms: packed.expires_ms,
            latitude: row.try_get(1)?,
            longitude: row.try_get(2)?,
            altitude: row.try_get(3)?,
            remarks: packed.remarks,
            download_path: packed.download_path,
            mission: packed.mission,
            contacts: packed.contacts,
            origin: packed.origin.and_then(|addr| addr.parse().ok()),
            ..Upload::new(packed.name, audience(&packed.audience)?)
        },
        packed.sha256.parse().map_err(decode)?,
        packed.size,
        packed.submitted_ms,
    );
    Ok(DataPackage { is_damaged: packed.is_damaged != 0, ..package })
}

/// Reads what [`select_entry`] gives.
pub(super) fn entry(row: &SqliteRow) -> Result<Entry, sqlx::Error> {
    Ok(Entry {
        package: package(row)?,
        content: row.try_get(4)?,
        checksum: blake3::Hash::from_bytes(digest(row.try_get(5)?)?),
    })
}

/// A content by its name on the wire.
pub(super) async fn content(
    connection: &mut SqliteConnection,
    hash: ContentHash,
) -> Result<Option<ContentRow>, StoreError> {
    let sql = "SELECT id, blake3, size, is_damaged FROM contents WHERE sha256 = ?";
    let row = sqlx::query(sql).bind(hash.as_bytes().as_slice()).fetch_optional(connection).await;
    let row = row.map_err(failed(READING))?;
    row.as_ref().map(content_row).transpose().map_err(failed(READING))
}

/// Contents in the order of their numbers, from after `after`.
pub(super) async fn contents_after(
    connection: &mut SqliteConnection,
    after: i64,
    limit: i64,
) -> Result<Vec<ContentRow>, StoreError> {
    let sql = "SELECT id, blake3, size, is_damaged FROM contents WHERE id > ? ORDER BY id LIMIT ?";
    let rows = sqlx::query(sql).bind(after).bind(limit).fetch_all(connection).await;
    let rows = rows.map_err(failed(READING))?;
    rows.iter().map(content_row).collect::<Result<_, _>>().map_err(failed(READING))
}

/// Good contents that were verified longest ago, and before `before_ms`.
pub(super) async fn contents_to_verify(
    connection: &mut SqliteConnection,
    before_ms: i64,
    limit: i64,
) -> Result<Vec<ContentRow>, StoreError> {
    let sql = "SELECT id, blake3, size, is_damaged FROM contents \
               WHERE is_damaged = 0 AND verified_ms < ? ORDER BY verified_ms, id LIMIT ?";
    let rows = sqlx::query(sql).bind(before_ms).bind(limit).fetch_all(connection).await;
    let rows = rows.map_err(failed(READING))?;
    rows.iter().map(content_row).collect::<Result<_, _>>().map_err(failed(READING))
}

/// The name of a content on the wire.
pub(super) async fn hash_of(
    connection: &mut SqliteConnection,
    id: i64,
) -> Result<Option<ContentHash>, StoreError> {
    let sql = "SELECT sha256 FROM contents WHERE id = ?";
    let hash: Option<Vec<u8>> = sqlx::query_scalar(sql)
        .bind(id)
        .fetch_optional(connection)
        .await
        .map_err(failed(READING))?;
    let hash = hash.map(|hash| digest(&hash)).transpose().map_err(failed(READING))?;
    Ok(hash.map(ContentHash::from_bytes))
}

/// The entry of a content for one audience.
pub(super) async fn entry_for(
    connection: &mut SqliteConnection,
    content: i64,
    audience: &Audience,
) -> Result<Option<DataPackage>, StoreError> {
    let sql = select_entry!("WHERE p.content = ? AND a.key = ?");
    let row =
        sqlx::query(sql).bind(content).bind(audience_key(audience)).fetch_optional(connection);
    let row = row.await.map_err(failed(READING))?;
    let entry = row.as_ref().map(entry).transpose().map_err(failed(READING))?;
    Ok(entry.map(|entry| entry.package))
}

/// Entries.
pub(super) async fn count(connection: &mut SqliteConnection) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM packages";
    sqlx::query_scalar(sql).fetch_one(connection).await.map_err(failed(READING))
}

/// Size of all contents. Bytes.
pub(super) async fn total_bytes(connection: &mut SqliteConnection) -> Result<u64, StoreError> {
    let sql = "SELECT coalesce(sum(size), 0) FROM contents";
    sqlx::query_scalar(sql).fetch_one(connection).await.map_err(failed(READING))
}

/// Size of the contents of all entries of one owner. Bytes.
pub(super) async fn owner_bytes(
    connection: &mut SqliteConnection,
    upload: &Upload,
) -> Result<u64, StoreError> {
    let user = upload.submitter.as_ref().filter(|user| !user.is_empty());
    let device = upload.creator_uid.as_ref().filter(|uid| user.is_none() && !uid.is_empty());
    let query = match (user, device) {
        (Some(user), _) => sqlx::query_scalar(
            "SELECT coalesce(sum(c.size), 0) FROM packages p JOIN contents c ON c.id = p.content \
             WHERE p.submitter = ?",
        )
        .bind(user),
        (None, Some(device)) => sqlx::query_scalar(
            "SELECT coalesce(sum(c.size), 0) FROM packages p JOIN contents c ON c.id = p.content \
             WHERE p.submitter IS NULL AND p.creator_uid = ?",
        )
        .bind(device),
        (None, None) => sqlx::query_scalar(
            "SELECT coalesce(sum(c.size), 0) FROM packages p JOIN contents c ON c.id = p.content \
             WHERE p.submitter IS NULL AND p.creator_uid IS NULL",
        ),
    };
    query.fetch_one(connection).await.map_err(failed(READING))
}

/// Adds a content, and gives its number.
pub(super) async fn insert_content(
    connection: &mut SqliteConnection,
    hash: ContentHash,
    content: &ContentRow,
    now_ms: i64,
) -> Result<i64, StoreError> {
    let sql = "INSERT INTO contents (sha256, blake3, size, verified_ms) VALUES (?, ?, ?, ?) \
               RETURNING id";
    sqlx::query_scalar(sql)
        .bind(hash.as_bytes().as_slice())
        .bind(content.checksum.as_bytes().as_slice())
        .bind(i64::try_from(content.size).unwrap_or(i64::MAX))
        .bind(now_ms)
        .fetch_one(connection)
        .await
        .map_err(failed(WRITING))
}

/// Says that a content is as it was uploaded.
pub(super) async fn mark_good(
    connection: &mut SqliteConnection,
    content: i64,
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = "UPDATE contents SET is_damaged = 0, verified_ms = ? WHERE id = ?";
    let done = sqlx::query(sql).bind(now_ms).bind(content).execute(connection).await;
    done.map(drop).map_err(failed(WRITING))
}

/// Says that contents are as they were uploaded.
pub(super) async fn mark_verified(
    connection: &mut SqliteConnection,
    contents: &[i64],
    now_ms: i64,
) -> Result<(), StoreError> {
    let sql = "UPDATE contents SET verified_ms = ? WHERE id IN (SELECT value FROM json_each(?))";
    let contents = json(contents);
    let done = sqlx::query(sql).bind(now_ms).bind(contents).execute(connection).await;
    done.map(drop).map_err(failed(WRITING))
}

/// Says that a content is damaged; whether that is news.
pub(super) async fn mark_damaged(
    connection: &mut SqliteConnection,
    content: i64,
) -> Result<bool, StoreError> {
    let sql = "UPDATE contents SET is_damaged = 1 WHERE id = ? AND is_damaged = 0";
    let done = sqlx::query(sql).bind(content).execute(connection).await;
    Ok(done.map_err(failed(WRITING))?.rows_affected() > 0)
}

/// Writes an entry as the newest: a new one if its number is 0. To be done in a transaction.
pub(super) async fn put_entry(
    connection: &mut SqliteConnection,
    content: i64,
    package: DataPackage,
) -> Result<DataPackage, StoreError> {
    let audience = audience_id(connection, &package.audience).await?;
    let sql = "SELECT coalesce(max(revision), 0) + 1 FROM packages";
    let revision: i64 =
        sqlx::query_scalar(sql).fetch_one(&mut *connection).await.map_err(failed(READING))?;
    let key = if package.key == 0 {
        let sql = "INSERT INTO packages (content, audience, revision, uid, name, name_folded, \
                   filename, filename_folded, mime_type, tool, keywords, submitted_ms) \
                   VALUES (?, ?, ?, '', '', '', '', '', '', '', '', 0) RETURNING id";
        let query = sqlx::query_scalar(sql).bind(content).bind(audience).bind(revision);
        query.fetch_one(&mut *connection).await.map_err(failed(WRITING))?
    } else {
        let sql = "UPDATE packages SET revision = ? WHERE id = ?";
        let query = sqlx::query(sql).bind(revision).bind(package.key);
        query.execute(&mut *connection).await.map_err(failed(WRITING))?;
        package.key
    };
    let package = DataPackage { key, ..package };
    write_entry(connection, &package).await?;
    Ok(package)
}

/// Writes the metadata of an entry that is there.
async fn write_entry(
    connection: &mut SqliteConnection,
    package: &DataPackage,
) -> Result<(), StoreError> {
    let sql = "UPDATE packages SET uid = ?, name = ?, name_folded = ?, filename = ?, \
               filename_folded = ?, mime_type = ?, tool = ?, keywords = ?, submitter = ?, \
               creator_uid = ?, submitted_ms = ?, expires_ms = ?, latitude = ?, longitude = ?, \
               altitude = ?, remarks = ?, download_path = ?, mission = ?, contacts = ?, \
               origin = ? WHERE id = ?";
    let mut keywords = String::new();
    for keyword in &package.keywords {
        keywords.push('\n');
        keywords.push_str(keyword);
    }
    keywords.push('\n');
    let done = sqlx::query(sql)
        .bind(&package.uid)
        .bind(&package.name)
        .bind(fold(&package.name))
        .bind(&package.filename)
        .bind(fold(&package.filename))
        .bind(&package.mime_type)
        .bind(&package.tool)
        .bind(keywords)
        .bind(&package.submitter)
        .bind(&package.creator_uid)
        .bind(package.submitted_ms)
        .bind(package.expires_ms)
        .bind(package.latitude)
        .bind(package.longitude)
        .bind(package.altitude)
        .bind(&package.remarks)
        .bind(&package.download_path)
        .bind(&package.mission)
        .bind(&package.contacts)
        .bind(package.origin.map(|addr| addr.to_string()))
        .bind(package.key)
        .execute(connection)
        .await;
    done.map(drop).map_err(failed(WRITING))
}

/// Changes the entry that a viewer sees.
pub(super) async fn update(
    connection: &mut SqliteConnection,
    hash: ContentHash,
    viewer: &Viewer,
    now_ms: i64,
    change: PackageChange,
) -> Result<DataPackage, StoreError> {
    let seen = search::seen(connection, hash, viewer, now_ms).await?;
    let mut package = seen.into_iter().next().ok_or(StoreError::NotFound { hash })?.package;
    package.change(change);
    write_entry(connection, &package).await?;
    Ok(package)
}

/// Removes the entries that a viewer sees and that belong to `owner`; gives how many, and the
/// contents that none is left of.
pub(super) async fn remove(
    connection: &mut SqliteConnection,
    hash: ContentHash,
    viewer: &Viewer,
    now_ms: i64,
    owner: &Owner,
) -> Result<(u64, Vec<blake3::Hash>), StoreError> {
    let seen = search::seen(connection, hash, viewer, now_ms).await?;
    if seen.is_empty() {
        return Err(StoreError::NotFound { hash });
    }
    let own = seen.iter().filter(|entry| entry.package.is_of(owner));
    let keys: Vec<_> = own.map(|entry| entry.package.key).collect();
    if keys.is_empty() {
        return Err(StoreError::NotOwner { hash });
    }
    let contents: Vec<_> = seen.iter().map(|entry| entry.content).collect();
    let unused = remove_entries(connection, &keys, &contents).await?;
    Ok((keys.len() as u64, unused))
}

/// Removes some entries that have expired; gives how many, and the contents that none is left of.
pub(super) async fn remove_expired(
    connection: &mut SqliteConnection,
    now_ms: i64,
) -> Result<(u64, Vec<blake3::Hash>), StoreError> {
    let sql = "SELECT id, content FROM packages WHERE expires_ms <= ? LIMIT ?";
    let rows: Vec<(i64, i64)> = sqlx::query_as(sql)
        .bind(now_ms)
        .bind(SWEEP)
        .fetch_all(&mut *connection)
        .await
        .map_err(failed(READING))?;
    if rows.is_empty() {
        return Ok((0, Vec::new()));
    }
    let (keys, contents): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let unused = remove_entries(connection, &keys, &contents).await?;
    Ok((keys.len() as u64, unused))
}

/// Removes entries, and those of their contents that none is left of; gives these.
async fn remove_entries(
    connection: &mut SqliteConnection,
    keys: &[i64],
    contents: &[i64],
) -> Result<Vec<blake3::Hash>, StoreError> {
    database::begin(connection).await?;
    let unused = delete_entries(connection, keys, contents).await;
    let unused = database::end(connection, unused).await?;
    let unused = unused.iter().map(|checksum| digest(checksum).map(blake3::Hash::from_bytes));
    unused.collect::<Result<_, _>>().map_err(failed(READING))
}

async fn delete_entries(
    connection: &mut SqliteConnection,
    keys: &[i64],
    contents: &[i64],
) -> Result<Vec<Vec<u8>>, StoreError> {
    let sql = "DELETE FROM packages WHERE id IN (SELECT value FROM json_each(?))";
    let done = sqlx::query(sql).bind(json(keys)).execute(&mut *connection).await;
    done.map_err(failed(WRITING))?;
    let sql = "DELETE FROM contents WHERE id IN (SELECT value FROM json_each(?)) \
               AND NOT EXISTS (SELECT 1 FROM packages WHERE content = contents.id) RETURNING blake3";
    let unused = sqlx::query_scalar(sql)
        .bind(json(contents))
        .fetch_all(&mut *connection)
        .await
        .map_err(failed(WRITING))?;
    let sql = "DELETE FROM audiences \
               WHERE NOT EXISTS (SELECT 1 FROM packages WHERE audience = audiences.id)";
    let done = sqlx::query(sql).execute(&mut *connection).await;
    done.map_err(failed(WRITING))?;
    Ok(unused)
}

/// The number of an audience, which is added if it is not there.
async fn audience_id(
    connection: &mut SqliteConnection,
    audience: &Audience,
) -> Result<i64, StoreError> {
    let key = audience_key(audience);
    let sql = "SELECT id FROM audiences WHERE key = ?";
    let known = sqlx::query_scalar(sql).bind(&key).fetch_optional(&mut *connection).await;
    if let Some(id) = known.map_err(failed(READING))? {
        return Ok(id);
    }
    let sql = "INSERT INTO audiences (key) VALUES (?) RETURNING id";
    let id: i64 = sqlx::query_scalar(sql)
        .bind(&key)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed(WRITING))?;
    if let Audience::Groups(_) = audience {
        let sql = "INSERT INTO audience_groups (audience, name) SELECT ?, value FROM json_each(?)";
        let done = sqlx::query(sql).bind(id).bind(&key).execute(connection).await;
        done.map_err(failed(WRITING))?;
    }
    Ok(id)
}

/// How the database writes an audience.
fn audience_key(audience: &Audience) -> String {
    match audience {
        Audience::Everyone => "*".to_owned(),
        Audience::Groups(groups) => json(groups),
    }
}

fn audience(key: &str) -> Result<Audience, sqlx::Error> {
    match key {
        "*" => Ok(Audience::Everyone),
        key => serde_json::from_str(key).map(Audience::Groups).map_err(decode),
    }
}

/// As JSON, for `json_each`.
pub(super) fn json(values: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(values).unwrap_or_else(|_| "[]".to_owned())
}

/// What [`json`] or the database has made of numbers.
pub(super) fn numbers(text: &str) -> Result<Vec<i64>, sqlx::Error> {
    serde_json::from_str(text).map_err(decode)
}

fn content_row(row: &SqliteRow) -> Result<ContentRow, sqlx::Error> {
    Ok(ContentRow {
        id: row.try_get(0)?,
        checksum: blake3::Hash::from_bytes(digest(row.try_get(1)?)?),
        size: size(row.try_get(2)?)?,
        is_damaged: row.try_get(3)?,
    })
}

fn digest(bytes: &[u8]) -> Result<[u8; 32], sqlx::Error> {
    bytes.try_into().map_err(decode)
}

fn size(bytes: i64) -> Result<u64, sqlx::Error> {
    u64::try_from(bytes).map_err(decode)
}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}
