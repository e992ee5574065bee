//! To come.

use std::sync::Arc;

use store::packages::PackageStore;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::ApiError;
use crate::service::Inner;

pub(crate) async fn index<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn version<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn version_config<P: PackageStore>(
    _: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn version_info<P: PackageStore>(
    _: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn node_id<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn home<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn get_time<P: PackageStore>(
    _: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}
