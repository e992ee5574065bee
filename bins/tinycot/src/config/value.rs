//! Text to value and back, for the kinds of value a setting can have.

use std::time::Duration;

/// Units of time, longest first.
const TIME_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Units of size, largest first.
const SIZE_UNITS: [(&str, u64); 4] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Reads `20s`, `250ms`, `2m`, `24h` or `1d`. A number without a unit is not a time.
pub(crate) fn parse_time(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let millis = TIME_UNITS.iter().find(|(name, _)| *name == unit)?.1;
    number.checked_mul(millis).map(Duration::from_millis)
}

/// Writes a time in the longest unit that loses nothing.
pub(crate) fn print_time(time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let fits = |&&(_, unit): &&(&str, u64)| millis >= unit && millis.is_multiple_of(unit);
    let (name, unit) = TIME_UNITS.iter().find(fits).copied().unwrap_or(("ms", 1));
    format!("{}{name}", millis / unit)
}

/// Reads `65536`, `64 KiB`, `16 MiB` or `1 GiB`, in any case, with or without the blank.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let bytes = match unit {
        "" => 1,
        unit => SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1,
    };
    number.checked_mul(bytes)
}

/// Writes a size in the largest unit that loses nothing.
pub(crate) fn print_size(bytes: u64) -> String {
    match SIZE_UNITS.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{} {name}", bytes / unit),
        None => bytes.to_string(),
    }
}

/// Reads a plain number; `_` may separate digits.
pub(crate) fn parse_count(text: &str) -> Option<usize> {
    split_unit(text).filter(|(_, unit)| unit.is_empty())?.0.try_into().ok()
}

/// The candidate most like `word`, if one is like it at all.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(edits, candidate)| *edits <= candidate.len() / 3 + 1)
        .min()
        .map(|(_, candidate)| candidate)
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    let digits: String = digits.chars().filter(|&c| c != '_').collect();
    Some((digits.parse().ok()?, unit.trim_start()))
}

/// Insertions, deletions and substitutions between two words (Levenshtein).
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, cell) in b.chars().zip(row.iter_mut().skip(1)) {
            let substituted = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = substituted.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written_in_the_longest_exact_unit() {
        for (text, millis) in [
            ("250ms", 250),
            ("1500ms", 1_500),
            ("20s", 20_000),
            ("2m", 120_000),
            ("24h", 86_400_000),
            ("1_000 s", 1_000_000),
        ] {
            let time = parse_time(text).unwrap();
            assert_eq!(time, Duration::from_millis(millis));
            assert_eq!(parse_time(&print_time(time)), Some(time));
        }
        assert_eq!(print_time(Duration::from_secs(86_400)), "1d");
        assert_eq!(print_time(Duration::from_millis(1_500)), "1500ms");
        for bad in ["", "20", "s", "20 parsecs", "-5s", "1.5s", "99999999999999999999s", "1e3s"] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_are_read_and_written_in_the_largest_exact_unit() {
        assert_eq!(parse_size("65536"), Some(65_536));
        assert_eq!(parse_size("64 KiB"), Some(65_536));
        assert_eq!(parse_size("1mib"), Some(1 << 20));
        assert_eq!(print_size(65_536), "64 KiB");
        assert_eq!(print_size(65_537), "65537");
        assert_eq!(print_size(16 << 20), "16 MiB");
        for bad in ["", "KiB", "64 KB", "64 bytes", "-1", "99999999999999999999"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_misspelt_word_finds_its_neighbour_and_nonsense_does_not() {
        let names = ["heartbeat", "gather", "cot_listen"];
        assert_eq!(nearest("hartbeat", names), Some("heartbeat"));
        assert_eq!(nearest("cot_listn", names), Some("cot_listen"));
        assert_eq!(nearest("zzzzzzzz", names), None);
        assert_eq!((edits("", "abc"), edits("abc", ""), edits("kitten", "sitting")), (3, 3, 3));
    }
}
