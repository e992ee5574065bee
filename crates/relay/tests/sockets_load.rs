//! Many connections and much traffic over real TCP, on both kinds of runtime.

mod net;

use std::time::Duration;

use net::text::{attribute, chat, event, marker, ping, sa};
use net::{Client, Server, alone_on_both_runtimes, config, on_both_runtimes, resident, soon};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

const CLIENTS: usize = 20;
const EACH: usize = 500;

/// The `number`th event of a client: something new each time, so that nothing is ever superseded.
fn nth(sender: usize, number: usize) -> String {
    let point = r#"<point lat="1" lon="2" hae="0" ce="9" le="9"/>"#;
    format!(
        "<event uid=\"{sender}/{number}\" type=\"a-u-G\" how=\"m-g\" time=\"2026-01-01T00:00:00Z\" \
         start=\"2026-01-01T00:00:00Z\" stale=\"2026-01-01T00:06:00Z\" version=\"2.0\">{point}</event>"
    )
}

/// Sends everything of one client while it reads everything of the others; returns the faults.
async fn take_part(client: Client, number: usize) -> Vec<String> {
    let all: String = (0..EACH).map(|event| nth(number, event)).collect();
    let (mut inbox, mut writer) = client.split();
    let sending = tokio::spawn(async move {
        writer.write_all(all.as_bytes()).await.expect("an open connection");
        writer
    });
    let mut next = [0; CLIENTS];
    let mut faults = Vec::new();
    for _ in 0..(CLIENTS - 1) * EACH {
        let event = inbox.event().await;
        let uid = attribute(&event, "uid");
        let (sender, count) = uid.split_once('/').expect("a number");
        let (sender, count) = (sender.parse::<usize>().expect("one"), count.parse::<usize>());
        let next = next.get_mut(sender).expect("a client");
        let count = count.expect("a number");
        let expected = std::mem::replace(next, count + 1);
        if count != expected || sender == number {
            faults.push(format!("{uid} instead of {expected}"));
        }
    }
    if next.iter().enumerate().any(|(sender, &got)| sender != number && got != EACH) {
        faults.push(format!("{next:?}"));
    }
    let mut client = inbox.unsplit(sending.await.expect("no panic"));
    client.sync().await.into_iter().for_each(|event| faults.push(event));
    faults
}

#[test]
fn at_full_speed_nothing_is_lost_doubled_or_out_of_order() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(server.listener().await);
        }
        let tasks = clients.into_iter().enumerate();
        let tasks: Vec<_> = tasks.map(|(n, client)| tokio::spawn(take_part(client, n))).collect();
        for task in tasks {
            assert_eq!(task.await.expect("no panic"), [""; 0]);
        }
        let stats = server.stats();
        let copies = (CLIENTS * EACH * (CLIENTS - 1)) as u64;
        assert_eq!(stats.events_accepted, (CLIENTS * EACH) as u64);
        assert_eq!((stats.delivered, stats.conflated, stats.dropped.total()), (copies, 0, 0));
    });
}

#[test]
fn a_single_event_does_not_wait_for_an_acknowledgement() {
    alone_on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let (mut alpha, mut bravo) = (server.listener().await, server.listener().await);
        let mut times = Vec::new();
        for n in 0..60 {
            // Two in a row: the second would wait for the acknowledgement of the first, which a
            // receiver that has nothing to say puts off by 40 ms.
            alpha.send(marker("first")).await;
            bravo.event().await;
            let sent = Instant::now();
            alpha.send(marker(&format!("M{n}"))).await;
            bravo.event().await;
            times.push(sent.elapsed());
        }
        times.sort_unstable();
        // Each would take that long; what else the machine does delays some.
        assert!(times[20] < Duration::from_millis(35), "{times:?}");
    });
}

#[test]
fn item_71_a_thousand_idle_connections_cost_little_and_delay_nobody() {
    alone_on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let (mut alpha, mut bravo) = (server.listener().await, server.listener().await);
        let before = resident();
        let mut idle = Vec::new();
        for n in 0..1_000 {
            let stream = tokio::net::TcpStream::connect(server.addr).await.expect("accepted");
            if n % 100 == 0 {
                // Half an event, by bytes.
                idle.push(Client::new(stream));
                let half = sa("H", "HALF", "");
                idle.last_mut().expect("one").send(&half[..half.len() / 2]).await;
            } else {
                idle.push(Client::new(stream));
            }
        }
        server.until("all are accepted", |stats| stats.connections_open == 1_002).await;
        let grown = resident().saturating_sub(before);
        assert!(grown < 24 << 20, "{grown} bytes for both ends of 1,000 connections");
        let asked = Instant::now();
        alpha.send(marker("M")).await;
        assert_eq!(bravo.event().await, marker("M"));
        let mut newcomer = server.dial().await;
        newcomer.send(ping()).await;
        newcomer.event().await;
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        for client in idle.iter_mut().take(20) {
            assert_eq!(client.event().await, marker("M"));
        }
        drop(idle);
        server.until("all are gone", |stats| stats.connections_open == 3).await;
    });
}

