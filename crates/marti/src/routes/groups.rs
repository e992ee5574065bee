//! To come.

use std::sync::Arc;

use store::packages::PackageStore;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::ApiError;
use crate::service::Inner;

pub(crate) async fn list_groups<P: PackageStore>(
    _: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn set_active<P: PackageStore>(
    _: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn cache_enabled<P: PackageStore>(
    _: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn prefix<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}
