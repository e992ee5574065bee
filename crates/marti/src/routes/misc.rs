//! What else clients ask for (marti-api B.9).

mod citrap;
mod dropped;
mod locate;

use std::sync::Arc;

use serde_json::Value;
use store::packages::PackageStore;

pub(crate) use self::citrap::{
    list as citrap_list, one as citrap_one, post as citrap_post, remove as citrap_remove,
};
pub(crate) use self::dropped::{Shared, error_log, take_tracks};
pub(crate) use self::locate::locate;
use crate::Role;
use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::envelope::Envelope;
use crate::error::ApiError;
use crate::service::Inner;

/// What the caller may do, in the words of web clients.
pub(crate) async fn roles<P: PackageStore>(_: Arc<Inner<P>>, ask: Ask) -> Result<Answer, ApiError> {
    let roles: &[&str] = match ask.caller.role {
        Role::Operator => &["ROLE_ANONYMOUS", "ROLE_ADMIN"],
        Role::User => &["ROLE_ANONYMOUS"],
    };
    Ok(answer::ok(&roles))
}

/// Whether the caller is the operator.
pub(crate) async fn is_admin<P: PackageStore>(
    _: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    Ok(answer::ok(&(ask.caller.role == Role::Operator)))
}

/// Whether the request came encrypted.
pub(crate) async fn is_secure<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let text = ask.caller.is_tls.to_string();
    Ok(answer::ok(&Envelope::new("java.lang.String", text, &marti.config.node_id)))
}

/// A list of what is not kept here: icon sets, repeated events, injected attributes, inputs of data,
/// views of missions, checklists.
pub(crate) async fn no_rows<P: PackageStore>(
    marti: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    let rows: [Value; 0] = [];
    Ok(answer::ok(&Envelope::new("java.util.List", rows, &marti.config.node_id)))
}
