//! What a restart must know: reported as it changes, exported whole, restored.
#![allow(
    clippy::indexing_slicing,
    clippy::allow_attributes,
    reason = "a test that is out of bounds has failed"
)]

mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use relay::{ExportCursor, HubConfig, Observe, Observed, PictureChange, Record, RecordKey};
use relay::{ItemKind, TeamPolicy};
use support::{Sim, dest, directed, event, event_at, marker, sa};

const MINUTE: u64 = 60_000;

/// A picture kept up to date from reports alone.
#[derive(Default)]
struct Follower {
    observed: Observed,
    picture: BTreeMap<RecordKey, Record>,
    events: Vec<(String, String)>,
    changes: u64,
}

impl Follower {
    fn follow(sim: &mut Sim) -> Self {
        sim.hub.observe(Observe::new(true, true));
        Self::default()
    }

    fn update(&mut self, sim: &mut Sim) {
        sim.hub.take_observed(&mut self.observed);
        assert_eq!((self.observed.missed_changes, self.observed.missed_events), (0, 0));
        self.changes += self.observed.changes.len() as u64;
        assert_eq!(self.changes, self.observed.changes_upto);
        for change in self.observed.changes.drain(..) {
            match change {
                PictureChange::Put(record) => {
                    self.picture.insert(record.key(), record);
                }
                PictureChange::Remove(key) => {
                    self.picture.remove(&key);
                }
                _ => unreachable!("an unknown change"),
            }
        }
        for event in self.observed.events.drain(..) {
            let text = String::from_utf8(event.event.to_vec()).expect("UTF-8");
            self.events.push((event.sender.to_string(), text));
        }
    }

    /// What a restart would know at this moment.
    fn valid(&self, now_ms: i64) -> BTreeMap<RecordKey, String> {
        valid(&self.picture, now_ms)
    }
}

/// The records whose time has not run out, as texts that can be compared. An alert is repeated with
/// new times, which is no change of the picture.
fn valid(picture: &BTreeMap<RecordKey, Record>, now_ms: i64) -> BTreeMap<RecordKey, String> {
    let is_valid = |record: &Record| match record {
        Record::Item(item) => item.until_ms > now_ms,
        _ => true,
    };
    let text = |record: &Record| match record {
        Record::Item(item) if item.kind == ItemKind::Alert => {
            format!("alert of {} in {} until {}", item.sender, item.team, item.until_ms)
        }
        record => format!("{record:?}"),
    };
    let records = picture.iter().filter(|(_, record)| is_valid(record));
    records.map(|(key, record)| (key.clone(), text(record))).collect()
}

