//! What a run found.

use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Share of a core from which on the generator is what limits a run.
const BUSY: f64 = 0.9;

/// What a run found. `Display` writes it as lines for people.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The scenario and its number, such as `open, 1 event/s each`.
    pub scenario: String,
    /// Steady clients, stalled ones among them.
    pub clients: u32,
    /// Clients that stopped reading.
    pub stalled: u32,
    /// Teams.
    pub teams: u32,
    /// Measured time. Seconds.
    pub seconds: f64,
    /// Events sent from the first of the warm-up to the last.
    pub sent: u64,
    /// Events that were due and that the server did not take until the run ended.
    pub unsent: u64,
    /// Deliveries within the measured time, to clients that read.
    pub deliveries: u64,
    /// Deliveries per second of the measured time.
    pub deliveries_per_second: f64,
    /// Deliveries that were due over the whole run and never came.
    pub lost: u64,
    /// Those of the lost where a later event of the same sender came: what a server that sends
    /// only the newest position to a slow client leaves out.
    pub superseded: u64,
    /// Deliveries of an event that the client had already.
    pub duplicated: u64,
    /// Deliveries behind a later event of the same sender.
    pub reordered: u64,
    /// Deliveries to the sender itself.
    pub echoed: u64,
    /// Deliveries to a client of another team, where teams are isolated.
    pub leaked: u64,
    /// Of one delivery in 64, those whose text was not what had been sent.
    pub changed: u64,
    /// Deliveries whose text was compared.
    pub compared: u64,
    /// Events from the server or about others: pongs, notices, leftovers of other runs.
    pub others: u64,
    /// Stalled clients that the server closed.
    pub stalled_closed: u32,
    /// How the stalled clients came up to date when they read again, after all was measured.
    pub catch_up: Option<CatchUp>,
    /// From sent (or due to be sent) to received, of the measured time. In a run of churn, from
    /// a client's turn to come until all steady clients saw it; in a replay, until the newcomer
    /// has all.
    pub latency: Option<Latency>,
    /// Processor time of this load generator over the measured time, in cores. A run with more
    /// than 0.9 measured the generator.
    pub generator_cores: Option<f64>,
    /// What the server used, if its process was given.
    pub server: Option<Server>,
}

/// A distribution of times. Microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[non_exhaustive]
pub struct Latency {
    /// Measured times.
    pub count: u64,
    /// Half are at most this.
    pub p50_us: f64,
    /// 99 of 100 are at most this.
    pub p99_us: f64,
    /// 999 of 1000 are at most this.
    pub p999_us: f64,
    /// All are at most this.
    pub max_us: f64,
}

/// How clients that had stalled came up to date.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[non_exhaustive]
pub struct CatchUp {
    /// Stalled clients that the server had not closed.
    pub clients: u64,
    /// Those of them that got the last event of every sender.
    pub complete: u64,
    /// From the moment they read again to the last of those events. Microseconds.
    pub slowest_us: f64,
    /// Deliveries to them all in that time: what they had to wade through.
    pub events: u64,
}

/// What the server's process used.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[non_exhaustive]
pub struct Server {
    /// Processor time over the measured time. Seconds.
    pub cpu_seconds: f64,
    /// The same per delivery. Microseconds; 0 without deliveries.
    pub cpu_us_per_delivery: f64,
    /// Resident memory when the measured time began. Bytes.
    pub rss_before: u64,
    /// Resident memory when the measured time ended. Bytes.
    pub rss_after: u64,
    /// Most resident memory seen within the measured time. Bytes.
    pub rss_peak: u64,
    /// Resident memory per idle client. Bytes; only of an idle run.
    pub rss_per_idle_client: Option<f64>,
}

impl Latency {
    /// The figures of a histogram of nanoseconds; nothing if it is empty.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let at = |quantile| micros(histogram.value_at_quantile(quantile));
        (!histogram.is_empty()).then(|| Self {
            count: histogram.len(),
            p50_us: at(0.5),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: micros(histogram.max()),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} clients", self.clients)?;
        if self.teams > 1 {
            write!(f, " in {} teams", self.teams)?;
        }
        if self.stalled > 0 {
            write!(f, ", {} stalled ({} closed)", self.stalled, self.stalled_closed)?;
        }
        writeln!(f, ", {}, {:.1} s", self.scenario, self.seconds)?;
        writeln!(
            f,
            "deliveries   {:.0}/s, {} in the measured time; {} events sent, warm-up included",
            self.deliveries_per_second, self.deliveries, self.sent
        )?;
        if self.unsent > 0 {
            writeln!(f, "unsent       {} events that the server did not take", self.unsent)?;
        }
        if let Some(latency) = self.latency {
            writeln!(
                f,
                "latency      p50 {}, p99 {}, p99.9 {}, max {}",
                Time(latency.p50_us),
                Time(latency.p99_us),
                Time(latency.p999_us),
                Time(latency.max_us)
            )?;
        }
        writeln!(
            f,
            "faults       lost {} (superseded {}), duplicated {}, reordered {}, echoed {}, leaked {}",
            self.lost, self.superseded, self.duplicated, self.reordered, self.echoed, self.leaked
        )?;
        writeln!(
            f,
            "texts        changed {} of {} compared; other events {}",
            self.changed, self.compared, self.others
        )?;
        if let Some(CatchUp { clients, complete, slowest_us, events }) = self.catch_up {
            writeln!(
                f,
                "catching up  {complete} of {clients} stalled clients in {} through {events} events",
                Time(slowest_us)
            )?;
        }
        if let Some(server) = self.server {
            writeln!(
                f,
                "server       {:.2} s CPU, {:.3} µs per delivery; memory {:.1} MB, at most {:.1} MB",
                server.cpu_seconds,
                server.cpu_us_per_delivery,
                megabytes(server.rss_after),
                megabytes(server.rss_peak)
            )?;
            if let Some(bytes) = server.rss_per_idle_client {
                writeln!(f, "             {:.2} KiB per idle client", bytes / 1024.0)?;
            }
        }
        if let Some(cores) = self.generator_cores {
            let note = if cores > BUSY { ": it was the limit, not the server" } else { "" };
            writeln!(f, "generator    {cores:.2} cores{note}")?;
        }
        Ok(())
    }
}

/// Microseconds in the unit that reads best.
struct Time(f64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(us) = *self;
        if us < 1e3 {
            write!(f, "{us:.0} µs")
        } else if us < 1e6 {
            write!(f, "{:.2} ms", us / 1e3)
        } else {
            write!(f, "{:.2} s", us / 1e6)
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people; exact below 104 days")]
pub(crate) fn micros(ns: u64) -> f64 {
    ns as f64 / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "figures for people; exact below 9 petabytes")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

fn megabytes(bytes: u64) -> f64 {
    number(bytes) / 1e6
}
