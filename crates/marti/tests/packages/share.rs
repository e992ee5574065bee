//! Two clients: one uploads and tells the other, who downloads and says so (18, 22; walkthrough I.1).

use std::time::Duration;

use store::packages::PackageStore;

use crate::shapes::{assert_download, noise, publish, search, sha256};
use crate::support::cot::{Cot, event};
use crate::support::{Server, Setup, until};

/// What was sent before it has been handled when it is answered.
const PING: &str = r#"<event version="2.0" uid="ANDROID-A-ping" type="t-x-c-t" how="m-g" time="2026-01-01T00:00:00.000Z" start="2026-01-01T00:00:00.000Z" stale="2096-01-01T00:00:00.000Z"><point lat="0" lon="0" hae="0" ce="1" le="1"/><detail/></event>"#;

/// A notice of a file, as commo sends it: stale for years by the time it is sent.
fn notice(uid: &str, url: &str, hash: &str, size: usize, dest: &str) -> String {
    format!(
        r#"<event version="2.0" uid="{uid}" type="b-f-t-r" how="h-e" time="2025-05-02T10:11:14.000Z" start="2025-05-02T10:11:14.000Z" stale="2025-05-02T10:11:24.000Z"><point lat="50.1" lon="8.6" hae="100" ce="9999999" le="9999999"/><detail><fileshare filename="recon.zip" senderUrl="{url}" sizeInBytes="{size}" sha256="{hash}" senderUid="ANDROID-A" senderCallsign="VIPER" name="recon"/><ackrequest uid="77d1" ackrequested="true" tag="recon"/>{dest}</detail></event>"#
    )
}

/// The answer to it: its uid is that of the one who answers.
fn ack(dest: &str) -> String {
    format!(
        r#"<event version="2.0" uid="ANDROID-B" type="b-f-t-a" how="m-g" time="2025-05-02T10:11:15.000Z" start="2025-05-02T10:11:15.000Z" stale="2025-05-02T10:11:25.000Z"><point lat="0.0" lon="0.0" hae="9999999" ce="9999999" le="9999999"/><detail><ackresponse uid="77d1" senderUid="ANDROID-B" success="true" tag="recon" reason="" sha256="00" sizeInBytes="1"/>{dest}</detail></event>"#
    )
}

