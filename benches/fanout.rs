//! What does one delivery cost in the core alone, without sockets: a cursor into the log against a
//! queue per client?
//!
//! One sender, turns of 32 position reports, everyone else reads at the end of each turn. The
//! queues are the usual design: every client has its own, an event is parsed no further than
//! `</event>`, and a reference to it is pushed into each queue and taken out again.
//!
//! ```text
//! cargo bench -p benches --bench fanout
//! ```
#![allow(missing_docs, clippy::allow_attributes, reason = "criterion's macros make items without")]

use std::collections::VecDeque;
use std::hint::black_box;

use bytes::Bytes;
use cot_core::generate::Fleet;
use cot_core::{Deframer, Item, Limits, Scanner};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use relay::{Batch, ClientId, Hub, HubConfig, Now, Output, Peer};

/// Events of one turn.
const TURN: usize = 32;

/// Bytes of one read of the log.
const MAX_WRITE: usize = 256 << 10;

const START: Now = Now { mono_ms: 1_000, unix_ms: 1_767_225_600_000 };

fn turn() -> Vec<u8> {
    let mut fleet = Fleet::new(7, TURN);
    let mut bytes = Vec::new();
    (0..TURN).for_each(|i| fleet.next_position(i, START.unix_ms, &mut bytes));
    bytes
}

/// The core with its clients, as a shell would drive it.
struct Cursors {
    hub: Hub,
    sender: ClientId,
    scanner: Scanner,
    deframer: Deframer,
    batch: Batch,
    readable: Vec<ClientId>,
}

impl Cursors {
    fn new(readers: usize) -> Self {
        let mut hub = Hub::new(HubConfig::default());
        let mut join = || hub.handle_connect(START, Peer::local("bench")).expect("room");
        let sender = join();
        for _ in 0..readers {
            join();
        }
        let mut cursors = Self {
            hub,
            sender,
            scanner: Scanner::new(Limits::default()),
            deframer: Deframer::new(),
            batch: Batch::default(),
            readable: Vec::new(),
        };
        cursors.hub.handle_timeout(Now { mono_ms: START.mono_ms + 1_000, ..START });
        cursors.deliver();
        cursors
    }

    fn turn(&mut self, bytes: &[u8]) -> usize {
        let (hub, sender) = (&mut self.hub, self.sender);
        let fed = self.deframer.feed(&mut self.scanner, bytes, &mut |item: Item<'_>| {
            hub.handle_item(START, sender, &item);
        });
        fed.expect("a stream of events");
        self.deliver()
    }

    fn deliver(&mut self) -> usize {
        while let Some(output) = self.hub.poll_output() {
            if let Output::Readable { client } = output {
                self.readable.push(client);
            }
        }
        let mut bytes = 0;
        for client in self.readable.drain(..) {
            loop {
                self.hub.read(START, client, &mut self.batch, MAX_WRITE);
                if self.batch.is_empty() {
                    break;
                }
                bytes += black_box(&self.batch).len();
                self.hub.commit(START, client, &self.batch, self.batch.len());
            }
        }
        bytes
    }
}

/// A queue per client.
struct Queues {
    queues: Vec<VecDeque<Bytes>>,
}

impl Queues {
    fn turn(&mut self, bytes: &[u8]) -> usize {
        let shared = Bytes::copy_from_slice(bytes);
        let finder = memchr::memmem::Finder::new(b"</event>");
        let mut start = 0;
        for end in finder.find_iter(bytes).map(|at| at + b"</event>".len()) {
            let event = shared.slice(start..end);
            self.queues.iter_mut().for_each(|queue| queue.push_back(event.clone()));
            start = end;
        }
        let mut sent = 0;
        for queue in &mut self.queues {
            while let Some(event) = queue.pop_front() {
                sent += black_box(&event).len();
            }
        }
        sent
    }
}

fn fanout(criterion: &mut Criterion) {
    let bytes = turn();
    let mut group = criterion.benchmark_group("fanout");
    for readers in [10, 100, 1_000] {
        group.throughput(Throughput::Elements((TURN * readers) as u64));
        let mut cursors = Cursors::new(readers);
        group.bench_function(BenchmarkId::new("cursors", readers), |bencher| {
            bencher.iter(|| cursors.turn(black_box(&bytes)));
        });
        let mut queues = Queues { queues: vec![VecDeque::new(); readers] };
        group.bench_function(BenchmarkId::new("queues", readers), |bencher| {
            bencher.iter(|| queues.turn(black_box(&bytes)));
        });
    }
    group.finish();
}

criterion_group!(benches, fanout);
criterion_main!(benches);
