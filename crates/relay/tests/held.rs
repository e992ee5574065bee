//! Store and forward: what is held for those who are away (6.10 of the streaming facts).
#![allow(
    clippy::indexing_slicing,
    clippy::allow_attributes,
    reason = "a test that is out of bounds has failed"
)]

mod support;

use std::time::Duration;

use relay::{DropReason, HubConfig};
use support::{Sim, dest, directed, event, sa};

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;

fn chat(uid: &str, to: &str) -> String {
    directed(uid, "b-t-f", &[dest("uid", to)])
}

/// A server that BRAVO has been to and left, and that ALPHA is on.
fn bravo_is_away(mut sim: Sim) -> (Sim, relay::ClientId) {
    let alpha = sim.join("A", "ALPHA", "Cyan");
    let bravo = sim.join("B", "BRAVO", "Cyan");
    sim.leave(bravo);
    sim.advance(300);
    sim.take(alpha);
    (sim, alpha)
}

#[test]
fn a_chat_for_somebody_away_is_delivered_once_when_they_return() {
    for to in [dest("uid", "B"), dest("callsign", "BRAVO")] {
        let (mut sim, alpha) = bravo_is_away(Sim::open());
        sim.say(alpha, directed("chat-1", "b-t-f", &[to]));
        assert_eq!(sim.take(alpha), "", "it is not returned");
        assert_eq!(sim.hub.stats().held_events, 1);
        let bravo = sim.join("B", "BRAVO", "Cyan");
        let events = sim.events(bravo);
        let got: Vec<_> = events.iter().filter(|event| event.contains("chat-1")).collect();
        assert_eq!(got.len(), 1, "{events:?}");
        assert!(!got[0].contains("marti"), "as any directed event");
        assert!(events.last().is_some_and(|last| last.contains("chat-1")), "behind the replay");
        sim.advance(2_000);
        let stats = sim.hub.stats();
        assert_eq!((stats.held_events, stats.held, stats.held_delivered), (0, 1, 1));
        sim.leave(bravo);
        let bravo = sim.join("B", "BRAVO", "Cyan");
        assert!(!sim.take(bravo).contains("chat-1"), "once");
    }
}

#[test]
fn receipts_and_file_shares_wait_and_what_is_of_the_moment_does_not() {
    let (mut sim, alpha) = bravo_is_away(Sim::open());
    for (uid, kind) in
        [("r", "b-t-f-d"), ("f", "b-f-t-r"), ("m", "a-u-G"), ("t", "t-x-x"), ("a", "b-f-t-a")]
    {
        sim.say(alpha, directed(uid, kind, &[dest("uid", "B")]));
    }
    let stats = sim.hub.stats();
    assert_eq!(stats.held_events, 2);
    assert_eq!(stats.events_rejected.of(DropReason::UnknownAddressee), 3);
    let bravo = sim.join("B", "BRAVO", "Cyan");
    let uids = sim.uids(bravo);
    assert!(uids.ends_with(&["r".into(), "f".into()]), "{uids:?}");
}

#[test]
fn one_message_reaches_those_who_are_here_and_waits_for_those_who_are_not() {
    let (mut sim, alpha) = bravo_is_away(Sim::open());
    let charlie = sim.join("C", "CHARLIE", "Cyan");
    sim.take(charlie);
    sim.say(
        alpha,
        directed("team-chat", "b-t-f", &[dest("callsign", "BRAVO"), dest("callsign", "CHARLIE")]),
    );
    assert_eq!(sim.uids(charlie), ["team-chat"]);
    let bravo = sim.join("B", "BRAVO", "Cyan");
    assert!(sim.take(bravo).contains("team-chat"));
    let stats = sim.hub.stats();
    assert_eq!(stats.events_held, 0, "it was accepted; the other count is of those only held");
    assert_eq!(stats.held, 1);
}

#[test]
fn somebody_never_seen_is_unknown_and_the_sender_is_told() {
    let (mut sim, alpha) = bravo_is_away(Sim::open());
    sim.say(alpha, chat("chat-1", "nobody"));
    assert!(sim.take(alpha).contains("b-t-f-s"));
    assert_eq!(sim.hub.stats().held, 0);
}

