//! Clients that come, are seen by all steady ones, and leave.

use std::collections::{HashMap, VecDeque};

use hdrhistogram::Histogram;

use crate::clock::nanos;
use crate::event::{Kind, Template, Who};
use crate::fleet::{Fleet, lasts};
use crate::marker::VISITOR;
use crate::probe::Probe;
use crate::progress::{Phase, Watch};
use crate::report::{Latency, Report, number};
use crate::steady::{Snapshot, TURN_NS, server};
use crate::swarm::Arrival;
use crate::tally::histogram;
use crate::{LoadError, Plan, Progress};

/// Passing clients and who has seen them.
#[derive(Debug)]
struct Churn {
    run: u16,
    /// Team that each steady client hears, all zero where everyone hears everyone.
    teams: Vec<u32>,
    /// Steady clients per such team.
    sizes: Vec<u32>,
    visitors: HashMap<u32, Visitor>,
    /// Visitors that have come, in that order; some have left.
    order: VecDeque<u32>,
    /// Visitors whose connection is not up.
    connecting: Vec<u32>,
    /// Visitors that all have seen.
    seen: Vec<u32>,
    latency: Histogram<u64>,
    begin_ns: u64,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    delivered: u64,
    measured: u64,
    duplicated: u64,
    leaked: u64,
    others: u64,
    lost: u64,
}

#[derive(Debug)]
struct Visitor {
    link: usize,
    due_ns: u64,
    team: u32,
    /// Steady clients that must see it and have not.
    left: u32,
    /// Steady clients that have.
    by: Vec<bool>,
}

/// Lets clients come and go at a fixed pace, and reports when all had seen each.
pub(crate) fn run(
    plan: &Plan,
    fleet: &mut Fleet,
    joins: f64,
    watch: &mut Watch<'_>,
) -> Result<Report, LoadError> {
    let probe = Probe::new(plan.pid);
    let start = fleet.swarm.now();
    let begin = start + nanos(plan.warmup);
    let end = begin + nanos(plan.measure);
    let interval = 1e9 / joins;
    let mut churn = Churn::new(plan, fleet, begin);
    let mut before: Option<Snapshot> = None;
    let mut peak = 0;
    let mut after = Snapshot::default();
    let mut is_over = false;
    let mut come = 0_u32;
    loop {
        let now = fleet.swarm.now();
        let due = start + due_after(interval, come);
        if before.is_none() && now >= begin {
            before = Some(Snapshot::take(probe)?);
        }
        if now >= end && !is_over {
            is_over = true;
            after = Snapshot::take(probe)?;
        }
        if is_over && churn.visitors.is_empty() {
            break;
        }
        if due <= now && due < end {
            churn.come(plan, fleet, come, due)?;
            come += 1;
            continue;
        }
        let until = if due < end { due.min(now + TURN_NS) } else { now + TURN_NS };
        fleet.swarm.turn(until, |arrival| churn.arrive(arrival))?;
        churn.tend(plan, fleet)?;
        if watch.tick(now, || churn.progress(plan, now - start)) {
            peak = peak.max(probe.usage()?.map_or(0, |usage| usage.rss));
        }
    }
    let Counts { delivered: _, measured, duplicated, leaked, others, lost } = churn.counts;
    let before = before.unwrap_or_default();
    let seconds = plan.measure.as_secs_f64();
    Ok(Report {
        scenario: format!("{joins} clients come and go per second"),
        clients: plan.clients,
        teams: plan.teams,
        seconds,
        sent: u64::from(come),
        deliveries: measured,
        deliveries_per_second: number(measured) / seconds,
        lost,
        duplicated,
        leaked,
        others,
        latency: Latency::of(&churn.latency),
        generator_cores: before.cores(&after, seconds),
        server: server(&before, &after, peak, measured),
        ..Report::default()
    })
}

impl Churn {
    fn new(plan: &Plan, fleet: &Fleet, begin_ns: u64) -> Self {
        let mut sizes = vec![0; plan.teams as usize];
        for &team in &fleet.teams {
            if let Some(size) = sizes.get_mut(team as usize) {
                *size += 1;
            }
        }
        Self {
            run: fleet.run,
            teams: fleet.teams.clone(),
            sizes,
            visitors: HashMap::new(),
            order: VecDeque::new(),
            connecting: Vec::new(),
            seen: Vec::new(),
            latency: histogram(),
            begin_ns,
            counts: Counts::default(),
        }
    }

