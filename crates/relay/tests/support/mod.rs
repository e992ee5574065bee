//! A small vocabulary for tests of the hub: a virtual clock, scripted clients, no sockets.
#![allow(
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "each test binary uses its own part"
)]

use std::collections::BTreeMap;

use cot_core::{Deframer, Item, Limits, Scanner};
use relay::{Batch, ClientId, CloseReason, ExportCursor, Hub, HubConfig, Now, Output, Peer};
use relay::{Record, RecordKey, Restored, Submitted, Viewer};

/// 2026-01-01T00:00:00Z.
pub const EPOCH_MS: i64 = 1_767_225_600_000;

/// A hub, a clock and the inboxes of its clients.
pub struct Sim {
    pub hub: Hub,
    pub now: Now,
    clients: BTreeMap<ClientId, SimClient>,
    scanner: Scanner,
}

/// The far end of a connection.
#[derive(Default)]
struct SimClient {
    inbox: Vec<u8>,
    /// Bytes it still takes; `None` for no bound.
    window: Option<usize>,
    is_readable: bool,
    closed: Option<CloseReason>,
}

impl Sim {
    pub fn new(config: HubConfig) -> Self {
        let now = Now { mono_ms: 5_000, unix_ms: EPOCH_MS };
        let scanner = Scanner::new(Limits::default());
        Self { hub: Hub::new(config), now, clients: BTreeMap::new(), scanner }
    }

    pub fn open() -> Self {
        Self::new(HubConfig::default())
    }

    pub fn isolated(rules: &[&str]) -> Self {
        let mut config = HubConfig::default();
        config.teams = relay::TeamPolicy::isolated();
        for rule in rules {
            config.teams.allow(rule.parse().expect("a rule"));
        }
        Self::new(config)
    }

    /// A connection that has said nothing. Its replay starts when it does, or after 250 ms.
    pub fn connect(&mut self) -> ClientId {
        self.connect_as(Peer::local("test"))
    }

    pub fn connect_as(&mut self, peer: Peer) -> ClientId {
        let id = self.hub.handle_connect(self.now, peer).expect("admitted");
        self.clients.insert(id, SimClient::default());
        self.settle();
        id
    }

    /// A connection that has sent its first position report.
    pub fn join(&mut self, uid: &str, callsign: &str, team: &str) -> ClientId {
        let id = self.connect();
        self.say(id, sa(uid, callsign, team));
        id
    }

    /// A listener that never says who it is, past its replay.
    pub fn listener(&mut self) -> ClientId {
        let id = self.connect();
        self.advance(250);
        self.take(id);
        id
    }

    /// Sends bytes and lets everything that follows happen.
    pub fn say(&mut self, from: ClientId, bytes: impl AsRef<[u8]>) {
        self.say_unsettled(from, bytes);
        self.settle();
    }

