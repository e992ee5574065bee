//! The routing core driven by hand: no sockets, no tasks, and a clock that the program owns.
//!
//! ```text
//! cargo run -p examples --example sans_io_hub
//! ```
//!
//! Two teams that must not see each other, one rule that lets a command post see both, and a day
//! of time in a moment.
#![expect(clippy::print_stdout, reason = "showing what happens is what the program is for")]

use std::collections::BTreeMap;
use std::error::Error;

use cot_core::build::{self, Sender};
use cot_core::{Deframer, Item, Limits, Point, Scanner};
use relay::{Batch, ClientId, Hub, HubConfig, Now, Output, Peer, TeamPolicy};

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = HubConfig::default();
    config.teams = TeamPolicy::isolated();
    config.teams.allow("* -> HQ".parse()?);
    let mut world = World {
        hub: Hub::new(config),
        now: Now { mono_ms: 0, unix_ms: 1_767_225_600_000 },
        scanner: Scanner::new(Limits::default()),
        names: BTreeMap::new(),
    };

    let red = world.join("RED-1", "Red")?;
    let blue = world.join("BLUE-1", "Blue")?;
    world.join("POST", "HQ")?;

    println!("-- RED-1 reports, an hour later");
    world.wait(3_600_000);
    world.report(red, "RED-1", "Red")?;
    println!("-- BLUE-1 leaves");
    world.hub.handle_disconnect(world.now, blue, relay::CloseReason::PeerClosed);
    world.settle();
    println!("-- {:?}", world.hub.stats());
    Ok(())
}

struct World {
    hub: Hub,
    now: Now,
    scanner: Scanner,
    names: BTreeMap<ClientId, &'static str>,
}

impl World {
    fn join(&mut self, name: &'static str, team: &str) -> Result<ClientId, Box<dyn Error>> {
        println!("-- {name} joins team {team}");
        let client = self.hub.handle_connect(self.now, Peer::local("example"))?;
        self.names.insert(client, name);
        self.report(client, name, team)?;
        Ok(client)
    }

    /// What a shell does with bytes that it has read.
    fn report(&mut self, from: ClientId, name: &str, team: &str) -> Result<(), Box<dyn Error>> {
        let sender = Sender::new(name, name).at(Point::new(60.17, 24.94));
        let bytes = build::position(&sender, team, "Team Member", self.now.unix_ms).to_xml();
        let (hub, now) = (&mut self.hub, self.now);
        let mut deframer = Deframer::new();
        deframer.feed(&mut self.scanner, bytes.as_bytes(), &mut |item: Item<'_>| {
            hub.handle_item(now, from, &item);
        })?;
        hub.handle_bytes(now, from, bytes.len(), deframer.pending());
        self.settle();
        Ok(())
    }

    /// What a shell does when its timer fires; here time jumps from one deadline to the next.
    fn wait(&mut self, ms: u64) {
        let end = self.now.mono_ms + ms;
        while let Some(at) = self.hub.poll_timeout().filter(|&at| at <= end) {
            self.advance_to(at);
            self.hub.handle_timeout(self.now);
            self.settle();
        }
        self.advance_to(end);
    }

    fn advance_to(&mut self, mono_ms: u64) {
        let step = mono_ms.saturating_sub(self.now.mono_ms);
        self.now.mono_ms += step;
        self.now.unix_ms += i64::try_from(step).unwrap_or_default();
    }

    /// What a shell does at the end of a turn: this "network" takes everything at once.
    fn settle(&mut self) {
        let mut batch = Batch::default();
        while let Some(output) = self.hub.poll_output() {
            let Output::Readable { client } = output else { continue };
            loop {
                self.hub.read(self.now, client, &mut batch, 65_536);
                if batch.is_empty() {
                    break;
                }
                for slice in batch.slices() {
                    let text = String::from_utf8_lossy(slice);
                    for event in text.split_inclusive("</event>") {
                        self.show(client, event);
                    }
                }
                self.hub.commit(self.now, client, &batch, batch.len());
            }
        }
    }

    fn show(&self, client: ClientId, event: &str) {
        let name = self.names.get(&client).copied().unwrap_or("?");
        let mut scanner = Scanner::new(Limits::default());
        let header = scanner.scan(event.as_bytes());
        // A silent link is kept alive with pongs; an hour of them would fill the screen.
        if let Some(header) = header.ok().filter(|header| header.kind() != "t-x-c-t-r") {
            println!("{name:>8} <- {} {}", header.kind(), header.uid().to_cow());
        }
    }
}
