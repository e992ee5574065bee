//! The relay's counters in the exposition format of Prometheus.
//!
//! Labels are reasons and codes from closed sets: no callsigns, no uids, no addresses.

mod packages;
mod storage;

use std::fmt::{self, Error};
use std::time::Instant;

use keeper::Monitor;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use relay::server::Relay;
use relay::{PerReason, Reason};

use super::process;

use crate::clock;
use crate::http::Packages;

/// A registry that reads the relay at every scrape. All names begin with `tinycot_`.
pub(super) fn registry(
    relay: Relay,
    monitor: Monitor,
    packages: Packages,
    started: Instant,
) -> Registry {
    let mut registry = Registry::with_prefix("tinycot");
    registry.register_collector(Box::new(Counters { relay, monitor, packages, started }));
    registry
}

struct Counters {
    relay: Relay,
    monitor: Monitor,
    packages: Packages,
    started: Instant,
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counters").finish_non_exhaustive()
    }
}

impl Collector for Counters {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let stats = self.relay.stats();
        let mut out = Writer { encoder };
        out.counter(
            "connections_received",
            "Connections admitted",
            None,
            stats.connections_received,
        )?;
        out.gauge("connections_open", "Connections open now", None, stats.connections_open)?;
        out.reasons("connections_refused", "Connections refused", &stats.connections_refused)?;
        out.reasons("connections_closed", "Connections closed", &stats.connections_closed)?;
        out.counter("received", "Bytes read from clients", Some(&Unit::Bytes), stats.bytes_in)?;
        out.counter("sent", "Bytes written to clients", Some(&Unit::Bytes), stats.bytes_out)?;
        out.counter("messages_in", "Complete messages read from clients", None, stats.events_in)?;
        out.counter("messages_out", "Messages written, one per recipient", None, stats.delivered)?;
        out.counter("messages_replayed", "Messages written to newcomers", None, stats.replayed)?;
        out.counter("events_accepted", "Events put into the log", None, stats.events_accepted)?;
        out.counter(
            "events_control",
            "Messages for the server itself",
            None,
            stats.events_control,
        )?;
        out.reasons("events_rejected", "Events that went nowhere", &stats.events_rejected)?;
        let invalid = stats.rejected.iter().copied();
        out.labelled("events_invalid", "Invalid input by what was wrong", "code", invalid)?;
        let superseded = "Messages not written because newer ones replaced them";
        out.counter("messages_conflated", superseded, None, stats.conflated)?;
        out.reasons("messages_dropped", "Messages lost for a recipient", &stats.dropped)?;
        out.gauge("state_events", "Events kept for newcomers", None, stats.state_events)?;
        out.gauge("state", "Events kept for newcomers", Some(&Unit::Bytes), stats.state_bytes)?;
        let evicted = "Events forgotten for want of memory";
        out.counter("state_evicted", evicted, None, stats.state_evicted)?;
        let refused = "Clients whose team had no place in the table";
        out.counter("teams_refused", refused, None, stats.teams_refused)?;
        out.gauge("emergencies_active", "Alerts that are repeated", None, stats.emergencies)?;
        out.gauge("event_log", "Events not read by all", Some(&Unit::Bytes), stats.log_bytes)?;
        out.counter(
            "events_submitted",
            "Events taken from HTTP requests",
            None,
            stats.events_submitted,
        )?;
        storage::encode(&mut out, &stats, &self.monitor)?;
        packages::encode(&mut out, &self.packages)?;
        self.encode_process(&mut out)
    }
}

impl Counters {
    fn encode_process(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let uptime = clock::now().duration_since(self.started).as_secs();
        out.gauge("uptime", "Time since the start", Some(&Unit::Seconds), uptime)?;
        if let Some(bytes) = process::resident_bytes() {
            out.gauge("resident_memory", "Memory in use", Some(&Unit::Bytes), bytes)?;
        }
        if let Some(seconds) = process::cpu_seconds() {
            let (name, help) = ("cpu", "Processor time used");
            let unit = Some(&Unit::Seconds);
            let metric = out.encoder.encode_descriptor(name, help, unit, MetricType::Counter)?;
            ConstCounter::new(seconds).encode(metric)?;
        }
        let info = out.encoder.encode_descriptor("build", "Version", None, MetricType::Info)?;
        let labels = [("version", env!("CARGO_PKG_VERSION"))];
        prometheus_client::metrics::info::Info::new(labels).encode(info)
    }
}

/// Writes one metric after another.
struct Writer<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Writer<'_> {
    fn counter(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        value: u64,
    ) -> Result<(), Error> {
        let metric = self.encoder.encode_descriptor(name, help, unit, MetricType::Counter)?;
        ConstCounter::new(value).encode(metric)
    }

    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        value: u64,
    ) -> Result<(), Error> {
        let metric = self.encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        ConstGauge::new(value).encode(metric)
    }

    fn reasons<R: Reason>(
        &mut self,
        name: &str,
        help: &str,
        counts: &PerReason<R>,
    ) -> Result<(), Error> {
        let values = counts.iter().map(|(reason, count)| (reason.as_str(), count));
        self.labelled(name, help, "reason", values)
    }

    fn labelled<'v>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl Iterator<Item = (&'v str, u64)>,
    ) -> Result<(), Error> {
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (value, count) in values {
            let labels = [(label, value)];
            let metric = family.encode_family(&labels)?;
            ConstCounter::new(count).encode(metric)?;
        }
        Ok(())
    }
}
