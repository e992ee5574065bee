//! Events of those who have no connection: routed, kept and held as a client's, but nobody is there.
#![allow(
    clippy::indexing_slicing,
    clippy::allow_attributes,
    reason = "a test that is out of bounds has failed"
)]

mod support;

use relay::{DropReason, HubConfig, Observe, Observed, PublishError, Record, Submitted, Viewer};
use support::{Sim, dest, directed, event, marker, sa};

/// `(reached, held, refused)`.
fn fate(done: Submitted) -> (usize, usize, Option<DropReason>) {
    (done.reached, done.held, done.refused)
}

/// Members of three teams, past their replay.
fn trio(sim: &mut Sim) -> [relay::ClientId; 3] {
    let members = [("R", "ROMEO", "Red"), ("B", "BRAVO", "Blue"), ("H", "HOTEL", "HQ")];
    let ids = members.map(|(uid, callsign, team)| sim.join(uid, callsign, team));
    ids.iter().for_each(|&id| drop(sim.take(id)));
    ids
}

fn got(sim: &mut Sim, ids: [relay::ClientId; 3]) -> [String; 3] {
    ids.map(|id| sim.uids(id).join(" "))
}

#[test]
fn a_public_event_reaches_everyone_and_newcomers() {
    let mut sim = Sim::open();
    let ids = trio(&mut sim);
    assert_eq!(fate(sim.submit(Some(""), marker("M"))), (3, 0, None));
    assert_eq!(got(&mut sim, ids), ["M", "M", "M"]);
    let late = sim.join("L", "LIMA", "");
    assert!(sim.take(late).contains(&marker("M")), "unchanged");
    assert_eq!(sim.newest("M", &Viewer::team("")), Some(marker("M")));
    assert_eq!(fate(Sim::open().submit(Some(""), marker("M"))), (0, 0, None), "nobody is here");
}

#[test]
fn a_team_reaches_whom_its_members_reach() {
    let mut sim = Sim::isolated(&["* -> HQ"]);
    let ids = trio(&mut sim);
    assert_eq!(fate(sim.submit(Some("Red"), marker("M"))), (2, 0, None));
    assert_eq!(got(&mut sim, ids), ["M", "", "M"]);
    assert_eq!(fate(sim.submit(Some(""), marker("N"))), (1, 0, None));
    assert_eq!(got(&mut sim, ids), ["", "", "N"]);
    let named = [dest("callsign", "BRAVO"), dest("uid", "R"), dest("uid", "R")];
    assert_eq!(fate(sim.submit(Some("Red"), directed("d", "b-t-f", &named))), (1, 0, None));
    assert_eq!(got(&mut sim, ids), ["d", "", ""]);
    let foreign = directed("d", "b-f-t-r", &[dest("callsign", "BRAVO")]);
    assert_eq!(fate(sim.submit(Some("Red"), foreign)), (0, 0, Some(DropReason::Forbidden)));
    assert_eq!(got(&mut sim, ids), ["", "", ""]);
    let long = "x".repeat(300);
    let fate = fate(sim.submit(Some(&long), marker("O")));
    assert_eq!(fate, (0, 0, Some(DropReason::TeamsFull)), "no team, nobody");
    assert_eq!(got(&mut sim, ids), ["", "", ""]);
}

#[test]
fn an_operator_reaches_whomever_is_named_or_everyone() {
    let mut sim = Sim::isolated(&[]);
    let ids = trio(&mut sim);
    let named = [dest("callsign", "BRAVO"), dest("callsign", "HOTEL")];
    let share = directed("share", "b-f-t-r", &named);
    assert_eq!(fate(sim.submit(None, &share)), (2, 0, None));
    let expected = event("share", "b-f-t-r", "");
    assert_eq!(sim.take(ids[1]), expected, "without its destinations");
    assert_eq!(got(&mut sim, ids), ["", "", "share"]);
    assert_eq!(fate(sim.submit(None, marker("M"))), (3, 0, None));
    assert_eq!(got(&mut sim, ids), ["M", "M", "M"]);
    let late = sim.join("L", "LIMA", "Green");
    assert_eq!(sim.uids(late), ["M"]);
}

#[test]
fn what_an_operator_sends_to_somebody_away_waits_whatever_their_team() {
    let mut sim = Sim::isolated(&[]);
    let [_, bravo, _] = trio(&mut sim);
    sim.leave(bravo);
    let share = directed("share", "b-f-t-r", &[dest("callsign", "BRAVO")]);
    assert_eq!(fate(sim.submit(None, &share)), (0, 1, None));
    let impostor = sim.join("B", "BRAVO", "Red");
    assert!(!sim.take(impostor).contains("share"));
    sim.leave(impostor);
    let bravo = sim.join("B", "BRAVO", "Blue");
    assert_eq!(sim.take(bravo).matches("share").count(), 1);
    sim.advance(2_000);
    assert_eq!(sim.hub.stats().held_delivered, 1);
}

