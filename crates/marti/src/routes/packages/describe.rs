//! What a request says of the file it uploads.

use store::packages::{Audience, Upload};

use super::{owner, word};
use crate::ask::Ask;
use crate::error::ApiError;
use crate::query::Query;
use crate::routes::groups;
use crate::routes::profiles::check_tool;
use crate::sight::Sight;
use crate::{Caller, Role, time};

/// The keyword by which clients tell data packages from other files.
const PACKAGE: &str = "missionpackage";

/// The type of data packages.
const ZIP: &str = "application/x-zip-compressed";

/// What a request says of a data package: only `filename` is needed.
///
/// # Errors
///
/// It is missing; a parameter is wrong.
pub(super) fn package(ask: &Ask, sight: &Sight) -> Result<Upload, ApiError> {
    let missing = || ApiError::BadRequest("there must be a filename".to_owned());
    let name = ask.query.get("filename").ok_or_else(missing)?;
    let mut upload = common(ask, sight, name)?;
    upload.mime_type = ask.query.get("mimetype").unwrap_or(ZIP).to_owned();
    if upload.keywords.is_empty() {
        upload.keywords.push(PACKAGE.to_owned());
    }
    Ok(upload)
}

/// What a request says of a file of any kind: nothing is needed.
///
/// # Errors
///
/// A parameter is wrong.
pub(super) fn file(ask: &Ask, sight: &Sight) -> Result<Upload, ApiError> {
    let query = &ask.query;
    let name = query.get("name").or_else(|| query.get("filename")).unwrap_or_default();
    let mut upload = common(ask, sight, name)?;
    upload.filename = query.get("filename").map(str::to_owned);
    let said = query.get("mimetype").or_else(|| query.get("mime")).map(str::to_owned);
    let mut of_body = ask.content_type();
    // What curl says of any body, if it is not told otherwise.
    let is_default = of_body == "application/x-www-form-urlencoded";
    if of_body.is_empty() || is_default || of_body.starts_with("multipart/") {
        of_body = upload.mime_type;
    }
    upload.mime_type = said.unwrap_or(of_body);
    Ok(upload)
}

/// When a file is to cease to exist: `None` if nothing is said, `Some(None)` for never. Clients give
/// seconds, -1 for never; we keep milliseconds.
///
/// # Errors
///
/// It is no number.
pub(in crate::routes) fn expiration(query: &Query) -> Result<Option<Option<i64>>, ApiError> {
    let read = query.read::<i64>("expiration").map_err(|text| {
        ApiError::BadRequest(format!("expiration: {text} is no number of seconds"))
    })?;
    Ok(read.map(|seconds| (seconds >= 0).then(|| seconds.saturating_mul(1000))))
}

fn common(ask: &Ask, sight: &Sight, name: &str) -> Result<Upload, ApiError> {
    let query = &ask.query;
    let text = |key: &str| query.get(key).map(str::to_owned);
    // A place that cannot be read is none.
    let number = |key: &str| query.read::<f64>(key).unwrap_or_default();
    let mut upload = Upload::new(name, audience(ask, sight)?);
    upload.hash = match query.get("hash") {
        Some(hash) => Some(super::hash_of(hash)?),
        None => None,
    };
    upload.uid = text("uid");
    if let Some(tool) = query.get("tool") {
        upload.tool = word(tool)?;
        check_tool(&upload.tool, &ask.caller)?;
    }
    upload.keywords =
        query.list("keywords").chain(query.list("keyword")).map(str::to_owned).collect();
    upload.submitter = ask.caller.user.clone();
    upload.creator_uid = owner::device(ask);
    upload.is_by_operator = ask.caller.role == Role::Operator;
    upload.origin = ask.caller.addr.filter(|_| !upload.is_by_operator);
    upload.expires_ms = expiration(query)?.flatten();
    // Who is told that it was taken expects to find it.
    if upload.expires_ms.is_some_and(|expires_ms| expires_ms <= time::now_ms()) {
        return Err(ApiError::BadRequest("expiration: has passed already".to_owned()));
    }
    upload.latitude = number("latitude");
    upload.longitude = number("longitude");
    upload.altitude = number("altitude");
    upload.remarks = text("remarks");
    upload.download_path = text("downloadpath");
    upload.mission = text("missionname");
    upload.contacts = text("contacts");
    Ok(upload)
}

/// Whom an upload is for: the caller's own teams, or those among them that the request names. The
/// operator is in none, and may name any.
pub(super) fn audience(ask: &Ask, sight: &Sight) -> Result<Audience, ApiError> {
    let Caller { role, .. } = &ask.caller;
    let is_everyone = |group: &&str| *group == groups::EVERYONE;
    let mut named = ask.query.list("groups").chain(ask.query.list("group")).peekable();
    if named.peek().is_none() {
        return Ok(sight.audience());
    }
    let named: Vec<_> = named.collect();
    match sight {
        _ if *role == Role::Operator => {
            let is_for_all = named.iter().any(is_everyone);
            Ok(if is_for_all { Audience::Everyone } else { Audience::groups(named) })
        }
        // Where everyone sees everyone, there are no groups to choose from.
        Sight::Everything => Ok(Audience::Everyone),
        Sight::Teams(_) => {
            if let Some(other) =
                named.iter().find(|group| !is_everyone(group) && !sight.is_in(group))
            {
                let text = format!("the caller is not in the group {other}");
                return Err(ApiError::Forbidden(text));
            }
            let own: Vec<_> = named.into_iter().filter(|group| !is_everyone(group)).collect();
            Ok(if own.is_empty() { sight.audience() } else { Audience::groups(own) })
        }
    }
}
