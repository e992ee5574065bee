//! Clients that read slowly or not at all.

mod support;

use relay::{CloseReason, HubConfig};
use support::{Sim, event, marker, sa};

fn numbered(uid: &str, number: usize) -> String {
    marker(uid).replace("60.1", &format!("60.{number:06}"))
}

#[test]
fn a_stalled_client_gets_only_the_newest_of_each_uid_and_everything_critical_in_order() {
    let mut sim = Sim::open();
    let (alpha, slow) = (sim.join("A", "ALPHA", ""), sim.listener());
    sim.stall(slow, 0);
    for round in 0..2_000 {
        (0..5).for_each(|i| sim.say_unsettled(alpha, numbered(&format!("M{i}"), round)));
        if round % 500 == 0 {
            sim.say_unsettled(alpha, event(&format!("chat-{round}"), "b-t-f", ""));
        }
        sim.advance(2);
    }
    sim.resume(slow);
    let got = sim.events(slow);
    let chats: Vec<_> = got.iter().filter(|event| event.contains("b-t-f")).collect();
    assert_eq!(chats.len(), 4);
    assert!(chats[0].contains("chat-0") && chats[3].contains("chat-1500"));
    let states: Vec<_> = got.iter().filter(|event| event.contains("a-u-G")).collect();
    // The client was a keeping-up one until it had stalled for a second; nothing was in flight.
    assert!(states.iter().all(|event| event.contains("60.001999")), "{}", states.len());
    assert_eq!(states.len(), 5);
    let row = sim.hub.clients(sim.now).into_iter().find(|row| row.id == slow).expect("a row");
    assert_eq!(row.conflated + row.delivered, 10_004);
    assert_eq!(row.delivered, 9);
}

#[test]
fn a_stalled_client_does_not_hold_the_log() {
    let mut sim = Sim::open();
    let (alpha, slow) = (sim.join("A", "ALPHA", ""), sim.listener());
    sim.stall(slow, 100);
    for round in 0..20_000 {
        sim.say_unsettled(alpha, numbered("M", round));
        if round % 50 == 0 {
            sim.advance(10);
        }
    }
    sim.advance(2_000);
    let stats = sim.hub.stats();
    assert!(stats.log_bytes <= 128 << 10, "{stats:?}");
    assert!(stats.state_bytes <= 4 << 10, "{stats:?}");
}

#[test]
fn an_event_that_was_cut_by_a_stall_is_completed_first() {
    let mut sim = Sim::open();
    let (alpha, slow) = (sim.join("A", "ALPHA", ""), sim.listener());
    let first = marker("M1");
    for cut in 1..first.len() {
        sim.stall(slow, cut);
        sim.say(alpha, &first);
        (0..3).for_each(|_| sim.advance(1_000));
        sim.say(alpha, marker("M2"));
        sim.resume(slow);
        let got = sim.take(slow);
        assert_eq!(got, format!("{first}{}", marker("M2")), "cut at {cut}");
    }
}

#[test]
fn what_laggards_have_not_read_takes_no_room_from_newcomers() {
    let mut config = HubConfig::default();
    config.max_state_bytes = 200_000;
    let mut sim = Sim::new(config);
    let alpha = sim.join("A", "ALPHA", "");
    (0..100).for_each(|i| sim.say(alpha, marker(&format!("M{i}"))));
    let slow: Vec<_> =
        (0..5).map(|i| sim.join(&format!("S{i}"), &format!("SLOW-{i}"), "")).collect();
    for (i, &id) in slow.iter().enumerate() {
        sim.stall(id, 0);
        let dest = support::dest("uid", &format!("S{i}"));
        let chat =
            event("X", "b-t-f", &format!("<a>{}</a><marti>{dest}</marti>", "x".repeat(20_000)));
        (0..10).for_each(|_| sim.say(alpha, &chat));
    }
    (0..300).for_each(|round| sim.say(alpha, numbered("M", round)));
    sim.advance(3_000);
    assert!(slow.iter().all(|&id| sim.closed(id).is_none()));
    assert_eq!(sim.hub.stats().state_evicted, 0);
    let late = sim.join("L", "LATE", "");
    assert!(sim.events(late).len() >= 100);
}

