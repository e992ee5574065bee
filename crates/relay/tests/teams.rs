//! Isolation: what a policy forbids is delivered on no path.

mod support;

use support::{Sim, dest, directed, event, marker};

fn red_and_blue(rules: &[&str]) -> (Sim, [relay::ClientId; 4]) {
    let mut sim = Sim::isolated(rules);
    let ids = [("R1", "Red"), ("R2", "Red"), ("B1", "Blue"), ("H1", "HQ")]
        .map(|(uid, team)| sim.join(uid, uid, team));
    ids.iter().for_each(|&id| drop(sim.take(id)));
    (sim, ids)
}

fn lengths(sim: &mut Sim, ids: [relay::ClientId; 4]) -> [usize; 4] {
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
    assert_eq!(sim.hub.stats().events_rejected.of(relay::DropReason::Forbidden), 1);
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
    sim.say(red, support::sa("R1", "R1", "Blue"));
    let mate = sim.join("R2", "R2", "Red");
    sim.say(mate, support::sa("R2", "R2", "Blue"));
    assert_eq!(sim.events(teamless), [""; 0]);
}

#[test]
fn a_claim_from_another_team_does_not_hide_that_somebody_left() {
    let (mut sim, [red, mate, blue, _]) = red_and_blue(&[]);
    sim.say(blue, support::sa("R1", "R1", "Blue"));
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
        (0..63).map(|i| sim.join(&format!("C{i}"), "C", &format!("T{i}"))).collect();
    let (one, two) = (sim.join("1", "ONE", "late"), sim.join("2", "TWO", "late"));
    sim.say(one, marker("M"));
    assert_eq!(sim.take(two), "", "no place, no team");
    assert_eq!(sim.hub.stats().teams_refused, 2);
    crowd.iter().for_each(|&id| sim.leave(id));
    sim.advance(400_000);
    for (uid, id) in [("1", one), ("2", two)] {
        sim.say(id, support::sa(uid, uid, "late"));
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
    sim.say(red, support::sa("R1", "R1", "Blue"));
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
    sim.say(red, support::sa("R1", "R1", "Blue"));
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
