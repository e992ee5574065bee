//! A broadcaster in this process that can be told to do wrong.
#![expect(clippy::indexing_slicing, reason = "indices come from the lists they index")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use loadtest::{Plan, Scenario};

/// One event on its way from one client to another, which may be the same.
#[derive(Debug)]
pub(crate) struct Delivery<'a> {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) event: &'a [u8],
    /// Whether it only makes its sender known; runs do not count these.
    pub(crate) is_hello: bool,
}

/// Decides what is written for a delivery.
pub(crate) type Bend = Box<dyn FnMut(&Delivery<'_>) -> Vec<Vec<u8>> + Send>;

/// What every faultless server does: everyone else gets the event as it is.
pub(crate) fn plain(delivery: &Delivery<'_>) -> Vec<Vec<u8>> {
    if delivery.from == delivery.to { Vec::new() } else { vec![delivery.event.to_vec()] }
}

/// What a server does besides passing events on.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Habits {
    /// Bytes of each write, all at once if zero.
    pub(crate) piece: usize,
    /// Whether newcomers get the latest event of every uid when they send their first.
    pub(crate) replays: bool,
    /// Whether every connection is closed after so many events.
    pub(crate) closes_after: Option<usize>,
}

struct State {
    clients: Vec<Option<Sender<Vec<u8>>>>,
    latest: BTreeMap<Vec<u8>, Vec<u8>>,
    bend: Bend,
    habits: Habits,
}

/// Starts a broadcaster that lives as long as the test; its address.
pub(crate) fn broadcaster(
    habits: Habits,
    bend: impl FnMut(&Delivery<'_>) -> Vec<Vec<u8>> + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let addr = listener.local_addr().expect("bound");
    let bend: Bend = Box::new(bend);
    let state = State { clients: Vec::new(), latest: BTreeMap::new(), bend, habits };
    let state = Arc::new(Mutex::new(state));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("accepted");
            stream.set_nodelay(true).expect("a TCP option");
            serve(stream, &state, habits);
        }
    });
    addr
}

fn serve(stream: TcpStream, state: &Arc<Mutex<State>>, habits: Habits) {
    let (sender, receiver) = channel::<Vec<u8>>();
    let client = {
        let mut state = state.lock().expect("no holder panics");
        state.clients.push(Some(sender));
        state.clients.len() - 1
    };
    let mut writing = stream.try_clone().expect("cloned");
    thread::spawn(move || {
        for bytes in receiver {
            let piece = if habits.piece == 0 { bytes.len() } else { habits.piece };
            for part in bytes.chunks(piece) {
                if writing.write_all(part).is_err() {
                    return;
                }
            }
        }
        drop(writing.shutdown(std::net::Shutdown::Both));
    });
    let state = Arc::clone(state);
    thread::spawn(move || {
        read(stream, client, &state);
        state.lock().expect("no holder panics").clients[client] = None;
    });
}

fn read(mut stream: TcpStream, client: usize, state: &Mutex<State>) {
    let mut carry = Vec::new();
    let mut buf = [0; 16 * 1024];
    let mut count = 0;
    while let Ok(n) = stream.read(&mut buf) {
        if n == 0 {
            return;
        }
        carry.extend_from_slice(&buf[..n]);
        while let Some(at) = carry.windows(8).position(|window| window == b"</event>") {
            let event: Vec<u8> = carry.drain(..at + 8).collect();
            let mut state = state.lock().expect("no holder panics");
            state.pass(client, &event, count == 0);
            count += 1;
            if state.habits.closes_after == Some(count) {
                return;
            }
        }
    }
}

impl State {
    fn pass(&mut self, from: usize, event: &[u8], is_first: bool) {
        if self.habits.replays {
            if let (true, Some(sender)) = (is_first, &self.clients[from]) {
                for event in self.latest.values() {
                    drop(sender.send(event.clone()));
                }
            }
            self.latest.insert(uid(event), event.to_vec());
        }
        let is_hello = is_hello(event);
        for (to, client) in self.clients.iter().enumerate() {
            let Some(sender) = client else { continue };
            for bytes in (self.bend)(&Delivery { from, to, event, is_hello }) {
                drop(sender.send(bytes));
            }
        }
    }
}

fn uid(event: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(event);
    let uid = text.split_once("uid=\"").and_then(|(_, rest)| rest.split_once('"'));
    uid.map_or_else(String::new, |(uid, _)| uid.to_string()).into_bytes()
}

/// Marks are `LOADTEST`, eight letters for who, eight for which; the last number is for hellos.
fn is_hello(event: &[u8]) -> bool {
    let text = String::from_utf8_lossy(event);
    text.split("LOADTEST").skip(1).any(|mark| mark.get(8..16) == Some("pppppppp"))
}

/// A plan that takes about a second and a half.
pub(crate) fn short(target: SocketAddr, scenario: Scenario) -> Plan {
    let mut plan = Plan::new(target, scenario);
    plan.clients = 8;
    plan.warmup = Duration::from_millis(200);
    plan.measure = Duration::from_millis(800);
    plan.patience = Duration::from_secs(10);
    plan
}

/// A short plan at an even pace.
pub(crate) fn paced(target: SocketAddr) -> Plan {
    short(target, Scenario::Open { rate: 30.0 })
}