    /// Sends bytes within a turn.
    pub fn say_unsettled(&mut self, from: ClientId, bytes: impl AsRef<[u8]>) {
        let (hub, now) = (&mut self.hub, self.now);
        Deframer::new()
            .feed(&mut self.scanner, bytes.as_ref(), &mut |item: Item<'_>| {
                hub.handle_item(now, from, &item);
            })
            .expect("a readable stream");
        hub.handle_bytes(now, from, bytes.as_ref().len(), 0);
    }

    /// Submits an event in the name of a team, or of an operator, and lets what follows happen.
    pub fn submit(&mut self, team: Option<&str>, event: impl AsRef<[u8]>) -> Submitted {
        let header = self.scanner.scan(event.as_ref()).expect("a valid event");
        let done = match team {
            Some(team) => self.hub.submit(self.now, &header, team),
            None => self.hub.submit_as_operator(self.now, &header, ""),
        };
        self.settle();
        done.expect("small enough")
    }

    /// The uids of the picture as `viewer` may see it, in order.
    pub fn seen_by(&mut self, viewer: &Viewer) -> Vec<String> {
        let (mut cursor, mut uids) = (ExportCursor::default(), Vec::new());
        while let Some(items) = self.hub.picture(self.now, &mut cursor, 3, viewer) {
            uids.extend(items.iter().map(|item| item.uid.to_string()));
        }
        uids.sort();
        uids
    }

    /// The newest event of a uid as `viewer` may see it.
    pub fn newest(&mut self, uid: &str, viewer: &Viewer) -> Option<String> {
        let event = self.hub.newest(self.now, uid, viewer)?;
        Some(String::from_utf8(event.to_vec()).expect("UTF-8"))
    }

    pub fn advance(&mut self, ms: u64) {
        let end = self.now.mono_ms + ms;
        loop {
            let next = self.hub.poll_timeout().filter(|&at| at <= end).unwrap_or(end);
            let step = next.max(self.now.mono_ms) - self.now.mono_ms;
            self.now.mono_ms += step;
            self.now.unix_ms += i64::try_from(step).expect("a short time");
            self.hub.handle_timeout(self.now);
            self.settle();
            if self.now.mono_ms >= end {
                return;
            }
        }
    }

    /// The far end takes `bytes` more, then nothing.
    pub fn stall(&mut self, client: ClientId, bytes: usize) {
        self.clients.get_mut(&client).expect("a client").window = Some(bytes);
    }

    /// The far end reads again.
    pub fn resume(&mut self, client: ClientId) {
        self.clients.get_mut(&client).expect("a client").window = None;
        self.settle();
    }

    pub fn leave(&mut self, client: ClientId) {
        self.hub.handle_disconnect(self.now, client, CloseReason::PeerClosed);
        self.clients.remove(&client);
        self.settle();
    }

    /// What a client got since the last time, as one text.
    pub fn take(&mut self, client: ClientId) -> String {
        let inbox = std::mem::take(&mut self.clients.get_mut(&client).expect("a client").inbox);
        String::from_utf8(inbox).expect("UTF-8")
    }

    /// The uids of what a client got since the last time, in order.
    pub fn uids(&mut self, client: ClientId) -> Vec<String> {
        self.events(client).iter().map(|event| attribute(event, "uid")).collect()
    }

    /// What a client got since the last time, cut into events.
    pub fn events(&mut self, client: ClientId) -> Vec<String> {
        let text = self.take(client);
        let events = text.split_inclusive("</event>").map(str::to_owned);
        events.filter(|event| !event.is_empty()).collect()
    }

    pub fn closed(&self, client: ClientId) -> Option<CloseReason> {
        self.clients.get(&client).and_then(|client| client.closed)
    }

    /// The whole picture, by key.
    pub fn picture(&mut self) -> BTreeMap<RecordKey, Record> {
        let (mut cursor, mut picture) = (ExportCursor::default(), BTreeMap::new());
        loop {
            let records = self.hub.export(self.now, &mut cursor, 3);
            if records.is_empty() {
                return picture;
            }
            picture.extend(records.into_iter().map(|record| (record.key(), record)));
        }
    }

    /// The server after a restart that took `ms`: its clients are gone, its picture is restored.
    pub fn restarted(&mut self, ms: u64) -> (Self, Restored) {
        let picture = self.picture();
        self.restarted_with(picture.into_values().collect(), ms)
    }

    /// The same, with what was kept of the picture.
    pub fn restarted_with(&self, mut picture: Vec<Record>, ms: u64) -> (Self, Restored) {
        // The order in which a store would hand them out.
        picture.sort_by_key(|record| match record {
            Record::Held(held) => (true, held.seq),
            _ => (false, 0),
        });
        let mut sim = Self::new(self.hub.config().clone());
        // A monotonic clock begins anew.
        sim.now.unix_ms = self.now.unix_ms + i64::try_from(ms).expect("a short time");
        let restored = sim.hub.restore(sim.now, picture);
        (sim, restored)
    }

    /// Does what the hub asks for, as far as the far ends read.
    pub fn settle(&mut self) {
        let mut batch = Batch::default();
        loop {
            while let Some(output) = self.hub.poll_output() {
                match output {
                    Output::Readable { client } => {
                        if let Some(client) = self.clients.get_mut(&client) {
                            client.is_readable = true;
                        }
                    }
                    Output::Close { client, reason } => {
                        self.hub.handle_disconnect(self.now, client, reason);
                        if let Some(client) = self.clients.get_mut(&client) {
                            client.closed = Some(reason);
                        }
                    }
                    _ => unreachable!("unknown output"),
                }
            }
            let mut has_moved = false;
            for (&id, client) in self.clients.iter_mut().filter(|(_, client)| client.is_readable) {
                self.hub.read(self.now, id, &mut batch, 64 << 10);
                if batch.is_empty() {
                    client.is_readable = false;
                    has_moved = true;
                    continue;
                }
                let taken = client.window.unwrap_or(usize::MAX).min(batch.len());
                let bytes: Vec<u8> = batch.slices().concat();
                client.inbox.extend_from_slice(&bytes[..taken]);
                if let Some(window) = &mut client.window {
                    *window -= taken;
                }
                self.hub.commit(self.now, id, &batch, taken);
                has_moved |= taken > 0;
            }
            if !has_moved {
                return;
            }
        }
    }
}

/// The first `name="..."` in an event.
pub fn attribute(event: &str, name: &str) -> String {
    let (_, rest) = event.split_once(&format!(" {name}=\"")).expect("the attribute");
    rest.split_once('"').expect("its end").0.to_owned()
}

/// An event with `detail` children, valid for six minutes from the epoch on.
pub fn event(uid: &str, kind: &str, detail: &str) -> String {
    event_at(uid, kind, "2026-01-01T00:00:00.000Z", "2026-01-01T00:06:00.000Z", detail)
}

pub fn event_at(uid: &str, kind: &str, time: &str, stale: &str, detail: &str) -> String {
    format!(
        r#"<event version="2.0" uid="{uid}" type="{kind}" time="{time}" start="{time}" stale="{stale}" how="m-g"><point lat="60.1" lon="24.9" hae="12.0" ce="9.9" le="9999999.0"/><detail>{detail}</detail></event>"#
    )
}

/// A position report of a device speaking about itself.
pub fn sa(uid: &str, callsign: &str, team: &str) -> String {
    let group = match team {
        "" => String::new(),
        team => format!(r#"<__group name="{team}" role="Team Member"/>"#),
    };
    let contact = format!(r#"<contact callsign="{callsign}" endpoint="*:-1:stcp"/>"#);
    event(uid, "a-f-G-U-C", &format!("{contact}{group}"))
}

pub fn marker(uid: &str) -> String {
    event(uid, "a-u-G", r#"<contact callsign="a marker"/><archive/>"#)
}

/// Any event with destinations: `dest("callsign", "BRAVO")` and the like.
pub fn directed(uid: &str, kind: &str, dests: &[String]) -> String {
    event(uid, kind, &format!("<marti>{}</marti>", dests.concat()))
}

pub fn dest(attribute: &str, value: &str) -> String {
    format!(r#"<dest {attribute}="{value}"/>"#)
}