    /// Lets visitor `number` connect.
    fn come(
        &mut self,
        plan: &Plan,
        fleet: &mut Fleet,
        number: u32,
        due_ns: u64,
    ) -> Result<(), LoadError> {
        let link = fleet.swarm.connect(None, false)?;
        let team = if plan.isolated { number % plan.teams } else { 0 };
        let left = self.sizes.get(team as usize).copied().unwrap_or(0);
        let by = vec![false; self.teams.len()];
        self.visitors.insert(number, Visitor { link, due_ns, team, left, by });
        self.order.push_back(number);
        self.connecting.push(number);
        Ok(())
    }

    fn arrive(&mut self, arrival: &Arrival<'_>) {
        let marker = arrival.marker.filter(|marker| marker.run == self.run);
        let Some(marker) = marker.filter(|marker| marker.sender == VISITOR) else {
            self.counts.others += 1;
            return;
        };
        // What visitors get of each other, and what comes after they left, is not asked for.
        let Some(&team) = self.teams.get(arrival.link) else { return };
        let Some(visitor) = self.visitors.get_mut(&marker.seq) else { return };
        let Some(by) = visitor.by.get_mut(arrival.link) else { return };
        if team != visitor.team {
            self.counts.leaked += 1;
        } else if std::mem::replace(by, true) {
            self.counts.duplicated += 1;
        } else {
            visitor.left -= 1;
            self.counts.delivered += 1;
            let is_measured = visitor.due_ns >= self.begin_ns;
            self.counts.measured += u64::from(is_measured);
            if visitor.left == 0 {
                self.seen.push(marker.seq);
                if is_measured {
                    let passed = arrival.now.saturating_sub(visitor.due_ns);
                    self.latency.saturating_record(passed);
                }
            }
        }
    }

    /// Sends the reports of those that are connected, and closes those that are done.
    fn tend(&mut self, plan: &Plan, fleet: &mut Fleet) -> Result<(), LoadError> {
        for link in fleet.swarm.take_ended() {
            if link < self.teams.len() {
                return Err(fleet.closed(plan, link));
            }
            // A visitor that the server closed is missed by all who have not seen it.
            let number = self.visitors.iter().find(|(_, visitor)| visitor.link == link);
            if let Some(&number) = number.map(|(number, _)| number) {
                self.lose(number);
            }
        }
        let (run, visitors) = (self.run, &self.visitors);
        self.connecting.retain(|&number| {
            let Some(Visitor { link, due_ns, .. }) = visitors.get(&number) else { return false };
            if !fleet.swarm.is_open(*link) {
                return true;
            }
            let team = number % plan.teams;
            let who = Who { run, number, kind: Kind::Visitor, team };
            let mut template = Template::new(who, VISITOR, lasts(plan));
            fleet.swarm.send(*link, template.stamped(number, *due_ns));
            false
        });
        for number in self.seen.drain(..) {
            if let Some(visitor) = self.visitors.remove(&number) {
                fleet.swarm.close(visitor.link);
            }
        }
        let oldest = fleet.swarm.now().saturating_sub(nanos(plan.patience));
        while let Some(number) = self.order.front().copied() {
            match self.visitors.get(&number) {
                Some(visitor) if visitor.due_ns >= oldest => break,
                Some(visitor) => {
                    fleet.swarm.close(visitor.link);
                    self.lose(number);
                }
                None => {}
            }
            self.order.pop_front();
        }
        Ok(())
    }

    fn lose(&mut self, number: u32) {
        if let Some(visitor) = self.visitors.remove(&number) {
            self.counts.lost += u64::from(visitor.left);
        }
    }

    fn progress(&self, plan: &Plan, passed_ns: u64) -> Progress {
        let total = nanos(plan.warmup + plan.measure) / 1_000_000;
        let done = (passed_ns / 1_000_000).min(total);
        Progress { phase: Phase::Measuring, done, total, deliveries: self.counts.delivered }
    }
}

/// When visitor `number` is due. Nanoseconds from the start.
fn due_after(interval_ns: f64, number: u32) -> u64 {
    nanos(std::time::Duration::from_secs_f64(interval_ns * f64::from(number) / 1e9))
}