/// Writes and reads without end, until the connection closes.
async fn flood_until_closed(client: Client, number: usize) {
    let (mut inbox, mut writer) = client.split();
    let writing = tokio::spawn(async move {
        for round in 0.. {
            let some: String = (0..20).map(|n| nth(number, round * 20 + n)).collect();
            if writer.write_all(some.as_bytes()).await.is_err() {
                return;
            }
        }
    });
    while inbox.fill().await {
        while inbox.take().is_some() {}
    }
    writing.abort();
}

#[test]
fn draining_under_load_ends() {
    alone_on_both_runtimes(async || {
        let mut server = Server::start(config()).await;
        let mut clients = Vec::new();
        for _ in 0..10 {
            clients.push(server.listener().await);
        }
        let _stalled = server.listener().await;
        let mut quiet = server.listener().await;
        let floods = clients.into_iter().enumerate();
        let tasks: Vec<_> =
            floods.map(|(n, client)| tokio::spawn(flood_until_closed(client, n))).collect();
        server.until("the flood has come", |stats| stats.events_accepted > 500).await;
        quiet.fill().await;
        server.stop_accepting().await;
        let began = Instant::now();
        let reader = tokio::spawn(async move { while quiet.fill().await {} });
        server.relay.drain(Duration::from_secs(2)).await;
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
        soon("the end of the reader", reader).await.expect("no panic");
        for task in tasks {
            soon("the end of a client", task).await.expect("no panic");
        }
        assert!(server.stats().connections_open <= 1, "only the one that does not read");
    });
}

#[test]
fn what_was_accepted_before_the_end_is_delivered() {
    on_both_runtimes(async || {
        let mut server = Server::start(config()).await;
        let mut alpha = server.listener().await;
        let mut readers = Vec::new();
        for _ in 0..10 {
            readers.push(server.listener().await);
        }
        let sent: Vec<_> = (0..2_000).map(|n| nth(0, n)).collect();
        alpha.say(sent.concat()).await;
        server.stop_accepting().await;
        let relay = server.relay.clone();
        let draining = tokio::spawn(async move { relay.drain(Duration::from_secs(20)).await });
        for reader in &mut readers {
            assert!(reader.closed().await == sent);
        }
        assert_eq!(alpha.closed().await, [""; 0]);
        assert!(draining.await.expect("no panic"), "everyone was done in time");
        let stats = server.stats();
        assert_eq!(stats.connections_closed.of(relay::CloseReason::Shutdown), 11);
        assert_eq!((stats.delivered, stats.dropped.total()), (20_000, 0));
    });
}

#[test]
fn those_who_come_while_others_go_are_never_forgotten() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let mut alpha = server.listener().await;
        let mut stayed = Vec::new();
        for round in 1..=15 {
            let mut leaving = Vec::new();
            for _ in 0..10 {
                let mut visitor = server.dial().await;
                visitor.send(sa("V", "VISITOR", "") + &ping()).await;
                leaving.push(tokio::spawn(async move {
                    visitor.fill().await;
                    visitor.send(ping()).await;
                }));
                // One that never says a word, and so is woken by others only.
                stayed.push(server.dial().await);
            }
            for visitor in leaving {
                visitor.await.expect("no panic");
            }
            // All have been let in, not just taken by the kernel, and the visitors have left.
            let (come, open) = (1 + 20 * round, 1 + 10 * round);
            let is_settled = |stats: &relay::Stats| {
                stats.connections_received == come && stats.connections_open == open
            };
            server.until("the visitors have left", is_settled).await;
            let text = chat(&format!("round {round}"), "is everyone here?");
            alpha.say(&text).await;
            for client in &mut stayed {
                // Behind what was told of the visitors.
                while client.event().await != text {}
            }
        }
    });
}

#[test]
fn item_57_a_large_replay_does_not_hold_up_live_traffic() {
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let (mut alpha, mut bravo) = (server.listener().await, server.listener().await);
        let remarks = format!("<remarks>{}</remarks>", "x".repeat(300));
        let picture: String =
            (0..1_500).map(|n| event(&format!("P{n}"), "a-u-G", &remarks)).collect();
        alpha.say(picture).await;
        bravo.sync().await;
        let mut newcomers = Vec::new();
        for n in 0..10 {
            let mut newcomer = server.dial().await;
            newcomer.send(sa(&format!("N{n}"), "NEW", "")).await;
            newcomers.push(newcomer);
        }
        alpha.send(marker("live")).await;
        soon("live traffic", async { while attribute(&bravo.event().await, "uid") != "live" {} })
            .await;
        for newcomer in &mut newcomers {
            let mut known = std::collections::BTreeSet::new();
            while known.len() < 1_500 + 1 {
                let event = newcomer.event().await;
                let uid = attribute(&event, "uid");
                if uid.starts_with('P') || uid == "live" {
                    assert!(known.insert(uid.to_owned()), "{uid} came twice");
                }
            }
        }
    });
}