#[test]
fn what_a_team_sends_to_somebody_away_waits_if_it_reaches_them() {
    let mut sim = Sim::isolated(&["Red -> Blue"]);
    let [_, bravo, _] = trio(&mut sim);
    sim.leave(bravo);
    let chat = |uid: &str| directed(uid, "b-t-f", &[dest("uid", "B")]);
    assert_eq!(fate(sim.submit(Some("Red"), chat("from-red"))), (0, 1, None));
    let unknown = Some(DropReason::UnknownAddressee);
    assert_eq!(fate(sim.submit(Some("HQ"), chat("from-hq"))), (0, 0, unknown));
    let moment = directed("moment", "b-f-t-a", &[dest("uid", "B")]);
    assert_eq!(fate(sim.submit(Some("Red"), moment)), (0, 0, unknown));
    let stats = sim.hub.stats();
    assert_eq!((stats.events_held, stats.held_events), (1, 1));
    let bravo = sim.join("B", "BRAVO", "Blue");
    let text = sim.take(bravo);
    assert!(text.contains("from-red") && !text.contains("from-hq"), "{text}");
}

#[test]
fn what_a_lost_connection_had_not_taken_waits_too() {
    for team in [Some("Blue"), None] {
        let mut sim = Sim::isolated(&[]);
        let [_, bravo, _] = trio(&mut sim);
        sim.stall(bravo, 0);
        let chat = directed("chat", "b-t-f", &[dest("uid", "B")]);
        assert_eq!(fate(sim.submit(team, chat)), (1, 0, None));
        sim.leave(bravo);
        assert_eq!(sim.hub.stats().held_events, 1);
        let bravo = sim.join("B", "BRAVO", "Blue");
        assert!(sim.take(bravo).contains("chat"));
    }
}

#[test]
fn no_room_to_hold_is_said() {
    let mut config = HubConfig::default();
    config.max_held_bytes = 100;
    let mut sim = Sim::new(config);
    let [_, bravo, _] = trio(&mut sim);
    sim.leave(bravo);
    let chat = directed("chat", "b-t-f", &[dest("uid", "B")]);
    assert_eq!(fate(sim.submit(Some(""), chat)), (0, 0, Some(DropReason::HoldFull)));
}

#[test]
fn a_caller_is_never_present() {
    let mut sim = Sim::open();
    let ids = trio(&mut sim);
    let before = sim.hub.contacts(sim.now).len();
    sim.submit(Some("Red"), sa("HTTP", "WEB", "Red"));
    sim.submit(Some("Red"), sa("R", "NEW-NAME", "Blue"));
    let rows = sim.hub.contacts(sim.now);
    assert_eq!(rows.len(), before);
    assert!(rows.iter().any(|row| row.callsign == "ROMEO"), "nobody is renamed");
    assert_eq!(sim.hub.known_contacts(sim.now).len(), before);
    let done = sim.submit(Some(""), directed("d", "b-t-f", &[dest("callsign", "WEB")]));
    assert_eq!(done.refused, Some(DropReason::UnknownAddressee));
    assert_eq!(got(&mut sim, ids), ["HTTP R", "HTTP R", "HTTP R"]);
    let late = sim.join("L", "LIMA", "");
    assert!(sim.take(late).contains("uid=\"HTTP\""), "its position is kept");
    drop((sim.take(ids[0]), sim.take(ids[1]), sim.take(ids[2])));
    // It runs out like any other; nobody is said to have gone.
    sim.advance(400_000);
    let told: String = ids.iter().map(|&id| sim.take(id)).collect();
    assert!(!told.contains("t-x-d-d"), "{told}");
    assert_eq!(sim.newest("HTTP", &Viewer::Everything), None);
}

#[test]
fn the_uids_of_isolated_teams_are_their_own() {
    let mut sim = Sim::isolated(&[]);
    let ids = trio(&mut sim);
    sim.say(ids[0], marker("M"));
    sim.submit(Some("Blue"), marker("M").replace("60.1", "61.0"));
    let link = r#"<link uid="M" type="a-u-G" relation="none"/>"#;
    sim.submit(Some("HQ"), event("d", "t-x-d-d", link));
    assert_eq!(sim.newest("M", &Viewer::team("Red")), Some(marker("M")));
    sim.submit(Some("Red"), event("d", "t-x-d-d", link));
    assert_eq!(sim.newest("M", &Viewer::team("Red")), None);
    assert!(sim.newest("M", &Viewer::team("Blue")).is_some());
    sim.submit(Some("Red"), marker("M"));
    let old = sim.hub.stats().events_rejected.of(DropReason::Deleted);
    assert_eq!(old, 1, "an old copy of what was deleted");
}

