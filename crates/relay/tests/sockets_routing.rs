//! Presence and routing over real TCP, on both kinds of runtime. Numbers are items of the
//! conformance checklist.

mod net;

use std::time::Duration;

use net::text::{
    attribute, chat, dest, directed, event, marker, numbered, sa, uids, without_marti,
};
use net::{Server, config, on_both_runtimes, soon};
use relay::DropReason;

#[test]
fn item_43_a_closed_connection_is_announced_to_all_others() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let mut alpha = server.join("A", "ALPHA", "").await;
        let mut silent = server.listener().await;
        let bravo = server.join("B", "BRAVO", "").await;
        assert_eq!(uids(&alpha.sync().await), ["B"]);
        assert_eq!(uids(&silent.sync().await), ["B"]);
        drop(bravo);
        for client in [&mut alpha, &mut silent] {
            let notice = client.event().await;
            assert_eq!(attribute(&notice, "type"), "t-x-d-d");
            let link = &notice[notice.find("<link").expect("a link")..];
            assert_eq!(attribute(link, "uid"), "B");
            assert_eq!(attribute(link, "type"), "a-f-G-U-C");
            assert_eq!(attribute(link, "relation"), "p-p");
            assert_eq!(client.sync().await, [""; 0], "once");
        }
    });
}

#[test]
fn item_43_a_connection_that_is_reset_is_announced_too() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let mut alpha = server.join("A", "ALPHA", "").await;
        let bravo = server.join("B", "BRAVO", "").await;
        assert_eq!(uids(&alpha.sync().await), ["B"]);
        bravo.stream.set_zero_linger().expect("an option");
        drop(bravo);
        assert_eq!(attribute(&alpha.event().await, "type"), "t-x-d-d");
    });
}

#[test]
fn item_44_a_uid_is_not_gone_while_another_connection_speaks_for_it() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let mut alpha = server.join("A", "ALPHA", "").await;
        let old = server.join("B", "BRAVO", "").await;
        let mut new = server.join("B", "BRAVO", "").await;
        alpha.sync().await;
        drop(old);
        server.until("the old connection is closed", |stats| stats.connections_open == 2).await;
        new.say(marker("M")).await;
        assert_eq!(uids(&alpha.sync().await), ["M"]);
        drop(new);
        assert_eq!(attribute(&alpha.event().await, "type"), "t-x-d-d");
    });
}

#[test]
fn item_45_a_newcomer_gets_the_newest_of_everyone_unchanged_and_nothing_of_its_own() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let mut alpha = server.join("A", "ALPHA", "").await;
        let mut bravo = server.join("B", "BRAVO", "").await;
        let mut gone = server.join("C", "CHARLIE", "").await;
        let newest = sa("A", "ALPHA", "").replace("60.1", "61.5");
        alpha.say(&newest).await;
        let expired = marker("E").replace("00:06:00.000", "00:00:00.050");
        bravo.say(marker("M") + &chat("chat", "not for newcomers") + &expired).await;
        gone.say(marker("G")).await;
        // A, B, C, G and M are left.
        server.until("the short-lived has expired", |stats| stats.state_events == 5).await;
        drop(gone);
        server.until("CHARLIE is gone", |stats| stats.connections_open == 2).await;
        let mut again = server.dial().await;
        let got = again.say(sa("B", "BRAVO", "")).await;
        assert_eq!(got, [newest.clone(), marker("M"), marker("G")]);
        let mut listener = server.dial().await;
        let got = listener.sync().await;
        assert_eq!(got, [newest, marker("M"), marker("G"), sa("B", "BRAVO", "")]);
    });
}

#[test]
fn items_47_and_48_a_broadcast_reaches_everyone_else() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let mut alpha = server.join("A", "ALPHA", "Cyan").await;
        let mut others = vec![server.join("B", "BRAVO", "Red").await, server.listener().await];
        alpha.sync().await;
        for (uid, detail) in [("none", ""), ("empty", "<marti/>"), ("hollow", "<marti></marti>")] {
            let text = event(uid, "a-u-G", detail);
            assert_eq!(alpha.say(&text).await, [""; 0], "no echo");
            for other in &mut others {
                assert!(other.sync().await.contains(&text), "{uid}");
            }
        }
        assert_eq!(alpha.sync().await, [""; 0], "no echo");
    });
}