fn delete(uid: &str) -> String {
    event("del", "t-x-d-d", &format!(r#"<link uid="{uid}" relation="none" type="a-u-G"/>"#))
}

#[test]
fn accepted_events_are_reported_as_they_came_with_their_sender() {
    let mut sim = Sim::open();
    let mut follower = Follower::follow(&mut sim);
    let alpha = sim.join("A", "ALPHA", "Cyan");
    let bravo = sim.join("B", "BRAVO", "Cyan");
    let chat = directed("chat", "b-t-f", &[dest("uid", "B")]);
    sim.say(alpha, &chat);
    sim.say(bravo, marker("M"));
    sim.say(bravo, "<event/>");
    sim.leave(bravo);
    let late = directed("late", "b-t-f", &[dest("uid", "B")]);
    sim.say(alpha, &late);
    follower.update(&mut sim);
    let expected: Vec<(String, String)> = vec![
        ("A".into(), sa("A", "ALPHA", "Cyan")),
        ("B".into(), sa("B", "BRAVO", "Cyan")),
        ("A".into(), chat),
        ("B".into(), marker("M")),
        ("A".into(), late),
    ];
    assert_eq!(follower.events, expected, "not the server's notices, not what is invalid");
}

#[test]
fn nothing_is_kept_for_reports_until_they_are_asked_for() {
    let mut sim = Sim::open();
    sim.join("A", "ALPHA", "Cyan");
    let mut observed = Observed::default();
    sim.hub.take_observed(&mut observed);
    assert!(observed.is_empty() && observed.held_bytes == 0);
}

#[test]
fn reports_that_nobody_takes_are_bounded_and_what_is_missing_is_counted() {
    let mut sim = Sim::open();
    sim.hub.observe(Observe::new(true, true));
    let alpha = sim.listener();
    let count = 70_000;
    for n in 0..count {
        sim.say_unsettled(alpha, marker(&format!("M{}", n % 10)));
    }
    let mut observed = Observed::default();
    sim.hub.take_observed(&mut observed);
    assert_eq!(observed.changes.len() as u64 + observed.missed_changes, count);
    assert_eq!(observed.events.len() as u64 + observed.missed_events, count);
    assert!(observed.missed_changes > 0 && observed.changes_upto == count);
}

#[test]
fn newcomers_after_a_restart_get_the_picture_as_it_was() {
    let mut sim = Sim::open();
    let alpha = sim.join("A", "ALPHA", "Cyan");
    let gone = sim.join("G", "GOLF", "Cyan");
    sim.say(alpha, marker("M1"));
    sim.say(alpha, marker("M2"));
    sim.say(alpha, event("E", "b-a-o-tbl", "<emergency type=\"911 Alert\">ALPHA</emergency>"));
    sim.say(alpha, delete("M2"));
    sim.leave(gone);
    sim.advance(300);
    let newcomer = sim.listener();
    let before = sim.events(newcomer);
    let (mut sim, restored) = sim.restarted(1_000);
    assert_eq!((restored.items, restored.refused, restored.expired), (4, 0, 0), "A M1 E M2's end");
    let newcomer = sim.connect();
    sim.advance(250);
    let mut after = sim.events(newcomer);
    after.retain(|event| !event.contains("b-a-o-tbl") || event.contains("GOLF"));
    assert!(before.is_empty(), "taken by listener()");
    let uids: Vec<_> = after.iter().map(|event| support::attribute(event, "uid")).collect();
    assert_eq!(uids, ["A", "M1", "del"], "in the old order; GOLF is not revived");
}

#[test]
fn an_alert_goes_on_being_repeated_until_it_is_cancelled() {
    let mut sim = Sim::open();
    let alpha = sim.join("A", "ALPHA", "Cyan");
    sim.say(alpha, event("E", "b-a-o-tbl", "<emergency type=\"911 Alert\">ALPHA</emergency>"));
    let (mut sim, _) = sim.restarted(1_000);
    assert_eq!(sim.hub.stats().emergencies, 1);
    let bravo = sim.listener();
    sim.advance(21_000);
    assert!(sim.take(bravo).matches("b-a-o-tbl").count() >= 2);
    let alpha = sim.join("A", "ALPHA", "Cyan");
    sim.say(alpha, event("E", "b-a-o-can", "<emergency cancel=\"true\">ALPHA</emergency>"));
    assert!(sim.take(bravo).contains("b-a-o-can"));
    let (mut sim, _) = sim.restarted(1_000);
    let bravo = sim.listener();
    sim.advance(21_000);
    assert!(!sim.take(bravo).contains("b-a-o"));
}

#[test]
fn an_old_copy_of_what_was_deleted_before_the_restart_does_not_come_back() {
    let mut sim = Sim::open();
    let alpha = sim.join("A", "ALPHA", "Cyan");
    sim.say(alpha, marker("M"));
    sim.say(alpha, delete("M"));
    let (mut sim, _) = sim.restarted(MINUTE);
    let (alpha, bravo) = (sim.join("A", "ALPHA", "Cyan"), sim.listener());
    sim.say(alpha, marker("M"));
    assert!(!sim.take(bravo).contains("uid=\"M\""));
}

#[test]
fn ages_are_judged_by_receive_time_and_never_by_the_clock_of_a_sender() {
    let mut sim = Sim::open();
    let alpha = sim.listener();
    // Six minutes valid, by clocks that are a year slow and a year fast.
    let slow = ("2025-01-01T00:00:00Z", "2025-01-01T00:06:00Z");
    let fast = ("2027-01-01T00:00:00Z", "2027-01-01T00:06:00Z");
    sim.say(alpha, event_at("slow", "a-u-G", slow.0, slow.1, ""));
    sim.say(alpha, event_at("fast", "a-u-G", fast.0, fast.1, ""));
    let (mut after, restored) = sim.restarted(5 * MINUTE);
    assert_eq!((restored.items, restored.expired), (2, 0));
    // The minute that is left counts from the restart on.
    after.advance(2 * MINUTE);
    assert_eq!(after.picture().len(), 0);
    let (_, restored) = sim.restarted(7 * MINUTE);
    assert_eq!((restored.items, restored.expired), (0, 2));
}

#[test]
fn a_wall_clock_that_has_gone_back_makes_nothing_older() {
    let mut sim = Sim::open();
    let alpha = sim.listener();
    sim.say(alpha, marker("M"));
    let records: Vec<_> = sim.picture().into_values().collect();
    let mut after = Sim::open();
    after.now.unix_ms -= 86_400_000;
    assert_eq!(after.hub.restore(after.now, records).items, 1);
    after.advance(5 * MINUTE);
    assert_eq!(after.picture().len(), 1);
    after.advance(2 * MINUTE);
    assert_eq!(after.picture().len(), 0);
}

#[test]
fn a_restored_picture_keeps_to_the_teams() {
    let mut sim = Sim::isolated(&["Red -> Blue"]);
    let (red, cyan) = (sim.join("R", "RED", "Red"), sim.join("C", "CYAN", "Cyan"));
    sim.say(red, marker("red-marker"));
    sim.say(cyan, marker("cyan-marker"));
    let (mut sim, restored) = sim.restarted(1_000);
    assert_eq!((restored.items, restored.refused), (4, 0));
    let blue = sim.join("B", "BLUE", "Blue");
    let got = sim.take(blue);
    assert!(got.contains("red-marker") && !got.contains("cyan-marker"), "{got}");
    let nobody = sim.listener();
    assert_eq!(sim.take(nobody), "");
}

#[test]
fn a_stricter_policy_holds_for_what_was_restored() {
    let mut sim = Sim::open();
    let red = sim.join("R", "RED", "Red");
    sim.say(red, marker("red-marker"));
    let records: Vec<_> = sim.picture().into_values().collect();
    let mut sim = Sim::isolated(&[]);
    sim.hub.restore(sim.now, records);
    let cyan = sim.join("C", "CYAN", "Cyan");
    assert!(!sim.take(cyan).contains("red"));
    let red = sim.join("R2", "RED-2", "Red");
    assert!(sim.take(red).contains("red-marker"));
}

#[test]
fn a_uid_that_two_isolated_teams_had_is_one_on_an_open_server() {
    let mut sim = Sim::isolated(&[]);
    let (red, blue) = (sim.join("R", "RED", "Red"), sim.join("B", "BLUE", "Blue"));
    sim.say(red, marker("M"));
    sim.say(blue, event("M", "a-h-G", ""));
    let mut records: Vec<_> = sim.picture().into_values().collect();
    for _ in 0..2 {
        records.reverse();
        let mut after = Sim::open();
        after.hub.restore(after.now, records.clone());
        let newcomer = after.connect();
        after.advance(250);
        let got = after.take(newcomer);
        assert_eq!(got.matches("uid=\"M\"").count(), 1);
        assert!(got.contains("a-h-G"), "the later word counts, in whatever order they come: {got}");
    }
}

#[test]
fn what_is_held_stays_in_order_whatever_the_clocks_say() {
    // Each clock is read in whole milliseconds, so that one goes on before the other at times. The
    // wall clock may be set, too.
    for (mono_ms, wall_ms) in [(1, 0), (0, 1), (1, -500), (700, -1)] {
        let mut sim = Sim::open();
        let mut follower = Follower::follow(&mut sim);
        let alpha = sim.join("A", "ALPHA", "Cyan");
        let bravo = sim.join("B", "BRAVO", "Cyan");
        sim.leave(bravo);
        for uid in ["chat-d", "chat-c", "chat-b", "chat-a"] {
            sim.say(alpha, directed(uid, "b-t-f", &[dest("uid", "B")]));
            sim.now.mono_ms += mono_ms;
            sim.now.unix_ms += wall_ms;
        }
        follower.update(&mut sim);
        let (mut sim, restored) = sim.restarted_with(follower.picture.into_values().collect(), 0);
        assert_eq!((restored.held, restored.refused), (4, 0));
        let bravo = sim.join("B", "BRAVO", "Cyan");
        let mut uids = sim.uids(bravo);
        uids.retain(|uid| uid.starts_with("chat"));
        assert_eq!(uids, ["chat-d", "chat-c", "chat-b", "chat-a"]);
    }
}

#[test]
fn records_that_make_no_sense_are_refused_one_by_one() {
    let mut sim = Sim::open();
    let alpha = sim.listener();
    sim.say(alpha, marker("M"));
    let good = sim.picture().into_values().next().expect("a record");
    let Record::Item(item) = good.clone() else { panic!("an item") };
    let with = |change: fn(&mut relay::Item)| {
        let mut item = item.clone();
        item.uid = "other".into();
        item.seq = 77;
        change(&mut item);
        Record::Item(item)
    };
    let bad = [
        with(|item| item.seq = 0),
        with(|item| item.seq = u64::MAX),
        with(|item| item.event = "<event".into()),
        with(|item| item.event = bytes::Bytes::new()),
        with(|item| item.event = vec![0xFF; 100].into()),
        with(|item| item.until_ms = i64::MIN),
        with(|item| item.received_ms = i64::MAX),
        with(|item| item.received_ms = i64::MIN),
    ];
    let mut after = Sim::open();
    let restored = after.hub.restore(after.now, bad.into_iter().chain([good.clone(), good]));
    assert_eq!(restored.items, 1, "{restored:?}");
    assert_eq!(restored.expired + restored.refused, 9, "the second copy of the good one too");
    assert_eq!(after.hub.stats().state_events, 1);
    let bravo = after.connect();
    after.advance(250);
    assert_eq!(after.uids(bravo), ["M"]);
}

#[test]
fn a_picture_larger_than_the_bounds_loses_its_oldest() {
    let mut sim = Sim::open();
    let alpha = sim.listener();
    (0..100).for_each(|n| sim.say(alpha, marker(&format!("M{n:02}"))));
    let records: Vec<_> = sim.picture().into_values().collect();
    let mut config = HubConfig::default();
    config.max_state_events = 10;
    let mut after = Sim::new(config);
    after.hub.restore(after.now, records);
    let bravo = after.connect();
    after.advance(250);
    assert_eq!(after.uids(bravo).len(), 10);
}

#[derive(Clone, Debug)]
enum Step {
    Join { who: usize, team: usize },
    Leave { who: usize },
    Marker { who: usize, uid: usize },
    Moment { who: usize, uid: usize },
    Delete { who: usize, uid: usize },
    Alert { who: usize, cancel: bool },
    Chat { who: usize, to: usize },
    Wait { ms: u64 },
    Export,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..6usize, 0..3usize).prop_map(|(who, team)| Step::Join { who, team }),
        2 => (0..6usize).prop_map(|who| Step::Leave { who }),
        6 => (0..6usize, 0..5usize).prop_map(|(who, uid)| Step::Marker { who, uid }),
        1 => (0..6usize, 0..5usize).prop_map(|(who, uid)| Step::Moment { who, uid }),
        2 => (0..6usize, 0..5usize).prop_map(|(who, uid)| Step::Delete { who, uid }),
        2 => (0..6usize, any::<bool>()).prop_map(|(who, cancel)| Step::Alert { who, cancel }),
        4 => (0..6usize, 0..6usize).prop_map(|(who, to)| Step::Chat { who, to }),
        3 => (1..100_000u64).prop_map(|ms| Step::Wait { ms }),
        3 => Just(Step::Export),
    ];
    prop::collection::vec(step, 1..80)
}

