//! `list`: the packages there are.

use super::Variables;
use super::args::ListArgs;
use super::place::Place;
use super::row::{Row, counted, minute, newest, size};
use crate::error::Failure;
use crate::report;
use crate::view::table::{Align, layout};
use crate::view::text::{self, cell};

/// Runs `tinycot package list`.
pub(super) fn list(args: &ListArgs, variable: Variables<'_>) -> Result<(), Failure> {
    let rows = Place::open(&args.place, variable)?.list(args.name.as_deref())?;
    let printed = if args.json {
        let json = serde_json::to_string_pretty(&rows);
        text::json(&json.map_err(|error| Failure::Server(error.to_string()))?) + "\n"
    } else {
        table(&rows)
    };
    report::print(&printed).map(drop)
}

fn table(rows: &[Row]) -> String {
    let columns = [
        ("HASH", Align::Left),
        ("NAME", Align::Left),
        ("SIZE", Align::Right),
        ("TOOL", Align::Left),
        ("FOR", Align::Left),
        ("FROM", Align::Left),
        ("UPLOADED", Align::Left),
        ("EXPIRES", Align::Left),
        ("", Align::Left),
    ];
    let line = |row: &Row| {
        vec![
            cell(row.short_hash()),
            cell(&row.name),
            size(row.size),
            cell(&row.tool),
            row.audience(),
            cell(row.uploader()),
            minute(&row.submission_time),
            row.expires(),
            if row.is_damaged { "DAMAGED" } else { "" }.to_owned(),
        ]
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    layout(&columns, &lines) + &total(rows) + "\n"
}

/// How much there is: whoever it is for, a content is one package.
fn total(rows: &[Row]) -> String {
    let packages: Vec<_> = newest(rows).collect();
    let bytes = packages.iter().fold(0, |sum, row| row.size.saturating_add(sum));
    let mut total = counted(packages.len(), "package", "packages");
    if rows.len() > packages.len() {
        total += &format!(" in {}", counted(rows.len(), "entry", "entries"));
    }
    total += &format!(", {}", size(bytes));
    if let damaged @ 1.. = packages.iter().filter(|row| row.is_damaged).count() {
        total += &format!(", {damaged} damaged");
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_a_line_whatever_its_name() {
        let row = Row {
            hash: "3f9a2c10".repeat(8),
            name: "re\u{1b}[2Jcon\n.zip".to_owned(),
            size: 48_211,
            tool: "public".to_owned(),
            submission_time: "2026-11-22T10:15:00.000Z".to_owned(),
            expiration: -1,
            groups: Some(vec!["Cyan".to_owned(), "Red".to_owned()]),
            ..Row::default()
        };
        let text = table(&[row]);
        let cells = |line: &str| -> Vec<String> {
            let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
            cells.map(ToOwned::to_owned).collect()
        };
        let lines: Vec<_> = text.lines().map(cells).collect();
        let titles = ["HASH", "NAME", "SIZE", "TOOL", "FOR", "FROM", "UPLOADED", "EXPIRES"];
        let row = [
            "3f9a2c103f9a",
            "re\\u{1b}[2Jcon\\u{a}.zip",
            "48.2 kB",
            "public",
            "Cyan, Red",
            "-",
            "2026-11-22 10:15",
            "never",
        ];
        assert_eq!(lines, [&titles[..], &row, &["1 package, 48.2 kB"]]);
    }

    #[test]
    fn a_content_counts_once_whoever_it_is_for() {
        let row = |digit: &str, is_damaged| Row {
            hash: digit.repeat(64),
            size: 1000,
            is_damaged,
            ..Row::default()
        };
        let rows = [row("a", true), row("a", true), row("b", false)];
        assert_eq!(total(&rows), "2 packages in 3 entries, 2.0 kB, 1 damaged");
        let text = table(&rows);
        let marked: Vec<_> = text.lines().map(|line| line.ends_with("  DAMAGED")).collect();
        assert_eq!(marked, [false, true, true, false, false]);
        assert!(text.lines().all(|line| line.trim_end() == line), "{text}");
    }
}
