//! Who is there (marti-api B.3, B.4).

mod subscriptions;

use std::sync::Arc;

use cot_core::Event;
use relay::ContactInfo;
use serde_json::{Value, json};
use store::packages::PackageStore;

use self::subscriptions::Order;
use super::groups;
use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::envelope::Envelope;
use crate::error::ApiError;
use crate::service::Inner;
use crate::sight::Sight;
use crate::time;

/// Size of the reports in which a device is looked for. Bytes. Those of clients have 1 to 3 KiB.
const MAX_REPORT: usize = 8 << 10;

pub(crate) use self::subscriptions::list as subscriptions;

/// Those who have been here, present or not. ATAK takes the list only as a whole, so what is not
/// complete is left out.
pub(crate) async fn client_end_points<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let relay = marti.relay.clone();
    let viewer = Sight::of(&ask, &relay).relay_viewer();
    let only_here = ask.query.is_set("showCurrentlyConnectedClients");
    // What cannot be read restricts nothing, like what is not there.
    let ago_s: Option<i64> = ask.query.read("secAgo").unwrap_or_default();
    let since_ms = ago_s
        .filter(|&seconds| seconds > 0)
        .map(|seconds| relay.now().unix_ms.saturating_sub(seconds.saturating_mul(1000)));
    let wanted: Vec<_> = ask.query.list("group").map(str::to_owned).collect();
    let is_wanted = move |team: &str| {
        let is_this = |group: &String| *group == groups::EVERYONE || *group == team;
        wanted.is_empty() || wanted.iter().any(is_this)
    };
    let node_id = marti.config.node_id.clone();
    let work = move || {
        let policy = relay.policy();
        let rows: Vec<_> = relay
            .known_contacts()
            .into_iter()
            .filter(|known| !known.uid.is_empty() && !known.callsign.is_empty())
            .filter(|known| viewer.sees(&policy, &known.team) && is_wanted(&known.team))
            .filter(|known| known.is_here || !only_here)
            .filter(|known| known.is_here || since_ms.is_none_or(|since| known.seen_ms >= since))
            .map(|known| {
                json!({
                    "callsign": &*known.callsign,
                    "uid": &*known.uid,
                    "username": "",
                    "team": &*known.team,
                    "role": &*known.role,
                    "lastEventTime": time::text(known.seen_ms),
                    "lastStatus": if known.is_here { "Connected" } else { "Disconnected" },
                })
            })
            .collect();
        let kind = "com.bbn.marti.remote.ClientEndpoint";
        Ok(answer::ok(&Envelope::new(kind, rows, &node_id)))
    };
    marti.shared.pipes.run(ask.caller.addr, work).await
}

/// Those who are present, as a bare list.
pub(crate) async fn contacts<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let relay = marti.relay.clone();
    let viewer = Sight::of(&ask, &relay).relay_viewer();
    let order = Order::of(&ask.query);
    let work = move || {
        let policy = relay.policy();
        let mut present = relay.contacts();
        present.retain(|contact| viewer.sees(&policy, &contact.team));
        order.sort(&mut present, |contact: &ContactInfo, key| match key {
            "uid" => contact.uid.clone(),
            "team" => contact.team.clone(),
            "role" => contact.role.clone(),
            _ => contact.callsign.clone(),
        });
        let row = |contact: ContactInfo| -> Value {
            let newest = relay.newest(&contact.uid, &viewer);
            json!({
                "filterGroups": [],
                "notes": "",
                "callsign": contact.callsign,
                "team": contact.team,
                "role": contact.role,
                "takv": newest.map(|event| Device::of(&event).takv()).unwrap_or_default(),
                "uid": contact.uid,
            })
        };
        Ok(answer::ok(&present.into_iter().map(row).collect::<Vec<_>>()))
    };
    marti.shared.pipes.run(ask.caller.addr, work).await
}

/// A filter of what a connection is sent. There is none, and to say so is better than to send what
/// a client believes it has refused.
pub(crate) async fn filter<P: PackageStore>(_: Arc<Inner<P>>, _: Ask) -> Result<Answer, ApiError> {
    Err(ApiError::NotImplemented("streams are not filtered; teams decide who gets what".to_owned()))
}

/// What a device says of itself.
#[derive(Default)]
struct Device {
    platform: String,
    version: String,
    battery: Option<u64>,
}

impl Device {
    /// Reads a report, unless it is so large that nobody should wait for that.
    fn of(report: &[u8]) -> Self {
        let read = |report| Event::from_xml(report).ok();
        let Some(event) = Some(report).filter(|report| report.len() <= MAX_REPORT).and_then(read)
        else {
            return Self::default();
        };
        let takv = event.detail().takv().unwrap_or_default();
        let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
        let battery = event.detail().status().and_then(|status| status.battery);
        Self { platform: text(takv.platform), version: text(takv.version), battery }
    }

    /// The program that it runs, such as `ATAK-CIV:5.5.0`; empty if it does not say.
    fn takv(self) -> String {
        match (self.platform.as_str(), self.version.as_str()) {
            ("", _) => String::new(),
            (_, "") => self.platform,
            (platform, version) => format!("{platform}:{version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_platform_and_version() {
        let event = |takv: &str| {
            format!(
                r#"<event version="2.0" uid="A" type="a-f-G-U-C" time="2026-01-01T00:00:00Z"
                start="2026-01-01T00:00:00Z" stale="2026-01-01T00:06:15Z" how="m-g"><point lat="1"
                lon="2" hae="0" ce="9" le="9"/><detail>{takv}</detail></event>"#
            )
        };
        let of = |takv: &str| Device::of(event(takv).as_bytes()).takv();
        assert_eq!(of(r#"<takv platform="ATAK-CIV" version="5.5.0"/>"#), "ATAK-CIV:5.5.0");
        assert_eq!(of(r#"<takv platform="iTAK"/>"#), "iTAK");
        assert_eq!(of(r#"<takv version="1"/>"#), "");
        assert_eq!(of(""), "");
        assert_eq!(Device::of(b"no event").takv(), "");
        let large = format!(r#"<takv platform="A"/>{}"#, "<x/>".repeat(MAX_REPORT / 4));
        assert_eq!(of(&large), "");
    }
}
