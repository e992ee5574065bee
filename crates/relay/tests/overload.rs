//! Slow readers and fast senders over real sockets. Numbers are those of the overload contract, on
//! a scale of seconds.
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "helpers are no test functions, and what was measured is worth a line"
)]

mod net;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use net::text::{attribute, chat, event, marker, sa};
use net::{Client, Server, alone_on_multi_thread, config, on_current_thread, resident, soon};
use relay::server::Relay;
use relay::{CloseReason, DropReason, HubConfig, Peer, Stats};
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const UIDS: usize = 50;
const READERS: usize = 20;
const STALLED: usize = 10;

/// The `number`th report: of all uids in turn, 600 bytes.
fn report(number: usize) -> String {
    let filler = "x".repeat(280);
    event(
        &format!("U{}", number % UIDS),
        "a-f-G",
        &format!("<n n=\"{number}\"/><remarks>{filler}</remarks>"),
    )
}

fn number(event: &str) -> usize {
    attribute(event, "n").parse().expect("a number")
}

/// When each report was sent.
type Times = Arc<Mutex<Vec<Instant>>>;

/// Sends 1,000 reports per second until `stop`; returns how many there were.
async fn publish(mut client: Client, times: Times, stop: watch::Receiver<bool>) -> usize {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let mut sent = 0;
    while !*stop.borrow() {
        ticks.tick().await;
        let some: String = (sent..sent + 10).map(report).collect();
        times.lock().expect("no panic").extend([Instant::now(); 10]);
        client.send(some).await;
        sent += 10;
    }
    client.sync().await;
    sent
}

/// Reads until `total` says how many reports there are and the last has come. Returns the delay of
/// each, by when it was sent.
async fn follow(
    mut client: Client,
    times: Times,
    mut total: watch::Receiver<usize>,
) -> Vec<Duration> {
    let mut delays = Vec::new();
    while delays.len() < *total.borrow_and_update() {
        let event = tokio::select! {
            event = client.event() => event,
            _ = total.changed() => continue,
        };
        let number = number(&event);
        assert_eq!(number, delays.len(), "in order, and none left out");
        let sent = times.lock().expect("no panic")[number];
        delays.push(sent.elapsed());
    }
    delays
}

fn p99(delays: &[Duration]) -> Duration {
    let mut delays = delays.to_vec();
    delays.sort_unstable();
    delays[delays.len() * 99 / 100]
}

/// What one that had stopped got when it read on: first what was on its way already, then the
/// newest of each uid and nothing else.
fn check_resumed(got: &[String], total: usize, first: usize) {
    let numbers: Vec<_> = got.iter().map(|event| number(event)).collect();
    let on_its_way = numbers.iter().zip(first..).take_while(|(got, next)| **got == *next).count();
    let later = &numbers[on_its_way..];
    let newest = total - UIDS..total;
    for (place, number) in later.iter().enumerate() {
        assert!(newest.contains(number), "superseded: {number} of {total}");
        assert!(place == 0 || later[place - 1] < *number, "out of order: {later:?}");
    }
    let mut last = BTreeMap::new();
    last.extend(numbers.iter().map(|number| (number % UIDS, *number)));
    let expected: BTreeMap<_, _> = newest.map(|number| (number % UIDS, number)).collect();
    assert_eq!(last, expected);
}

#[test]
fn l1_those_who_stop_get_the_newest_later_and_the_others_do_not_notice() {
    alone_on_multi_thread(async {
        let server = Server::start(config()).await;
        let times = Times::default();
        let (stop, stopped) = watch::channel(false);
        let (announce, total) = watch::channel(usize::MAX);
        let mut healthy = Vec::new();
        for _ in STALLED..READERS {
            let client = server.listener().await;
            healthy.push(tokio::spawn(follow(client, times.clone(), total.clone())));
        }
        let mut stalled = Vec::new();
        for _ in 0..STALLED {
            stalled.push((server.narrow_listener().await, Vec::new()));
        }
        let publisher = server.listener().await;
        let publishing = tokio::spawn(publish(publisher, times.clone(), stopped));

        // All read for two seconds, ...
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            for (client, got) in &mut stalled {
                let event = client.event().await;
                got.push(event);
                while let Some(event) = client.take() {
                    got.push(event);
                }
            }
        }
        // ... then ten stop for three.
        let stall = times.lock().expect("no panic").len();
        let memory = resident();
        sleep(Duration::from_secs(3)).await;
        let grown = resident().saturating_sub(memory);
        stop.send_replace(true);
        let sent = publishing.await.expect("no panic");
        announce.send_replace(sent);

        let mut with_all = Vec::new();
        let mut with_stalled = Vec::new();
        for reader in healthy {
            // The last one may have come before their number was known.
            let delays = soon("the last report", reader).await.expect("no panic");
            with_all.extend_from_slice(&delays[200..stall]);
            with_stalled.extend_from_slice(&delays[stall..]);
        }
        let (p99_before, p99_after) = (p99(&with_all), p99(&with_stalled));
        println!(
            "p99 {p99_before:?} before, {p99_after:?} with stalled readers; {grown} bytes more; {sent} reports"
        );
        assert!(p99_after < p99_before * 3 + Duration::from_millis(500));
        assert!(grown < STALLED * (64 << 10) + (16 << 20), "{grown} bytes");

        for (client, got) in &mut stalled {
            let first = got.first().map_or(0, |event| number(event));
            got.extend(client.sync().await);
            got.extend(client.sync().await);
            check_resumed(got, sent, first);
            let row = server.row(client);
            assert_eq!(row.delivered + row.conflated, sent as u64, "{row:?}");
            assert_eq!(row.delivered, got.len() as u64);
            assert!(row.conflated > 500, "it has stopped: {row:?}");
        }
        let stats = server.stats();
        let copies = (sent * READERS) as u64;
        assert_eq!(stats.delivered + stats.conflated, copies, "{stats:?}");
        assert_eq!(stats.dropped.total(), 0);
    });
}

