//! To come.

use std::sync::Arc;

use store::packages::PackageStore;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::ApiError;
use crate::service::Inner;

#[derive(Debug)]
pub(crate) struct Shared;

impl Shared {
    pub(crate) fn new(_: &crate::MartiConfig) -> Self {
        Self
    }
}

pub(crate) async fn missionquery<P: PackageStore>(
    _: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn missionupload<P: PackageStore>(
    _: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn content<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn upload<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn delete<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn set_metadata<P: PackageStore>(
    _: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn push<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}
