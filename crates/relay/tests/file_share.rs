//! Notices of shared files and their answers (item 22 of the checklist of the HTTP API): exactly to
//! whom they name, long after their stale time, and never in place of anything else.
#![allow(
    clippy::indexing_slicing,
    clippy::allow_attributes,
    reason = "a test that is out of bounds has failed"
)]

mod support;

use relay::Viewer;
use support::{Sim, attribute, dest, event, event_at, sa};

/// Clients give these events ten seconds.
const TIME: &str = "2026-01-01T00:00:00.000Z";
const STALE: &str = "2026-01-01T00:00:10.000Z";

/// Long after that.
const LATE_MS: u64 = 3_600_000;

fn body(name: &str) -> String {
    format!(
        r#"<fileshare filename="{name}.zip" senderUrl="http://192.0.2.1:8080/Marti/sync/content?hash=00" sizeInBytes="1024" sha256="00" senderUid="A" senderCallsign="ALPHA" name="{name}"/>"#
    )
}

/// A request to fetch a file, as its addressee gets it.
fn request(uid: &str, name: &str) -> String {
    let ack = format!(r#"<ackrequest uid="{uid}" ackrequested="true" tag="{name}"/>"#);
    event_at(uid, "b-f-t-r", TIME, STALE, &(body(name) + &ack))
}

/// The answer: its uid is that of the one who answers, who says in it how it is called.
fn answer(uid: &str, callsign: &str, of: &str) -> String {
    let contact = format!(r#"<contact callsign="{callsign}" endpoint="*:-1:stcp"/>"#);
    let ack = format!(r#"<ackresponse uid="{of}" success="true" reason="OK"/>"#);
    event_at(uid, "b-f-t-a", TIME, STALE, &(contact + &ack + &body("x")))
}

fn to(event: &str, dests: &[String]) -> String {
    let marti = format!("<marti>{}</marti></detail>", dests.concat());
    event.replace("</detail>", &marti)
}

fn trio(sim: &mut Sim) -> [relay::ClientId; 3] {
    let members = [("A", "ALPHA", "Cyan"), ("B", "BRAVO", "Cyan"), ("C", "CHARLIE", "Cyan")];
    let ids = members.map(|(uid, callsign, team)| sim.join(uid, callsign, team));
    ids.iter().for_each(|&id| drop(sim.take(id)));
    ids
}

#[test]
fn item_22_a_request_and_its_answer_reach_whom_they_name_and_nobody_else() {
    for late_ms in [0, 11_000, LATE_MS] {
        let mut sim = Sim::open();
        let [alpha, bravo, charlie] = trio(&mut sim);
        let web = sim.connect_as(relay::Peer::viewing("web", Viewer::Everything));
        sim.advance(late_ms);
        [alpha, bravo, charlie, web].iter().for_each(|&id| drop(sim.take(id)));
        let asked = request("share-1", "plan");
        sim.say(alpha, to(&asked, &[dest("callsign", "BRAVO")]));
        assert_eq!(sim.take(bravo), asked, "as it came, {late_ms} ms later");
        let answered = answer("B", "BRAVO", "share-1");
        sim.say(bravo, to(&answered, &[dest("uid", "A")]));
        assert_eq!(sim.take(alpha), answered, "as it came, {late_ms} ms later");
        assert_eq!((sim.take(charlie), sim.take(web)), (String::new(), String::new()));
    }
}

#[test]
fn item_22_requests_that_share_a_uid_all_arrive_also_late() {
    let mut sim = Sim::open();
    let [alpha, bravo, charlie] = trio(&mut sim);
    sim.stall(bravo, 0);
    let long = "x".repeat(2_000);
    for n in 0..20 {
        sim.say(alpha, to(&request("share", &format!("n{n}")), &[dest("callsign", "BRAVO")]));
        sim.say(charlie, to(&answer("C", "CHARLIE", &format!("s{n}")), &[dest("uid", "B")]));
        (0..50).for_each(|_| sim.say(charlie, event("M", "a-u-G", &long)));
    }
    // The stalled one is behind the log and well past every stale time, and still gets all of them.
    sim.advance(60_000);
    assert_eq!(sim.closed(bravo), None);
    sim.resume(bravo);
    let events = sim.events(bravo);
    let of = |kind: &str| {
        let kind = format!("type=\"{kind}\"");
        events.iter().filter(|event| event.contains(&kind)).cloned().collect::<Vec<_>>()
    };
    let requests: Vec<_> = (0..20).map(|n| request("share", &format!("n{n}"))).collect();
    assert_eq!(of("b-f-t-r"), requests);
    let answers: Vec<_> = (0..20).map(|n| answer("C", "CHARLIE", &format!("s{n}"))).collect();
    assert_eq!(of("b-f-t-a"), answers);
    assert!(of("a-u-G").len() < 100, "what may be skipped was");
}

#[test]
fn item_22_an_answer_is_nobodys_position() {
    let mut sim = Sim::open();
    let [alpha, bravo, _] = trio(&mut sim);
    let position = sa("B", "BRAVO", "Cyan");
    // Answers to one and to all, from their author and from somebody else, before and after.
    sim.say(bravo, to(&answer("B", "NOBODY", "s1"), &[dest("uid", "A")]));
    sim.say(bravo, answer("B", "NOBODY", "s2"));
    sim.say(alpha, answer("B", "NOBODY", "s3"));
    sim.submit(Some(""), answer("B", "NOBODY", "s4"));
    sim.say(alpha, answer("A2", "NOBODY", "s5"));
    assert_eq!(sim.newest("B", &Viewer::Everything).as_ref(), Some(&position));
    let rows = sim.hub.contacts(sim.now);
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.callsign != "NOBODY" && row.kind == "a-f-G-U-C"));
    let late = sim.join("L", "LIMA", "Cyan");
    let replay = sim.events(late);
    let uids: Vec<_> = replay.iter().map(|event| attribute(event, "uid")).collect();
    assert_eq!(uids, ["A", "B", "C"]);
    assert!(replay.contains(&position) && !replay.concat().contains("b-f-t"));
    // After the answer's stale time, too.
    sim.advance(15_000);
    assert_eq!(sim.newest("B", &Viewer::Everything), Some(position));
}

#[test]
fn item_22_a_request_waits_for_somebody_away_longer_than_it_is_valid() {
    let mut sim = Sim::open();
    let [alpha, bravo, charlie] = trio(&mut sim);
    sim.leave(bravo);
    let asked = request("share-1", "plan");
    sim.say(alpha, to(&asked, &[dest("callsign", "BRAVO")]));
    sim.submit(None, to(&request("share-2", "map"), &[dest("callsign", "BRAVO")]));
    sim.advance(LATE_MS);
    sim.take(charlie);
    let bravo = sim.join("B", "BRAVO", "Cyan");
    let events = sim.events(bravo);
    let shares: Vec<_> = events.iter().filter(|event| event.contains("b-f-t-r")).collect();
    assert_eq!(shares, [&asked, &request("share-2", "map")]);
    assert!(!sim.take(charlie).contains("b-f-t"));
}

#[test]
fn item_22_a_request_does_not_cross_between_isolated_teams() {
    let mut sim = Sim::isolated(&[]);
    let red = sim.join("A", "ALPHA", "Red");
    let blue = sim.join("B", "BRAVO", "Blue");
    sim.say(red, to(&request("share-1", "plan"), &[dest("callsign", "BRAVO")]));
    assert_eq!(sim.take(blue), "");
    let stats = sim.hub.stats();
    assert_eq!(stats.events_rejected.of(relay::DropReason::Forbidden), 1);
}