#[test]
fn an_alert_is_repeated_until_it_is_cancelled() {
    let mut sim = Sim::isolated(&[]);
    let ids = trio(&mut sim);
    sim.submit(Some("Red"), event("E", "b-a-o-tbl", "<emergency/>"));
    sim.advance(21_000);
    assert_eq!(ids.map(|id| sim.take(id).matches("b-a-o-tbl").count()), [3, 0, 0]);
    sim.submit(Some("Red"), event("E", "b-a-o-can", r#"<emergency cancel="true"/>"#));
    sim.advance(21_000);
    assert_eq!(sim.take(ids[0]).matches("b-a-o").count(), 1);
    assert_eq!(sim.hub.stats().emergencies, 0);
}

#[test]
fn observers_are_told_the_team_and_the_event_as_it_came() {
    let mut sim = Sim::isolated(&[]);
    sim.hub.observe(Observe::new(true, true));
    let ids = trio(&mut sim);
    sim.leave(ids[1]);
    let mut observed = Observed::default();
    sim.hub.take_observed(&mut observed);
    let texts = [
        marker("M"),
        directed("d", "b-t-f", &[dest("uid", "R")]),
        directed("h", "b-t-f", &[dest("uid", "B")]),
    ];
    for (text, team) in texts.iter().zip(["Red", "Red", "Blue"]) {
        sim.submit(Some(team), text);
    }
    sim.submit(None, marker("O"));
    sim.hub.take_observed(&mut observed);
    let told: Vec<_> = observed.events.iter().map(|event| (&*event.sender, &*event.team)).collect();
    assert_eq!(told, [("", "Red"), ("", "Red"), ("", "Blue"), ("", "")]);
    for (told, text) in observed.events.iter().zip(&texts) {
        assert_eq!(told.event, text.as_bytes());
    }
    let is_item = |record: &Record| matches!(record, Record::Item(item) if &*item.team == "Red");
    assert!(sim.picture().values().any(is_item));
    // A restart shows it to the same.
    let (mut sim, restored) = sim.restarted(0);
    assert_eq!(restored.refused, 0);
    assert_eq!(sim.seen_by(&Viewer::team("Red")), ["M", "O", "R"]);
    assert_eq!(sim.seen_by(&Viewer::team("Blue")), ["O"]);
}

#[test]
fn a_loop_an_oversize_and_a_word_to_the_server_go_nowhere_and_are_counted() {
    let mut config = HubConfig::default();
    config.flow_tag = Some("one".into());
    let mut sim = Sim::new(config);
    let ids = trio(&mut sim);
    let tagged = event("M", "a-u-G", r#"<_flow-tags_ TinyCoT-one="2026-01-01T00:00:00Z"/>"#);
    assert_eq!(fate(sim.submit(Some(""), tagged)), (0, 0, Some(DropReason::Loop)));
    for kind in ["t-x-c-t", "t-x-takp-q", "t-x-m-d", "t-x-d-d"] {
        assert_eq!(fate(sim.submit(Some(""), event("P", kind, ""))), (0, 0, None), "{kind}");
    }
    let large = event("L", "u-d-f", &format!("<remarks>{}</remarks>", "x".repeat(70_000)));
    let mut scanner = cot_core::Scanner::new(cot_core::Limits::default());
    let header = scanner.scan(large.as_bytes()).expect("a valid event");
    let refused = sim.hub.submit(sim.now, &header, "");
    assert!(matches!(refused, Err(PublishError::Oversize { .. })), "{refused:?}");
    sim.submit(Some(""), directed("X", "a-u-G", &[dest("mission", "x")]));
    assert_eq!(got(&mut sim, ids), ["", "", ""]);
    sim.submit(Some(""), marker("N"));
    assert!(sim.take(ids[0]).contains("TinyCoT-one="));
    let stats = sim.hub.stats();
    assert_eq!((stats.events_submitted, stats.events_control), (8, 4));
    let lost = [DropReason::Loop, DropReason::Oversize, DropReason::NoSuchService];
    assert_eq!(lost.map(|reason| stats.events_rejected.of(reason)), [1, 1, 1]);
    assert_eq!((stats.events_in, stats.events_accepted), (3, 4));
}

#[test]
fn private_chat_of_a_caller_is_private() {
    let mut sim = Sim::open();
    let ids = trio(&mut sim);
    let body = r#"<__chat id="B" chatroom="BRAVO"><chatgrp uid0="WEB" uid1="B" id="B"/></__chat>"#;
    assert_eq!(fate(sim.submit(Some(""), event("GeoChat.1", "b-t-f", body))), (1, 0, None));
    assert_eq!(got(&mut sim, ids), ["", "GeoChat.1", ""]);
    let receipt = event("R1", "b-t-f-d", "");
    let unknown = Some(DropReason::UnknownAddressee);
    assert_eq!(fate(sim.submit(Some(""), receipt)), (0, 0, unknown), "never public");
}
