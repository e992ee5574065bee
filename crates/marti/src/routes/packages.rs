//! Data packages: what is uploaded, asked for, downloaded, changed and removed (marti-api A).

mod content;
mod describe;
mod disposition;
mod media;
mod multipart;
mod owner;
mod push;
mod range;
mod reader;
mod receive;

use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use store::packages::{
    ContentHash, DataPackage, Owner, PackageChange, PackageFilter, PackageStore,
};

use super::profiles::check_tool;
use super::resources;
use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::crowd::Crowd;
use crate::error::ApiError;
use crate::service::Inner;
use crate::sight::Sight;
use crate::{MartiConfig, Role};

pub(crate) use self::content::content;
pub(super) use self::content::give;
pub(super) use self::describe::expiration;
pub(crate) use self::push::{addressee, push};

/// Longest name of a consumer. Bytes.
const MAX_TOOL: usize = 64;

/// Longest body that says what metadata is to be. Bytes.
const MAX_METADATA: usize = 64 << 10;

/// The type of the answer to an upload of any file: that of the official server. CloudTAK reads JSON
/// itself here, from text, and so must not be given what is JSON by its type.
const ROW_TYPE: HeaderValue = HeaderValue::from_static("text/json");

/// What the routes of packages keep from one request to the next.
#[derive(Debug)]
pub(crate) struct Shared {
    uploads: Crowd,
    pushes: push::Pushes,
}

impl Shared {
    pub(crate) fn new(config: &MartiConfig) -> Self {
        Self {
            // How many there are in all the store says.
            uploads: Crowd::new(usize::MAX, config.max_uploads_per_addr),
            pushes: push::Pushes::default(),
        }
    }
}

/// Where a package can be had, for who is about to upload it.
pub(crate) async fn missionquery<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let hash = hash_of(ask.query.get("hash").unwrap_or_default())?;
    let viewer = Sight::of(&ask, &marti.relay).viewer(&marti.relay);
    let found = marti.packages.find(hash, &viewer).await?;
    // An upload makes damaged content good again.
    if found.is_none_or(|package| package.is_damaged) {
        return Err(absent(hash));
    }
    Ok(answer::text(url(&ask.base_url, hash)))
}

/// Takes a package as ATAK and WinTAK send it, and says where it can be had.
pub(crate) async fn missionupload<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    let stored = receive::package(&marti, &mut ask).await?;
    Ok(answer::text(url(&ask.base_url, stored.hash)))
}

/// Takes a file as iTAK and others send it, and answers what is known of it then.
pub(crate) async fn upload<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    let stored = receive::file(&marti, &mut ask).await?;
    let mut answer = answer::ok(&resources::Row::of(&stored));
    answer.headers_mut().insert(CONTENT_TYPE, ROW_TYPE);
    Ok(answer)
}

/// Removes a package that the caller owns.
pub(crate) async fn delete<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    if ask.method == Method::HEAD {
        let allowed = "GET, POST, DELETE".to_owned();
        return Err(ApiError::MethodNotAllowed { method: "HEAD".to_owned(), allowed });
    }
    let hash = match ask.query.read::<i64>("PrimaryKey") {
        Ok(Some(key)) if ask.query.get("hash").is_none() => {
            let is_operator = ask.caller.role == Role::Operator;
            let viewer = Sight::of(&ask, &marti.relay).viewer(&marti.relay);
            let mut filter = PackageFilter::new(viewer.clone());
            filter.key = Some(key);
            filter.include_damaged = true;
            filter.each_audience = is_operator;
            let found = marti.packages.list(&filter).await?.into_iter().next();
            let absent = || ApiError::NotFound(format!("there is no package {key}"));
            let hash = found.ok_or_else(absent)?.hash;
            // The operator, who sees what others have made of the same content, means one of them.
            if is_operator {
                marti.packages.remove(hash, &viewer, &Owner::Entry(key)).await?;
                return Ok(answer::ok(&serde_json::json!({})));
            }
            hash
        }
        _ => hash_of(ask.query.get("hash").or_else(|| ask.query.get("uid")).unwrap_or_default())?,
    };
    remove(&marti, ask, hash).await
}

