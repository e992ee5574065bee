//! The current picture for newcomers. Numbers are items of the conformance checklist.

mod support;

use relay::HubConfig;
use support::{Sim, dest, directed, event, event_at, marker, sa};

#[test]
fn item_45_a_newcomer_gets_the_newest_of_every_uid_unchanged_and_once() {
    let mut sim = Sim::open();
    let alpha = sim.join("A", "ALPHA", "");
    sim.say(alpha, marker("M"));
    let newest = marker("M").replace("60.1", "61.5");
    sim.say(alpha, &newest);
    let bravo = sim.join("B", "BRAVO", "");
    assert_eq!(sim.take(bravo), sa("A", "ALPHA", "") + &newest);
    assert_eq!(sim.hub.clients(sim.now)[1].replayed, 2);
    assert_eq!(sim.hub.clients(sim.now)[1].delivered, 0);
}

#[test]
fn item_45_what_has_gone_stale_is_not_replayed_judged_by_when_it_came() {
    let mut sim = Sim::open();
    let alpha = sim.join("A", "ALPHA", "");
    // A clock ten years ahead, valid for a minute.
    let time = ["2036-01-01T00:00:00Z", "2036-01-01T00:01:00Z"];
    sim.say(alpha, event_at("M", "a-u-G", time[0], time[1], ""));
    sim.advance(59_000);
    let early = sim.join("B", "BRAVO", "");
    assert_eq!(sim.uids(early), ["A", "M"]);
    sim.advance(1_100);
    let late = sim.join("C", "CHARLIE", "");
    assert_eq!(sim.uids(late), ["A", "B"]);
}

#[test]
fn item_45_own_reports_are_not_replayed_to_their_sender() {
    let mut sim = Sim::open();
    let old = sim.join("A", "ALPHA", "");
    sim.say(old, marker("M"));
    let again = sim.join("A", "ALPHA", "");
    assert_eq!(sim.uids(again), ["M"], "the half-open old connection's position is its own");
}

#[test]
fn the_replay_waits_for_the_newcomer_to_say_who_it_is_but_not_for_long() {
    let mut sim = Sim::open();
    sim.join("A", "ALPHA", "");
    let silent = sim.connect();
    sim.advance(249);
    assert_eq!(sim.take(silent), "");
    sim.advance(1);
    assert_eq!(sim.uids(silent), ["A"]);
}

#[test]
fn what_happens_during_the_wait_is_not_lost() {
    let mut sim = Sim::open();
    let alpha = sim.join("A", "ALPHA", "");
    let silent = sim.connect();
    sim.say(alpha, directed("X", "b-t-f", &[dest("callsign", "ALPHA")]));
    sim.say(alpha, event("chat", "b-t-f", ""));
    sim.say(alpha, marker("M"));
    sim.advance(250);
    assert_eq!(sim.uids(silent), ["A", "chat", "M"]);
}

#[test]
fn chat_and_directed_events_from_before_are_not_replayed() {
    let mut sim = Sim::open();
    let (alpha, _bravo) = (sim.join("A", "ALPHA", ""), sim.join("B", "BRAVO", ""));
    sim.say(alpha, event("chat", "b-t-f", ""));
    sim.say(alpha, directed("M", "a-u-G", &[dest("callsign", "BRAVO")]));
    let charlie = sim.join("C", "CHARLIE", "");
    assert_eq!(sim.uids(charlie), ["A", "B"]);
}

#[test]
fn those_who_left_are_not_replayed() {
    let mut sim = Sim::open();
    let alpha = sim.join("A", "ALPHA", "");
    sim.say(alpha, marker("M"));
    sim.leave(alpha);
    let bravo = sim.join("B", "BRAVO", "");
    assert_eq!(sim.uids(bravo), ["M"]);
}

