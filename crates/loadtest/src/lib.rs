//! A lean load generator for any server that speaks Cursor-on-Target as XML over plain TCP.
//!
//! One thread plays many clients that behave as phones do: each makes itself known with a position
//! report, pings when it hears nothing, and answers nothing. Every event carries a mark of fixed
//! width with its sender, its number and the time it was sent, so each single delivery is checked
//! for loss, repetition and order, and its latency is taken, for a few nanoseconds. That leaves the
//! processor to the server, which usually shares it.
//!
//! A [`Plan`] says what is done, [`run`] does it, and the [`Report`] says what came of it.
//!
//! # Examples
//!
//! ```no_run
//! use loadtest::{Plan, Scenario};
//!
//! let target = "127.0.0.1:8087".parse()?;
//! let plan = Plan::new(target, Scenario::Closed { window: 8 });
//! let report = loadtest::run(&plan, &mut |_| {})?;
//! println!("{report}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alarm;
mod catch_up;
mod churn;
mod clock;
mod closed;
mod error;
mod event;
mod fleet;
mod idle;
mod ledger;
mod marker;
mod meeting;
mod open;
mod plan;
mod probe;
mod progress;
mod replay;
mod report;
mod scan;
mod steady;
mod swarm;
mod tally;

pub use error::LoadError;
pub use plan::{Plan, Scenario};
pub use progress::{Phase, Progress};
pub use report::{CatchUp, Latency, Report, Server};

use closed::Closed;
use fleet::Fleet;
use open::Open;
use progress::Watch;

/// Does what the plan says, on the calling thread, and calls `progress` about five times a second.
///
/// Takes warm-up and measured time, and up to three times the plan's patience besides.
///
/// # Errors
///
/// If the plan cannot be, the server cannot be reached, drops a client that reads, or does not
/// bring the clients' reports to each other at the start. See [`LoadError`].
pub fn run(plan: &Plan, progress: &mut dyn FnMut(&Progress)) -> Result<Report, LoadError> {
    plan.check()?;
    let mut watch = Watch::new(progress);
    let mut fleet = Fleet::gather(plan, &mut watch)?;
    if plan.uids.is_some() {
        fleet.report_things(plan);
    }
    match plan.scenario {
        Scenario::Closed { window } => {
            let mut pace = Closed::new(window, fleet.hearers.clone(), plan.uids);
            let report = steady::run(plan, &mut fleet, &mut pace, &mut watch)?;
            Ok(Report {
                scenario: format!("closed loop, {window} events each under way"),
                ..report
            })
        }
        Scenario::Open { rate } => {
            let clients = fleet.templates.len();
            let mut pace = Open::new(fleet.swarm.now(), rate, clients, plan.uids);
            let report = steady::run(plan, &mut fleet, &mut pace, &mut watch)?;
            Ok(Report { scenario: format!("open loop, {rate} events/s each"), ..report })
        }
        Scenario::Churn { joins } => churn::run(plan, &mut fleet, joins, &mut watch),
        Scenario::Replay { uids, newcomers } => {
            replay::run(plan, &mut fleet, uids, newcomers, &mut watch)
        }
        Scenario::Idle { idle } => idle::run(plan, &mut fleet, idle, &mut watch),
    }
}
