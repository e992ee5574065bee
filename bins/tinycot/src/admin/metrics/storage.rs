//! What is kept on disk, and what is held for those who are away.

use std::fmt::Error;

use keeper::{Condition, Monitor, StateStats};
use prometheus_client::registry::Unit;
use relay::Stats;
use store::dump::{DumpStats, GapReason};

use super::Writer;
use crate::clock;

const BYTES: Option<&Unit> = Some(&Unit::Bytes);

/// Writes what is held, and what is known of the parts that are in use.
pub(super) fn encode(out: &mut Writer<'_>, stats: &Stats, monitor: &Monitor) -> Result<(), Error> {
    encode_held(out, stats)?;
    let (health, kept) = (monitor.health(), monitor.stats());
    if let Some(state) = &kept.state {
        let help = "Whether the picture is stored as it should be";
        out.gauge("state_healthy", help, None, is_good(&health.state))?;
        encode_state(out, state)?;
    }
    if let Some(dump) = &kept.dump {
        let help = "Whether events are recorded as they should be";
        out.gauge("dump_healthy", help, None, is_good(&health.dump))?;
        encode_dump(out, dump)?;
        let help = "Operations that the disk of the dump refused";
        out.counter("dump_errors", help, None, kept.dump_errors)?;
        let waiting = kept.dump_queue_bytes as u64;
        out.gauge("dump_queue", "Events that wait to be recorded", BYTES, waiting)?;
    }
    Ok(())
}

fn encode_held(out: &mut Writer<'_>, stats: &Stats) -> Result<(), Error> {
    let help = "Events whose addressees were all away";
    out.counter("events_held", help, None, stats.events_held)?;
    out.counter("held", "Events put by, one for each addressee", None, stats.held)?;
    let help = "Events put by and delivered after a return";
    out.counter("held_delivered", help, None, stats.held_delivered)?;
    let help = "Events put by and dropped at their age";
    out.counter("held_expired", help, None, stats.held_expired)?;
    let help = "Events for somebody who is away that found no room";
    out.counter("held_refused", help, None, stats.held_refused)?;
    out.gauge("held_events", "Events put by now", None, stats.held_events)?;
    out.gauge("held", "Memory of those", BYTES, stats.held_bytes)
}

fn encode_state(out: &mut Writer<'_>, state: &StateStats) -> Result<(), Error> {
    out.counter("state_snapshots", "Snapshots of the picture", None, state.snapshots)?;
    out.gauge("state_snapshot", "Size of the last snapshot", BYTES, state.snapshot_bytes)?;
    out.gauge("state_journal", "Changes since it began", BYTES, state.journal_bytes)?;
    out.counter("state_syncs", "Times that changes were made durable", None, state.syncs)?;
    out.counter("state_changes", "Changes made durable", None, state.changes)?;
    out.counter("state_written", "State written, snapshots too", BYTES, state.written_bytes)?;
    let help = "Changes that came faster than the disk took them";
    out.counter("state_lost_changes", help, None, state.lost_changes)?;
    let help = "Operations that the disk of the state refused";
    out.counter("state_errors", help, None, state.errors)?;
    out.gauge("state_queue", "Changes that wait to be taken", BYTES, state.queue_bytes as u64)?;
    if let Some(synced) = state.synced {
        let age = clock::now().duration_since(synced).as_secs();
        let help = "Time since something was made durable";
        out.gauge("state_sync_age", help, Some(&Unit::Seconds), age)?;
    }
    Ok(())
}

fn encode_dump(out: &mut Writer<'_>, dump: &DumpStats) -> Result<(), Error> {
    out.counter("dump_events", "Events recorded", None, dump.events)?;
    out.counter("dump", "Bytes recorded, before compression", BYTES, dump.bytes)?;
    let dropped = GapReason::ALL.map(|reason| (reason.label(), dump.dropped.get(reason)));
    let help = "Events not recorded";
    out.labelled("dump_dropped", help, "reason", dropped.into_iter())?;
    out.counter("dump_gaps", "Gaps recorded", None, dump.gaps)?;
    out.counter("dump_rotated", "Files closed", None, dump.rotated)?;
    out.counter("dump_compressed", "Files compressed", None, dump.compressed)?;
    out.counter("dump_removed", "Files removed", None, dump.removed)?;
    out.gauge("dump_files", "Files of the dump", None, dump.files as u64)?;
    out.gauge("dump_stored", "What they take on disk", BYTES, dump.stored_bytes)
}

fn is_good(condition: &Condition) -> u64 {
    u64::from(*condition == Condition::Good)
}
