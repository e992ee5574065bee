//! Who is who, and who has left. Numbers are items of the conformance checklist.

mod support;

use support::{Sim, attribute, dest, directed, event, marker, sa};

#[test]
fn item_40_a_renamed_client_is_reached_by_its_new_callsign() {
    let mut sim = Sim::open();
    let (alpha, bravo) = (sim.join("A", "ALPHA", ""), sim.join("B", "BRAVO", ""));
    sim.say(bravo, sa("B", "BRAVO-2", ""));
    sim.take(alpha);
    sim.take(bravo);
    sim.say(alpha, directed("X", "b-t-f", &[dest("callsign", "BRAVO-2")]));
    assert_eq!(sim.uids(bravo), ["X"]);
    assert_eq!(sim.hub.clients(sim.now)[1].callsign, "BRAVO-2");
}

#[test]
fn item_41_several_uids_on_one_connection_and_several_connections_of_one_uid() {
    let mut sim = Sim::open();
    let gateway = sim.join("G1", "GATE-1", "");
    sim.say(gateway, sa("G2", "GATE-2", ""));
    let (old, new) = (sim.join("P", "PHONE", ""), sim.join("P", "PHONE", ""));
    let alpha = sim.join("A", "ALPHA", "");
    [gateway, old, new, alpha].iter().for_each(|&id| drop(sim.take(id)));
    sim.say(alpha, directed("X", "b-t-f", &[dest("callsign", "GATE-2"), dest("uid", "P")]));
    assert_eq!(sim.uids(gateway), ["X"]);
    assert_eq!(sim.uids(new), ["X"], "the newest connection is never left out");
    sim.leave(old);
    assert_eq!(sim.take(alpha), "", "item 44: somebody else still speaks for the uid");
    sim.say(alpha, directed("Y", "b-t-f", &[dest("uid", "P")]));
    assert_eq!(sim.uids(new), ["Y"]);
}

#[test]
fn item_42_a_client_takes_part_before_it_has_said_who_it_is() {
    let mut sim = Sim::open();
    let (silent, alpha) = (sim.listener(), sim.join("A", "ALPHA", ""));
    assert_eq!(sim.uids(silent), ["A"]);
    sim.say(silent, marker("M"));
    assert_eq!(sim.uids(alpha), ["M"]);
    assert_eq!(sim.hub.contacts(sim.now).len(), 1);
}

#[test]
fn item_43_leaving_is_announced_with_the_type_of_the_last_report() {
    let mut sim = Sim::open();
    let (alpha, bravo) = (sim.join("A", "ALPHA", ""), sim.join("B", "BRAVO", ""));
    sim.say(bravo, sa("B", "BRAVO", "").replace("a-f-G-U-C", "a-f-G-E-V-C"));
    sim.take(alpha);
    sim.leave(bravo);
    let notice = sim.take(alpha);
    let link = &notice[notice.find("<link").expect("a link")..];
    assert_eq!(attribute(&notice, "type"), "t-x-d-d");
    assert_eq!(attribute(link, "uid"), "B");
    assert_eq!(attribute(link, "type"), "a-f-G-E-V-C");
    assert_eq!(attribute(link, "relation"), "p-p");
    assert_eq!(attribute(&notice, "stale"), "2026-01-01T00:00:20.000Z");
    assert_ne!(attribute(&notice, "uid"), "B");
}

#[test]
fn item_43_a_gateway_leaves_with_everyone_it_spoke_for() {
    let mut sim = Sim::open();
    let alpha = sim.join("A", "ALPHA", "");
    let gateway = sim.join("G1", "GATE-1", "");
    sim.say(gateway, sa("G2", "GATE-2", ""));
    sim.take(alpha);
    sim.leave(gateway);
    assert_eq!(sim.events(alpha).len(), 2);
    assert_eq!(sim.hub.contacts(sim.now).len(), 1);
}

#[test]
fn a_client_that_never_said_who_it_is_leaves_without_a_word() {
    let mut sim = Sim::open();
    let (alpha, silent) = (sim.join("A", "ALPHA", ""), sim.listener());
    sim.leave(silent);
    assert_eq!(sim.take(alpha), "");
}

#[test]
fn item_46_the_endpoint_is_never_touched() {
    let mut sim = Sim::open();
    let (alpha, bravo) = (sim.join("A", "ALPHA", ""), sim.join("B", "BRAVO", ""));
    sim.take(bravo);
    let report = sa("A", "ALPHA", "").replace("*:-1:stcp", "192.0.2.7:4242:tcp");
    sim.say(alpha, &report);
    assert_eq!(sim.take(bravo), report);
}

