//! Data Sync missions, of which there are none (marti-api C, J).
//!
//! Clients ask for them unasked. They are told that there are none in the forms that they read, and
//! what would make one is refused.

use std::sync::Arc;

use store::packages::PackageStore;

use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::envelope::Envelope;
use crate::error::ApiError;
use crate::service::Inner;

/// No missions.
pub(crate) async fn list_missions<P: PackageStore>(
    marti: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Ok(none("Mission", &marti))
}

/// How many missions: 0.
pub(crate) async fn count<P: PackageStore>(
    marti: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Ok(answer::ok(&Envelope::new("Mission", 0, &marti.config.node_id)))
}

/// No invitations.
pub(crate) async fn invitations<P: PackageStore>(
    marti: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Ok(none("MissionInvitation", &marti))
}

/// No subscriptions.
pub(crate) async fn mission_subscriptions<P: PackageStore>(
    marti: Arc<Inner<P>>,
    _: Ask,
) -> Result<Answer, ApiError> {
    Ok(none("MissionSubscription", &marti))
}

/// What is asked of one mission: it does not exist, so that a client forgets it.
pub(crate) async fn absent<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Err(no_mission())
}

/// What makes or changes a mission.
pub(crate) async fn not_yet<P: PackageStore>(
    _: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    // Whenever it connects, a client subscribes anew to each mission that it knows, and to that of
    // the reports plug-in: it forgets the one, and does without the other.
    if ask.param("rest").rsplit('/').next() == Some("subscription") {
        return Err(no_mission());
    }
    Err(ApiError::NotImplemented("this server has no missions".to_owned()))
}

fn no_mission() -> ApiError {
    ApiError::NotFound("there is no such mission".to_owned())
}

fn none<P>(kind: &'static str, marti: &Inner<P>) -> Answer {
    answer::ok(&Envelope::new(kind, [(); 0], &marti.config.node_id))
}