fn play(sim: &mut Sim, here: &mut BTreeMap<usize, relay::ClientId>, step: &Step, n: usize) {
    let team = |team: usize| ["", "Red", "Blue"][team];
    let time = cot_core::CotTime::from_unix_millis(sim.now.unix_ms).to_string();
    let stale = cot_core::CotTime::from_unix_millis(sim.now.unix_ms + 200_000).to_string();
    let now = |uid: &str, kind: &str, detail: &str| event_at(uid, kind, &time, &stale, detail);
    match *step {
        Step::Join { who, team: t } => {
            let id = *here.entry(who).or_insert_with(|| sim.connect());
            sim.say(id, sa(&format!("U{who}"), &format!("CALL-{}", who % 4), team(t)));
        }
        Step::Leave { who } => {
            if let Some(id) = here.remove(&who) {
                sim.leave(id);
            }
        }
        Step::Wait { ms } => sim.advance(ms),
        Step::Marker { who, uid } => {
            if let Some(&id) = here.get(&who) {
                sim.say(id, now(&format!("M{uid}"), "a-u-G", ""));
            }
        }
        Step::Moment { who, uid } => {
            if let Some(&id) = here.get(&who) {
                sim.say(id, event_at(&format!("M{uid}"), "a-u-G", &time, &time, ""));
            }
        }
        Step::Delete { who, uid } => {
            if let Some(&id) = here.get(&who) {
                sim.say(id, delete(&format!("M{uid}")));
            }
        }
        Step::Alert { who, cancel } => {
            if let Some(&id) = here.get(&who) {
                let kind = if cancel { "b-a-o-can" } else { "b-a-o-tbl" };
                sim.say(id, now(&format!("E{who}"), kind, "<emergency/>"));
            }
        }
        Step::Chat { who, to } => {
            if let Some(&id) = here.get(&who) {
                let to = [dest("uid", &format!("U{to}"))];
                sim.say(id, directed(&format!("chat-{n}"), "b-t-f", &to));
            }
        }
        Step::Export => {}
    }
}