#[test]
fn an_acknowledgement_or_a_contact_without_endpoint_makes_nobody_present() {
    let mut sim = Sim::open();
    let alpha = sim.listener();
    let contact = r#"<contact callsign="ALPHA" endpoint="*:-1:stcp"/>"#;
    sim.say(
        alpha,
        event("f", "b-f-t-a", &format!(r#"{contact}<ackresponse uid="1" success="true"/>"#)),
    );
    sim.say(alpha, event("m", "a-u-G", r#"<contact callsign="marker"/>"#));
    assert!(sim.hub.contacts(sim.now).is_empty());
}

#[test]
fn nobody_with_an_endless_name_is_listed() {
    let mut sim = Sim::open();
    let (alpha, bravo) = (sim.join("A", "ALPHA", ""), sim.join("B", "BRAVO", ""));
    sim.take(bravo);
    let report = sa("C", &"x".repeat(300), "");
    sim.say(alpha, &report);
    assert_eq!(sim.take(bravo), report, "relayed all the same");
    assert_eq!(sim.hub.contacts(sim.now).len(), 2);
}

#[test]
fn the_idle_are_found_only_among_those_that_ping() {
    let mut sim = Sim::open();
    let (pinger, listener) = (sim.listener(), sim.listener());
    sim.say(pinger, event("P-ping", "t-x-c-t", ""));
    sim.advance(299_000);
    assert_eq!(sim.closed(pinger), None, "item 20");
    sim.advance(3_000);
    assert_eq!(sim.closed(pinger), Some(relay::CloseReason::Idle));
    sim.advance(3_600_000);
    assert_eq!(sim.closed(listener), None, "item 43 of the gotchas: displays never speak");
}

#[test]
fn item_20_a_client_that_only_pings_stays_for_an_hour() {
    let mut sim = Sim::open();
    let pinger = sim.listener();
    for _ in 0..240 {
        sim.advance(15_000);
        sim.say(pinger, event("P-ping", "t-x-c-t", ""));
        assert!(sim.take(pinger).contains("t-x-c-t-r"));
    }
    assert_eq!(sim.closed(pinger), None);
}

#[test]
fn a_silent_link_gets_a_pong_before_atak_gives_up() {
    let mut sim = Sim::open();
    let listener = sim.listener();
    for _ in 0..10 {
        sim.advance(22_000);
        assert!(sim.take(listener).contains("takPong"), "within 25 s");
    }
}

#[test]
fn an_event_that_is_never_finished_ends_the_connection() {
    let mut sim = Sim::open();
    let slow = sim.listener();
    sim.hub.handle_bytes(sim.now, slow, 10, 10);
    sim.advance(10_000);
    sim.hub.handle_bytes(sim.now, slow, 1, 11);
    assert_eq!(sim.closed(slow), None);
    sim.advance(7_000);
    assert_eq!(sim.closed(slow), Some(relay::CloseReason::SlowEvent));
}

#[test]
fn connections_are_bounded_in_all_and_per_address() {
    let mut config = relay::HubConfig::default();
    (config.max_clients, config.max_clients_per_address) = (3, 2);
    let mut sim = Sim::new(config);
    let peer = |host: u8| relay::Peer::new((std::net::Ipv4Addr::new(192, 0, 2, host), 5).into());
    let first = sim.hub.handle_connect(sim.now, peer(1)).expect("room");
    assert!(sim.hub.handle_connect(sim.now, peer(1)).is_ok());
    assert_eq!(sim.hub.handle_connect(sim.now, peer(1)), Err(relay::RefuseReason::PerAddress));
    assert!(sim.hub.handle_connect(sim.now, peer(2)).is_ok());
    assert_eq!(sim.hub.handle_connect(sim.now, peer(3)), Err(relay::RefuseReason::Full));
    sim.hub.handle_disconnect(sim.now, first, relay::CloseReason::PeerClosed);
    assert!(sim.hub.handle_connect(sim.now, peer(1)).is_ok());
    let refused = sim.hub.stats().connections_refused;
    assert_eq!((refused.of(relay::RefuseReason::PerAddress), refused.total()), (1, 2));
}

#[test]
fn shutting_down_delivers_what_was_accepted_and_closes_everyone() {
    let mut sim = Sim::open();
    let (alpha, bravo, newcomer) =
        (sim.join("A", "ALPHA", ""), sim.join("B", "BRAVO", ""), sim.connect());
    sim.take(bravo);
    sim.say_unsettled(alpha, marker("M"));
    sim.hub.handle_shutdown();
    sim.settle();
    assert_eq!(sim.uids(bravo), ["M"]);
    let closed = [alpha, bravo, newcomer].map(|id| sim.closed(id));
    assert_eq!(closed, [Some(relay::CloseReason::Shutdown); 3]);
    assert_eq!(
        sim.hub.handle_connect(sim.now, relay::Peer::local("test")),
        Err(relay::RefuseReason::Shutdown)
    );
}
