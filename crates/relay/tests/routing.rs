//! Who gets an event. Numbers are items of the conformance checklist in `docs/protocol.md`.

#![expect(clippy::disallowed_methods, reason = "one test bounds the time that it takes")]

mod support;

use relay::DropReason;
use support::{Sim, dest, directed, event, marker, sa};

fn trio() -> (Sim, [relay::ClientId; 3]) {
    let mut sim = Sim::open();
    let ids = [("A", "ALPHA"), ("B", "BRAVO"), ("C", "CHARLIE")]
        .map(|(uid, name)| sim.join(uid, name, "Cyan"));
    ids.iter().for_each(|&id| drop(sim.take(id)));
    (sim, ids)
}

#[test]
fn item_47_48_a_broadcast_reaches_all_others_unchanged() {
    let (mut sim, [alpha, bravo, charlie]) = trio();
    let text = marker("M1");
    sim.say(alpha, &text);
    assert_eq!(sim.take(bravo), text);
    assert_eq!(sim.take(charlie), text);
    assert_eq!(sim.take(alpha), "", "no echo");
}

#[test]
fn item_47_an_empty_marti_is_a_broadcast() {
    let (mut sim, [alpha, bravo, charlie]) = trio();
    let text = event("M1", "a-u-G", "<marti/>");
    sim.say(alpha, &text);
    assert_eq!(sim.take(bravo), text);
    assert_eq!(sim.take(charlie), text);
}

#[test]
fn item_13_nothing_stands_between_events_and_no_declaration_before_them() {
    let (mut sim, [alpha, bravo, _]) = trio();
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    sim.say(alpha, format!("{declaration}{}\r\n {declaration}{}\n", marker("M1"), marker("M2")));
    assert_eq!(sim.take(bravo), marker("M1") + &marker("M2"));
}

#[test]
fn item_49_50_every_kind_of_dest_is_served_once_each_and_nobody_else() {
    let (mut sim, [alpha, bravo, charlie]) = trio();
    let delta = sim.join("D", "DELTA", "Cyan");
    [alpha, delta, bravo, charlie].iter().for_each(|&id| drop(sim.take(id)));
    let dests = [dest("callsign", "BRAVO"), dest("uid", "B"), dest("uid", "C")];
    sim.say(alpha, directed("X", "b-t-f", &dests));
    assert_eq!(sim.uids(bravo), ["X"]);
    assert_eq!(sim.uids(charlie), ["X"]);
    assert_eq!((sim.take(alpha), sim.take(delta)), (String::new(), String::new()));
}

#[test]
fn a_crowd_of_one_callsign_named_a_thousand_times_gets_one_copy_each() {
    let (mut sim, [alpha, ..]) = trio();
    let crowd: Vec<_> = (0..300).map(|i| sim.join(&format!("K{i}"), "KILO", "")).collect();
    crowd.iter().for_each(|&id| drop(sim.take(id)));
    let dests: Vec<_> = (0..1_000).map(|_| dest("callsign", "KILO")).collect();
    let begun = std::time::Instant::now();
    sim.say(alpha, directed("X", "b-t-f", &dests));
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    assert!(crowd.iter().all(|&id| sim.uids(id) == ["X"]));
    crowd.iter().for_each(|&id| sim.leave(id));
}

#[test]
fn item_49_matching_is_exact_and_case_sensitive() {
    let (mut sim, [alpha, bravo, _]) = trio();
    sim.say(alpha, directed("X", "a-u-G", &[dest("callsign", "bravo"), dest("uid", "b")]));
    assert_eq!(sim.take(bravo), "");
}

#[test]
fn item_52_callsigns_with_escapes_match_what_they_mean() {
    let (mut sim, [alpha, ..]) = trio();
    let odd = sim.join("E", "Ä &amp; &quot;B&quot; &#x42;", "Cyan");
    sim.take(odd);
    sim.say(alpha, directed("X", "b-t-f", &[dest("callsign", "&#196; &#38; &quot;B&quot; B")]));
    assert_eq!(sim.uids(odd), ["X"]);
}