fn config(is_open: bool) -> HubConfig {
    let mut config = HubConfig::default();
    config.max_state_events = 9;
    config.hold_age = std::time::Duration::from_secs(300);
    if !is_open {
        config.teams = TeamPolicy::isolated();
        config.teams.allow("Red -> Blue".parse().expect("a rule"));
    }
    config
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Reports alone, an export in parts with the reports since it began, and a whole export tell
    /// the same; and a server restored from it shows newcomers what the old one did.
    #[test]
    fn reports_exports_and_restarts_agree(is_open in any::<bool>(), steps in steps()) {
        let mut sim = Sim::new(config(is_open));
        let mut follower = Follower::follow(&mut sim);
        let mut here = BTreeMap::new();
        let mut begun: Option<(ExportCursor, BTreeMap<RecordKey, Record>)> = None;
        for (n, step) in steps.iter().enumerate() {
            sim.advance(1);
            play(&mut sim, &mut here, step, n);
            if let Step::Export = step {
                let (cursor, snapshot) = begun.get_or_insert_with(Default::default);
                let part = sim.hub.export(sim.now, cursor, 2);
                snapshot.extend(part.into_iter().map(|record| (record.key(), record)));
            }
            if let Some((_, snapshot)) = &mut begun {
                // What a journal that began with the export holds.
                let mut since = Follower::default();
                sim.hub.take_observed(&mut since.observed);
                for change in &since.observed.changes {
                    match change {
                        PictureChange::Put(record) => drop(snapshot.insert(record.key(), record.clone())),
                        PictureChange::Remove(key) => drop(snapshot.remove(key)),
                        _ => {}
                    }
                }
                for change in since.observed.changes {
                    match change {
                        PictureChange::Put(record) => drop(follower.picture.insert(record.key(), record)),
                        PictureChange::Remove(key) => drop(follower.picture.remove(&key)),
                        _ => {}
                    }
                    follower.changes += 1;
                }
            } else {
                follower.update(&mut sim);
            }
        }
        let now_ms = sim.now.unix_ms;
        let whole = sim.picture();
        prop_assert_eq!(follower.valid(now_ms), valid(&whole, now_ms), "reports and export");
        if let Some((mut cursor, mut snapshot)) = begun {
            loop {
                let part = sim.hub.export(sim.now, &mut cursor, 2);
                if part.is_empty() { break; }
                snapshot.extend(part.into_iter().map(|record| (record.key(), record)));
            }
            prop_assert_eq!(valid(&snapshot, now_ms), valid(&whole, now_ms), "export in parts");
        }
        // Everybody leaves, as in a stop: nobody is announced as gone.
        sim.hub.handle_shutdown();
        sim.settle();
        let (mut after, restored) = sim.restarted(0);
        prop_assert_eq!(restored.refused, 0);
        let left = |picture: &BTreeMap<RecordKey, Record>| {
            let items = picture.iter().filter(|(key, _)| matches!(key, RecordKey::Item { .. }));
            items.map(|(key, record)| (key.clone(), record.clone())).collect::<BTreeMap<_, _>>()
        };
        prop_assert_eq!(valid(&left(&after.picture()), now_ms), valid(&left(&whole), now_ms), "restart");
    }
}
