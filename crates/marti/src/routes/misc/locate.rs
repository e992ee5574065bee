//! The page by which somebody who is lost tells where they are.

use std::hash::BuildHasher;
use std::sync::Arc;

use cot_core::build::{self, Sender};
use cot_core::detail::Remarks;
use cot_core::{CotTime, Point};
use http::StatusCode;
use store::packages::PackageStore;

use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::error::ApiError;
use crate::service::Inner;
use crate::sight::Sight;
use crate::time;

/// Longest name. Characters.
const MAX_NAME: usize = 64;

/// Longest remarks. Characters.
const MAX_REMARKS: usize = 512;

/// How long the marker is valid.
const VALID_MS: i64 = 24 * 60 * 60 * 1000;

/// Puts a marker where the caller is, for those who would see a client of the caller's team. Another
/// call of the same name from the same address moves it.
pub(crate) async fn locate<P: PackageStore>(
    marti: Arc<Inner<P>>,
    mut ask: Ask,
) -> Result<Answer, ApiError> {
    ask.drain(marti.config.max_body_bytes as u64).await?;
    let degrees = |key: &str, most: f64| {
        let read: Option<f64> = ask.query.read(key).unwrap_or_default();
        read.filter(|degrees| degrees.abs() <= most).ok_or_else(|| {
            ApiError::BadRequest(format!("{key} must be a number of degrees up to {most}"))
        })
    };
    let point = Point::new(degrees("latitude", 90.0)?, degrees("longitude", 180.0)?);
    let said = |key: &str, max: usize| -> String {
        ask.query.get(key).unwrap_or_default().chars().take(max).collect()
    };
    let name = match said("name", MAX_NAME) {
        name if name.trim().is_empty() => "Lost person".to_owned(),
        name => name,
    };
    // The address of who is lost is nobody's business.
    let from = marti.shared.strangers.hash_one((ask.caller.addr, &name));
    let uid = format!("locate-{from:016x}");
    let maker = Sender::new(&marti.config.node_id, &marti.config.server_name).at(point);
    let now_ms = time::now_ms();
    let mut event = build::marker(&uid, "a-f-G", &name, point, &maker, now_ms);
    event.set_times(CotTime::from_unix_millis(now_ms), VALID_MS);
    event
        .detail_mut()
        .set(&Remarks { text: Some(&said("remarks", MAX_REMARKS)), ..Remarks::default() });
    let event = event.to_xml();
    let submitted = match Sight::of(&ask, &marti.relay) {
        Sight::Everything => marti.relay.submit_as_operator(event.as_bytes(), ""),
        // Somebody in several teams is in the first: an event has one.
        Sight::Teams(teams) => {
            let team = teams.first().map(String::as_str).unwrap_or_default();
            marti.relay.submit(event.as_bytes(), team)
        }
    };
    submitted.map_err(|error| ApiError::BadRequest(error.to_string()))?;
    Ok(answer::empty(StatusCode::OK))
}
