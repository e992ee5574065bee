//! `rm`: packages that go, for all or for one audience.

use super::args::RmArgs;
use super::error::PackageError;
use super::names::Selector;
use super::place::Place;
use super::row::{Row, counted, listed, newest};
use super::{Variables, say};
use crate::error::Failure;

/// Runs `tinycot package rm`.
pub(super) fn remove(args: &RmArgs, variable: Variables<'_>) -> Result<(), Failure> {
    let selectors: Vec<_> =
        args.hashes.iter().map(|hash| Selector::parse(hash)).collect::<Result<_, _>>()?;
    let place = Place::open(&args.place, variable)?;
    let rows = place.list(None)?;
    // All are known to be there before the first one goes.
    let picked = selectors.iter().map(|selector| selector.pick(&rows));
    let picked: Vec<_> = picked.collect::<Result<_, _>>()?;
    let teams = (args.everyone || !args.team.is_empty()).then_some(args.team.as_slice());
    let meant = newest(picked).map(|row| Ok((row, entries(row, &rows, teams)?)));
    for (row, entries) in meant.collect::<Result<Vec<_>, PackageError>>()? {
        if teams.is_some() {
            entries.iter().try_for_each(|entry| place.remove_entry(entry))?;
        } else {
            place.remove(row)?;
        }
        say(&removed(row, &entries))?;
    }
    Ok(())
}

/// The entries of a content that are meant: those for whomever, or the one for these teams; no teams
/// are everyone.
fn entries<'a>(
    content: &Row,
    rows: &'a [Row],
    teams: Option<&[String]>,
) -> Result<Vec<&'a Row>, PackageError> {
    let mut entries: Vec<_> = rows.iter().filter(|row| row.hash == content.hash).collect();
    let Some(teams) = teams else { return Ok(entries) };
    let audiences: Vec<_> = entries.iter().map(|row| row.audience()).collect();
    entries.retain(|row| row.is_for(teams));
    if entries.is_empty() {
        let (hash, audiences) = (content.short_hash().to_owned(), audiences.join("; "));
        return Err(match teams {
            [] => PackageError::NotForEveryone { hash, audiences },
            teams => PackageError::OtherAudience { hash, teams: listed(teams), audiences },
        });
    }
    Ok(entries)
}

fn removed(content: &Row, entries: &[&Row]) -> String {
    let told: Vec<_> =
        entries.iter().map(|row| format!("{} for {}", row.name, row.audience())).collect();
    let number = match entries.len() {
        1 => String::new(),
        several => format!(" in {}", counted(several, "entry", "entries")),
    };
    format!("{} is removed{number}: {}", content.short_hash(), told.join("; "))
}
