//! The table of connections.

use std::cmp::Ordering;
use std::sync::Arc;

use relay::ClientInfo;
use serde_json::{Value, json};
use store::packages::PackageStore;

use super::Device;
use crate::Role;
use crate::answer::{self, Answer};
use crate::ask::Ask;
use crate::envelope::Envelope;
use crate::error::ApiError;
use crate::query::Query;
use crate::routes::groups;
use crate::service::Inner;
use crate::sight::Sight;

/// Connections: all for the operator; for others those who have said who they are and whom the
/// caller sees, without their addresses.
pub(crate) async fn list<P: PackageStore>(
    marti: Arc<Inner<P>>,
    ask: Ask,
) -> Result<Answer, ApiError> {
    let relay = marti.relay.clone();
    let viewer = Sight::of(&ask, &relay).relay_viewer();
    let is_operator = ask.caller.role == Role::Operator;
    let (addr, query) = (ask.caller.addr, ask.query);
    let node_id = marti.config.node_id.clone();
    let work = move || {
        let policy = relay.policy();
        let mut clients = relay.clients();
        clients.retain(|client| {
            is_operator || (!client.uid.is_empty() && viewer.sees(&policy, &client.team))
        });
        Order::of(&query).sort(&mut clients, |client: &ClientInfo, key| match key {
            "uid" | "clientuid" => client.uid.clone(),
            "team" => client.team.clone(),
            "role" => client.role.clone(),
            _ => client.callsign.clone(),
        });
        let now_ms = relay.now().unix_ms;
        let rows = page(&query, clients);
        let row = |client: ClientInfo| {
            let newest = relay.newest(&client.uid, &viewer);
            let device = newest.map(|event| Device::of(&event)).unwrap_or_default();
            row(&client, &device, is_operator, now_ms)
        };
        let rows: Vec<_> = rows.into_iter().map(row).collect();
        Ok(answer::ok(&Envelope::new("SubscriptionInfo", rows, &node_id)))
    };
    marti.shared.pipes.run(addr, work).await
}

/// A row, with every member that clients look for, each of the type that CloudTAK's client declares:
/// most numbers are texts. What is not known is empty.
fn row(client: &ClientInfo, device: &Device, is_operator: bool, now_ms: i64) -> Value {
    let (ip, port) = match client.addr.filter(|_| is_operator) {
        Some(addr) => (addr.ip().to_canonical().to_string(), addr.port().to_string()),
        None => <(String, String)>::default(),
    };
    let since_ms = client.last_in_ms.unwrap_or(client.connected_ms);
    let mut row = json!({
        "dn": "",
        "callsign": client.callsign,
        "clientUid": client.uid,
        "lastReportMilliseconds": now_ms.saturating_sub_unsigned(since_ms),
        "lastReportDiffMilliseconds": since_ms,
        "takClient": device.platform,
        "takVersion": device.version,
        "username": "",
        "groups": groups::both_ways([client.team.as_str()]),
        "role": client.role,
        "team": client.team,
        "ipAddress": ip,
        "port": port,
        "pendingWrites": client.lag_events,
        "numProcessed": client.events_in,
        "protocol": client.transport,
        "xpath": "",
        "subscriptionUid": client.id.as_u64().to_string(),
        "battery": device.battery.map(|percent| percent.to_string()).unwrap_or_default(),
        "incognito": false,
        "handlerType": "",
    });
    if let Some(row) = row.as_object_mut() {
        let unknown = [
            "appFramerate",
            "batteryStatus",
            "batteryTemp",
            "deviceDataRx",
            "deviceDataTx",
            "deviceIPAddress",
            "heapCurrentSize",
            "heapFreeSize",
            "heapMaxSize",
            "storageAvailable",
            "storageTotal",
        ];
        row.extend(unknown.map(|name| (name.to_owned(), "".into())));
    }
    row
}

/// The part of a list that `page`, which counts from 1, and `limit` ask for.
fn page<T>(query: &Query, mut rows: Vec<T>) -> Vec<T> {
    let number = |key| query.read::<usize>(key).unwrap_or_default().filter(|&number| number > 0);
    let Some(limit) = number("limit") else { return rows };
    let skipped = number("page").unwrap_or(1).saturating_sub(1).saturating_mul(limit);
    rows.drain(..skipped.min(rows.len()));
    rows.truncate(limit);
    rows
}

/// How a list is to be sorted: `sortBy` and `direction`.
pub(super) struct Order {
    key: String,
    is_descending: bool,
}

impl Order {
    pub(super) fn of(query: &Query) -> Self {
        let key = query.get("sortBy").unwrap_or_default().to_ascii_lowercase();
        let direction = query.get("direction").unwrap_or_default();
        let is_descending =
            ["desc", "descending"].iter().any(|d| direction.eq_ignore_ascii_case(d));
        Self { key, is_descending }
    }

    /// Sorts by the text that `text` gives for the key, in lower case.
    pub(super) fn sort<T>(&self, rows: &mut [T], text: impl Fn(&T, &str) -> String) {
        rows.sort_by_cached_key(|row| Directed {
            text: text(row, &self.key).to_lowercase(),
            is_descending: self.is_descending,
        });
    }
}

/// A text to sort by, one way or the other.
#[derive(PartialEq, Eq)]
struct Directed {
    text: String,
    is_descending: bool,
}

impl Ord for Directed {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.text.cmp(&other.text);
        if self.is_descending { order.reverse() } else { order }
    }
}

impl PartialOrd for Directed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_cut_as_asked() {
        let asked = |text: &str| {
            let query = Query::parse(text.as_bytes());
            let mut rows = ["b", "C", "a"].map(str::to_owned).to_vec();
            Order::of(&query).sort(&mut rows, |row, _| row.clone());
            page(&query, rows).concat()
        };
        assert_eq!(asked(""), "abC");
        assert_eq!(asked("direction=DESCENDING"), "Cba");
        assert_eq!(asked("direction=desc&limit=2"), "Cb");
        assert_eq!(asked("page=2&limit=2"), "C");
        assert_eq!(asked("page=3&limit=2"), "");
        assert_eq!(asked("page=18446744073709551615&limit=18446744073709551615"), "");
        assert_eq!(asked("page=-1&limit=-1"), "abC");
    }
}
