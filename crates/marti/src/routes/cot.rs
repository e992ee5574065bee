//! To come.

use std::sync::Arc;

use store::packages::PackageStore;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::ApiError;
use crate::service::Inner;

pub(crate) async fn newest<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn history<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn several<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn between<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn match_uid<P: PackageStore>(
    _: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}