fn to(callsign: &str) -> String {
    format!(r#"<marti><dest callsign="{callsign}"/></marti>"#)
}

/// Fails unless everything that was sent has been passed on by now and nothing of it came here.
fn assert_nothing_came(client: &mut Cot, sender: &mut Cot, needle: &str) {
    sender.send(&event("PROBE", "a-f-G", ""));
    let events = client.expect_all("PROBE");
    assert!(events.iter().all(|event| !event.contains(needle)), "{events:#?}");
}

/// The path and the query of a URL.
fn target(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap();
    &rest[rest.find('/').unwrap()..]
}

fn shares<P: PackageStore>(server: &Server<P>) {
    let mut alice = server.cot("ANDROID-A", "VIPER", "Cyan");
    let mut bob = server.cot("ANDROID-B", "HAWK", "Cyan");
    let mut carol = server.cot("ANDROID-C", "OWL", "Cyan");
    let content = noise(400, 48_211);
    let hash = sha256(&content);
    let url = publish(server, "creatorUid=ANDROID-A", "recon.zip", &content);
    let tool = format!("/Marti/api/sync/metadata/{hash}/tool?creatorUid=ANDROID-A");
    server.ask("PUT", &tool, "Content-Type: text/plain\r\n", b"private").expect(200);
    assert!(url.contains("/Marti/"));

    let sent = notice("0c7e", &url, &hash, content.len(), &to("HAWK"));
    alice.send(&sent);
    let received = bob.expect("b-f-t-r");
    assert_eq!(received, sent.replace(&to("HAWK"), ""), "every byte but who it is for");

    // Bob takes the URL out of it, and adds his callsign.
    let (_, rest) = received.split_once("senderUrl=\"").unwrap();
    let (url, _) = rest.split_once('"').unwrap();
    let answer = server.get(&format!("{}&receiver=HAWK", target(url)));
    assert_download(answer, &content);

    bob.send(&ack(&to("VIPER")));
    assert_eq!(alice.expect("b-f-t-a"), ack(""), "every byte but who it is for");
    assert_nothing_came(&mut carol, &mut alice, "b-f-t-");

    // The answer is not where Bob is, though it has his uid.
    let mut dave = server.cot("ANDROID-D", "KITE", "Cyan");
    let replay = dave.expect_all("ANDROID-B");
    assert!(replay.iter().all(|event| !event.contains("b-f-t-")), "{replay:#?}");
}

/// 18, 22: with both policies, and with both stores.
#[test]
fn k22_a_package_goes_from_one_client_to_another_and_the_answer_back() {
    shares(&Server::open());
    shares(&Server::isolated());
    shares(&Setup::isolated().on_disk());
}

/// 22: the receiver was away; the notice waits, well past its ten seconds.
#[test]
fn k22_a_notice_waits_for_a_receiver_who_is_away() {
    let server = Setup::isolated().on_disk();
    let mut alice = server.cot("ANDROID-A", "VIPER", "Cyan");
    drop(server.cot("ANDROID-B", "HAWK", "Cyan"));
    until("the relay sees that he is gone", || server.relay.clients().len() == 1);
    let content = noise(402, 3_000);
    let hash = sha256(&content);
    let url = publish(&server, "creatorUid=ANDROID-A", "recon.zip", &content);
    for (n, dest) in
        [to("HAWK"), r#"<marti><dest uid="ANDROID-B"/></marti>"#.to_owned()].into_iter().enumerate()
    {
        alice.send(&notice(&format!("held-{n}"), &url, &hash, content.len(), &dest));
    }
    alice.send(PING);
    alice.expect("t-x-c-t-r");
    let mut bob = server.cot("ANDROID-B", "HAWK", "Cyan");
    let mut uids = [bob.expect("b-f-t-r"), bob.expect("b-f-t-r")];
    uids.sort();
    assert!(uids[0].contains("held-0") && uids[1].contains("held-1"), "{uids:#?}");
    assert_download(server.get(&format!("{}&receiver=HAWK", target(&url))), &content);
    bob.send(&ack(r#"<marti><dest uid="ANDROID-A"/></marti>"#));
    assert_eq!(alice.expect("b-f-t-a"), ack(""));
}

/// 22: several notices with one uid are all delivered.
#[test]
fn k22_notices_that_share_a_uid_all_arrive() {
    let server = Server::open();
    let mut alice = server.cot("ANDROID-A", "VIPER", "Cyan");
    let mut bob = server.cot("ANDROID-B", "HAWK", "Cyan");
    for n in 0..20 {
        alice.send(&notice("same", "http://x/Marti/x", &format!("h{n}"), 1, &to("HAWK")));
    }
    for n in 0..20 {
        assert!(bob.expect("b-f-t-r").contains(&format!("sha256=\"h{n}\"")), "{n}");
    }
}

/// With B in another team: no event, no download, and nothing in a list.
#[test]
fn k22_another_team_gets_neither_the_notice_nor_the_package() {
    let server = Server::isolated();
    let mut alice = server.cot("ANDROID-A", "VIPER", "Cyan");
    let mut bob = server.cot("ANDROID-B", "HAWK", "Red");
    let mut eve = server.cot("ANDROID-E", "ECHO", "Red");
    let content = noise(401, 5_000);
    let hash = sha256(&content);
    let url = publish(&server, "creatorUid=ANDROID-A", "recon.zip", &content);
    alice.send(&notice("0c7e", &url, &hash, content.len(), &to("HAWK")));
    alice.send(&notice(
        "0c7f",
        &url,
        &hash,
        content.len(),
        r#"<marti><dest uid="ANDROID-B"/></marti>"#,
    ));
    // What Alice sent was handled once she gets an answer to what she sent after it.
    alice.send(PING);
    alice.expect("t-x-c-t-r");
    assert_nothing_came(&mut bob, &mut eve, "b-f-t-");
    bob.silence(Duration::from_millis(50));
    server.get(&format!("{}&receiver=HAWK", target(&url))).expect(404);
    server.get(&format!("/Marti/sync/missionquery?hash={hash}&creatorUid=ANDROID-B")).expect(404);
    assert!(search(&server, "keywords=missionpackage&clientUid=ANDROID-B").is_empty());
    assert_eq!(search(&server, "keywords=missionpackage&clientUid=ANDROID-A").len(), 1);
}
