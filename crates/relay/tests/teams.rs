//! Isolation: what a policy forbids is delivered on no path.

mod support;

use relay::{ClientId, DropReason, Peer, Viewer};
use support::{Sim, dest, directed, event, event_at, marker, sa};

fn red_and_blue(rules: &[&str]) -> (Sim, [ClientId; 4]) {
    let mut sim = Sim::isolated(rules);
    let ids = [("R1", "Red"), ("R2", "Red"), ("B1", "Blue"), ("H1", "HQ")]
        .map(|(uid, team)| sim.join(uid, uid, team));
    ids.iter().for_each(|&id| drop(sim.take(id)));
    (sim, ids)
}

fn lengths(sim: &mut Sim, ids: [ClientId; 4]) -> [usize; 4] {
    ids.map(|id| sim.events(id).len())
}

#[test]
fn a_team_sees_only_itself_on_every_path() {
    let (mut sim, ids) = red_and_blue(&[]);
    let [red, ..] = ids;
    sim.say(red, marker("M"));
    assert_eq!(lengths(&mut sim, ids), [0, 1, 0, 0], "live");
    let everyone = ["R2", "B1", "H1"].map(|name| dest("callsign", name));
    sim.say(red, directed("X", "b-t-f", &everyone));
    assert_eq!(lengths(&mut sim, ids), [0, 1, 0, 0], "directed");
    sim.say(red, directed("X", "b-t-f", &[dest("uid", "B1")]));
    assert_eq!(lengths(&mut sim, ids), [0, 0, 0, 0], "directed at others only");
    assert_eq!(sim.hub.stats().events_rejected.of(DropReason::Forbidden), 1);
    sim.say(red, event("E", "b-a-o-tbl", "<emergency>R1</emergency>"));
    sim.advance(21_000);
    let got = ids.map(|id| sim.take(id).matches("b-a-o-tbl").count());
    assert_eq!(got, [0, 3, 0, 0], "emergencies and their repetition");
    let late = sim.join("B2", "B2", "Blue");
    assert_eq!(sim.uids(late), ["B1"], "replay");
    lengths(&mut sim, ids);
    sim.leave(red);
    let [_, mate, blue, hq] = ids;
    assert_eq!([mate, blue, hq].map(|id| sim.events(id).len()), [1, 0, 0], "disconnect notice");
}

#[test]
fn rules_let_events_cross_one_way_both_ways_and_to_a_command_post() {
    let (mut sim, ids) = red_and_blue(&["Red -> Blue", "* -> HQ"]);
    let [red, _, blue, hq] = ids;
    sim.say(red, marker("M1"));
    assert_eq!(lengths(&mut sim, ids), [0, 1, 1, 1]);
    sim.say(blue, marker("M2"));
    assert_eq!(lengths(&mut sim, ids), [0, 0, 0, 1]);
    sim.say(hq, marker("M3"));
    assert_eq!(lengths(&mut sim, ids), [0, 0, 0, 0]);
    let table = sim.hub.teams();
    let row = table.iter().find(|row| row.name == "HQ").expect("a row");
    assert_eq!(row.receives_from.len(), 3, "{table:?}");
}

#[test]
fn rules_hold_for_teams_that_nobody_is_in_yet() {
    let mut sim = Sim::isolated(&["* -> HQ", "Scouts -> *"]);
    let (red, scout) = (sim.join("R1", "R1", "Red"), sim.join("S1", "S1", "Scouts"));
    let post = sim.join("H1", "H1", "HQ");
    assert_eq!(sim.uids(post), ["R1", "S1"], "the picture from before the command post came");
    let green = sim.join("G1", "G1", "Green");
    assert_eq!(sim.uids(green), ["S1"]);
    drop((sim.take(red), sim.take(scout)));
}

#[test]
fn who_says_its_team_with_its_first_report_was_never_in_another() {
    let mut sim = Sim::isolated(&[]);
    let teamless = sim.join("N1", "N1", "");
    let red = sim.join("R1", "R1", "Red");
    assert_eq!(sim.events(teamless), [""; 0], "nothing, and no word of somebody who has gone");
    sim.say(red, sa("R1", "R1", "Blue"));
    let mate = sim.join("R2", "R2", "Red");
    sim.say(mate, sa("R2", "R2", "Blue"));
    assert_eq!(sim.events(teamless), [""; 0]);
}