#[test]
fn items_49_to_53_directed_events_reach_exactly_whom_they_name() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let mut alpha = server.join("A", "ALPHA", "").await;
        let mut spaced = server.join("S", "JOKER MAN", "").await;
        let mut quoted = server.join("Q", "O&apos;Neil &amp; &quot;co&quot; é漢😀", "").await;
        let mut other = server.join("O", "joker man", "").await;
        for client in [&mut alpha, &mut spaced, &mut quoted, &mut other] {
            client.sync().await;
        }
        let cases = [
            (vec![dest("callsign", "JOKER MAN")], [true, false]),
            (vec![dest("uid", "Q")], [false, true]),
            (vec![dest("callsign", "O'Neil &amp; &quot;co&quot; é&#x6f22;😀")], [false, true]),
            (vec![dest("callsign", "JOKER MAN"), dest("uid", "S"), dest("uid", "Q")], [true, true]),
            (vec![dest("uid", "s"), dest("callsign", "Joker Man")], [false, false]),
            (vec![dest("mission", "M"), dest("uid", "S")], [true, false]),
            (vec![dest("mission", "JOKER MAN")], [false, false]),
            (vec![dest("group", "Cyan")], [false, false]),
            (vec![dest("publish", "x")], [false, false]),
        ];
        for (n, (dests, expected)) in cases.iter().enumerate() {
            for kind in ["b-t-f", "a-u-G", "b-f-t-r"] {
                let text = directed(&format!("{kind} {n}"), kind, dests);
                let returned = alpha.say(&text).await;
                let got = [spaced.sync().await, quoted.sync().await];
                for (got, is_expected) in got.iter().zip(expected) {
                    let copies = if *is_expected { vec![without_marti(&text)] } else { Vec::new() };
                    assert_eq!(*got, copies, "{text}");
                }
                assert_eq!(other.sync().await, [""; 0], "item 50");
                let is_unknown = n == 4 && kind == "b-t-f";
                assert_eq!(returned.len(), usize::from(is_unknown), "item 51: {returned:?}");
                if is_unknown {
                    assert_eq!(returned[0], text.replace("\"b-t-f\"", "\"b-t-f-s\""));
                }
            }
        }
        let dropped = server.stats().events_rejected;
        assert_eq!(dropped.of(DropReason::NoSuchService), 9, "item 54");
        assert_eq!(dropped.of(DropReason::UnknownAddressee), 3);
    });
}

#[test]
fn item_55_all_streaming_is_a_broadcast() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let (mut alpha, mut bravo) = (server.listener().await, server.listener().await);
        let text = directed("X", "b-t-f", &[dest("callsign", "All Streaming")]);
        alpha.say(&text).await;
        assert_eq!(uids(&bravo.sync().await), ["X"]);
    });
}

#[test]
fn item_56_kinds_of_events_do_not_overtake_each_other() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let mut alpha = server.join("A", "ALPHA", "").await;
        let mut bravo = server.join("B", "BRAVO", "").await;
        alpha.sync().await;
        let to_bravo = [dest("callsign", "BRAVO")];
        let mut sent = Vec::new();
        for n in 0..200 {
            sent.push(numbered("M", n));
            sent.push(chat(&format!("chat {n}"), "to all"));
            sent.push(directed(&format!("direct {n}"), "b-t-f", &to_bravo));
        }
        alpha.say(sent.concat()).await;
        let expected: Vec<_> = sent
            .iter()
            .map(|text| text.replace(&format!("<marti>{}</marti>", to_bravo[0]), ""))
            .collect();
        assert!(bravo.sync().await == expected);
    });
}

#[test]
fn item_57_one_who_does_not_read_delays_nobody() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let mut alpha = server.listener().await;
        let mut bravo = server.listener().await;
        let _stalled = server.listener().await;
        let text = "x".repeat(8_000);
        // More than the kernel holds for one connection, and than the log does.
        for n in 0..1_000 {
            alpha.send(event(&format!("M{n}"), "a-u-G", &text)).await;
            if n % 50 == 49 {
                assert_eq!(bravo.events(50).await.len(), 50);
            }
        }
        assert!(server.stats().log_bytes <= 2 << 20);
    });
}