#[test]
fn item_53_marti_is_removed_from_what_is_delivered() {
    let (mut sim, [alpha, bravo, _]) = trio();
    sim.say(alpha, event("X", "b-t-f", r#"<a/><marti><dest callsign="BRAVO"/></marti><b/>"#));
    assert_eq!(sim.take(bravo), event("X", "b-t-f", "<a/><b/>"));
    let twice = r#"<marti><dest callsign="BRAVO"/></marti><a/><marti><dest uid="B"/></marti>"#;
    sim.say(alpha, event("X", "b-t-f", twice));
    assert_eq!(sim.take(bravo), event("X", "b-t-f", "<a/>"), "both of them");
}

#[test]
fn item_51_an_unknown_addressee_costs_nothing_and_chat_is_returned() {
    let (mut sim, [alpha, bravo, charlie]) = trio();
    sim.say(alpha, directed("X", "a-u-G", &[dest("callsign", "NOBODY")]));
    assert_eq!(sim.take(alpha), "");
    let chat = directed("Y", "b-t-f", &[dest("callsign", "NOBODY")]);
    sim.say(alpha, &chat);
    assert_eq!(sim.take(alpha), chat.replace("\"b-t-f\"", "\"b-t-f-s\""));
    assert_eq!((sim.take(bravo), sim.take(charlie)), (String::new(), String::new()));
    assert_eq!(sim.hub.stats().events_rejected.of(DropReason::UnknownAddressee), 2);
}

#[test]
fn item_54_missions_and_groups_are_not_broadcast() {
    let (mut sim, [alpha, bravo, charlie]) = trio();
    for kind in ["mission", "mission-guid", "group", "publish"] {
        sim.say(alpha, directed("X", "a-u-G", &[dest(kind, "Flood 2026")]));
    }
    sim.say(alpha, directed("X", "a-u-G", &["<dest/>".to_owned()]));
    assert_eq!((sim.take(bravo), sim.take(charlie)), (String::new(), String::new()));
    assert_eq!(sim.hub.stats().events_rejected.of(DropReason::NoSuchService), 4);
}

#[test]
fn item_55_all_streaming_is_a_broadcast() {
    let (mut sim, [alpha, bravo, charlie]) = trio();
    sim.say(alpha, directed("X", "b-t-f", &[dest("callsign", "All Streaming")]));
    assert_eq!((sim.uids(bravo).len(), sim.uids(charlie).len()), (1, 1));
}

#[test]
fn item_56_the_order_of_one_sender_is_kept() {
    let (mut sim, [alpha, bravo, _]) = trio();
    let names: Vec<_> = (0..500).map(|i| format!("M{}", i % 7)).collect();
    names.iter().for_each(|name| sim.say_unsettled(alpha, marker(name)));
    sim.settle();
    assert_eq!(sim.uids(bravo), names);
}

#[test]
fn item_58_the_flow_tag_is_added_and_stops_a_loop() {
    let mut config = relay::HubConfig::default();
    config.flow_tag = Some("north".to_owned());
    let mut sim = Sim::new(config);
    let (alpha, bravo) = (sim.join("A", "ALPHA", ""), sim.join("B", "BRAVO", ""));
    sim.take(bravo);
    sim.say(alpha, marker("M1"));
    let tag = r#"<_flow-tags_ TinyCoT-north="2026-01-01T00:00:00.000Z"/>"#;
    let tagged = sim.take(bravo);
    assert_eq!(tagged, marker("M1").replace("</detail>", &format!("{tag}</detail>")));
    sim.say(alpha, &tagged);
    assert_eq!(sim.take(bravo), "");
    assert_eq!(sim.hub.stats().events_rejected.of(DropReason::Loop), 1);
    let foreign = event("M2", "a-u-G", r#"<_flow-tags_ TAK-Server-1="x"/>"#);
    sim.say(alpha, foreign);
    assert!(
        sim.take(bravo).contains(
            r#"<_flow-tags_ TinyCoT-north="2026-01-01T00:00:00.000Z" TAK-Server-1="x"/>"#
        )
    );
}

#[test]
fn item_59_direct_chat_without_marti_reaches_only_the_person_it_names() {
    let (mut sim, [alpha, bravo, charlie]) = trio();
    let chat = |id: &str, room: &str, parent: &str, group: &str| {
        event(
            "Chat",
            "b-t-f",
            &format!(
                r#"<__chat id="{id}" chatroom="{room}" parent="{parent}" senderCallsign="ALPHA">{group}</__chat>"#
            ),
        )
    };
    sim.say(
        alpha,
        chat("B", "BRAVO", "RootContactGroup", r#"<chatgrp uid0="A" uid1="B" id="B"/>"#),
    );
    assert_eq!((sim.uids(bravo).len(), sim.uids(charlie).len()), (1, 0));
    sim.say(
        alpha,
        chat(
            "All Chat Rooms",
            "All Chat Rooms",
            "RootContactGroup",
            r#"<chatgrp uid0="A" uid1="All Chat Rooms" id="All Chat Rooms"/>"#,
        ),
    );
    assert_eq!((sim.uids(bravo).len(), sim.uids(charlie).len()), (1, 1));
    sim.say(
        alpha,
        chat("7f3b", "Planning", "UserGroups", r#"<chatgrp uid0="A" uid1="C" id="7f3b"/>"#),
    );
    assert_eq!((sim.uids(bravo).len(), sim.uids(charlie).len()), (0, 1));
}

#[test]
fn item_59_team_chat_without_marti_stays_in_the_team() {
    let (mut sim, [alpha, bravo, _]) = trio();
    let red = sim.join("R", "ROMEO", "Red");
    sim.take(red);
    drop(sim.take(bravo));
    let room = r#"<__chat id="Red" chatroom="Red" parent="TeamGroups" senderCallsign="ALPHA"/>"#;
    sim.say(alpha, event("Chat", "b-t-f", room));
    assert_eq!((sim.uids(red).len(), sim.uids(bravo).len()), (1, 0));
}

#[test]
fn item_60_receipts_are_never_public_in_either_form() {
    let (mut sim, [alpha, bravo, charlie]) = trio();
    for (kind, element) in [("b-t-f-d", "__chatreceipt"), ("b-t-f-r", "__chat")] {
        let body = format!(
            r#"<{element} id="A" chatroom="ALPHA" senderCallsign="BRAVO"><chatgrp uid0="B" uid1="A" id="A"/></{element}>"#
        );
        sim.say(bravo, event("receipt", kind, &body));
        assert_eq!((sim.uids(alpha).len(), sim.uids(charlie).len()), (1, 0), "{kind}");
        sim.say(bravo, directed("receipt", kind, &[dest("callsign", "ALPHA")]));
        assert_eq!((sim.uids(alpha).len(), sim.uids(charlie).len()), (1, 0), "{kind} directed");
        sim.say(bravo, event("receipt", kind, ""));
        assert_eq!((sim.take(alpha), sim.take(charlie)), (String::new(), String::new()));
    }
}

#[test]
fn item_61_chat_with_only_id_and_chatroom_is_relayed() {
    let (mut sim, [alpha, bravo, _]) = trio();
    let text = event("Chat", "b-t-f", r#"<__chat id="Streaming" chatroom="All Streaming"/>"#);
    sim.say(alpha, &text);
    assert_eq!(sim.take(bravo), text);
}

#[test]
fn items_19_21_29_control_messages_are_answered_or_consumed_and_never_relayed() {
    let (mut sim, [alpha, bravo, charlie]) = trio();
    sim.say(alpha, event("A-ping", "t-x-c-t", ""));
    let pong = sim.take(alpha);
    assert!(pong.contains("uid=\"takPong\"") && pong.contains("type=\"t-x-c-t-r\""), "{pong}");
    sim.say(
        alpha,
        event("U", "t-x-takp-q", r#"<TakControl><TakRequest version="1"/></TakControl>"#),
    );
    let answer = sim.take(alpha);
    assert!(answer.contains("t-x-takp-r") && answer.contains("status=\"false\""), "{answer}");
    let silent = [
        "t-x-c-t-r",
        "t-x-takp-v",
        "t-x-takp-r",
        "t-x-c-m",
        "t-x-c-f",
        "t-b",
        "t-b-q",
        "t-x-m-d",
        "t-x-d-d",
    ];
    silent.iter().for_each(|kind| sim.say(alpha, event("takPing", kind, "")));
    assert_eq!(sim.take(alpha), "");
    assert_eq!((sim.take(bravo), sim.take(charlie)), (String::new(), String::new()));
    assert_eq!(sim.hub.contacts(sim.now).len(), 3, "a ping makes no client");
}

#[test]
fn an_event_too_large_for_clients_is_counted_and_not_relayed() {
    let (mut sim, [alpha, bravo, _]) = trio();
    let large = event("L", "u-d-f", &format!("<remarks>{}</remarks>", "x".repeat(70_000)));
    sim.say(alpha, large + &marker("M1"));
    assert_eq!(sim.uids(bravo), ["M1"], "item 15");
    assert_eq!(sim.hub.stats().events_rejected.of(DropReason::Oversize), 1);
}

#[test]
fn an_application_can_publish_to_all_to_one_and_to_a_team() {
    let (mut sim, [alpha, bravo, _]) = trio();
    let red = sim.join("R", "ROMEO", "Red");
    [alpha, bravo, red].iter().for_each(|&id| drop(sim.take(id)));
    let mut scanner = cot_core::Scanner::new(cot_core::Limits::default());
    let text = sa("S", "SENSOR", "");
    let header = scanner.scan(text.as_bytes()).expect("a valid event");
    for scope in [relay::Scope::All, relay::Scope::Client(alpha), relay::Scope::Team("Red".into())]
    {
        sim.hub.publish(sim.now, &header, &scope).expect("small enough");
    }
    sim.settle();
    assert_eq!([alpha, bravo, red].map(|id| sim.uids(id).len()), [2, 1, 2]);
}