#[test]
fn a_private_chat_without_destinations_is_held_and_not_broadcast() {
    let (mut sim, alpha) = bravo_is_away(Sim::open());
    let charlie = sim.listener();
    let body = r#"<__chat id="B" chatroom="BRAVO"><chatgrp uid0="A" uid1="B" id="B"/></__chat>"#;
    sim.say(alpha, event("GeoChat.A.B.1", "b-t-f", body));
    assert_eq!(sim.take(charlie), "");
    let bravo = sim.join("B", "BRAVO", "Cyan");
    assert!(sim.take(bravo).contains("GeoChat.A.B.1"));
}

#[test]
fn nobody_returns_in_time_and_the_sender_is_told() {
    let (mut sim, alpha) = bravo_is_away(Sim::open());
    sim.say(alpha, chat("chat-1", "B"));
    sim.advance(DAY - 2_000);
    assert_eq!(sim.hub.stats().held_events, 1);
    sim.take(alpha);
    sim.advance(4_000);
    let stats = sim.hub.stats();
    assert_eq!((stats.held_events, stats.held_bytes, stats.held_expired), (0, 0, 1));
    let told = sim.take(alpha);
    assert!(told.contains("b-t-f-s") && told.contains("chat-1"), "{told}");
    let bravo = sim.join("B", "BRAVO", "Cyan");
    assert!(!sim.take(bravo).contains("chat-1"));
}

#[test]
fn holding_can_be_switched_off() {
    let mut config = HubConfig::default();
    config.hold_age = Duration::ZERO;
    let (mut sim, alpha) = bravo_is_away(Sim::new(config));
    sim.say(alpha, chat("chat-1", "B"));
    assert!(sim.take(alpha).contains("b-t-f-s"));
    assert_eq!(sim.hub.stats().held, 0);
    assert!(sim.picture().values().all(|record| matches!(record, relay::Record::Item(_))));
}

#[test]
fn the_team_rule_holds_for_what_waits() {
    let mut sim = Sim::isolated(&["Red -> Blue"]);
    let red = sim.join("R", "RED", "Red");
    let cyan = sim.join("C", "CYAN", "Cyan");
    let blue = sim.join("B", "BRAVO", "Blue");
    sim.leave(blue);
    sim.advance(300);
    sim.say(cyan, chat("from-cyan", "B"));
    sim.say(red, chat("from-red", "B"));
    let stats = sim.hub.stats();
    assert_eq!(stats.held_events, 1);
    assert_eq!(stats.events_rejected.of(DropReason::UnknownAddressee), 1);
    // Whoever comes back with that uid in another team does not get it.
    let impostor = sim.join("B", "BRAVO", "Cyan");
    assert!(!sim.take(impostor).contains("from-red"));
    sim.leave(impostor);
    let blue = sim.join("B", "BRAVO", "Blue");
    let got = sim.take(blue);
    assert!(got.contains("from-red") && !got.contains("from-cyan"), "{got}");
}

#[test]
fn what_does_not_fit_goes_back_to_its_sender() {
    let mut config = HubConfig::default();
    config.max_held_bytes = 2_000;
    let (mut sim, alpha) = bravo_is_away(Sim::new(config));
    for n in 0..10 {
        sim.say(alpha, chat(&format!("chat-{n}"), "B"));
    }
    let stats = sim.hub.stats();
    let refused = stats.events_rejected.of(DropReason::HoldFull);
    assert!(stats.held_events >= 2 && stats.held_bytes <= 2_000, "{stats:?}");
    assert_eq!(stats.held + refused, 10);
    assert_eq!(stats.held_refused, refused);
    assert_eq!(sim.take(alpha).matches("b-t-f-s").count() as u64, refused);
}

#[test]
fn what_is_held_for_one_fits_through_its_connection() {
    let (mut sim, alpha) = bravo_is_away(Sim::open());
    let long = "x".repeat(4_000);
    for n in 0..200 {
        sim.say(alpha, chat(&format!("chat-{n}-{long}"), "B"));
    }
    let held = sim.hub.stats().held_events;
    let bravo = sim.connect();
    sim.stall(bravo, 0);
    sim.say(bravo, sa("B", "BRAVO", "Cyan"));
    for n in 0..3_000 {
        // The log moves on, so that what waits for the stalled one is behind it.
        sim.say(alpha, event(&format!("M{}", n % 5), "a-u-G", &long));
    }
    sim.advance(3_000);
    assert_eq!(sim.closed(bravo), None);
    sim.resume(bravo);
    let got = sim.take(bravo);
    assert_eq!(got.matches("uid=\"chat-").count() as u64, held);
}