#[test]
fn items_59_and_60_chat_and_receipts_go_where_they_belong() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let mut alpha = server.join("A", "ALPHA", "Cyan").await;
        let mut bravo = server.join("B", "BRAVO", "Cyan").await;
        let mut charlie = server.join("C", "CHARLIE", "Red").await;
        for client in [&mut alpha, &mut bravo, &mut charlie] {
            client.sync().await;
        }
        let private = event(
            "p",
            "b-t-f",
            r#"<__chat id="B" chatroom="BRAVO" parent="RootContactGroup"><chatgrp uid0="A" uid1="B" id="B"/></__chat>"#,
        );
        let team = event(
            "t",
            "b-t-f",
            r#"<__chat id="Cyan" chatroom="Cyan" parent="TeamGroups"><chatgrp uid0="A" id="Cyan"/></__chat>"#,
        );
        let receipt = event(
            "r",
            "b-t-f-d",
            r#"<__chatreceipt id="B" chatroom="BRAVO"><chatgrp uid0="A" uid1="B" id="B"/></__chatreceipt>"#,
        );
        let wintak = event(
            "w",
            "b-t-f-r",
            r#"<__chat id="B" chatroom="BRAVO"><chatgrp uid0="A" uid1="B" id="B"/></__chat>"#,
        );
        let lost = event("l", "b-t-f-d", r#"<__chatreceipt id="X" chatroom="NOBODY"/>"#);
        let all = [chat("all", "hello"), private, team, receipt, wintak, lost];
        alpha.say(all.concat()).await;
        assert_eq!(bravo.sync().await, all[..5]);
        assert_eq!(charlie.sync().await, all[..1]);
    });
}

#[test]
fn items_62_to_64_an_alert_is_repeated_until_it_is_cancelled() {
    on_both_runtimes(async || {
        let mut config = config();
        config.emergency_period = Duration::from_millis(10);
        let server = Server::start(config).await;
        let mut bravo = server.listener().await;
        let mut alpha = server.listener().await;
        let alert = event("A-9-1-1", "b-a-o-tbl", "<emergency type=\"911 Alert\">A</emergency>");
        alpha.say(&alert).await;
        drop(alpha);
        assert_eq!(bravo.event().await, alert);
        let again = bravo.event().await;
        assert_eq!(attribute(&again, "uid"), "A-9-1-1");
        assert_ne!(attribute(&again, "time"), attribute(&alert, "time"));
        let mut newcomer = server.dial().await;
        newcomer.send(net::text::ping()).await;
        let replayed = soon("a replay", async {
            loop {
                let event = newcomer.event().await;
                if !net::text::is_pong(&event) {
                    return event;
                }
            }
        });
        assert_eq!(attribute(&replayed.await, "uid"), "A-9-1-1");
        let cancel = event("A-9-1-1", "b-a-o-can", "<emergency cancel=\"true\">A</emergency>");
        newcomer.say(&cancel).await;
        assert_eq!(bravo.sync().await.last(), Some(&cancel));
        assert_eq!(server.stats().emergencies, 0);
    });
}

/// Other systems have one loopback address only.
#[cfg(target_os = "linux")]
#[test]
fn one_address_leaves_places_for_the_teams_of_others() {
    on_both_runtimes(async || {
        let mut config = config();
        config.teams = relay::TeamPolicy::isolated();
        let server = Server::start(config).await;
        let mut hostile = Vec::new();
        for n in 0..80 {
            let mut client = server.dial_from([127, 0, 0, 2]).await;
            client.say(sa(&format!("X{n}"), "X", &format!("T{n}"))).await;
            hostile.push(client);
        }
        assert_eq!(server.stats().teams_refused, 80 - 17, "a third of 49 places is given");
        for team in ["Unit", "Cyan", "T0"] {
            let mut mates = Vec::new();
            for n in 0..2 {
                let mut mate = server.dial_from([127, 0, 0, 3]).await;
                mate.say(sa(&format!("{team}-{n}"), team, team)).await;
                mates.push(mate);
            }
            mates[0].say(marker("M")).await;
            assert_eq!(uids(&mates[1].sync().await), ["M"], "{team}");
        }
        assert_eq!(server.stats().teams_refused, 80 - 17);
    });
}
