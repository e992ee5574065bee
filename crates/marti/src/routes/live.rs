//! Events for web tools: `POST`, a stream of server-sent events, and a WebSocket.

mod feed;
mod intake;
mod socket;
mod stream;

use std::sync::Arc;

use http::StatusCode;
use relay::{TeamPolicy, Viewer};
use serde_json::json;
use store::packages::PackageStore;

use self::feed::Feed;
use self::intake::{Intake, Sender};
use crate::MartiConfig;
use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::crowd::{Crowd, Place};
use crate::error::ApiError;
use crate::service::Inner;
use crate::sight::Sight;

pub(crate) use self::socket::web_socket;
pub(crate) use self::stream::sse;

/// Those who look on.
#[derive(Debug)]
pub(crate) struct Shared {
    viewers: Crowd,
}

impl Shared {
    pub(crate) fn new(config: &MartiConfig) -> Self {
        Self { viewers: Crowd::new(config.max_streams, config.max_streams_per_addr) }
    }
}

/// Takes events: one or several, as XML or JSON.
pub(crate) async fn post<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    let sender = sender(&marti, &ask)?;
    let body = ask.bytes(marti.config.max_body_bytes).await?;
    let mut intake = Intake::new(&marti.relay, &sender);
    intake.take(&body).await;
    let done = intake.finish();
    if done.events == 0 {
        let text = "there is no event: give XML, a JSON object, or a JSON list of them";
        return Err(ApiError::BadRequest(text.to_owned()));
    }
    marti.counters.took(done.events - done.refused);
    let is_refused = done.refused == done.events;
    let status = if is_refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(answer::json(status, &done))
}

/// In whose name the caller's events go out.
fn sender<P>(marti: &Inner<P>, ask: &Ask) -> Result<Sender, ApiError> {
    let sight = Sight::of(ask, &marti.relay);
    choose(&sight, ask.query.get("team"), &marti.relay.policy()).map_err(ApiError::Forbidden)
}

/// The team that events of a caller are of; says what is wrong where that is not clear.
fn choose(sight: &Sight, named: Option<&str>, policy: &TeamPolicy) -> Result<Sender, String> {
    if let Some(team) = named {
        if !sight.is_in(team) {
            return Err(format!("you are not in the team {team}"));
        }
        return Ok(Sender::Team(team.to_owned()));
    }
    let Sight::Teams(teams) = sight else {
        // Where there are no borders, those of no team reach everyone, too.
        let is_open = policy.is_open();
        return Ok(if is_open { Sender::Team(String::new()) } else { Sender::Operator });
    };
    let mut own = teams.iter();
    match (own.next(), own.next()) {
        (Some(team), None) => Ok(Sender::Team(team.clone())),
        (None, _) => Err("you are in no team".to_owned()),
        (Some(_), Some(_)) => {
            // Those of no team at an address have nothing to say here.
            let named: Vec<_> =
                teams.iter().map(String::as_str).filter(|team| !team.is_empty()).collect();
            Err(format!("say which of your teams sends this, with `team=`: {}", named.join(", ")))
        }
    }
}

/// What the caller may look at, and a place among those who look on, if there is one.
fn enter<P>(marti: &Inner<P>, ask: &Ask) -> Result<(Viewer, Place), ApiError> {
    let viewer = Sight::of(ask, &marti.relay).relay_viewer();
    let place = marti.shared.live.viewers.enter(ask.caller.addr).ok_or_else(|| full(marti))?;
    Ok((viewer, place))
}

/// Has the caller look on.
async fn look<P: PackageStore>(
    marti: &Inner<P>,
    (viewer, place): (Viewer, Place),
    transport: &'static str,
) -> Result<Feed, ApiError> {
    let feed = Feed::attach(&marti.relay, transport, viewer, place).await;
    feed.ok_or_else(|| full(marti))
}

/// There is no room.
fn full<P>(marti: &Inner<P>) -> ApiError {
    marti.counters.refused_stream();
    let (all, here) = (marti.config.max_streams, marti.config.max_streams_per_addr);
    ApiError::Unavailable(format!(
        "there are as many streams as there may be ({all}, and {here} to one address); try later"
    ))
}

/// What a WebSocket is told of events that it sent.
fn receipt(done: &intake::Done) -> String {
    json!({ "result": done }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_go_out_in_the_name_of_one_team() {
        let policy = TeamPolicy::isolated();
        let teams = |names: &[&str]| Sight::Teams(names.iter().map(|&name| name.into()).collect());
        let team = |name: &str| Ok(Sender::Team(name.to_owned()));
        assert_eq!(choose(&teams(&["Red"]), None, &policy), team("Red"));
        assert_eq!(choose(&teams(&["Blue", "Red"]), Some("Red"), &policy), team("Red"));
        assert!(choose(&teams(&["Blue", "Red"]), None, &policy).is_err());
        assert!(choose(&teams(&["Blue"]), Some("Red"), &policy).is_err());
        assert!(choose(&teams(&[]), None, &policy).is_err());
        assert_eq!(choose(&Sight::Everything, None, &policy), Ok(Sender::Operator));
        assert_eq!(choose(&Sight::Everything, Some("Red"), &policy), team("Red"));
        assert_eq!(choose(&Sight::Everything, None, &TeamPolicy::open()), team(""));
    }
}
