//! The course of a run with steady clients: warm-up, measured time, draining.

use std::time::Duration;

use crate::catch_up;
use crate::clock::nanos;
use crate::event::Template;
use crate::fleet::Fleet;
use crate::probe::{Probe, Usage, own_cpu_ns};
use crate::progress::{Phase, Watch};
use crate::report::{Latency, Report, Server, number};
use crate::swarm::Swarm;
use crate::tally::Fresh;
use crate::{LoadError, Plan, Progress};

/// Longest wait of one turn, so that phases and progress are looked at. Nanoseconds.
pub(crate) const TURN_NS: u64 = 50_000_000;

/// Time after the last delivery that was due in which repeated ones are still found. Nanoseconds.
const SETTLE_NS: u64 = 100_000_000;

/// When events are sent.
pub(crate) trait Pace {
    /// Learns of a delivery.
    fn delivered(&mut self, fresh: Fresh);

    /// Sends what is due.
    fn send(&mut self, now: u64, swarm: &mut Swarm, templates: &mut [Template]);

    /// Events sent so far, per client.
    fn sent(&self) -> &[u32];

    /// Events that were due and that no socket has taken.
    fn owed(&self) -> u64;

    /// When the next event is due, if time decides that.
    fn next_ns(&self) -> Option<u64>;

    /// Gives up waiting for deliveries that have been under way for too long.
    fn give_up(&mut self, now: u64, patience: u64);
}

/// Runs a fleet at a pace, and reports.
pub(crate) fn run(
    plan: &Plan,
    fleet: &mut Fleet,
    pace: &mut impl Pace,
    watch: &mut Watch<'_>,
) -> Result<Report, LoadError> {
    let probe = Probe::new(plan.pid);
    let patience = nanos(plan.patience);
    let start = fleet.swarm.now();
    let begin = start + nanos(plan.warmup);
    // Early enough that the buffers between are full when figures are taken.
    let stall = start + nanos(plan.warmup / 2);
    let mut is_stalled = false;
    let end = begin + nanos(plan.measure);
    fleet.tally.begin_ns = begin;
    fleet.tally.end_ns = end;
    let mut before: Option<Snapshot> = None;
    let mut peak = 0;
    let mut now = start;
    while now < end {
        let until = pace.next_ns().unwrap_or(u64::MAX).min(now + TURN_NS).min(end);
        let Fleet { swarm, tally, templates, .. } = &mut *fleet;
        swarm.turn(until, |arrival| {
            if let Some(fresh) = tally.arrive(arrival, templates) {
                pace.delivered(fresh);
            }
        })?;
        now = swarm.now();
        pace.send(now, swarm, templates);
        fleet.check_ended(plan)?;
        if before.is_none() && now >= begin {
            before = Some(Snapshot::take(probe)?);
        }
        if now >= stall && !is_stalled {
            is_stalled = true;
            fleet.stall();
        }
        let deliveries = fleet.tally.ledger.counts().delivered;
        if watch.tick(now, || progress(plan, now - start, deliveries)) {
            pace.give_up(now, patience);
            peak = peak.max(probe.usage()?.map_or(0, |usage| usage.rss));
        }
    }
    let after = Snapshot::take(probe)?;
    drain(plan, fleet, pace, end, watch)?;
    let before = before.unwrap_or_default();
    let report = report(plan, fleet, pace.sent(), before, after, peak);
    let catch_up = catch_up::run(plan, fleet, pace.sent(), watch)?;
    Ok(Report { unsent: pace.owed(), catch_up, ..report })
}

/// Usage of the server and of this thread at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Snapshot {
    server: Option<Usage>,
    own_ns: Option<u64>,
}

impl Snapshot {
    pub(crate) fn take(probe: Probe) -> Result<Self, LoadError> {
        Ok(Self { server: probe.usage()?, own_ns: own_cpu_ns() })
    }