#[test]
fn requests_of_a_client_that_does_not_read_cost_nothing() {
    let mut sim = Sim::open();
    let slow = sim.listener();
    sim.stall(slow, 0);
    let request = event("U", "t-x-takp-q", r#"<TakControl><TakRequest version="1"/></TakControl>"#);
    (0..5_000).for_each(|_| sim.say(slow, &request));
    let stats = sim.hub.stats();
    assert!(stats.log_bytes < 1_000 && stats.state_bytes == 0, "{stats:?}");
    sim.resume(slow);
    assert_eq!(sim.events(slow).len(), 1, "one answer to all of them");
}

#[test]
fn a_gateway_that_leaves_with_thousands_does_not_cost_a_lagging_client_its_connection() {
    let mut sim = Sim::open();
    let (gateway, slow) = (sim.join("G", "GATE", ""), sim.listener());
    sim.stall(slow, 0);
    (0..2_000).for_each(|i| sim.say(gateway, sa(&format!("G{i}"), &format!("GATE-{i}"), "")));
    sim.advance(3_000);
    sim.leave(gateway);
    let back = sim.join("G7", "GATE-7", "");
    (0..300).for_each(|round| sim.say(back, numbered("M", round)));
    sim.advance(3_000);
    assert_eq!(sim.closed(slow), None);
    sim.resume(slow);
    let got = sim.events(slow);
    assert_eq!(got.iter().filter(|event| event.contains("t-x-d-d")).count(), 2_000);
    let of_seven = got.iter().filter(|event| event.contains("\"G7\"")).collect::<Vec<_>>();
    assert!(of_seven.len() == 1 && of_seven[0].contains("GATE-7"), "{of_seven:?}");
    sim.advance(1_000);
    assert_eq!(sim.hub.stats().state_events, 2, "nothing is kept of those who left");
}

#[test]
fn a_client_that_keeps_up_misses_nothing_while_another_stalls() {
    let mut sim = Sim::open();
    let (alpha, slow, fast) = (sim.join("A", "ALPHA", ""), sim.listener(), sim.listener());
    sim.stall(slow, 0);
    for round in 0..3_000 {
        sim.say(alpha, numbered("M", round));
    }
    assert_eq!(sim.events(fast).len(), 3_000);
}

#[test]
fn too_many_unread_critical_events_end_the_connection() {
    let mut sim = Sim::open();
    let (alpha, slow) = (sim.join("A", "ALPHA", ""), sim.listener());
    sim.stall(slow, 0);
    let chat = event("chat", "b-t-f", &format!("<remarks>{}</remarks>", "x".repeat(1_000)));
    let send = |sim: &mut Sim, chats: usize| {
        (0..chats).for_each(|_| sim.say(alpha, &chat));
        (0..300).for_each(|round| sim.say(alpha, numbered("M", round)));
        sim.advance(3_000);
    };
    send(&mut sim, 150);
    assert_eq!(sim.closed(slow), None, "180 kB are within the bound");
    send(&mut sim, 100);
    assert_eq!(sim.closed(slow), Some(CloseReason::SlowConsumer));
}

#[test]
fn a_socket_that_stays_stuck_is_closed_in_the_end() {
    let mut sim = Sim::open();
    let (alpha, slow) = (sim.join("A", "ALPHA", ""), sim.listener());
    sim.stall(slow, 50);
    sim.say(alpha, marker("M"));
    sim.advance(119_000);
    assert_eq!(sim.closed(slow), None);
    sim.advance(3_000);
    assert_eq!(sim.closed(slow), Some(CloseReason::WriteTimeout));
}

#[test]
fn the_log_stays_within_its_bound_whatever_the_clients_do() {
    let mut config = HubConfig::default();
    config.log_bytes = 200_000;
    let mut sim = Sim::new(config);
    let alpha = sim.join("A", "ALPHA", "");
    let slow: Vec<_> = (0..5).map(|_| sim.listener()).collect();
    slow.iter().for_each(|&id| sim.stall(id, 0));
    for round in 0..5_000 {
        sim.say(alpha, numbered("M", round));
        assert!(sim.hub.stats().log_bytes <= 300_000);
    }
}

#[test]
fn a_newcomer_that_stalls_in_its_replay_still_gets_what_is_valid_later() {
    let mut sim = Sim::open();
    let alpha = sim.join("A", "ALPHA", "");
    (0..500).for_each(|i| sim.say(alpha, numbered(&format!("M{i}"), 0)));
    let slow = sim.connect();
    sim.stall(slow, 10_000);
    sim.say(slow, sa("S", "SLOW", ""));
    (0..500).for_each(|i| sim.say(alpha, numbered(&format!("M{i}"), 1)));
    sim.resume(slow);
    let got = sim.events(slow);
    let newest = |i: usize| got.iter().rposition(|event| *event == numbered(&format!("M{i}"), 1));
    assert!((0..500).all(|i| newest(i).is_some()));
    let old = got.iter().filter(|event| event.contains("60.000000")).count();
    assert!(old <= 10_000 / marker("M1").len() + 1, "only what was already on its way: {old}");
}
