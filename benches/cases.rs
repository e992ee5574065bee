//! What is measured: one run of load per case, and the figures taken from its reports.

use std::error::Error;
use std::time::Duration;

use loadtest::{Plan, Report, Scenario};

use crate::machine::Moment;
use crate::servers::{Kind, Server};

/// Figures of one run of a case, in the order of its rows.
pub(crate) type Figures = Vec<f64>;

/// An outcome, or why there is none.
pub(crate) type Measured = Result<Outcome, Box<dyn Error>>;

/// One load, and the rows of the table that come from it.
pub(crate) struct Case {
    /// What `SWARM_ONLY` calls it.
    pub(crate) key: &'static str,
    pub(crate) rows: &'static [Row],
    pub(crate) run: fn(Kind, &Settings) -> Measured,
}

/// One line of the table.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    /// Whether the figure that counts is TinyCoT's as a share of the baseline's, or its own.
    pub(crate) is_ratio: bool,
    pub(crate) must: f64,
    pub(crate) aim: f64,
    /// Whether more is better.
    pub(crate) is_more_better: bool,
}

/// What one run gave.
pub(crate) struct Outcome {
    pub(crate) figures: Figures,
    pub(crate) started_in: Duration,
    /// Deliveries lost and not superseded, repeated, out of order or altered; zero is demanded.
    pub(crate) faults: u64,
    /// Cores that other processes used meanwhile, or the host took; above some tenths, figures
    /// tell of them.
    pub(crate) others: f64,
    /// The generator's share of a core; near one, it measured itself.
    pub(crate) generator: f64,
}

/// How long and how hard, from the environment.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) seconds: f64,
    pub(crate) window: u32,
}

const fn most(what: &'static str, unit: &'static str, must: f64, aim: f64) -> Row {
    Row { what, unit, is_ratio: false, must, aim, is_more_better: false }
}

const fn ratio(what: &'static str, unit: &'static str, must: f64, aim: f64) -> Row {
    Row { what, unit, is_ratio: true, must, aim, is_more_better: false }
}

/// A figure that nothing is demanded of.
const fn note(what: &'static str, unit: &'static str) -> Row {
    most(what, unit, f64::INFINITY, f64::INFINITY)
}

/// The time from the start of a process to its word that it is ready, taken from every run.
pub(crate) const START: Row = most("start to `ready`", "ms", 50.0, 10.0);

pub(crate) const CASES: &[Case] = &[
    Case {
        key: "closed",
        rows: &[
            Row {
                what: "deliveries/s, 100 clients, closed loop",
                unit: "million",
                is_ratio: true,
                must: 0.7,
                aim: 0.95,
                is_more_better: true,
            },
            ratio("CPU per delivery, same run", "µs", 1.6, 1.1),
        ],
        run: closed,
    },
    Case {
        key: "pace",
        rows: &[
            ratio("p99 latency, 100 clients at 1 event/s each", "ms", 1.5, 1.1),
            most("resident memory in that run", "MB", 7.0, 4.5),
        ],
        run: pace,
    },
    Case {
        key: "idle",
        rows: &[most("resident memory per further idle client", "KiB", 6.0, 3.0)],
        run: idle,
    },
    Case {
        key: "stalled",
        rows: &[
            most("p99 of the others, 10 of 60 stalled, to none stalled", "ratio", 1.2, 1.0),
            note("resident memory in that run", "MB"),
            note("the stalled read on: slowest is up to date after", "ms"),
            note("events that each reads for that", "events"),
        ],
        run: stalled,
    },
    Case {
        key: "replay",
        rows: &[most("replay of 5,000 uids to a newcomer, p50", "ms", 100.0, 20.0)],
        run: replay,
    },
    Case {
        key: "churn",
        rows: &[most("500 joins and leaves/s: join seen by all, p99", "ms", 50.0, 5.0)],
        run: churn,
    },
];

fn closed(kind: Kind, settings: &Settings) -> Measured {
    let load = Load::start(kind)?;
    let report = load.run(settings, |plan| {
        plan.scenario = Scenario::Closed { window: settings.window };
    })?;
    let per = report.server.map_or(f64::NAN, |server| server.cpu_us_per_delivery);
    Ok(load.outcome(vec![report.deliveries_per_second / 1e6, per], &[report]))
}

fn pace(kind: Kind, settings: &Settings) -> Measured {
    let load = Load::start(kind)?;
    let report = load.run(settings, |_| {})?;
    Ok(load.outcome(vec![p99_ms(&report), rss_mb(&report)], &[report]))
}

