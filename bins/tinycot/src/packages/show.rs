//! `show`: one package, from outside and inside.

use data_package::{InspectError, Inspection, Parameter};

use super::Variables;
use super::args::ShowArgs;
use super::names::Selector;
use super::place::Place;
use super::row::{DAMAGED, Row, minute, size};
use crate::error::Failure;
use crate::report;
use crate::view::text;

/// Warnings that are printed one by one.
const MAX_WARNINGS: usize = 50;

/// Runs `tinycot package show`.
pub(super) fn show(args: &ShowArgs, variable: Variables<'_>) -> Result<(), Failure> {
    let selector = Selector::parse(&args.hash)?;
    let place = Place::open(&args.place, variable)?;
    let rows = place.list(None)?;
    let row = selector.pick(&rows)?;
    let entries: Vec<_> = rows.iter().filter(|other| other.hash == row.hash).collect();
    let mut shown = content(row);
    for (at, row) in (1..).zip(&entries) {
        if entries.len() > 1 {
            shown += &format!("\nentry {at} of {}\n", entries.len());
        }
        shown += &entry(row);
    }
    if row.is_damaged {
        shown += &format!("\nwarning: {DAMAGED}\n");
    } else {
        shown += &inside(&place.inspect(row)?);
    }
    report::print(&shown).map(drop)
}

/// What is true of a content, whoever it is for.
fn content(row: &Row) -> String {
    let size = format!("{} ({} bytes)", size(row.size), row.size);
    [("hash", row.hash.as_str()), ("size", &size)].into_iter().map(fact).collect()
}

/// What one audience has made of it.
fn entry(row: &Row) -> String {
    let keywords = row.keywords.join(", ");
    let facts = [
        ("name", row.name.as_str()),
        ("file name", if row.filename == row.name { "" } else { &row.filename }),
        ("uid", if row.uid == row.hash { "" } else { &row.uid }),
        ("type", &row.mime_type),
        ("tool", &row.tool),
        ("for", &row.audience()),
        ("keywords", &keywords),
        ("uploaded by", row.submitter.as_deref().unwrap_or_default()),
        ("device", row.creator_uid.as_deref().unwrap_or_default()),
        ("uploaded", &minute(&row.submission_time)),
        ("expires", &row.expires()),
    ];
    facts.into_iter().filter(|(_, value)| !value.is_empty()).map(fact).collect()
}

fn inside(found: &Result<Inspection, InspectError>) -> String {
    let found = match found {
        Ok(found) => found,
        Err(InspectError::NotZip) => return "\nno zip archive\n".to_owned(),
        Err(error) => return format!("\nwarning: {}\n", text::line(&error.to_string())),
    };
    let mut shown = String::new();
    if let Some(manifest) = &found.manifest {
        shown += "\nmanifest\n";
        for Parameter { name, value, .. } in &manifest.parameters {
            shown += &fact((name, value));
        }
    }
    let plural = if found.entries.len() == 1 { "entry" } else { "entries" };
    let expanded = size(found.expanded_bytes());
    shown += &format!("\n{} {plural}, {expanded} unpacked\n", found.entries.len());
    for entry in &found.entries {
        shown += &format!("  {:>10}  {}\n", size(entry.size), text::line(&entry.name));
    }
    if !found.warnings.is_empty() {
        shown.push('\n');
    }
    for warning in found.warnings.iter().take(MAX_WARNINGS) {
        shown += &format!("warning: {}\n", text::line(&warning.to_string()));
    }
    if let more @ 1.. = found.warnings.len().saturating_sub(MAX_WARNINGS) {
        shown += &format!("warning: and {more} more\n");
    }
    shown
}

fn fact((name, value): (&str, &str)) -> String {
    format!("  {:<16} {}\n", text::line(name), text::line(value))
}
