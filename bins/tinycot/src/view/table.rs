//! Rows to columns.

use super::text::{age, cell, whole};
use crate::admin::api::{ClientRow, ContactRow, Counts, StatsTable, TeamRow};

/// A title and how its column is aligned.
pub(crate) type Column = (&'static str, Align);

/// Which side of its column a cell keeps to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

use Align::{Left, Right};

pub(super) fn clients(rows: &[ClientRow]) -> String {
    let columns = [
        ("CALLSIGN", Left),
        ("UID", Left),
        ("TEAM", Left),
        ("ROLE", Left),
        ("ADDRESS", Left),
        ("PROTOCOL", Left),
        ("LAST IN", Right),
        ("LAST OUT", Right),
        ("LAG", Right),
        ("CONFLATED", Right),
        ("DROPPED", Left),
    ];
    let line = |row: &ClientRow| {
        let lag = if row.stalled { format!("{} stalled", row.lag) } else { row.lag.to_string() };
        vec![
            cell(&row.callsign),
            cell(&row.uid),
            cell(&row.team),
            cell(&row.role),
            cell(row.address.as_deref().unwrap_or_default()),
            cell(&format!("{}/{}", row.transport, row.protocol)),
            row.last_in_ms.map_or_else(|| "-".to_owned(), age),
            row.last_out_ms.map_or_else(|| "-".to_owned(), age),
            lag,
            row.conflated.to_string(),
            why(&row.dropped),
        ]
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    layout(&columns, &lines) + &format!("{}\n", counted(rows.len(), "client"))
}

pub(super) fn contacts(rows: &[ContactRow]) -> String {
    let columns = [
        ("CALLSIGN", Left),
        ("UID", Left),
        ("TEAM", Left),
        ("ROLE", Left),
        ("TYPE", Left),
        ("ENDPOINT", Left),
        ("LAST SEEN", Right),
    ];
    let line = |row: &ContactRow| {
        vec![
            cell(&row.callsign),
            cell(&row.uid),
            cell(&row.team),
            cell(&row.role),
            cell(&row.kind),
            cell(&row.endpoint),
            age(row.last_seen_ms),
        ]
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    layout(&columns, &lines) + &format!("{}\n", counted(rows.len(), "contact"))
}

pub(super) fn teams(rows: &[TeamRow]) -> String {
    let columns = [("TEAM", Left), ("CLIENTS", Right), ("RECEIVES FROM", Left)];
    let line = |row: &TeamRow| {
        let from: Vec<_> = row.receives_from.iter().map(|team| cell(team)).collect();
        vec![cell(&row.name), row.clients.to_string(), from.join(", ")]
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    layout(&columns, &lines)
}

pub(super) fn stats(stats: &StatsTable) -> String {
    let number = |name: &str, value: u64| vec![name.to_owned(), value.to_string()];
    let reasons = |name: &str, counts: &Counts| vec![name.to_owned(), why(counts)];
    let mut lines = vec![
        number("connections open", stats.connections_open),
        number("connections received", stats.connections_received),
        reasons("connections refused", &stats.connections_refused),
        reasons("connections closed", &stats.connections_closed),
        number("messages in", stats.messages_in),
        number("messages out", stats.messages_out),
        number("messages replayed", stats.replayed),
        number("bytes in", stats.bytes_in),
        number("bytes out", stats.bytes_out),
        number("events accepted", stats.accepted),
        number("control messages", stats.control),
        reasons("events rejected", &stats.rejected),
        reasons("invalid input", &stats.invalid),
        number("conflated", stats.conflated),
        reasons("dropped", &stats.dropped),
        number("events kept", stats.state_events),
        number("bytes kept", stats.state_bytes),
        number("events forgotten", stats.state_evicted),
        number("teams refused", stats.teams_refused),
        number("active alerts", stats.emergencies),
        number("event log bytes", stats.event_log_bytes),
        number("events held", stats.events_held),
        number("held for addressees", stats.held),
        number("held and delivered", stats.held_delivered),
        number("held and expired", stats.held_expired),
        number("not held for want of room", stats.held_refused),
        number("held now", stats.held_events),
        number("held bytes", stats.held_bytes),
    ];
    if let Some(state) = &stats.state {
        lines.extend([
            number("state snapshots", state.snapshots),
            number("state snapshot bytes", state.snapshot_bytes),
            number("state journal bytes", state.journal_bytes),
            number("state syncs", state.syncs),
            number("state changes", state.changes),
            number("state bytes written", state.written_bytes),
            number("state changes lost", state.lost_changes),
            number("state errors", state.errors),
            number("state queue bytes", state.queue_bytes),
        ]);
    }
    if let Some(dump) = &stats.dump {
        lines.extend([
            number("dump events", dump.events),
            number("dump bytes", dump.bytes),
            reasons("dump dropped", &dump.dropped),
            number("dump gaps", dump.gaps),
            number("dump files", dump.files),
            number("dump bytes on disk", dump.stored_bytes),
            number("dump errors", dump.errors),
            number("dump queue bytes", dump.queue_bytes),
        ]);
    }
    if let Some(http) = &stats.http {
        lines.extend([
            number("http connections open", http.connections_open),
            number("http connections accepted", http.connections_accepted),
            number("http connections refused", http.connections_refused),
            reasons("http answers", &http.answers),
            reasons("http refused", &http.refused),
            number("http faults", http.panics),
            number("http streams open", http.streams_open),
            number("http events", http.events),
        ]);
    }
    if let Some(packages) = &stats.packages {
        let counted = |name: &str, value: Option<u64>| match value {
            Some(value) => number(name, value),
            None => vec![name.to_owned(), "?".to_owned()],
        };
        lines.extend([
            counted("packages", packages.packages),
            counted("package entries", packages.entries),
            counted("package bytes", packages.bytes),
            number("packages damaged", packages.damaged),
            number("packages set aside", packages.quarantined),
            reasons("package entries removed", &packages.removed),
            number("uploads open", packages.uploads_open),
            number("uploads completed", packages.uploads_completed),
            reasons("uploads failed", &packages.uploads_failed),
            number("upload bytes", packages.received_bytes),
            number("downloads", packages.downloads),
            number("download bytes", packages.sent_bytes),
        ]);
    }
    // Last, where a terminal still shows it.
    lines.extend(stats.problems.iter().map(|problem| vec!["PROBLEM".to_owned(), whole(problem)]));
    layout(&[("COUNTER", Left), ("VALUE", Left)], &lines)
}

/// A total, and what it is made of: `12 (oversize 2, stale 10)`.
fn why(counts: &Counts) -> String {
    let total: u64 = counts.values().sum();
    if total == 0 {
        return "0".to_owned();
    }
    let parts: Vec<_> =
        counts.iter().map(|(reason, count)| format!("{} {count}", cell(reason))).collect();
    format!("{total} ({})", parts.join(", "))
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// A title line and one line per row, in columns as wide as their widest cell.
pub(crate) fn layout(columns: &[Column], lines: &[Vec<String>]) -> String {
    let titles: Vec<String> = columns.iter().map(|(title, _)| (*title).to_owned()).collect();
    let all = || std::iter::once(&titles).chain(lines);
    let widths: Vec<usize> = (0..columns.len())
        .map(|i| all().filter_map(|line| line.get(i)).map(|cell| cell.chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    let mut text = String::new();
    for line in all() {
        let mut row = String::new();
        for ((cell, (_, align)), width) in line.iter().zip(columns).zip(&widths) {
            match align {
                Left => row += &format!("{cell:<width$}  "),
                Right => row += &format!("{cell:>width$}  "),
            }
        }
        text += row.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(callsign: &str) -> ClientRow {
        ClientRow {
            id: 1,
            callsign: callsign.to_owned(),
            uid: "ANDROID-1".to_owned(),
            team: "Cyan".to_owned(),
            role: "Team Member".to_owned(),
            address: Some("192.168.1.20:40000".to_owned()),
            transport: "tcp".to_owned(),
            protocol: "xml".to_owned(),
            connected_ms: 9_000,
            last_in_ms: Some(400),
            last_out_ms: None,
            messages_in: 3,
            bytes_in: 900,
            messages_out: 0,
            replayed: 0,
            bytes_out: 0,
            lag: 120,
            stalled: true,
            conflated: 7,
            dropped: Counts::from([("stale".to_owned(), 10), ("oversize".to_owned(), 2)]),
        }
    }

    #[test]
    fn the_client_table_says_who_is_behind_and_what_was_lost() {
        assert_eq!(
            clients(&[client("HOPE-11")]),
            "CALLSIGN  UID        TEAM  ROLE         ADDRESS             PROTOCOL  LAST IN  LAST \
             OUT          LAG  CONFLATED  DROPPED\n\
             HOPE-11   ANDROID-1  Cyan  Team Member  192.168.1.20:40000  tcp/xml     400ms         \
             -  120 stalled          7  12 (oversize 2, stale 10)\n\
             1 client\n"
        );
    }

    #[test]
    fn a_hostile_callsign_stays_in_its_cell() {
        let text = clients(&[client("\u{1b}[2J\nroot"), client("")]);
        assert!(!text.contains('\u{1b}'), "{text}");
        assert_eq!(text.lines().count(), 4, "{text}");
    }
}
