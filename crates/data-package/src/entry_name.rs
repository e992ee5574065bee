//! Names of entries: what is wrong with them, and how they are shown.

use std::fmt;

/// Longest name of an entry that is built. Bytes.
pub(crate) const MAX_NAME_BYTES: usize = 1024;

/// What is wrong with the name of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameProblem {
    /// It begins with a slash, a backslash or a drive, so it may be taken for a path from the root.
    Absolute,
    /// It has backslashes, which are separators on some devices and not on others.
    Backslash,
    /// It has control characters, or such as change the direction of writing.
    Control,
    /// It has no letters at all, or an empty part.
    Empty,
    /// It is longer than 1,024 bytes.
    Long,
    /// It is not UTF-8.
    NotUtf8,
    /// A part of it is `.` or `..`, so it may lead out of the folder it is unpacked into.
    Traversal,
}

/// Says it of a name: `is absolute`.
impl fmt::Display for NameProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absolute => "is an absolute path",
            Self::Backslash => "has backslashes",
            Self::Control => "has control characters",
            Self::Empty => "has an empty part",
            Self::Long => "is longer than 1024 bytes",
            Self::NotUtf8 => "is not UTF-8",
            Self::Traversal => "leads out of its folder",
        })
    }
}

/// All that is wrong with a name, the worst first. The name of a folder may end with a slash.
pub(crate) fn problems(name: &str) -> impl Iterator<Item = NameProblem> + '_ {
    let parts = || name.strip_suffix('/').unwrap_or(name).split(['/', '\\']);
    let has_drive = matches!(name.as_bytes(), [drive, b':', ..] if drive.is_ascii_alphabetic());
    [
        (NameProblem::Traversal, parts().any(|part| matches!(part.trim_end(), "." | ".."))),
        (NameProblem::Absolute, has_drive || name.starts_with(['/', '\\'])),
        (NameProblem::Control, name.contains(is_hidden)),
        (NameProblem::Empty, parts().any(str::is_empty)),
        (NameProblem::Long, name.len() > MAX_NAME_BYTES),
        (NameProblem::Backslash, name.contains('\\')),
    ]
    .into_iter()
    .filter_map(|(problem, has_it)| has_it.then_some(problem))
}

/// The text with what cannot be seen made visible: an escape character is `\u{1b}`.
pub(crate) fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            visible.extend(c.escape_unicode());
        } else {
            visible.push(c);
        }
    }
    visible
}

/// Characters that command a terminal, that reverse the text around them (`fdp.exe` looks like
/// `exe.pdf` behind one), or that XML cannot hold.
pub(crate) fn is_hidden(c: char) -> bool {
    let is_direction =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || is_direction || matches!(c, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_found() {
        let worst = |name| problems(name).next();
        for good in ["a", "a/b.txt", "maps/", "a..b", "..a", "Grünfläche/☂ (1).kml", "ab:c"] {
            assert_eq!(worst(good), None, "{good}");
        }
        for (bad, why) in [
            ("../../x", NameProblem::Traversal),
            ("a/../../x", NameProblem::Traversal),
            ("..\\..\\x", NameProblem::Traversal),
            ("a/..", NameProblem::Traversal),
            ("a/.. /b", NameProblem::Traversal),
            (".", NameProblem::Traversal),
            ("/etc/passwd", NameProblem::Absolute),
            ("\\\\host\\share", NameProblem::Absolute),
            ("C:\\Windows", NameProblem::Absolute),
            ("a\0b", NameProblem::Control),
            ("\u{1b}[2J", NameProblem::Control),
            ("exe.\u{202e}fdp", NameProblem::Control),
            ("", NameProblem::Empty),
            ("a//b", NameProblem::Empty),
            ("a\\b", NameProblem::Backslash),
        ] {
            assert_eq!(worst(bad), Some(why), "{bad:?}");
        }
        assert_eq!(worst(&"a".repeat(1025)), Some(NameProblem::Long));
    }

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(visible("a\u{1b}[2Jé\u{202e}"), "a\\u{1b}[2Jé\\u{202e}");
    }
}