#[test]
fn a_deletion_reaches_late_joiners_and_old_copies_do_not_bring_the_item_back() {
    let mut sim = Sim::open();
    let (alpha, bravo) = (sim.join("A", "ALPHA", ""), sim.join("B", "BRAVO", ""));
    sim.say(alpha, marker("M"));
    let deletion =
        event("del", "t-x-d-d", r#"<link uid="M" type="a-u-G" relation="none"/><__forcedelete/>"#);
    sim.say(alpha, &deletion);
    sim.take(alpha);
    sim.take(bravo);
    let late = sim.join("C", "CHARLIE", "");
    assert_eq!(sim.uids(late), ["A", "B", "del"]);
    sim.say(late, marker("M"));
    assert_eq!(sim.uids(bravo), ["C"], "an old copy of what was deleted");
    assert_eq!(sim.hub.stats().events_rejected.of(relay::DropReason::Deleted), 1);
    let anew = event_at("M", "a-u-G", "2026-01-01T00:00:01Z", "2026-01-01T01:00:00Z", "");
    sim.say(late, &anew);
    assert_eq!(sim.take(bravo), anew, "made anew");
}

#[test]
fn a_deletion_is_forgotten_after_its_time() {
    let mut sim = Sim::open();
    let alpha = sim.join("A", "ALPHA", "");
    sim.say(alpha, event("del", "t-x-d-d", r#"<link uid="M" type="a-u-G" relation="none"/>"#));
    sim.advance(3_601_000);
    let bravo = sim.join("B", "BRAVO", "");
    assert_eq!(sim.take(bravo), "");
}

#[test]
fn something_without_validity_is_relayed_live_and_not_replayed() {
    let mut sim = Sim::open();
    let (alpha, bravo) = (sim.join("A", "ALPHA", ""), sim.join("B", "BRAVO", ""));
    sim.take(bravo);
    let route = event_at("R", "b-m-r", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "");
    sim.say(alpha, &route);
    assert_eq!(sim.take(bravo), route);
    let late = sim.join("C", "CHARLIE", "");
    assert_eq!(sim.uids(late), ["A", "B"]);
}

#[test]
fn the_memory_for_newcomers_is_bounded_and_the_oldest_goes_first() {
    let mut config = HubConfig::default();
    config.max_state_events = 10;
    let mut sim = Sim::new(config);
    let alpha = sim.listener();
    (0..25).for_each(|i| sim.say(alpha, marker(&format!("M{i}"))));
    let stats = sim.hub.stats();
    assert_eq!((stats.state_events, stats.state_evicted), (10, 15));
    let bravo = sim.join("B", "BRAVO", "");
    assert_eq!(sim.uids(bravo), (16..25).map(|i| format!("M{i}")).collect::<Vec<_>>());
}

#[test]
fn item_62_63_64_an_alert_is_repeated_fresh_until_it_is_cancelled() {
    let mut sim = Sim::open();
    let (alpha, bravo) = (sim.join("A", "ALPHA", ""), sim.join("B", "BRAVO", ""));
    sim.take(bravo);
    let alert = event_at(
        "A-9-1-1",
        "b-a-o-tbl",
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:10Z",
        r#"<emergency type="911 Alert">ALPHA</emergency>"#,
    );
    sim.say(alpha, &alert);
    assert_eq!(sim.take(bravo), alert, "as it came");
    sim.take(alpha);
    sim.leave(alpha);
    sim.take(bravo);
    for second in ["10", "20", "30"] {
        sim.advance(10_000);
        let repeated = sim
            .events(bravo)
            .into_iter()
            .find(|event| event.contains("b-a-o-tbl"))
            .expect("repeated");
        assert!(repeated.contains(&format!("time=\"2026-01-01T00:00:{second}")), "{repeated}");
        assert!(repeated.contains(&format!("start=\"2026-01-01T00:00:{second}")), "{repeated}");
    }
    let late = sim.join("C", "CHARLIE", "");
    assert!(sim.take(late).contains("b-a-o-tbl"), "newcomers get it at once");
    sim.take(bravo);
    let cancel = event("A-9-1-1", "b-a-o-can", r#"<emergency cancel="true">ALPHA</emergency>"#);
    sim.say(late, &cancel);
    assert_eq!(sim.take(bravo), cancel);
    sim.advance(25_000);
    assert!(!sim.take(bravo).contains("b-a-o"), "repeated no more");
    let last = sim.join("D", "DELTA", "");
    assert!(!sim.take(last).contains("b-a-o"));
}

#[test]
fn item_63_a_cancel_is_relayed_even_if_the_alert_is_unknown() {
    let mut sim = Sim::open();
    let (alpha, bravo) = (sim.join("A", "ALPHA", ""), sim.join("B", "BRAVO", ""));
    sim.take(bravo);
    sim.say(alpha, event("A-9-1-1", "b-a-o-tbl", r#"<emergency cancel="true">ALPHA</emergency>"#));
    assert_eq!(sim.uids(bravo), ["A-9-1-1"]);
    assert_eq!(sim.hub.stats().emergencies, 0);
}

#[test]
fn nothing_else_takes_the_place_of_an_alert() {
    let mut config = HubConfig::default();
    config.max_state_events = 20;
    let mut sim = Sim::new(config);
    let (alpha, bravo) = (sim.join("A", "ALPHA", ""), sim.join("B", "BRAVO", ""));
    sim.say(alpha, event("A", "b-a-o-tbl", "<emergency/>"));
    sim.say(alpha, sa("A", "ALPHA", ""));
    sim.say(bravo, event("del", "t-x-d-d", r#"<link uid="A" type="b-a-o-tbl" relation="none"/>"#));
    (0..100).for_each(|i| sim.say(bravo, marker(&format!("M{i}"))));
    sim.leave(alpha);
    sim.take(bravo);
    sim.advance(125_000);
    assert_eq!(sim.take(bravo).matches("b-a-o-tbl").count(), 12, "every ten seconds");
    let late = sim.join("C", "CHARLIE", "");
    assert!(sim.take(late).contains("b-a-o-tbl"));
}

#[test]
fn one_sender_cannot_take_all_places_of_alerts() {
    let mut sim = Sim::open();
    let (alpha, bravo) = (sim.listener(), sim.listener());
    (0..300).for_each(|i| sim.say(alpha, event(&format!("E{i}"), "b-a-o-pan", "<emergency/>")));
    assert_eq!(sim.hub.stats().emergencies, 32);
    sim.say(bravo, event("SOS", "b-a-o-tbl", "<emergency/>"));
    assert_eq!(sim.hub.stats().emergencies, 33);
}

#[test]
fn a_deletion_of_something_from_the_future_silences_nobody() {
    let mut sim = Sim::open();
    let (alpha, bravo) = (sim.join("A", "ALPHA", ""), sim.join("B", "BRAVO", ""));
    for uid in ["A", "M"] {
        let times = ["2036-01-01T00:00:00Z", "2036-01-01T00:01:00Z"];
        sim.say(bravo, event_at(uid, "a-u-G", times[0], times[1], ""));
        let link = format!(r#"<link uid="{uid}" type="a-u-G" relation="none"/>"#);
        sim.say(bravo, event("del", "t-x-d-d", &link));
    }
    sim.take(bravo);
    sim.say(alpha, sa("A", "ALPHA", ""));
    let anew = event_at("M", "a-u-G", "2026-01-01T00:00:01Z", "2026-01-01T01:00:00Z", "");
    sim.say(alpha, &anew);
    assert_eq!(sim.uids(bravo), ["A", "M"]);
}

#[test]
fn a_huge_alert_is_relayed_and_not_repeated() {
    let mut sim = Sim::open();
    let (alpha, bravo) = (sim.join("A", "ALPHA", ""), sim.join("B", "BRAVO", ""));
    sim.take(bravo);
    let detail = format!("<emergency/><remarks>{}</remarks>", "x".repeat(5_000));
    sim.say(alpha, event("E", "b-a-o-pan", &detail));
    assert_eq!(sim.uids(bravo), ["E"]);
    assert_eq!(sim.hub.stats().emergencies, 0);
}

#[test]
fn the_number_of_repeated_alerts_is_bounded() {
    let mut config = HubConfig::default();
    config.max_emergencies = 3;
    let mut sim = Sim::new(config);
    let alpha = sim.listener();
    (0..9).for_each(|i| sim.say(alpha, event(&format!("E{i}"), "b-a-o-pan", "<emergency/>")));
    assert_eq!(sim.hub.stats().emergencies, 3);
}
