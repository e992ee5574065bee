//! `tinycot dump stats`: how much there is, and of what.

use std::io;
use std::time::Duration;

use capture::{Count, Stats, StatsReport};
use indicatif::FormattedDuration;

use super::Variables;
use super::args::StatsArgs;
use super::input::{Found, Input};
use crate::error::Failure;
use crate::report;
use crate::view::table::Align::{Left, Right};
use crate::view::table::{Column, layout};
use crate::view::text::{self, cell};

/// Rows of each table; `--json` has all.
const MAX_ROWS: usize = 20;

pub(super) fn run(args: &StatsArgs, variable: Variables<'_>) -> Result<(), Failure> {
    let mut input = Input::open(&args.input, &args.filter, variable)?;
    let mut stats = Stats::new();
    input.read(|found| {
        match found {
            Found::Bad => stats.add_bad(),
            Found::Event(record, header) => stats.add(record, header),
            Found::Gap(gap) => stats.add_gap(gap),
        }
        Ok(true)
    })?;
    input.finish()?;
    let report = stats.report();
    let text = if args.json {
        let json = serde_json::to_string(&report).map_err(io::Error::other);
        let doing = "the figures cannot be written as JSON";
        text::json(&json.map_err(|source| Failure::System { doing, source })?) + "\n"
    } else {
        tables(&report)
    };
    report::print(&text).map(drop)
}

/// The figures, then what they are made of.
fn tables(report: &StatsReport) -> String {
    let mut figures = vec![
        ("events", report.total.events.to_string()),
        ("bytes of XML", report.total.bytes.to_string()),
    ];
    if let Some((first, last)) = report.first.as_ref().zip(report.last.as_ref()) {
        figures.push(("first", first.clone()));
        figures.push(("last", last.clone()));
        let span = Duration::from_secs_f64(report.seconds.max(0.0));
        figures.push(("time", FormattedDuration(span).to_string()));
    }
    if let Some(rate) = report.events_per_second {
        let peak = report.peak_second;
        figures.push(("rate", format!("{rate:.1} per second, {peak} in the busiest second")));
        figures.push(("longest pause", format!("{:.1} s", report.longest_pause_seconds)));
    }
    figures.push(("not recorded", format!("{} events in {} gaps", report.missing, report.gaps)));
    figures.push(("bad records", report.bad.to_string()));
    let figures: Vec<_> =
        figures.into_iter().map(|(name, value)| vec![name.into(), value]).collect();
    let types = report.types.iter().map(|row| {
        let Count { events, bytes, .. } = row.count;
        vec![cell(&row.kind), cell(&row.name), events.to_string(), bytes.to_string()]
    });
    let senders = report.senders.iter().map(|row| {
        let Count { events, bytes, .. } = row.count;
        let names = [&row.uid, &row.callsign, &row.team].map(|name| cell(name));
        names.into_iter().chain([events.to_string(), bytes.to_string()]).collect()
    });
    let teams = report.teams.iter().map(|row| {
        let Count { events, bytes, .. } = row.count;
        vec![cell(&row.name), events.to_string(), bytes.to_string()]
    });
    layout(&[("CAPTURE", Left), ("", Left)], &figures)
        + &table(&[("TYPE", Left), ("MEANING", Left), EVENTS, BYTES], types)
        + &table(&[("SENDER", Left), ("CALLSIGN", Left), ("TEAM", Left), EVENTS, BYTES], senders)
        + &table(&[("TEAM", Left), EVENTS, BYTES], teams)
}

const EVENTS: Column = ("EVENTS", Right);
const BYTES: Column = ("BYTES", Right);

/// The first rows, and how many there are besides; nothing for none.
fn table(columns: &[Column], rows: impl ExactSizeIterator<Item = Vec<String>>) -> String {
    let more = rows.len().saturating_sub(MAX_ROWS);
    let rows: Vec<_> = rows.take(MAX_ROWS).collect();
    if rows.is_empty() {
        return String::new();
    }
    let rest = if more > 0 { format!("and {more} more\n") } else { String::new() };
    format!("\n{}{rest}", layout(columns, &rows))
}