#[test]
fn the_same_message_sent_again_is_held_once() {
    let (mut sim, alpha) = bravo_is_away(Sim::open());
    (0..5).for_each(|_| sim.say(alpha, chat("chat-1", "B")));
    assert_eq!(sim.hub.stats().held_events, 1);
    let bravo = sim.join("B", "BRAVO", "Cyan");
    assert_eq!(sim.take(bravo).matches("chat-1").count(), 1);
}

#[test]
fn a_return_that_breaks_off_before_it_was_told_does_not_count() {
    let (mut sim, alpha) = bravo_is_away(Sim::open());
    sim.say(alpha, chat("chat-1", "B"));
    for window in [0, 10, 450] {
        let bravo = sim.connect();
        sim.stall(bravo, window);
        sim.say(bravo, sa("B", "BRAVO", "Cyan"));
        sim.advance(3_000);
        sim.leave(bravo);
        let stats = sim.hub.stats();
        assert_eq!((stats.held_events, stats.held_delivered), (1, 0), "{window} bytes");
    }
    let bravo = sim.join("B", "BRAVO", "Cyan");
    assert_eq!(sim.take(bravo).matches("chat-1").count(), 1);
}

#[test]
fn a_chat_that_a_lost_connection_had_not_taken_is_held() {
    let mut sim = Sim::open();
    let alpha = sim.join("A", "ALPHA", "Cyan");
    let bravo = sim.join("B", "BRAVO", "Cyan");
    sim.advance(300);
    sim.stall(bravo, 0);
    sim.say(alpha, chat("chat-1", "B"));
    sim.say(alpha, event("to-all", "b-t-f", "<remarks>hi</remarks>"));
    sim.stall(bravo, 100);
    sim.say(alpha, chat("chat-2", "B"));
    sim.settle();
    sim.leave(bravo);
    assert_eq!(sim.hub.stats().held_events, 2);
    let bravo = sim.join("B", "BRAVO", "Cyan");
    let got = sim.take(bravo);
    assert!(got.find("chat-1") < got.find("chat-2") && got.contains("chat-2"), "{got}");
    assert!(!got.contains("to-all"), "a public chat is not replayed");
}

#[test]
fn a_crowd_of_strangers_does_not_push_out_those_for_whom_something_is_held() {
    let mut config = HubConfig::default();
    config.max_state_events = 50;
    let (mut sim, alpha) = bravo_is_away(Sim::new(config));
    sim.say(alpha, chat("chat-1", "B"));
    for n in 0..300 {
        let stranger = sim.join(&format!("S{n}"), "STRANGER", "");
        sim.leave(stranger);
    }
    let bravo = sim.join("B", "BRAVO", "Cyan");
    assert!(sim.take(bravo).contains("chat-1"));
    let known = sim.picture().into_keys();
    let known = known.filter(|key| matches!(key, relay::RecordKey::Contact { .. }));
    assert!(known.count() <= 50);
}

#[test]
fn what_is_held_outlives_a_restart() {
    let (mut sim, alpha) = bravo_is_away(Sim::open());
    sim.say(alpha, chat("chat-1", "B"));
    // ALPHA was here when the server stopped, so it can be written to as well.
    let (mut sim, restored) = sim.restarted(10 * MINUTE);
    assert_eq!((restored.contacts, restored.held, restored.refused), (2, 1, 0));
    let bravo = sim.join("B", "BRAVO", "Cyan");
    assert!(sim.take(bravo).contains("chat-1"));
    sim.say(bravo, chat("chat-2", "A"));
    let alpha = sim.join("A", "ALPHA", "Cyan");
    assert!(sim.take(alpha).contains("chat-2"));
    sim.advance(2_000);
    let (mut sim, _) = sim.restarted(MINUTE);
    let bravo = sim.join("B", "BRAVO", "Cyan");
    assert!(!sim.take(bravo).contains("chat"), "delivered is delivered");
}

