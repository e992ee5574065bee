//! What a front end asks of a hub: the newest of a uid, the picture, who is known, who is where; and
//! connections that only look on.
#![allow(
    clippy::indexing_slicing,
    clippy::allow_attributes,
    reason = "a test that is out of bounds has failed"
)]

mod support;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use relay::{ExportCursor, HubConfig, ItemKind, Peer, TeamPolicy, Viewer};
use support::{Sim, dest, directed, event, event_at, marker, sa};

fn teams(names: &[&str]) -> Viewer {
    Viewer::Teams(names.iter().map(|&name| name.to_owned()).collect())
}

fn delete(uid: &str) -> String {
    event("del", "t-x-d-d", &format!(r#"<link uid="{uid}" relation="none" type="a-u-G"/>"#))
}

#[test]
fn the_newest_of_a_uid_is_what_was_relayed_last() {
    let mut sim = Sim::open();
    let alpha = sim.join("A", "ALPHA", "Cyan");
    let all = Viewer::team("");
    assert_eq!(sim.newest("A", &all), Some(sa("A", "ALPHA", "Cyan")));
    sim.say(alpha, marker("M"));
    sim.say(alpha, marker("M").replace("60.1", "61.0"));
    assert_eq!(sim.newest("M", &all), Some(marker("M").replace("60.1", "61.0")));
    assert_eq!(sim.newest("N", &all), None);
    sim.say(alpha, delete("M"));
    assert_eq!(sim.newest("M", &all), None, "a deletion is not an item");
    assert_eq!(sim.newest("del", &all), None);
    sim.say(alpha, event("chat", "b-t-f", ""));
    assert_eq!(sim.newest("chat", &all), None, "what passes is not of the picture");
    sim.leave(alpha);
    assert_eq!(sim.newest("A", &all), None, "who left is not of the picture");
}

#[test]
fn the_newest_can_be_had_within_a_turn_and_after_its_block_has_gone() {
    let mut sim = Sim::open();
    let alpha = sim.listener();
    sim.say_unsettled(alpha, marker("M"));
    assert_eq!(sim.newest("M", &Viewer::Everything), Some(marker("M")));
    let long = "x".repeat(4_000);
    (0..100).for_each(|_| sim.say(alpha, event("N", "a-u-G", &long)));
    sim.advance(2_000);
    assert_eq!(sim.newest("M", &Viewer::Everything), Some(marker("M")));
}

#[test]
fn what_has_run_out_or_was_of_the_moment_is_not_shown() {
    let mut sim = Sim::open();
    let alpha = sim.listener();
    let time = "2026-01-01T00:00:00Z";
    sim.say(alpha, event_at("now", "a-u-G", time, time, ""));
    sim.say(alpha, event_at("soon", "a-u-G", time, "2026-01-01T00:00:10Z", ""));
    assert_eq!(sim.newest("now", &Viewer::Everything), None);
    assert_eq!(sim.seen_by(&Viewer::Everything), ["soon"]);
    // Between two ticks the hub has not looked yet.
    sim.now.mono_ms += 10_001;
    assert_eq!(sim.newest("soon", &Viewer::Everything), None);
    assert!(sim.seen_by(&Viewer::Everything).is_empty());
}

#[test]
fn an_alert_counts_when_it_is_newer_and_until_it_is_cancelled() {
    let mut sim = Sim::open();
    let alpha = sim.join("A", "ALPHA", "Cyan");
    let all = Viewer::Everything;
    sim.say(alpha, event("A", "b-a-o-tbl", "<emergency/>"));
    assert!(sim.newest("A", &all).is_some_and(|event| event.contains("b-a-o-tbl")));
    sim.say(alpha, sa("A", "ALPHA", "Cyan"));
    assert!(sim.newest("A", &all).is_some_and(|event| event.contains("a-f-G-U-C")));
    sim.advance(11_000);
    let repeated = sim.newest("A", &all).expect("an event");
    assert!(repeated.contains("b-a-o-tbl") && repeated.contains("00:00:1"), "{repeated}");
    assert_eq!(sim.seen_by(&all), ["A", "A"]);
    sim.say(alpha, event("A", "b-a-o-can", r#"<emergency cancel="true"/>"#));
    assert!(sim.newest("A", &all).is_some_and(|event| event.contains("a-f-G-U-C")));
}

#[test]
fn isolated_teams_have_each_their_own_of_a_uid() {
    let mut sim = Sim::isolated(&["Blue -> HQ", "Red -> HQ"]);
    let red = sim.join("R", "ROMEO", "Red");
    let blue = sim.join("B", "BRAVO", "Blue");
    let (of_red, of_blue) = (marker("M"), marker("M").replace("60.1", "61.0"));
    sim.say(red, &of_red);
    sim.say(blue, &of_blue);
    assert_eq!(sim.newest("M", &Viewer::team("Red")).as_ref(), Some(&of_red));
    assert_eq!(sim.newest("M", &Viewer::team("Blue")).as_ref(), Some(&of_blue));
    let seers = [Viewer::team("HQ"), teams(&["Red", "Blue"]), Viewer::Everything];
    for viewer in &seers {
        assert_eq!(sim.newest("M", viewer).as_ref(), Some(&of_blue), "{viewer:?}");
    }
    sim.say(red, &of_red);
    sim.say(blue, delete("M"));
    for viewer in &seers {
        assert_eq!(sim.newest("M", viewer).as_ref(), Some(&of_red), "{viewer:?}");
        assert_eq!(sim.seen_by(viewer), ["B", "M", "R"], "{viewer:?}");
    }
    let blind =
        [Viewer::team(""), Viewer::team("Green"), Viewer::team("x".repeat(300)), teams(&[])];
    for viewer in &blind {
        assert_eq!(sim.newest("M", viewer), None, "{viewer:?}");
        assert!(sim.seen_by(viewer).is_empty(), "{viewer:?}");
    }
    assert_eq!(sim.seen_by(&Viewer::team("Red")), ["M", "R"]);
}

#[test]
fn a_team_that_nobody_was_in_sees_what_is_for_everyone_and_takes_no_place() {
    let mut sim = Sim::isolated(&["Scouts -> *"]);
    let scout = sim.join("S", "SIERRA", "Scouts");
    sim.submit(None, marker("O"));
    let others: Vec<_> =
        (0..47).map(|n| sim.join(&format!("T{n}"), "TANGO", &format!("T{n}"))).collect();
    for n in 0..100 {
        assert_eq!(sim.seen_by(&Viewer::team(format!("G{n}"))), ["O", "S"]);
    }
    let last = sim.join("L", "LIMA", "Last");
    assert!(sim.hub.stats().teams_refused == 0, "asking takes no place");
    assert!(sim.seen_by(&Viewer::team("G")).is_empty(), "there is no place for a newcomer");
    drop((scout, others, last));
}

#[test]
fn the_default_team_is_that_of_a_viewer_without_one() {
    let mut config = HubConfig::default();
    config.teams = TeamPolicy::isolated();
    config.teams.set_default_team("Cyan");
    let policy = config.teams.clone();
    let mut sim = Sim::new(config);
    sim.join("A", "ALPHA", "Cyan");
    assert_eq!(sim.seen_by(&Viewer::team("")), ["A"]);
    assert!(sim.hub.receives("", "Cyan") && !sim.hub.receives("Red", ""));
    assert!(Viewer::team("").sees(&policy, "Cyan") && Viewer::team("Cyan").sees(&policy, ""));
    assert!(!Viewer::team("").sees(&policy, "Red"));
}

#[test]
fn the_picture_comes_in_parts_and_without_what_newcomers_are_not_sent() {
    let mut sim = Sim::open();
    let alpha = sim.join("A", "ALPHA", "Cyan");
    let bravo = sim.join("B", "BRAVO", "Cyan");
    (0..10).for_each(|n| sim.say(alpha, marker(&format!("M{n}"))));
    sim.say(alpha, delete("M3"));
    sim.say(alpha, event("A", "b-a-o-tbl", "<emergency/>"));
    sim.leave(bravo);
    sim.say(alpha, directed("held", "b-t-f", &[dest("uid", "B")]));
    let (mut cursor, mut items) = (ExportCursor::default(), Vec::new());
    while let Some(part) = sim.hub.picture(sim.now, &mut cursor, 2, &Viewer::Everything) {
        assert!(part.len() <= 2);
        items.extend(part);
    }
    assert!(sim.hub.picture(sim.now, &mut cursor, 2, &Viewer::Everything).is_none(), "for good");
    assert_eq!(items.len(), 11);
    let kinds = |kind| items.iter().filter(|item| item.kind == kind).count();
    assert_eq!((kinds(ItemKind::Alert), kinds(ItemKind::Presence)), (1, 1));
    assert!(items.iter().all(|item| item.event.starts_with(b"<event")));
}

#[test]
fn those_who_left_stay_known_for_a_while() {
    let mut sim = Sim::open();
    sim.join("A", "ALPHA", "Cyan");
    let bravo = sim.join("B", "BRAVO", "Red");
    sim.advance(5_000);
    let left_ms = sim.now.unix_ms;
    sim.leave(bravo);
    sim.advance(60_000);
    let rows = sim.hub.known_contacts(sim.now);
    let row = |at: usize| {
        let row = &rows[at];
        (&*row.uid, &*row.callsign, &*row.team, row.is_here, row.seen_ms)
    };
    assert_eq!(rows.len(), 2);
    assert_eq!(row(0), ("A", "ALPHA", "Cyan", true, support::EPOCH_MS));
    assert_eq!(row(1), ("B", "BRAVO", "Red", false, left_ms));
    let (mut sim, _) = sim.restarted(1_000);
    let rows = sim.hub.known_contacts(sim.now);
    let away: Vec<_> = rows.iter().map(|row| (&*row.uid, row.is_here, row.seen_ms)).collect();
    // Not when the server began anew, which is when the one is held to have left.
    assert_eq!(away, [("A", false, support::EPOCH_MS), ("B", false, left_ms)]);
    sim.advance(25 * 3_600_000);
    assert!(sim.hub.known_contacts(sim.now).is_empty());
}

#[test]
fn without_holding_only_those_who_are_here_are_known() {
    let mut config = HubConfig::default();
    config.hold_age = Duration::ZERO;
    let mut sim = Sim::new(config);
    sim.join("B", "BRAVO", "");
    sim.join("A", "ALPHA", "");
    let left = sim.join("C", "CHARLIE", "");
    sim.leave(left);
    let rows = sim.hub.known_contacts(sim.now);
    let uids: Vec<_> = rows.iter().map(|row| &*row.uid).collect();
    assert_eq!(uids, ["A", "B"]);
}

#[test]
fn clients_are_found_by_their_address_in_either_form() {
    let mut sim = Sim::open();
    let four = Ipv4Addr::new(192, 0, 2, 7);
    let addr = |ip: IpAddr, port| SocketAddr::new(ip, port);
    let mut mapped = Peer::new(addr(four.to_ipv6_mapped().into(), 2));
    mapped.local_addr = Some(addr(Ipv4Addr::LOCALHOST.into(), 8087));
    let mut looker = Peer::viewing("web", Viewer::Everything);
    looker.addr = Some(addr(four.into(), 4));
    let one = sim.connect_as(Peer::new(addr(four.into(), 1)));
    sim.connect_as(looker);
    sim.connect_as(Peer::new(addr(Ipv4Addr::new(192, 0, 2, 8).into(), 3)));
    sim.connect();
    let two = sim.connect_as(mapped);
    sim.say(two, sa("B", "BRAVO", "Red"));
    for ip in [four.into(), four.to_ipv6_mapped().into()] {
        let rows = sim.hub.clients_at(sim.now, ip);
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        assert_eq!(ids, [one, two], "{ip}");
        assert_eq!((rows[1].uid.as_str(), rows[1].team.as_str()), ("B", "Red"));
        assert_eq!(rows[0].local_addr, None);
        assert_eq!(rows[1].local_addr.map(|addr| addr.port()), Some(8087));
    }
    sim.leave(one);
    sim.leave(two);
    assert!(sim.hub.clients_at(sim.now, four.into()).is_empty());
}

#[test]
fn both_forms_of_an_address_share_its_places() {
    let mut config = HubConfig::default();
    config.max_clients_per_address = 1;
    let mut sim = Sim::new(config);
    let four = Ipv4Addr::new(192, 0, 2, 7);
    let one = sim.connect_as(Peer::new(SocketAddr::new(four.into(), 1)));
    let again = Peer::new(SocketAddr::new(four.to_ipv6_mapped().into(), 2));
    let refused = sim.hub.handle_connect(sim.now, again.clone());
    assert_eq!(refused, Err(relay::RefuseReason::PerAddress));
    sim.leave(one);
    sim.connect_as(again);
}

#[test]
fn one_who_looks_on_gets_the_picture_at_once_and_then_what_its_team_gets() {
    let mut sim = Sim::isolated(&[]);
    let red = sim.join("R", "ROMEO", "Red");
    let blue = sim.join("B", "BRAVO", "Blue");
    sim.say(red, marker("MR"));
    sim.say(blue, marker("MB"));
    let web = sim.connect_as(Peer::viewing("web", Viewer::team("Red")));
    let both = sim.connect_as(Peer::viewing("web", teams(&["Red", "Blue", "Red"])));
    let none = sim.connect_as(Peer::viewing("web", teams(&[])));
    let all = sim.connect_as(Peer::viewing("web", Viewer::Everything));
    let lookers = [web, both, none, all];
    let sorted = |sim: &mut Sim, id| {
        let mut uids = sim.uids(id);
        uids.sort();
        uids
    };
    let got = lookers.map(|id| sorted(&mut sim, id).join(" "));
    assert_eq!(got, ["MR R", "B MB MR R", "", "B MB MR R"], "the picture, without waiting");
    let rows = sim.hub.clients(sim.now);
    let row = rows.iter().find(|row| row.id == web).expect("a row");
    assert_eq!((row.transport, row.team.as_str(), row.uid.as_str()), ("web", "Red", ""));
    let size = |name| sim.hub.teams().iter().find(|row| row.name == name).map(|row| row.clients);
    assert_eq!((size("Red"), size("Blue")), (Some(3), Some(2)), "each once");

    sim.say(red, event("chat-r", "b-t-f", ""));
    sim.say(blue, event("chat-b", "b-t-f", ""));
    sim.submit(Some(""), marker("other"));
    let got = lookers.map(|id| sim.uids(id).join(" "));
    assert_eq!(got, ["chat-r", "chat-r chat-b", "", "chat-r chat-b other"]);
    sim.say(red, directed("d", "b-t-f", &[dest("uid", "R2"), dest("callsign", "")]));
    sim.leave(blue);
    let got = lookers.map(|id| sim.uids(id).len());
    assert_eq!(got, [0, 1, 0, 1], "who left, and nothing that is for somebody by name");

    sim.take(red);
    for looker in lookers {
        sim.leave(looker);
    }
    let size = |name| sim.hub.teams().iter().find(|row| row.name == name).map(|row| row.clients);
    assert_eq!((size("Red"), size("Blue"), size("")), (Some(1), None, None));
    assert_eq!(sim.take(red), "", "nobody learns that they went");
}

#[test]
fn one_who_looks_on_is_never_present_whatever_it_sends() {
    let mut sim = Sim::isolated(&[]);
    let red = sim.join("R", "ROMEO", "Red");
    let web = sim.connect_as(Peer::viewing("web", Viewer::team("Red")));
    sim.take(web);
    sim.say(web, sa("W", "WEB", "Blue"));
    assert_eq!(sim.uids(red), ["W"], "it is of its own team and not of the one that it names");
    assert_eq!(sim.hub.contacts(sim.now).len(), 1);
    assert_eq!(sim.hub.known_contacts(sim.now).len(), 1);
    sim.say(red, directed("d", "b-t-f", &[dest("uid", "W")]));
    assert_eq!(sim.take(web), "");
    sim.leave(web);
    assert!(!sim.take(red).contains("t-x-d-d"));
}

#[test]
fn one_who_looks_on_lags_like_anybody_else() {
    let mut sim = Sim::open();
    let alpha = sim.join("A", "ALPHA", "");
    let web = sim.connect_as(Peer::viewing("web", Viewer::Everything));
    sim.take(web);
    sim.stall(web, 0);
    let long = "x".repeat(2_000);
    for n in 0..1_000 {
        sim.say(alpha, event("M", "a-u-G", &format!("<n n=\"{n}\"/>{long}")));
        if n % 100 == 0 {
            sim.say(alpha, event(&format!("chat-{n}"), "b-t-f", ""));
        }
    }
    sim.advance(3_000);
    sim.resume(web);
    let events = sim.events(web);
    let markers: Vec<_> = events.iter().filter(|event| event.contains("uid=\"M\"")).collect();
    assert_eq!(markers.len(), 1, "the newest only");
    assert!(markers[0].contains("n=\"999\""));
    assert_eq!(events.len(), 11, "and all chat");
}

#[test]
fn one_who_looks_on_gets_no_pongs_unasked() {
    let mut sim = Sim::open();
    let web = sim.connect_as(Peer::viewing("web", Viewer::Everything));
    sim.advance(120_000);
    assert_eq!(sim.take(web), "");
    sim.say(web, event("W-ping", "t-x-c-t", ""));
    assert!(sim.take(web).contains("t-x-c-t-r"));
}

#[test]
fn who_has_no_connection_leaves_two_thirds_of_the_teams_to_clients() {
    let mut sim = Sim::isolated(&[]);
    let names: Vec<_> = (0..10).map(|n| format!("T{n}")).collect();
    let web = sim.connect_as(Peer::viewing("web", Viewer::Teams(names)));
    for n in 0..200 {
        let done = sim.submit(Some(&format!("T{n}")), marker(&format!("M{n}")));
        let expected = (n >= 17).then_some(relay::DropReason::TeamsFull);
        assert_eq!(done.refused, expected, "{n}");
    }
    let more: Vec<_> = (0..200).map(|n| format!("U{n}")).collect();
    let blind = sim.connect_as(Peer::viewing("web", Viewer::Teams(more)));
    let pair = ["L", "M"].map(|uid| sim.join(uid, uid, "Cyan"));
    assert!(sim.uids(pair[1]).contains(&"L".to_owned()), "clients have room");
    assert_eq!(sim.uids(web).len(), 10);
    assert_eq!(sim.uids(blind), [""; 0]);
    // What clients are in may be named by all.
    assert_eq!(sim.submit(Some("Cyan"), marker("N")).reached, 2);
}
