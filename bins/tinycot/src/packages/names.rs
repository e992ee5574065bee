//! Names that strangers gave, as names of files; and hashes that were abbreviated.

use super::error::PackageError;
use super::row::{Row, newest};

/// Longest name of a file. Bytes; file systems take 255, and something may be appended.
const MAX_FILE_NAME: usize = 180;

/// Longest ending that is kept when a name is shortened. Bytes.
const MAX_ENDING: usize = 16;

/// Least digits of a hash.
const MIN_DIGITS: usize = 6;

/// Names that are devices on some systems, whatever their ending.
const DEVICES: &[&str] = &["AUX", "CON", "CONIN$", "CONOUT$", "NUL", "PRN"];

/// A name that is a file in the directory it is written to, on every system, and nothing else.
pub(super) fn file_name(text: &str) -> String {
    let is_bad = |c: char| {
        c.is_control()
            || "/\\:*?\"<>|".contains(c)
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let mut name: String = text.chars().map(|c| if is_bad(c) { '_' } else { c }).collect();
    name = shorten(name.trim().trim_end_matches(['.', ' ']));
    // Neither hidden nor an option; `..` has become empty above.
    if name.starts_with(['.', '-', '~']) {
        name.replace_range(..1, "_");
    }
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_port = ["COM", "LPT"].iter().any(|port| {
        stem.strip_prefix(port).is_some_and(|rest| {
            rest.chars().count() == 1
                && rest.contains(|c: char| c.is_ascii_digit() || "¹²³".contains(c))
        })
    });
    if is_port || DEVICES.contains(&&*stem) {
        name.insert(0, '_');
    }
    if name.is_empty() { "package".to_owned() } else { name }
}

/// The name with something between its stem and its ending: `a-3f9a2c10.zip`.
pub(super) fn with_mark(name: &str, mark: &str) -> String {
    let (stem, ending) = split(name);
    format!("{stem}-{mark}{ending}")
}

fn shorten(name: &str) -> String {
    if name.len() <= MAX_FILE_NAME {
        return name.to_owned();
    }
    let (stem, ending) = split(name);
    let len = stem.floor_char_boundary(MAX_FILE_NAME.saturating_sub(ending.len()));
    format!("{}{ending}", stem.get(..len).unwrap_or_default().trim_end())
}

/// The stem and the ending with its dot, where there are both.
fn split(name: &str) -> (&str, &str) {
    match name.rfind('.').and_then(|dot| name.split_at_checked(dot)) {
        Some((stem, ending)) if !stem.is_empty() && ending.len() <= MAX_ENDING => (stem, ending),
        _ => (name, ""),
    }
}

/// A hash, or the beginning of one.
#[derive(Debug)]
pub(super) struct Selector(String);

impl Selector {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// What is no hash.
    pub(super) fn parse(text: &str) -> Result<Self, PackageError> {
        let is_hash = (MIN_DIGITS..=64).contains(&text.len())
            && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        if is_hash {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(PackageError::Hash(text.to_owned()))
        }
    }

    /// The newest entry of the only content that it may mean.
    ///
    /// # Errors
    ///
    /// None, or several.
    pub(super) fn pick<'a>(&self, rows: &'a [Row]) -> Result<&'a Row, PackageError> {
        let mut found = newest(rows).filter(|row| row.hash.starts_with(&self.0));
        match (found.next(), found.next()) {
            (None, _) => Err(PackageError::NoPackage(self.0.clone())),
            (Some(row), None) => Ok(row),
            (Some(first), Some(second)) => {
                let all: Vec<_> = [first, second]
                    .into_iter()
                    .chain(found.take(3))
                    .map(|row| format!("{} ({})", row.short_hash(), row.name))
                    .collect();
                let candidates = all.join(", ");
                Err(PackageError::Ambiguous { hash: self.0.clone(), candidates })
            }
        }
    }
}

/// The newest entry of the only content of this name.
///
/// # Errors
///
/// None, or several.
pub(super) fn named<'a>(name: &str, rows: &'a [Row]) -> Result<&'a Row, PackageError> {
    let mut found = newest(rows.iter().filter(|row| row.name == name));
    match (found.next(), found.next()) {
        (None, _) => Err(PackageError::NoSuch(name.to_owned())),
        (Some(row), None) => Ok(row),
        (Some(first), Some(second)) => {
            let hashes = [first, second].into_iter().chain(found.take(3)).map(Row::short_hash);
            let candidates = hashes.collect::<Vec<_>>().join(", ");
            Err(PackageError::SameName { name: name.to_owned(), candidates })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_anywhere() {
        for (text, expected) in [
            ("recon.zip", "recon.zip"),
            ("Grüße 狐.zip", "Grüße 狐.zip"),
            ("../../etc/passwd", "_._.._etc_passwd"),
            ("..\\..\\x", "_._.._x"),
            ("/etc/passwd", "_etc_passwd"),
            ("C:\\x", "C__x"),
            ("a\0b\u{1b}[2J\u{202e}", "a_b_[2J_"),
            ("..", "package"),
            (".", "package"),
            (" . ", "package"),
            ("", "package"),
            (".bashrc", "_bashrc"),
            ("-rf", "_rf"),
            ("~root", "_root"),
            ("con", "_con"),
            ("NUL.zip", "_NUL.zip"),
            ("com1.tar.gz", "_com1.tar.gz"),
            ("company", "company"),
            ("name. . ", "name"),
        ] {
            let name = file_name(text);
            assert_eq!(name, expected, "{text:?}");
        }
        let long = file_name(&format!("{}.zip", "é".repeat(4096)));
        assert!(long.len() <= MAX_FILE_NAME && long.ends_with("é.zip"), "{long}");
        assert_eq!(file_name(&"a.".repeat(4096)).len(), MAX_FILE_NAME);
    }

    #[test]
    fn a_mark_stands_before_the_ending() {
        assert_eq!(with_mark("a.zip", "12"), "a-12.zip");
        assert_eq!(with_mark("a", "12"), "a-12");
        assert_eq!(with_mark("_a.b c.zip", "12"), "_a.b c-12.zip");
    }

    #[test]
    fn a_beginning_of_a_hash_has_to_be_clear() {
        let row = |hash: &str| Row { hash: hash.repeat(8), ..Row::default() };
        let rows = [row("0123456a"), row("0123456b"), row("ffffffff")];
        let pick = |text: &str| Selector::parse(text).unwrap().pick(&rows);
        assert_eq!(pick("FFFFFF").unwrap(), &rows[2]);
        assert_eq!(pick("0123456b").unwrap(), &rows[1]);
        assert!(matches!(pick("012345"), Err(PackageError::Ambiguous { .. })));
        assert!(matches!(pick("abcdef"), Err(PackageError::NoPackage(_))));
        for wrong in ["", "12345", "0x1234", "../../x", &"a".repeat(65)] {
            assert!(matches!(Selector::parse(wrong), Err(PackageError::Hash(_))), "{wrong}");
        }
    }
}