#[test]
fn a_claim_from_another_team_does_not_hide_that_somebody_left() {
    let (mut sim, [red, mate, blue, _]) = red_and_blue(&[]);
    sim.say(blue, sa("R1", "R1", "Blue"));
    [red, mate, blue].iter().for_each(|&id| drop(sim.take(id)));
    sim.leave(red);
    let notice = sim.take(mate);
    assert!(notice.contains("t-x-d-d") && notice.contains("uid=\"R1\""), "{notice}");
    let late = sim.join("R3", "R3", "Red");
    assert_eq!(sim.uids(late), ["R2"]);
}

#[test]
fn a_team_without_a_place_gets_one_when_there_is_one() {
    let mut sim = Sim::isolated(&[]);
    let crowd: Vec<_> =
        (0..49).map(|i| sim.join(&format!("C{i}"), "C", &format!("T{i}"))).collect();
    let (one, two) = (sim.join("1", "ONE", "late"), sim.join("2", "TWO", "late"));
    sim.say(one, marker("M"));
    assert_eq!(sim.take(two), "", "no place, no team");
    assert_eq!(sim.hub.stats().teams_refused, 2);
    crowd.iter().for_each(|&id| sim.leave(id));
    sim.advance(400_000);
    for (uid, id) in [("1", one), ("2", two)] {
        sim.say(id, sa(uid, uid, "late"));
    }
    sim.take(two);
    sim.say(one, marker("M"));
    assert_eq!(sim.uids(two), ["M"]);
}

