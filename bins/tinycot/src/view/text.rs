//! Text from strangers, made safe for a terminal.

use std::fmt::Write;

/// Longest text in a table cell, in characters.
const MAX_CELL: usize = 40;

/// A table cell: nothing that moves a cursor, changes colours or reorders text, and not too long.
pub(crate) fn cell(text: &str) -> String {
    let mut cell = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == MAX_CELL {
            cell.push('…');
            break;
        }
        if acts(c) { cell.extend(c.escape_unicode()) } else { cell.push(c) }
    }
    if cell.is_empty() { "-".to_owned() } else { cell }
}

/// A sentence, made safe like a cell and not cut.
pub(crate) fn whole(text: &str) -> String {
    let safe = |c: char| match acts(c) {
        true => c.escape_unicode().to_string(),
        false => c.to_string(),
    };
    text.chars().map(safe).collect()
}

/// JSON with the same meaning and nothing that acts on a terminal.
pub(crate) fn json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        if acts(c) && c != '\n' {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a `String` cannot fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

/// XML with the same meaning and nothing that acts on a terminal; tabs and line feeds stay. Only what
/// stands in a comment or a CDATA section means something else.
pub(crate) fn xml(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) && !matches!(c, '\n' | '\t') {
            // Writing to a `String` cannot fail.
            let _ = write!(safe, "&#x{:x};", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// A message of any length in one line.
pub(crate) fn line(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) { safe.extend(c.escape_unicode()) } else { safe.push(c) }
    }
    safe
}

/// An age or a delay, as short as it can be: `35ms`, `4.2s`, `3m`, `2h`, `5d`.
pub(crate) fn age(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis}ms"),
        1_000..60_000 => format!("{}.{}s", millis / 1_000, millis % 1_000 / 100),
        60_000..3_600_000 => format!("{}m", millis / 60_000),
        3_600_000..86_400_000 => format!("{}h", millis / 3_600_000),
        _ => format!("{}d", millis / 86_400_000),
    }
}

/// Whether a character does something other than to appear: controls, marks of direction, and
/// characters without a width.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_cannot_act_on_the_terminal() {
        assert_eq!(cell("HO\u{1b}[31mPE\r\n"), "HO\\u{1b}[31mPE\\u{d}\\u{a}");
        assert_eq!(cell("a\u{202e}b\u{9b}"), "a\\u{202e}b\\u{9b}");
        assert_eq!(cell("Grün 狐 🦊"), "Grün 狐 🦊");
        assert_eq!(cell(""), "-");
        assert_eq!(cell(&"x".repeat(100)).chars().count(), MAX_CELL + 1);
    }

    #[test]
    fn json_keeps_its_meaning_and_loses_its_effects() {
        let text = serde_json::to_string(&["a\u{9b}31m", "\u{1b}", "\u{e0041}", "狐"]).unwrap();
        let safe = json(&text);
        assert!(!safe.contains(acts), "{safe}");
        let back: Vec<String> = serde_json::from_str(&safe).unwrap();
        assert_eq!(back, ["a\u{9b}31m", "\u{1b}", "\u{e0041}", "狐"]);
    }

    #[test]
    fn xml_keeps_its_meaning_and_loses_its_effects() {
        let text = "<a b='x\u{9b}31m\ry'>\u{202e}狐\n</a>";
        assert_eq!(xml(text), "<a b='x&#x9b;31m&#xd;y'>&#x202e;狐\n</a>");
    }

    #[test]
    fn a_message_stays_in_its_line() {
        assert_eq!(line("a\nb\u{1b}[2J"), "a\\u{a}b\\u{1b}[2J");
    }

    #[test]
    fn ages_are_short() {
        let ages = [35, 4_250, 59_999, 180_000, 7_300_000, 500_000_000].map(age);
        assert_eq!(ages, ["35ms", "4.2s", "59.9s", "3m", "2h", "5d"]);
    }
}
