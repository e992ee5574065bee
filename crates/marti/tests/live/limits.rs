//! Those who look on are bounded, in number and in what they cost.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::support::cot::event;
use crate::support::{Server, Setup, until};
use crate::tools::{Sse, Ws, ask, read_head};

#[test]
fn there_is_room_for_so_many() {
    let mut setup = Setup::open();
    setup.marti.max_streams_per_addr = 2;
    let server = setup.in_memory();
    let sse = Sse::open(server.http, "");
    let mut ws = Ws::open(server.http, "");
    let refused = server.get("/api/events").expect(503);
    assert_eq!(refused.header("retry-after"), Some("10"));
    let (head, _) = read_head(ask(server.http, "", ""));
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert_eq!(server.marti.stats().streams_refused, 2);
    server.get("/Marti/api/version").expect(200);
    drop(sse);
    ws.close();
    until("their places are free", || server.marti.stats().streams_open == 0);
    until("the relay let them go", || server.relay.stats().connections_open == 0);
    let _sse = (Sse::open(server.http, ""), Sse::open(server.http, ""));
}

#[test]
fn the_relay_may_have_no_room_either() {
    let mut setup = Setup::open();
    setup.hub.max_clients = 1;
    let server = setup.in_memory();
    let _alpha = server.cot("A", "ALPHA", "Cyan");
    server.get("/api/events").expect(503);
    assert!(read_head(ask(server.http, "", "")).0.starts_with("HTTP/1.1 503"));
    assert_eq!(server.marti.stats().streams_open, 0);
}

/// One who does not read costs the others nothing, and has the newest of everything once it reads
/// on: not what was superseded meanwhile.
#[test]
fn a_slow_reader_is_its_own_trouble() {
    const UIDS: usize = 40;
    const ROUNDS: usize = 250;
    let mut setup = Setup::open();
    setup.hub.stall_grace = Duration::from_millis(200);
    let server = setup.in_memory();
    let mut slow_sse = Sse::open(server.http, "");
    let mut slow_ws = Ws::open(server.http, "");
    let mut quick = Sse::open(server.http, "");
    let mut alpha = server.cot("A", "ALPHA", "Cyan");
    let remarks = "a".repeat(6 << 10);
    let began = Instant::now();
    for round in 0..ROUNDS {
        for uid in 0..UIDS {
            let detail = format!("<remarks>{remarks}</remarks><round n=\"{round}\"/>");
            alpha.send(&event(&format!("M-{uid}"), "a-h-G", &detail));
        }
        let mark = format!("round-{round}");
        alpha.send(&event(&mark, "a-h-G", ""));
        if round % 50 == 0 {
            quick.expect(&mark);
        }
    }
    alpha.send(&event("last", "a-h-G", ""));
    quick.expect("last");
    let time = began.elapsed();
    let sent = UIDS * ROUNDS;
    let mut newest = BTreeMap::new();
    let mut taken = 0;
    for event in slow_sse.until("last") {
        taken += 1;
        newest.insert(event["uid"].as_str().unwrap().to_owned(), event.to_string());
    }
    let is_newest = |text: &str| text.contains(&format!("\"{}\"", ROUNDS - 1));
    let of = (0..UIDS).map(|uid| &newest[&format!("M-{uid}")]);
    assert!(of.clone().all(|text| is_newest(text)));
    slow_ws.expect("last");
    println!(
        "{sent} events of 6 KiB in {time:?}; the slow reader took {taken} and has the newest of all"
    );
    assert!(taken < sent, "{taken} of {sent}");
}

#[test]
fn streams_end_with_the_server() {
    let server = Server::open();
    let listener = server.run(TcpListener::bind("127.0.0.1:0")).unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let marti = server.marti.clone();
    let (done, served) = oneshot::channel();
    server.run(async {
        tokio::spawn(async {
            let stopped = async { stopped.await.unwrap_or_default() };
            done.send(marti::serve(listener, marti, stopped).await)
        });
    });
    let mut other = Ws::open(server.http, "");
    let (mut sse, mut ws) = (Sse::open(addr, ""), Ws::open(addr, ""));
    let mut deaf = Ws::open(addr, "");
    server.relay.submit(event("M", "a-h-G", "").as_bytes(), "").unwrap();
    sse.expect("M");
    ws.expect("M");
    stop.send(()).unwrap();
    let began = Instant::now();
    assert_eq!(ws.goodbye(), Some(1001));
    while sse.next().is_some() {}
    server.run(served).unwrap().unwrap();
    // Also if one does not say goodbye.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(deaf.goodbye(), Some(1001));
    // What another listener serves goes on.
    other.expect("M");
}

#[test]
fn streams_end_with_the_relay() {
    let server = Server::open();
    let (mut sse, mut ws) = (Sse::open(server.http, ""), Ws::open(server.http, ""));
    until("both look on", || server.relay.stats().connections_open == 2);
    assert!(server.run(server.relay.drain(Duration::from_secs(5))));
    assert_eq!(ws.goodbye(), Some(1001));
    while sse.next().is_some() {}
    server.get("/api/events").expect(503);
}