#[test]
fn a_uid_of_another_team_supersedes_nothing() {
    let (mut sim, [red, _, blue, _]) = red_and_blue(&[]);
    sim.say(red, marker("M"));
    sim.say(blue, marker("M").replace("60.1", "61.0"));
    sim.say(blue, event("d", "t-x-d-d", r#"<link uid="M" type="a-u-G" relation="none"/>"#));
    let late = sim.join("R3", "R3", "Red");
    assert!(sim.take(late).contains(&marker("M")), "Red's marker is Red's");
}

#[test]
fn changing_the_team_changes_the_picture() {
    let (mut sim, [red, mate, blue, _]) = red_and_blue(&[]);
    sim.say(red, marker("MR"));
    sim.say(blue, marker("MB"));
    [red, mate, blue].iter().for_each(|&id| drop(sim.take(id)));
    sim.say(red, sa("R1", "R1", "Blue"));
    let left = sim.take(mate);
    assert!(left.contains("t-x-d-d") && left.contains("uid=\"R1\""), "{left}");
    assert_eq!(sim.uids(blue), ["R1"]);
    assert_eq!(sim.uids(red), ["B1", "MB"], "the picture of the new team");
    sim.say(mate, marker("MR2"));
    sim.say(blue, marker("MB2"));
    assert_eq!(sim.uids(red), ["MB2"]);
}

#[test]
fn a_change_of_team_does_not_hand_out_what_was_unread_of_the_old_one() {
    let (mut sim, [red, mate, ..]) = red_and_blue(&[]);
    sim.stall(red, 0);
    (0..10).for_each(|i| sim.say(mate, marker(&format!("M{i}"))));
    sim.say(red, sa("R1", "R1", "Blue"));
    sim.resume(red);
    let got = sim.uids(red);
    assert!(got.iter().all(|uid| !uid.starts_with('M')), "{got:?}");
}

#[test]
fn clients_without_a_team_see_each_other_only() {
    let (mut sim, [red, ..]) = red_and_blue(&[]);
    let (one, two) = (sim.listener(), sim.listener());
    sim.say(red, marker("M"));
    sim.say(one, marker("N"));
    assert_eq!((sim.uids(one), sim.uids(two)), (vec![], vec!["N".to_owned()]));
    assert_eq!(sim.take(red), "");
}

/// A client with an address that has reported in a team.
fn join_from(sim: &mut Sim, address: u8, uid: &str, team: &str) -> ClientId {
    let id = connect_from(sim, address);
    sim.say(id, sa(uid, uid, team));
    id
}

fn connect_from(sim: &mut Sim, address: u8) -> ClientId {
    sim.connect_as(Peer::new(([10, 0, 0, address], 4_000).into()))
}

/// Whether two newcomers from an address see each other in a team.
fn can_meet(sim: &mut Sim, address: u8, team: &str) -> bool {
    let [one, two] = ["1", "2"].map(|n| join_from(sim, address, &format!("{team}-{n}"), team));
    sim.take(two);
    sim.say(one, marker(&format!("M-{team}")));
    let got = sim.uids(two);
    assert!(got.is_empty() || got == [format!("M-{team}")], "{got:?}");
    [one, two].into_iter().for_each(|id| sim.leave(id));
    !got.is_empty()
}

#[test]
fn one_address_cannot_take_the_places_of_others() {
    let mut sim = Sim::isolated(&["Scouts -> HQ"]);
    for n in 0..80 {
        join_from(&mut sim, 66, &format!("X{n}"), &format!("T{n}"));
    }
    assert_eq!(sim.hub.stats().teams_refused, 80 - 16, "a third of 47");
    assert!(!can_meet(&mut sim, 66, "X"), "no more of its own");
    for team in cot_core::TEAMS.into_iter().chain(["Scouts", "HQ", "T0", "T15"]) {
        assert!(can_meet(&mut sim, 66, team) && can_meet(&mut sim, 1, team), "{team}");
    }
    for n in 0..10 {
        let name = format!("Unit {n}");
        assert!(can_meet(&mut sim, 1, &name), "{name}");
        join_from(&mut sim, 1, &format!("U{n}"), &name);
    }
    assert!(can_meet(&mut sim, 2, "another") && !can_meet(&mut sim, 1, "T16"));
}

#[test]
fn what_a_wanderer_leaves_behind_is_charged_to_its_address_until_it_has_run_out() {
    let mut sim = Sim::isolated(&[]);
    let long = "2026-01-01T06:00:00.000Z";
    let mut wanderer = connect_from(&mut sim, 66);
    for n in 0..120 {
        if n % 7 == 0 {
            sim.leave(wanderer);
            wanderer = connect_from(&mut sim, 66);
        }
        sim.say(wanderer, sa("W", "W", &format!("T{n}")));
        let contact = r#"<contact callsign="a marker"/>"#;
        sim.say(
            wanderer,
            event_at(&format!("M{n}"), "a-u-G", "2026-01-01T00:00:00.000Z", long, contact),
        );
        sim.advance(1_000);
    }
    sim.leave(wanderer);
    // All the wanderer's reports are out of date; only its markers are left.
    sim.advance(600_000);
    assert!(!can_meet(&mut sim, 66, "more"), "its share is pinned");
    for n in 0..10 {
        join_from(&mut sim, 1, &format!("U{n}"), &format!("Unit {n}"));
    }
    assert_eq!(sim.hub.teams().len(), 10, "others have room");
    assert!(can_meet(&mut sim, 2, "another"));
    sim.advance(6 * 3_600_000);
    assert!(can_meet(&mut sim, 66, "more"), "nothing is pinned any more");
}

#[test]
fn who_keeps_asking_for_a_place_keeps_nobody_from_getting_one() {
    let mut sim = Sim::isolated(&[]);
    let crowd: Vec<_> =
        (0..49).map(|n| sim.join(&format!("C{n}"), "C", &format!("T{n}"))).collect();
    let hostile: Vec<_> =
        (0..20).map(|n| join_from(&mut sim, 66, &format!("X{n}"), &format!("X{n}"))).collect();
    crowd.iter().for_each(|&id| sim.leave(id));
    for _ in 0..500 {
        sim.advance(1_000);
        for (n, &id) in hostile.iter().enumerate() {
            sim.say(id, sa(&format!("X{n}"), "X", &format!("X{n}")));
        }
    }
    assert_eq!(sim.hub.teams().len(), 17, "the hostile have their share, and no more");
    assert!(can_meet(&mut sim, 1, "late"));
}

#[test]
fn the_picture_of_before_a_restart_takes_no_place_from_the_colours() {
    let mut sim = Sim::isolated(&[]);
    for n in 0..49 {
        let id = sim.join(&format!("C{n}"), "C", &format!("T{n}"));
        sim.say(id, marker(&format!("M{n}")));
    }
    let (mut sim, restored) = sim.restarted(1_000);
    assert_eq!((restored.items, restored.refused), (98, 0));
    assert!(can_meet(&mut sim, 1, "Dark Blue") && can_meet(&mut sim, 1, "T7"));
    assert!(!can_meet(&mut sim, 1, "more"));
    sim.advance(400_000);
    assert!(can_meet(&mut sim, 1, "more"));
}

#[test]
fn callers_without_a_connection_share_like_one_address() {
    let mut sim = Sim::isolated(&[]);
    let names: Vec<_> = (0..200).map(|n| format!("V{n}")).collect();
    let web = sim.connect_as(Peer::viewing("web", Viewer::Teams(names)));
    assert_eq!(sim.hub.teams().len(), 17);
    let full = Some(DropReason::TeamsFull);
    assert_eq!(sim.submit(Some("new"), marker("M")).refused, full);
    assert_eq!(sim.submit(Some("V3"), marker("M")).refused, None);
    assert_eq!(sim.uids(web), ["M"]);
    assert!(can_meet(&mut sim, 1, "late"));
    sim.leave(web);
    sim.advance(400_000);
    assert_eq!(sim.submit(Some("new"), marker("N")).refused, None);
}
