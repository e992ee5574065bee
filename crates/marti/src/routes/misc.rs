//! To come.

use std::sync::Arc;

use store::packages::PackageStore;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::ApiError;
use crate::service::Inner;

pub(crate) async fn roles<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn is_admin<P: PackageStore>(
    _: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn is_secure<P: PackageStore>(
    _: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn error_log<P: PackageStore>(
    _: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn take_tracks<P: PackageStore>(
    _: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn citrap_list<P: PackageStore>(
    _: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn citrap_post<P: PackageStore>(
    _: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn citrap_one<P: PackageStore>(
    _: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn no_rows<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}

pub(crate) async fn locate<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("to come".to_owned()))
}
