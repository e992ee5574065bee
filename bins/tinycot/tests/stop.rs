//! How the server ends.

mod support;

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use support::{Server, now, position, wait_until};

/// Two seconds on a machine of its own; a busy one may need longer.
const SOON: Duration = Duration::from_secs(6);

#[test]
fn both_signals_end_an_idle_server_with_success() {
    for signal in [Signal::TERM, Signal::INT] {
        let server = Server::start();
        let mut client = server.client();
        wait_until("it is connected", || server.json("/api/stats")["connections_open"] == 1);
        let asked = now();
        server.signal(signal);
        let (status, ended, log) = server.ended();
        assert!(status.success(), "{signal:?}: {status} {log}");
        assert!(ended.duration_since(asked) < SOON, "{log}");
        assert!(log.contains("stopping") && log.contains("stopped"), "{log}");
        assert_eq!(client.socket.read(&mut [0; 64]).unwrap(), 0, "the client is told");
    }
}

#[test]
fn fifty_clients_under_load_are_let_go_soon() {
    let server = Server::start();
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..50)
        .map(|i| {
            let mut client = server.client();
            let mut reader = client.socket.try_clone().unwrap();
            let stop = stop.clone();
            let event = position(&format!("UID-{i}"), &format!("LOAD-{i}"));
            let writing = thread::spawn(move || {
                use std::io::Write;
                while !stop.load(Ordering::Relaxed) {
                    if client.socket.write_all(event.as_bytes()).is_err() {
                        return;
                    }
                    thread::sleep(Duration::from_millis(2));
                }
            });
            let reading = thread::spawn(move || {
                let mut buf = [0; 65_536];
                while matches!(reader.read(&mut buf), Ok(1..)) {}
            });
            (writing, reading)
        })
        .collect();
    wait_until("it is under load", || {
        server.json("/api/stats")["messages_out"].as_u64().unwrap() > 5_000
    });
    let asked = now();
    server.signal(Signal::TERM);
    let (status, ended, log) = server.ended();
    assert!(status.success(), "{status} {log}");
    let took = ended.duration_since(asked);
    assert!(took < SOON, "{took:?} {log}");
    stop.store(true, Ordering::Relaxed);
    for (writing, reading) in clients {
        writing.join().unwrap();
        reading.join().unwrap();
    }
}

#[test]
fn clients_that_do_not_read_do_not_hold_up_the_stop() {
    let server = Server::with(&["--drain-timeout", "300ms"]);
    let _stuck = stuck_client(&server);
    let asked = now();
    server.signal(Signal::TERM);
    let (status, ended, log) = server.ended();
    assert!(status.success(), "{status} {log}");
    // Of that, storing 12 MB may take a second without optimisation.
    assert!(ended.duration_since(asked) < SOON, "{log}");
}

#[test]
fn a_second_signal_ends_at_once() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut server = Server::with(&["--drain-timeout", "60s"]);
        let _stuck = stuck_client(&server);
        server.signal(Signal::TERM);
        wait_until("it is stopping", || server.get("/ready").0 == 503);
        assert!(server.is_running());
        let asked = now();
        server.signal(signal);
        let (status, ended, log) = server.ended();
        assert_eq!(status.code(), Some(code), "{log}");
        assert!(ended.duration_since(asked) < SOON, "{log}");
    }
}

/// A client that takes no bytes, with more pending for it than the system buffers.
fn stuck_client(server: &Server) -> support::Client {
    let stuck = server.client();
    let mut sender = server.client();
    let remarks = "x".repeat(50_000);
    for i in 0..240 {
        let event = position(&format!("UID-{i}"), "BULK-1");
        sender.send(&event.replace("</detail>", &format!("<remarks>{remarks}</remarks></detail>")));
    }
    wait_until("it is behind", || {
        let clients = server.json("/api/clients");
        clients.as_array().is_some_and(|rows| rows.iter().any(|row| row["stalled"] == true))
    });
    stuck
}