#[test]
fn what_came_at_the_same_time_is_delivered_in_order_after_two_restarts() {
    let (mut sim, alpha) = bravo_is_away(Sim::open());
    // One of them sent again stands where it was sent last.
    for uid in ["chat-d", "chat-z", "chat-c", "chat-a", "chat-d", "chat-b"] {
        sim.say(alpha, chat(uid, "B"));
    }
    // A clock that has gone back makes them all new.
    let (mut sim, _) = sim.restarted(0);
    sim.now.unix_ms -= i64::try_from(MINUTE).expect("a short time");
    let (mut sim, restored) = sim.restarted(0);
    assert_eq!((restored.held, restored.refused), (5, 0));
    let bravo = sim.join("B", "BRAVO", "Cyan");
    let mut uids = sim.uids(bravo);
    uids.retain(|uid| uid.starts_with("chat"));
    assert_eq!(uids, ["chat-z", "chat-c", "chat-a", "chat-d", "chat-b"]);
}

#[test]
fn time_spent_down_counts_for_what_is_held() {
    let (mut sim, alpha) = bravo_is_away(Sim::open());
    sim.say(alpha, chat("chat-1", "B"));
    let (sim, restored) = sim.restarted(DAY);
    assert_eq!((restored.held, restored.expired), (0, 2), "ALPHA's position too");
    assert_eq!(sim.hub.stats().held_events, 0);
}

#[test]
fn what_hangs_on_a_first_return_reaches_a_second_one_that_was_made_meanwhile() {
    let (mut sim, alpha) = bravo_is_away(Sim::open());
    sim.say(alpha, chat("chat-1", "B"));
    let half_open = sim.connect();
    sim.stall(half_open, 0);
    sim.say(half_open, sa("B", "BRAVO", "Cyan"));
    let bravo = sim.join("B", "BRAVO", "Cyan");
    sim.leave(half_open);
    sim.advance(2_000);
    assert_eq!(sim.take(bravo).matches("chat-1").count(), 1);
    let stats = sim.hub.stats();
    assert_eq!((stats.held_events, stats.held_delivered), (0, 1));
}

#[test]
fn what_a_lost_connection_had_not_taken_reaches_the_one_that_was_made_meanwhile() {
    let mut sim = Sim::open();
    let alpha = sim.join("A", "ALPHA", "Cyan");
    let half_open = sim.join("B", "BRAVO", "Cyan");
    sim.stall(half_open, 0);
    sim.say(alpha, chat("chat-1", "B"));
    let bravo = sim.join("B", "BRAVO", "Cyan");
    sim.say(alpha, chat("chat-2", "B"));
    assert!(sim.take(bravo).contains("chat-2"));
    sim.leave(half_open);
    sim.advance(2_000);
    let got = sim.take(bravo);
    assert_eq!(got.matches("chat-1").count(), 1, "{got}");
    assert!(!got.contains("chat-2"), "it has that one: {got}");
}

#[test]
fn somebody_who_says_their_team_later_gets_what_waits_for_it() {
    let mut sim = Sim::isolated(&[]);
    let alpha = sim.join("A", "ALPHA", "Cyan");
    let bravo = sim.join("B", "BRAVO", "Cyan");
    sim.leave(bravo);
    sim.say(alpha, chat("chat-1", "B"));
    assert_eq!(sim.hub.stats().held_events, 1);
    let bravo = sim.join("B", "BRAVO", "");
    assert!(!sim.take(bravo).contains("chat-1"));
    sim.say(bravo, sa("B", "BRAVO", "Cyan"));
    sim.advance(2_000);
    assert_eq!(sim.take(bravo).matches("chat-1").count(), 1);
}

#[test]
fn a_callsign_that_thousands_left_behind_costs_no_more_than_one_of_a_few() {
    let mut sim = Sim::open();
    let alpha = sim.join("A", "ALPHA", "Cyan");
    let gateway = sim.connect();
    (0..3_000).for_each(|n| sim.say(gateway, sa(&format!("G{n}"), "BRAVO", "Cyan")));
    sim.leave(gateway);
    sim.advance(1_000);
    let bravo = sim.join("B", "BRAVO", "Cyan");
    sim.leave(bravo);
    sim.say(alpha, directed("chat-1", "b-t-f", &[dest("callsign", "BRAVO")]));
    assert_eq!(sim.hub.stats().held, 16);
    let bravo = sim.join("B", "BRAVO", "Cyan");
    assert!(sim.take(bravo).contains("chat-1"), "it is for those who left last");
}
