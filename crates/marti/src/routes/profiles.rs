//! Device profiles: what devices import by themselves when they connect or enroll (marti-api B.7).
//!
//! A profile is the stored packages whose tool is `profile-connection`, `profile-enrollment` or
//! `profile-tool-` and the name of a consumer, as far as the caller sees them. Devices import them
//! unasked, settings included, so that only the operator makes a package one: see [`check_tool`].

mod bundle;

use std::sync::Arc;

use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, HeaderValue};
use serde_json::json;
use store::packages::{DataPackage, PackageFilter, PackageStore, Viewer};

pub(crate) use self::bundle::Shared;
use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::envelope::Envelope;
use crate::error::ApiError;
use crate::service::Inner;
use crate::sight::Sight;
use crate::{Caller, Role, time};

/// What the tools of profiles begin with.
const PREFIX: &str = "profile-";
const CONNECTION: &str = "profile-connection";
const ENROLLMENT: &str = "profile-enrollment";

/// Most packages of a profile; of more, those that were uploaded last.
const MAX_PACKAGES: u32 = 32;

/// What a device gets when it connects.
pub(crate) async fn connection<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    give(&marti, ask, CONNECTION).await
}

/// What a device gets when it connects, for one of its plug-ins.
pub(crate) async fn tool<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let tool = format!("{PREFIX}tool-{}", ask.param("name"));
    give(&marti, ask, &tool).await
}

/// What a device gets once it has its certificate.
pub(crate) async fn enrollment<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    give(&marti, ask, ENROLLMENT).await
}

/// The packages of the profiles for all devices, as rows of their own.
pub(crate) async fn list_profiles<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let viewer = Sight::of(&ask, &marti.relay).viewer(&marti.relay);
    let mut rows = Vec::new();
    for tool in [CONNECTION, ENROLLMENT] {
        for package in find(&marti, &viewer, tool, None).await? {
            let is_enrollment = tool == ENROLLMENT;
            rows.push(json!({
                "id": package.key,
                "name": package.name,
                "active": true,
                "applyOnEnrollment": is_enrollment,
                "applyOnConnect": !is_enrollment,
                "type": if is_enrollment { "Enrollment" } else { "Connection" },
                "updated": time::text(package.submitted_ms),
            }));
        }
    }
    Ok(answer::ok(&Envelope::new("Profile", rows, &marti.config.node_id)))
}

/// Refuses a tool that makes a package part of a profile to who is not the operator.
pub(crate) fn check_tool(tool: &str, caller: &Caller) -> Result<(), ApiError> {
    if tool.starts_with(PREFIX) && caller.role != Role::Operator {
        return Err(ApiError::Forbidden("device profiles are the operator's".to_owned()));
    }
    Ok(())
}

/// A profile, or 204: every other status without one is shown to the user as a failure.
async fn give<P: PackageStore>(
    marti: &Arc<Inner<P>>,
    ask: Ask,
    tool: &str,
) -> Result<Answer, ApiError> {
    // What cannot be read restricts nothing, like what is not there.
    let ago_s: Option<i64> = ask.query.read("syncSecago").unwrap_or_default();
    let since_ms = ago_s
        .filter(|&seconds| seconds > 0)
        .map(|seconds| time::now_ms().saturating_sub(seconds.saturating_mul(1000)));
    let viewer = Sight::of(&ask, &marti.relay).viewer(&marti.relay);
    let packages = find(marti, &viewer, tool, since_ms).await?;
    let name = format!("{} profile", marti.config.server_name);
    let (store, room) = (&*marti.packages, marti.room(&ask));
    match marti.shared.profiles.make(store, &viewer, packages, name, room).await? {
        Some(zip) => {
            let mut answer = answer::of(StatusCode::OK, "application/zip", zip);
            let disposition = HeaderValue::from_static("attachment; filename=\"profile.zip\"");
            answer.headers_mut().insert(CONTENT_DISPOSITION, disposition);
            Ok(answer)
        }
        None => Ok(answer::empty(StatusCode::NO_CONTENT)),
    }
}

/// The packages of a profile that the caller sees, newest first.
async fn find<P: PackageStore>(
    marti: &Arc<Inner<P>>,
    viewer: &Viewer,
    tool: &str,
    since_ms: Option<i64>,
) -> Result<Vec<DataPackage>, ApiError> {
    let mut filter = PackageFilter::new(viewer.clone());
    filter.tool = Some(tool.to_owned());
    filter.since_ms = since_ms;
    filter.limit = MAX_PACKAGES;
    Ok(marti.packages.list(&filter).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_operator_makes_profiles() {
        let user = Caller::user("alice", ["Cyan"]);
        for tool in [CONNECTION, ENROLLMENT, "profile-tool-maps"] {
            assert!(check_tool(tool, &user).is_err(), "{tool}");
            assert!(check_tool(tool, &Caller::operator()).is_ok(), "{tool}");
        }
        for tool in ["public", "private", "profile", "citrap"] {
            assert!(check_tool(tool, &user).is_ok(), "{tool}");
        }
    }
}
