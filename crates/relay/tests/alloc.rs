//! Handing an event through the hub allocates per event at most, never per delivery.
#![allow(
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "what was measured is worth a line"
)]

use std::time::Duration;

use cot_core::{Item, Limits, Scanner};
use relay::{Batch, ClientId, Hub, HubConfig, Now, Output, Peer, TeamPolicy};

const EVENTS: usize = 1_000;

/// Position reports of 20 devices in turn, and a chat in every hundred events.
fn traffic() -> Vec<String> {
    let report = |number: usize| {
        let (kind, uid) = match number % 100 {
            99 => ("b-t-f", format!("chat {number}")),
            _ => ("a-f-G-U-C", format!("ANDROID-{}", number % 20)),
        };
        let contact = match kind {
            "b-t-f" => "<__chat id=\"All Chat Rooms\" chatroom=\"All Chat Rooms\"/>".to_owned(),
            _ => format!(
                "<contact callsign=\"C {}\" endpoint=\"*:-1:stcp\"/><__group name=\"Cyan\" role=\"Medic\"/>",
                number % 20
            ),
        };
        format!(
            "<event version=\"2.0\" uid=\"{uid}\" type=\"{kind}\" how=\"m-g\" time=\"2026-01-01T00:00:00Z\" \
             start=\"2026-01-01T00:00:00Z\" stale=\"2026-01-01T00:06:00Z\"><point lat=\"{}.5\" lon=\"2\" hae=\"0\" \
             ce=\"9\" le=\"9\"/><detail>{contact}<remarks>{}</remarks></detail></event>",
            number % 90,
            "x".repeat(250)
        )
    };
    (0..EVENTS).map(report).collect()
}

/// A hub with clients, driven as a shell does.
struct Driven {
    hub: Hub,
    now: Now,
    clients: Vec<ClientId>,
    scanner: Scanner,
    batch: Batch,
    deliveries: u64,
}

impl Driven {
    fn new(clients: usize, teams: TeamPolicy) -> Self {
        let mut config = HubConfig::default();
        config.teams = teams;
        config.replay_hold = Duration::ZERO;
        let now = Now { mono_ms: 1_000, unix_ms: 1_767_225_600_000 };
        let mut hub = Hub::new(config);
        let connect = |_| hub.handle_connect(now, Peer::local("test")).expect("admitted");
        let clients = (0..clients).map(connect).collect();
        hub.handle_timeout(now);
        let scanner = Scanner::new(Limits::default());
        Self { hub, now, clients, scanner, batch: Batch::default(), deliveries: 0 }
    }

    fn say(&mut self, from: ClientId, event: &str) {
        let header = self.scanner.scan(event.as_bytes()).expect("valid");
        self.hub.handle_item(self.now, from, &Item::Event(header));
        self.hub.handle_bytes(self.now, from, event.len(), 0);
    }

    /// The end of a turn.
    fn settle(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            let Output::Readable { client } = output else { continue };
            loop {
                self.hub.read(self.now, client, &mut self.batch, 64 << 10);
                if self.batch.is_empty() {
                    break;
                }
                self.hub.commit(self.now, client, &self.batch, self.batch.len());
            }
        }
    }

    /// All of the traffic, `per_turn` events in a turn. Returns allocations and deliveries.
    fn run(&mut self, traffic: &[String], per_turn: usize) -> (u64, u64) {
        let sender = *self.clients.first().expect("a client");
        let before = self.hub.stats().delivered;
        let info = allocation_counter::measure(|| {
            for turn in traffic.chunks(per_turn) {
                for event in turn {
                    self.say(sender, event);
                }
                self.settle();
                self.now.mono_ms += 10;
                self.now.unix_ms += 10;
            }
        });
        self.deliveries = self.hub.stats().delivered - before;
        (info.count_total, self.deliveries)
    }
}

/// Allocations of one run over warm memory.
fn measured(clients: usize, per_turn: usize, teams: TeamPolicy) -> u64 {
    let traffic = traffic();
    let mut driven = Driven::new(clients, teams);
    for _ in 0..3 {
        driven.run(&traffic, per_turn);
    }
    let (allocations, deliveries) = driven.run(&traffic, per_turn);
    assert_eq!(deliveries, (EVENTS * (clients - 1)) as u64, "everyone else gets everything");
    println!(
        "{clients} clients, {per_turn} events per turn: {allocations} allocations for {EVENTS} events and {deliveries} deliveries"
    );
    allocations
}

#[test]
fn a_delivery_allocates_nothing_and_an_event_next_to_nothing() {
    for per_turn in [1, 10] {
        let few = measured(10, per_turn, TeamPolicy::open());
        let many = measured(50, per_turn, TeamPolicy::open());
        let most = measured(200, per_turn, TeamPolicy::open());
        // Blocks of the log, the uids of chats, and what outlives its block.
        assert!(few <= EVENTS as u64 / 20, "{few}");
        // 40,000 and 190,000 deliveries more.
        assert!(many <= few + 5, "{few} with 10 clients, {many} with 50");
        assert!(most <= few + 5, "{few} with 10 clients, {most} with 200");
    }
}

#[test]
fn a_directed_event_allocates_its_list_of_addressees() {
    let mut driven = Driven::new(50, TeamPolicy::open());
    let traffic = traffic();
    driven.run(&traffic, 10);
    let marti = "<marti><dest uid=\"ANDROID-3\"/><dest callsign=\"C 4\"/></marti></detail>";
    let directed: Vec<_> = traffic.iter().map(|event| event.replace("</detail>", marti)).collect();
    // The sender speaks for both: let another connection be theirs.
    let other = driven.clients[7];
    for event in traffic.iter().take(20) {
        driven.say(other, event);
    }
    driven.settle();
    driven.run(&directed, 10);
    let (allocations, deliveries) = driven.run(&directed, 10);
    println!("{allocations} allocations for {EVENTS} directed events");
    assert_eq!(deliveries, EVENTS as u64, "one connection is both addressees");
    assert!(allocations <= 6 * EVENTS as u64, "{allocations}");
}

#[test]
fn a_ping_allocates_nothing() {
    let mut driven = Driven::new(50, TeamPolicy::open());
    let ping = traffic()[0].replace("a-f-G-U-C", "t-x-c-t");
    let clients = driven.clients.clone();
    let round = |driven: &mut Driven| {
        for client in &clients {
            driven.say(*client, &ping);
        }
        driven.settle();
    };
    round(&mut driven);
    let info = allocation_counter::measure(|| round(&mut driven));
    assert_eq!(info.count_total, 0, "within one second the answer is the same");
}