fn idle(kind: Kind, settings: &Settings) -> Measured {
    let load = Load::start(kind)?;
    let report = load.run(settings, |plan| {
        plan.scenario = Scenario::Idle { idle: 1000 };
        plan.clients = 10;
    })?;
    let bytes = report.server.and_then(|server| server.rss_per_idle_client);
    Ok(load.outcome(vec![bytes.unwrap_or(f64::NAN) / 1024.0], &[report]))
}

/// Twenty events per second are 0.9 MB/s to each of sixty clients, so that the buffers between a
/// server and a client that reads nothing are full before figures are taken.
fn stalled(kind: Kind, settings: &Settings) -> Measured {
    let run = |load: &Load, stalled| {
        load.run(settings, |plan| {
            plan.scenario = Scenario::Open { rate: 20.0 };
            plan.clients = 60;
            plan.stalled = stalled;
            plan.warmup = Duration::from_secs_f64(settings.seconds.min(10.0));
        })
    };
    let without = run(&Load::start(kind)?, 0)?;
    let load = Load::start(kind)?;
    let with = run(&load, 10)?;
    let (slowest, events) = with.catch_up.map_or((f64::NAN, f64::NAN), |catch_up| {
        let whole = |count: u64| u32::try_from(count).map_or(f64::NAN, f64::from);
        (catch_up.slowest_us / 1e3, whole(catch_up.events) / whole(catch_up.clients))
    });
    let figures = vec![p99_ms(&with) / p99_ms(&without), rss_mb(&with), slowest, events];
    Ok(load.outcome(figures, &[with, without]))
}

fn replay(kind: Kind, settings: &Settings) -> Measured {
    let load = Load::start(kind)?;
    let report = load.run(settings, |plan| {
        plan.scenario = Scenario::Replay { uids: 5000, newcomers: 5 };
        plan.clients = 2;
        plan.patience = Duration::from_secs(if kind == Kind::Baseline { 1 } else { 5 });
    })?;
    let p50 = report.latency.map_or(f64::NAN, |latency| latency.p50_us / 1e3);
    // The baseline has no memory of what it passed on; only what a relay lacks is a fault.
    let counted = if kind == Kind::Baseline { vec![] } else { vec![report] };
    Ok(load.outcome(vec![p50], &counted))
}

fn churn(kind: Kind, settings: &Settings) -> Measured {
    let load = Load::start(kind)?;
    let report = load.run(settings, |plan| {
        plan.scenario = Scenario::Churn { joins: 500.0 };
    })?;
    Ok(load.outcome(vec![p99_ms(&report)], &[report]))
}

/// A server that was started for one run.
struct Load {
    server: Server,
    began: Moment,
}

impl Load {
    fn start(kind: Kind) -> Result<Self, Box<dyn Error>> {
        let began = Moment::now();
        Ok(Self { server: Server::start(kind)?, began })
    }

    /// Runs a plan; without a change it is 100 clients at one event per second.
    fn run(
        &self,
        settings: &Settings,
        change: impl FnOnce(&mut Plan),
    ) -> Result<Report, Box<dyn Error>> {
        let mut plan = Plan::new(self.server.addr, Scenario::Open { rate: 1.0 });
        plan.measure = Duration::from_secs_f64(settings.seconds);
        plan.pid = Some(self.server.pid());
        change(&mut plan);
        Ok(loadtest::run(&plan, &mut |_| {})?)
    }

    fn outcome(&self, figures: Figures, reports: &[Report]) -> Outcome {
        let faults = |report: &Report| {
            let lost = report.lost.saturating_sub(report.superseded);
            lost + report.duplicated + report.reordered + report.echoed + report.changed
        };
        let cores = reports.iter().filter_map(|report| report.generator_cores);
        Outcome {
            figures,
            started_in: self.server.started_in,
            faults: reports.iter().map(faults).sum(),
            others: self.began.others(self.server.pid()).unwrap_or(f64::NAN),
            generator: cores.fold(0.0, f64::max),
        }
    }
}

fn p99_ms(report: &Report) -> f64 {
    report.latency.map_or(f64::NAN, |latency| latency.p99_us / 1e3)
}

fn rss_mb(report: &Report) -> f64 {
    let mebibytes = |bytes: u64| u32::try_from(bytes / 1024).map_or(f64::NAN, f64::from) / 1e3;
    report.server.map_or(f64::NAN, |server| mebibytes(server.rss_after) * 1.024)
}
