//! Names of teams that are probably not meant.

use std::collections::BTreeSet;

use cot_core::TEAMS;

use super::complain;
use super::place::Place;

/// Says on the side which of these teams nobody knows, and which one may be meant: a team is what
/// its members say it is, so any name may be right.
pub(super) fn warn(place: &Place, teams: &[String]) {
    let is_usual = |team: &String| TEAMS.contains(&team.as_str());
    if teams.iter().all(is_usual) {
        return;
    }
    let mut known: BTreeSet<String> = TEAMS.map(str::to_owned).into();
    // What cannot be had now will be missed by what follows, too.
    known.extend(place.teams().unwrap_or_default());
    for team in teams.iter().filter(|team| !known.contains(*team)) {
        let meant = match nearest(team, &known) {
            Some(meant) => format!("did you mean {meant}?"),
            None => "it is no colour of ATAK either; `tinycot teams` shows those in use".to_owned(),
        };
        complain(&format!("warning: no team is called {team}; {meant}"));
    }
}

/// The known team that is written most like this one, if one is at all.
fn nearest<'a>(team: &str, known: &'a BTreeSet<String>) -> Option<&'a String> {
    let all = known.iter().filter(|other| !other.is_empty());
    let (edits, nearest) = all.map(|other| (edits(team, other), other)).min()?;
    (edits <= team.chars().count().div_ceil(3)).then_some(nearest)
}

/// How many characters have to be put in, left out or changed to make one text of the other,
/// whatever their case.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<_> = to.to_lowercase().chars().collect();
    let mut edits: Vec<_> = (0..=to.len()).collect();
    for (at, c) in from.to_lowercase().chars().enumerate() {
        let mut left = at + 1;
        let mut row = vec![left];
        for (pair, other) in edits.windows(2).zip(&to) {
            let [diagonal, above] = pair else { continue };
            left = (diagonal + usize::from(c != *other)).min(above + 1).min(left + 1);
            row.push(left);
        }
        edits = row;
    }
    edits.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognized_and_another_name_is_not() {
        let known: BTreeSet<String> = TEAMS.map(str::to_owned).into();
        let meant = |team: &str| nearest(team, &known).map(String::as_str);
        for (team, expected) in [
            ("cyan", Some("Cyan")),
            ("Cian", Some("Cyan")),
            ("DarkBlue", Some("Dark Blue")),
            ("dark green ", Some("Dark Green")),
            ("Rde", None),
            ("Purpel", Some("Purple")),
            ("Fire Brigade", None),
            ("x", None),
        ] {
            assert_eq!(meant(team), expected, "{team}");
        }
    }

    #[test]
    fn edits_are_counted() {
        for (from, to, expected) in
            [("", "", 0), ("", "ab", 2), ("ab", "", 2), ("kitten", "sitting", 3), ("É", "é", 0)]
        {
            assert_eq!(edits(from, to), expected, "{from} {to}");
        }
    }
}
