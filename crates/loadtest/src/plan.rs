//! What a run does.

use std::net::SocketAddr;
use std::time::Duration;

use crate::LoadError;
use crate::marker;

/// What a run does: the server, the clients, and what they do.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use loadtest::{Plan, Scenario};
///
/// let target = "127.0.0.1:8087".parse()?;
/// let mut plan = Plan::new(target, Scenario::Open { rate: 1.0 });
/// plan.clients = 20;
/// plan.measure = Duration::from_secs(10);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Plan {
    /// The server's address, where it speaks Cursor-on-Target as XML over plain TCP.
    pub target: SocketAddr,
    /// What the clients do.
    pub scenario: Scenario,
    /// Clients of the whole run, 2 to 60,000. Defaults to 100.
    pub clients: u32,
    /// Teams that clients are spread over in turn, at least 1. Defaults to 1.
    pub teams: u32,
    /// Whether a client must hear its own team and nobody else. Defaults to false: everyone hears
    /// everyone, whatever the team.
    pub isolated: bool,
    /// Clients that stop reading halfway through the warm-up, but go on sending. Defaults to 0.
    ///
    /// They are left out of every figure, and the figures of the others tell what they suffer.
    /// When all is measured they read again, and the report says how soon they are up to date.
    /// Closed and open loops only.
    pub stalled: u32,
    /// If given, only one client sends, and reports so many things in turn, as a gateway does.
    /// Closed and open loops only.
    pub uids: Option<u32>,
    /// Time between two clients that connect at the start. Defaults to 0: as fast as it goes.
    ///
    /// For servers that take one newcomer at a time, and close those that have said too much by
    /// then.
    pub join_gap: Duration,
    /// Time between the connection of a client and its first report. Defaults to 0.
    ///
    /// For servers that lose what comes before they have prepared everything for a newcomer.
    pub hello_after: Duration,
    /// Time after which clients that some have not heard at the start report themselves again,
    /// more than 0. Defaults to 0.5 s.
    pub hello_every: Duration,
    /// Time for which figures are taken. Defaults to 10 s.
    pub measure: Duration,
    /// Time of the same load before that. Defaults to 2 s.
    pub warmup: Duration,
    /// Time without any delivery after which what is missing is given up, more than 0. Defaults to
    /// 5 s.
    pub patience: Duration,
    /// The server's process on this machine, to observe its processor time and memory.
    pub pid: Option<u32>,
}

/// What the clients of a run do.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Scenario {
    /// As many events as the server can deliver, and no more: throughput without loss.
    Closed {
        /// Events that each client has under way; it sends the next when the oldest has arrived
        /// everywhere. 1 to 4,096.
        window: u32,
    },
    /// Events at a fixed pace, spread evenly over time and clients: latency under a given load.
    ///
    /// Latency counts from when an event should have been sent. An event that waits because the
    /// server does not take it counts its wait.
    Open {
        /// Events per second and client. Above 0, at most 100,000.
        rate: f64,
    },
    /// Clients come, make themselves known, are seen by all steady clients, and leave.
    Churn {
        /// Clients that come per second. Above 0, at most 10,000.
        joins: f64,
    },
    /// A newcomer gets the picture: the time from its connection to the last of so many things.
    Replay {
        /// Things that a publisher reports before. 1 to 1,000,000.
        uids: u32,
        /// Newcomers, one after the other. At least 1.
        newcomers: u32,
    },
    /// Clients that make themselves known, then stay idle: memory for each.
    Idle {
        /// Idle clients, besides the steady ones that send once a second. 1 to 60,000.
        idle: u32,
    },
}

impl Plan {
    /// A plan with the defaults given at each field.
    pub fn new(target: SocketAddr, scenario: Scenario) -> Self {
        Self {
            target,
            scenario,
            clients: 100,
            teams: 1,
            isolated: false,
            stalled: 0,
            uids: None,
            join_gap: Duration::ZERO,
            hello_after: Duration::ZERO,
            hello_every: Duration::from_millis(500),
            measure: Duration::from_secs(10),
            warmup: Duration::from_secs(2),
            patience: Duration::from_secs(5),
            pid: None,
        }
    }

    /// Refuses what cannot be, by name.
    pub(crate) fn check(&self) -> Result<(), LoadError> {
        let refuse = |key, value: String, rule| Err(LoadError::Plan { key, rule, value });
        let most = u32::from(marker::VISITOR) - 1;
        if !(2..=most.min(60_000)).contains(&self.clients) {
            return refuse("clients", self.clients.to_string(), "2 to 60000 are possible");
        }
        if self.teams == 0 || self.teams > self.clients / 2 {
            let rule = "each team needs two clients, and there is at least one team";
            return refuse("teams", self.teams.to_string(), rule);
        }
        if self.stalled > self.clients.saturating_sub(2 * self.teams) {
            let rule = "two clients of each team must go on reading";
            return refuse("stalled", self.stalled.to_string(), rule);
        }
        if self.uids == Some(0) {
            return refuse("uids", "0".to_string(), "a gateway reports at least one thing");
        }
        if self.measure.is_zero() {
            return refuse("seconds", "0".to_string(), "something must be measured");
        }
        if self.patience.is_zero() {
            return refuse("patience", "0".to_string(), "deliveries take time");
        }
        if self.hello_every.is_zero() {
            return refuse("hello-every", "0".to_string(), "an answer takes time");
        }
        let is_loop = matches!(self.scenario, Scenario::Closed { .. } | Scenario::Open { .. });
        if !is_loop && self.stalled > 0 {
            let rule = "clients stall in closed and open loops only";
            return refuse("stalled", self.stalled.to_string(), rule);
        }
        if let (Some(uids), false) = (self.uids, is_loop) {
            let rule = "gateways send in closed and open loops only";
            return refuse("uids", uids.to_string(), rule);
        }
        let within = |value: f64, most: f64| value > 0.0 && value <= most;
        match self.scenario {
            Scenario::Closed { window } if !(1..=4096).contains(&window) => {
                refuse("window", window.to_string(), "1 to 4096 are possible")
            }
            Scenario::Open { rate } if !within(rate, 100_000.0) => {
                refuse("rate", rate.to_string(), "it must be above 0 and at most 100000")
            }
            Scenario::Churn { joins } if !within(joins, 10_000.0) => {
                refuse("churn", joins.to_string(), "it must be above 0 and at most 10000")
            }
            Scenario::Replay { uids, .. } if !(1..=1_000_000).contains(&uids) => {
                refuse("replay", uids.to_string(), "1 to 1000000 are possible")
            }
            Scenario::Replay { newcomers: 0, .. } => {
                refuse("newcomers", "0".to_string(), "somebody must come")
            }
            Scenario::Idle { idle } if !(1..=60_000).contains(&idle) => {
                refuse("idle", idle.to_string(), "1 to 60000 are possible")
            }
            _ => Ok(()),
        }
    }
}