    /// Processor time of this thread up to `after`, in cores over so many seconds.
    pub(crate) fn cores(&self, after: &Self, seconds: f64) -> Option<f64> {
        let (before, after) = self.own_ns.zip(after.own_ns)?;
        Some(number(after.saturating_sub(before)) / 1e9 / seconds)
    }
}

fn progress(plan: &Plan, passed: u64, deliveries: u64) -> Progress {
    let millis = |duration: Duration| nanos(duration) / 1_000_000;
    let passed = passed / 1_000_000;
    let warmup = millis(plan.warmup);
    let (phase, done, total) = if passed < warmup {
        (Phase::WarmingUp, passed, warmup)
    } else {
        (Phase::Measuring, passed - warmup, millis(plan.measure))
    };
    Progress { phase, done, total, deliveries }
}

/// Deliveries that the events sent so far should make.
fn due(hearers: &[u32], sent: &[u32]) -> u64 {
    hearers.iter().zip(sent).map(|(hearers, sent)| u64::from(*hearers) * u64::from(*sent)).sum()
}

/// Reads on until all that is due has come, or nothing has for as long as patience lasts.
fn drain(
    plan: &Plan,
    fleet: &mut Fleet,
    pace: &mut impl Pace,
    end: u64,
    watch: &mut Watch<'_>,
) -> Result<(), LoadError> {
    let patience = nanos(plan.patience);
    loop {
        let Fleet { swarm, tally, templates, hearers, .. } = &mut *fleet;
        if pace.owed() > 0 {
            // What became due within the time is sent, so that its wait is counted.
            pace.send(end, swarm, templates);
        }
        let delivered = tally.ledger.counts().delivered;
        let now = swarm.now();
        let idle = now - tally.latest_ns.max(end);
        let is_done = pace.owed() == 0 && delivered >= due(hearers, pace.sent());
        if idle > if is_done { SETTLE_NS } else { patience } {
            return Ok(());
        }
        swarm.turn(now + SETTLE_NS / 4, |arrival| {
            tally.arrive(arrival, templates);
        })?;
        fleet.check_ended(plan)?;
        watch.tick(now, || Progress {
            phase: Phase::Draining,
            done: idle / 1_000_000,
            total: patience / 1_000_000,
            deliveries: delivered,
        });
    }
}

fn report(
    plan: &Plan,
    fleet: &Fleet,
    sent: &[u32],
    before: Snapshot,
    after: Snapshot,
    peak: u64,
) -> Report {
    let tally = &fleet.tally;
    let counts = tally.ledger.counts();
    let seconds = plan.measure.as_secs_f64();
    Report {
        clients: plan.clients,
        stalled: plan.stalled,
        teams: plan.teams,
        seconds,
        sent: sent.iter().map(|sent| u64::from(*sent)).sum(),
        deliveries: tally.measured,
        deliveries_per_second: number(tally.measured) / seconds,
        lost: due(&fleet.hearers, sent).saturating_sub(counts.delivered),
        superseded: counts.skipped,
        duplicated: counts.duplicated,
        reordered: counts.reordered,
        echoed: counts.echoed,
        leaked: counts.leaked,
        changed: tally.changed,
        compared: tally.compared,
        others: tally.others,
        stalled_closed: fleet.stalled_closed,
        latency: Latency::of(&tally.latency),
        generator_cores: before.cores(&after, seconds),
        server: server(&before, &after, peak, tally.measured),
        ..Report::default()
    }
}

/// What the server used between two moments.
pub(crate) fn server(
    before: &Snapshot,
    after: &Snapshot,
    peak: u64,
    deliveries: u64,
) -> Option<Server> {
    let (before, after) = before.server.zip(after.server)?;
    let cpu_seconds = number(after.cpu_ns.saturating_sub(before.cpu_ns)) / 1e9;
    let per = if deliveries == 0 { 0.0 } else { cpu_seconds * 1e6 / number(deliveries) };
    Some(Server {
        cpu_seconds,
        cpu_us_per_delivery: per,
        rss_before: before.rss,
        rss_after: after.rss,
        rss_peak: peak.max(before.rss).max(after.rss),
        rss_per_idle_client: None,
    })
}