/// A relay without sockets, whose time the runtime keeps.
fn relay(config: HubConfig) -> Relay {
    let (relay, driver) = Relay::new(config);
    tokio::spawn(driver.run());
    relay
}

fn attach(relay: &Relay, room: usize) -> (Client<DuplexStream>, JoinHandle<CloseReason>) {
    let (near, far) = tokio::io::duplex(room);
    let relay = relay.clone();
    let serving =
        tokio::spawn(
            async move { relay.attach(far, Peer::local("test")).await.expect("admitted") },
        );
    (Client::new(near), serving)
}

#[tokio::test(start_paused = true)]
async fn l2_a_reader_of_a_byte_per_second_is_closed() {
    let relay = relay(config());
    let (mut alpha, _) = attach(&relay, 1 << 20);
    let (mut drip, serving) = attach(&relay, 100);
    drip.sync().await;
    for n in 0..200 {
        alpha.send(report(n)).await;
    }
    let began = Instant::now();
    while !serving.is_finished() {
        let mut byte = [0];
        let _ = drip.stream.read(&mut byte).await;
        sleep(Duration::from_secs(1)).await;
        assert!(began.elapsed() < Duration::from_secs(130), "{:?}", relay.clients());
    }
    assert_eq!(serving.await.expect("no panic"), CloseReason::WriteTimeout);
}

#[tokio::test(start_paused = true)]
async fn l2_a_reader_that_took_some_and_then_stops_for_good_is_closed() {
    let relay = relay(config());
    let (mut alpha, _) = attach(&relay, 1 << 20);
    let (mut drip, serving) = attach(&relay, 100);
    drip.sync().await;
    for n in 0..200 {
        alpha.send(report(n)).await;
    }
    for _ in 0..100 {
        let mut some = [0; 200];
        let _ = drip.stream.read(&mut some).await;
    }
    let closed = tokio::time::timeout(Duration::from_secs(300), serving).await;
    let reason = closed.expect("closed after two rounds of the limit at most").expect("no panic");
    assert_eq!(reason, CloseReason::WriteTimeout);
}

#[tokio::test(start_paused = true)]
async fn l2_a_slow_reader_that_makes_progress_is_kept() {
    let relay = relay(config());
    let (mut alpha, _) = attach(&relay, 1 << 20);
    // It never pings, so that its silence means nothing.
    let (mut slow, serving) = attach(&relay, 1_000);
    sleep(Duration::from_secs(1)).await;
    for n in 0..4_000 {
        // Something new each time, so that nothing is skipped and it never gets to the end.
        alpha.send(marker(&format!("M{n}"))).await;
    }
    for _ in 0..300 {
        let mut some = [0; 500];
        let _ = slow.stream.read(&mut some).await;
        sleep(Duration::from_secs(1)).await;
    }
    assert!(!serving.is_finished(), "{:?}", serving.await);
}

