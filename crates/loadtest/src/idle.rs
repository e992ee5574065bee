//! Clients that do nothing, and what each costs.

use crate::clock::nanos;
use crate::event::{Kind, Template, Who};
use crate::fleet::{CONNECTING, Fleet, lasts};
use crate::marker::{HELLO, VISITOR};
use crate::open::Open;
use crate::progress::{Phase, Watch};
use crate::report::{Report, Server, number};
use crate::steady::{self, TURN_NS};
use crate::{LoadError, Plan, Progress};

/// Events per second of each steady client.
const RATE: f64 = 1.0;

/// Time without arrivals after which all have heard of each other. Nanoseconds.
const SETTLED_NS: u64 = 500_000_000;

/// Takes figures without idle clients and with them.
pub(crate) fn run(
    plan: &Plan,
    fleet: &mut Fleet,
    idle: u32,
    watch: &mut Watch<'_>,
) -> Result<Report, LoadError> {
    let without = measure(plan, fleet, watch)?;
    fleet.forget();
    connect(plan, fleet, idle, watch)?;
    let with = measure(plan, fleet, watch)?;
    let server = with.server.zip(without.server).map(|(with, without)| {
        let more = number(with.rss_after) - number(without.rss_after);
        Server { rss_per_idle_client: Some(more / f64::from(idle)), ..with }
    });
    Ok(Report { scenario: format!("{idle} idle clients besides"), server, ..with })
}

fn measure(plan: &Plan, fleet: &mut Fleet, watch: &mut Watch<'_>) -> Result<Report, LoadError> {
    let mut pace = Open::new(fleet.swarm.now(), RATE, fleet.templates.len(), None);
    steady::run(plan, fleet, &mut pace, watch)
}

/// Connects the idle clients, and waits until their reports are everywhere.
fn connect(
    plan: &Plan,
    fleet: &mut Fleet,
    idle: u32,
    watch: &mut Watch<'_>,
) -> Result<(), LoadError> {
    let mut pending: Vec<(u32, usize)> = Vec::new();
    let mut begun = 0;
    let mut latest = fleet.swarm.now();
    let limit = nanos(plan.patience);
    let mut known = latest;
    loop {
        let now = fleet.swarm.now();
        let is_connected = begun == idle && pending.is_empty();
        // A server that goes on sending for as long as patience lasts will not settle.
        if is_connected && (now - latest > SETTLED_NS || now - known > limit) {
            return Ok(());
        }
        while begun < idle && pending.len() < CONNECTING {
            let who = as_idle(fleet.run, begun, plan);
            pending.push((begun, fleet.swarm.connect(Some(who), false)?));
            begun += 1;
        }
        fleet.swarm.turn(now + TURN_NS, |arrival| latest = arrival.now)?;
        let swarm = &mut fleet.swarm;
        let run = fleet.run;
        pending.retain(|&(number, link)| {
            if !swarm.is_open(link) {
                return true;
            }
            let who = as_idle(run, number, plan);
            swarm.send(link, Template::new(who, VISITOR, lasts(plan)).stamped(HELLO, now));
            known = now;
            false
        });
        fleet.check_ended(plan)?;
        watch.tick(now, || Progress {
            phase: Phase::Connecting,
            done: u64::from(begun) - pending.len() as u64,
            total: u64::from(idle),
            deliveries: 0,
        });
    }
}

fn as_idle(run: u16, number: u32, plan: &Plan) -> Who {
    Who { run, number, kind: Kind::Visitor, team: number % plan.teams }
}