/// Changes one field of what is known of a package.
pub(crate) async fn set_metadata<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    let hash = hash_of(ask.param("hash"))?;
    let field = ask.param("field").to_ascii_lowercase();
    let mut change = PackageChange::default();
    match field.as_str() {
        // The path of the tool has a row of its own, without a name for the field.
        "" | "tool" => {
            let tool = word(&ask.text(MAX_METADATA).await?)?;
            check_tool(&tool, &ask.caller)?;
            change.tool = Some(tool);
        }
        "keywords" => change.keywords = Some(ask.json(MAX_METADATA).await?),
        "mimetype" => change.mime_type = Some(word(&ask.text(MAX_METADATA).await?)?),
        "expiration" => {
            let expires_ms = expiration(&ask.query)?;
            let missing = || ApiError::BadRequest("there must be an expiration".to_owned());
            change.expires_ms = Some(expires_ms.ok_or_else(missing)?);
        }
        // Clients set what this server has no use for, and want to be told that it went well.
        _ => {}
    }
    alter(&marti, ask, hash, change).await?;
    Ok(answer::empty(StatusCode::OK))
}

/// Removes a package, for who may.
pub(super) async fn remove<P: PackageStore>(
    marti: &Inner<P>,
    ask: Ask,
    hash: ContentHash,
) -> Result<Answer, ApiError> {
    let sight = Sight::of(&ask, &marti.relay);
    let viewer = sight.viewer(&marti.relay);
    let entry = marti.packages.find(hash, &viewer).await?.ok_or_else(|| absent(hash))?;
    let (owners, members) = (owner::of(marti, &ask), sight.members());
    let mut is_removed = false;
    for owner in owner::to_remove(&entry, &owners) {
        // What nobody owns is for those to remove whom it is for, not for all who see it.
        let is_nobodys = *owner == Owner::Nobody;
        let viewer = if is_nobodys { &members } else { &viewer };
        match marti.packages.remove(hash, viewer, owner).await {
            Ok(()) => is_removed = true,
            Err(store::StoreError::NotOwner { .. }) => {}
            // Of what is gone by now, nothing is left to remove; somebody else may have done so.
            Err(store::StoreError::NotFound { .. }) if is_removed || is_nobodys => {}
            Err(error) => return Err(error.into()),
        }
    }
    if !is_removed {
        return Err(somebody_elses());
    }
    Ok(answer::ok(&serde_json::json!({})))
}

/// Changes what is known of a package, for who may.
pub(super) async fn alter<P: PackageStore>(
    marti: &Inner<P>,
    ask: Ask,
    hash: ContentHash,
    change: PackageChange,
) -> Result<DataPackage, ApiError> {
    let sight = Sight::of(&ask, &marti.relay);
    let viewer = sight.viewer(&marti.relay);
    let entry = marti.packages.find(hash, &viewer).await?.ok_or_else(|| absent(hash))?;
    let is_member = entry.audience.includes(&sight.members());
    let is_own = |owner: &Owner| entry.is_of(owner) && (is_member || *owner != Owner::Nobody);
    let change = if owner::of(marti, &ask).iter().any(is_own) {
        change
    } else {
        let change = is_member.then(|| owner::by_others(&entry, change)).flatten();
        change.ok_or_else(somebody_elses)?
    };
    if change == PackageChange::default() {
        return Ok(entry);
    }
    Ok(marti.packages.update(hash, &viewer, change).await?)
}

/// Reads a hash that a client names.
pub(super) fn hash_of(text: &str) -> Result<ContentHash, ApiError> {
    if text.is_empty() {
        return Err(ApiError::BadRequest("there must be a hash".to_owned()));
    }
    text.trim().parse().map_err(|error| ApiError::BadRequest(format!("hash: {error}")))
}

/// What is said of content that is not there, or not for the caller.
pub(super) fn absent(hash: ContentHash) -> ApiError {
    store::StoreError::NotFound { hash }.into()
}

/// Where a package can be had. Clients take what has `/Marti/` in it for a server's (A.14).
fn url(base_url: &str, hash: ContentHash) -> String {
    format!("{base_url}/Marti/sync/content?hash={hash}")
}

fn somebody_elses() -> ApiError {
    ApiError::Forbidden("the package belongs to somebody else".to_owned())
}

/// A short word, such as the name of a consumer.
fn word(text: &str) -> Result<String, ApiError> {
    let word = text.trim();
    if word.is_empty() || word.len() > MAX_TOOL || word.contains(char::is_control) {
        let text = format!("there must be a word of at most {MAX_TOOL} bytes");
        return Err(ApiError::BadRequest(text));
    }
    Ok(word.to_owned())
}