#[test]
fn l3_a_flood_costs_the_quiet_nothing() {
    alone_on_multi_thread(async {
        const QUIET: usize = 20;
        const EACH: usize = 40;
        let server = Server::start(config()).await;
        let mut quiet = Vec::new();
        for _ in 0..QUIET {
            quiet.push(server.listener().await);
        }
        let mut flooder = server.listener().await;
        let flood = tokio::spawn(async move {
            for round in 0..40 {
                let some: String = (0..100).map(|n| marker(&format!("F{round}-{n}"))).collect();
                flooder.send(some).await;
            }
            flooder
        });
        let began = Instant::now();
        let tasks = quiet.into_iter().enumerate().map(|(me, client)| {
            tokio::spawn(async move {
                let (mut reader, mut writer) = client.split();
                let writing = tokio::spawn(async move {
                    for n in 0..EACH {
                        let micros = began.elapsed().as_micros();
                        let text =
                            event(&format!("Q{me}-{n}"), "a-f-G", &format!("<n n=\"{micros}\"/>"));
                        let writing =
                            tokio::io::AsyncWriteExt::write_all(&mut writer, text.as_bytes());
                        writing.await.expect("an open connection");
                        sleep(Duration::from_millis(10)).await;
                    }
                    writer
                });
                let mut delays = Vec::new();
                while delays.len() < (QUIET - 1) * EACH {
                    let event = reader.event().await;
                    if attribute(&event, "uid").starts_with('Q') {
                        let sent = Duration::from_micros(number(&event) as u64);
                        delays.push(began.elapsed().saturating_sub(sent));
                    }
                }
                let mut client = reader.unsplit(writing.await.expect("no panic"));
                client.sync().await;
                delays
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let mut delays = Vec::new();
        for task in tasks {
            delays.extend(soon("every event of the quiet", task).await.expect("no panic"));
        }
        flood.await.expect("no panic").sync().await;
        println!("p99 of the quiet during the flood: {:?}", p99(&delays));
        let stats = server.stats();
        let accepted = (QUIET * EACH + 4_000) as u64;
        assert_eq!(stats.events_accepted, accepted);
        let all_told = |stats: &Stats| stats.delivered == accepted * QUIET as u64;
        server.until("everyone has everything", all_told).await;
        assert_eq!((stats.conflated, stats.dropped.total()), (0, 0));
    });
}

/// Floods one that does not read with chat and positions; returns how many chats there were.
async fn chat_flood(server: &Server, chats: usize) -> Client {
    let mut alpha = server.listener().await;
    let text = "x".repeat(700);
    for n in 0..chats {
        alpha.send(chat(&format!("chat-{n}"), &text) + &report(n)).await;
        if n % 100 == 99 {
            alpha.sync().await;
        }
    }
    alpha.sync().await;
    alpha
}

#[test]
fn l5_one_who_is_too_far_behind_with_chat_is_closed_and_told_so() {
    on_current_thread(async {
        let mut config = config();
        config.max_critical_lag = 64 << 10;
        config.stall_grace = Duration::from_millis(100);
        let server = Server::start(config).await;
        let mut slow = server.narrow_listener().await;
        let mut alpha = chat_flood(&server, 2_000).await;
        let is_closed = |stats: &Stats| stats.connections_closed.of(CloseReason::SlowConsumer) == 1;
        server.until("the slow one is closed", is_closed).await;
        let got = slow.stream_to_end().await;
        let chats: Vec<_> = got.iter().filter(|event| event.contains("b-t-f")).collect();
        for (n, event) in chats.iter().enumerate() {
            assert_eq!(
                attribute(event, "uid"),
                format!("chat-{n}"),
                "none left out before the end"
            );
        }
        let stats = server.stats();
        // What was accepted after its end was not for it.
        let told = stats.delivered + stats.conflated + stats.dropped.total();
        assert!(told <= stats.events_accepted, "{stats:?}");
        assert!(stats.dropped.of(DropReason::Closed) > 0, "{stats:?}");
        assert!(stats.delivered >= got.len() as u64, "{stats:?}");
        alpha.say(sa("A", "ALPHA", "")).await;
    });
}

#[test]
fn l5_one_who_is_behind_with_chat_gets_all_of_it_in_the_end() {
    on_current_thread(async {
        let mut config = config();
        config.max_critical_lag = 16 << 20;
        config.stall_grace = Duration::from_millis(100);
        let server = Server::start(config).await;
        let mut slow = server.narrow_listener().await;
        let _alpha = chat_flood(&server, 2_000).await;
        let mut got = slow.sync().await;
        // What is more than one write can take comes after the answer.
        while got.iter().filter(|event| event.contains("b-t-f")).count() < 2_000 {
            got.push(slow.event().await);
        }
        got.extend(slow.sync().await);
        let chats: Vec<_> = got.iter().filter(|event| event.contains("b-t-f")).collect();
        for (n, event) in chats.iter().enumerate() {
            assert_eq!(attribute(event, "uid"), format!("chat-{n}"));
        }
        assert_eq!(chats.len(), 2_000);
        let stats = server.stats();
        assert_eq!(stats.delivered + stats.conflated, stats.events_accepted);
        assert_eq!(stats.dropped.total(), 0);
        assert!(stats.conflated > 500, "positions were skipped: {stats:?}");
    });
}
