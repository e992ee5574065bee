//! Newcomers that get the picture.

use crate::clock::nanos;
use crate::closed::Closed;
use crate::event::{Kind, Template, Who};
use crate::fleet::{Fleet, lasts};
use crate::marker::{HELLO, VISITOR};
use crate::probe::Probe;
use crate::progress::{Phase, Watch};
use crate::report::{Latency, Report, number};
use crate::steady::{Pace, Snapshot, TURN_NS, server};
use crate::tally::histogram;
use crate::{LoadError, Plan, Progress};

/// Things that the publisher has under way while it fills the picture.
const WINDOW: u32 = 64;

/// What one newcomer got.
#[derive(Debug)]
struct Picture {
    has: Vec<bool>,
    missing: u32,
    duplicated: u64,
    others: u64,
}

/// Fills the picture with so many things, and times newcomers until they have it.
pub(crate) fn run(
    plan: &Plan,
    fleet: &mut Fleet,
    uids: u32,
    newcomers: u32,
    watch: &mut Watch<'_>,
) -> Result<Report, LoadError> {
    fill(plan, fleet, uids, watch)?;
    let probe = Probe::new(plan.pid);
    let mut latency = histogram();
    let mut report = Report::default();
    let before = Snapshot::take(probe)?;
    let begin = fleet.swarm.now();
    for newcomer in 0..newcomers {
        let mut picture = Picture::new(uids);
        let passed = picture.get(plan, fleet, newcomer)?;
        if picture.missing == 0 {
            latency.saturating_record(passed);
        }
        report.lost += u64::from(picture.missing);
        report.duplicated += picture.duplicated;
        report.others += picture.others;
        report.deliveries += u64::from(uids - picture.missing);
        watch.tick(fleet.swarm.now(), || Progress {
            phase: Phase::Measuring,
            done: u64::from(newcomer) + 1,
            total: u64::from(newcomers),
            deliveries: report.deliveries,
        });
    }
    let after = Snapshot::take(probe)?;
    let seconds = number(fleet.swarm.now() - begin) / 1e9;
    Ok(Report {
        scenario: format!("{newcomers} newcomers get {uids} things each"),
        clients: plan.clients,
        teams: plan.teams,
        seconds,
        sent: u64::from(uids),
        deliveries_per_second: number(report.deliveries) / seconds,
        latency: Latency::of(&latency),
        generator_cores: before.cores(&after, seconds),
        server: server(&before, &after, 0, report.deliveries),
        ..report
    })
}

/// The first client reports every thing once, until all others have all.
fn fill(plan: &Plan, fleet: &mut Fleet, uids: u32, watch: &mut Watch<'_>) -> Result<(), LoadError> {
    fleet.report_things(plan);
    let mut pace = Closed::new(WINDOW, fleet.hearers.clone(), Some(uids)).up_to(uids);
    let due = u64::from(uids) * u64::from(fleet.hearers.first().copied().unwrap_or(0));
    let patience = nanos(plan.patience);
    let begin = fleet.swarm.now();
    loop {
        let Fleet { swarm, tally, templates, .. } = &mut *fleet;
        let now = swarm.now();
        let deliveries = tally.ledger.counts().delivered;
        if deliveries >= due {
            return Ok(());
        }
        if now - tally.latest_ns.max(begin) > patience {
            let waited = plan.patience;
            return Err(LoadError::Unfilled { uids, delivered: deliveries, due, waited });
        }
        pace.send(now, swarm, templates);
        swarm.turn(now + TURN_NS, |arrival| {
            if let Some(fresh) = tally.arrive(arrival, templates) {
                pace.delivered(fresh);
            }
        })?;
        fleet.check_ended(plan)?;
        watch.tick(now, || Progress {
            phase: Phase::Preparing,
            done: deliveries,
            total: due,
            deliveries,
        });
    }
}

impl Picture {
    fn new(uids: u32) -> Self {
        Self { has: vec![false; uids as usize], missing: uids, duplicated: 0, others: 0 }
    }

    /// Connects newcomer `number` and reads until it has everything, or nothing more comes; the
    /// time from the begin of its connection to the last thing. Nanoseconds.
    fn get(&mut self, plan: &Plan, fleet: &mut Fleet, number: u32) -> Result<u64, LoadError> {
        let who = Who { run: fleet.run, number, kind: Kind::Visitor, team: 0 };
        let mut template = Template::new(who, VISITOR, lasts(plan));
        let begin = fleet.swarm.now();
        let link = fleet.swarm.connect(None, false)?;
        let (run, patience) = (fleet.run, nanos(plan.patience));
        let mut is_known = false;
        let mut latest = begin;
        while self.missing > 0 {
            let now = fleet.swarm.now();
            if now - latest > patience {
                break;
            }
            if !is_known && fleet.swarm.is_open(link) {
                is_known = true;
                fleet.swarm.send(link, template.stamped(HELLO, now));
            }
            fleet.swarm.turn(now + TURN_NS, |arrival| {
                if arrival.link != link {
                    return;
                }
                let marker = arrival.marker.filter(|marker| marker.run == run);
                let thing = marker.filter(|marker| marker.sender == 0);
                let place = thing.and_then(|thing| self.has.get_mut(thing.seq as usize));
                match place {
                    None => self.others += 1,
                    Some(true) => self.duplicated += 1,
                    Some(has) => {
                        *has = true;
                        self.missing -= 1;
                        latest = arrival.now;
                    }
                }
            })?;
            if let Some(&ended) = fleet.swarm.take_ended().first() {
                return Err(fleet.closed(plan, ended));
            }
        }
        fleet.swarm.close(link);
        Ok(latest - begin)
    }
}
