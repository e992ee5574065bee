//! Text as it stands in an event, and what it means.

use std::borrow::Cow;

/// Text as it stands in an event: an attribute value, or character data.
///
/// The raw form is valid UTF-8 and may contain the five entities and numeric references; every
/// reference in it has been checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text<'a> {
    raw: &'a str,
    /// Whether `raw` differs from what it means: it has a `&`, a tab or a line end.
    escaped: bool,
}

impl<'a> Text<'a> {
    /// Text whose need for unescaping is found by looking at it.
    pub(crate) fn new(raw: &'a str) -> Self {
        let escaped = raw.bytes().any(|byte| matches!(byte, b'&' | b'\t' | b'\n' | b'\r'));
        Self { raw, escaped }
    }

    /// Text known to mean exactly what it says.
    pub(crate) const fn plain(raw: &'a str) -> Self {
        Self { raw, escaped: false }
    }

    /// The text as it stands in the event.
    pub const fn raw(self) -> &'a str {
        self.raw
    }

    /// Whether there is no text at all.
    pub const fn is_empty(self) -> bool {
        self.raw.is_empty()
    }

    /// What the text means: references replaced, tabs and line ends turned into blanks as XML
    /// asks for in attribute values. Borrows unless something had to be replaced.
    pub fn to_cow(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(Chars { rest: self.raw }.collect()) } else { self.raw.into() }
    }

    /// Whether the text means `other`. Allocates nothing.
    pub fn eq_str(self, other: &str) -> bool {
        if self.escaped { Chars { rest: self.raw }.eq(other.chars()) } else { self.raw == other }
    }
}

/// The characters that an attribute value means.
struct Chars<'a> {
    rest: &'a str,
}

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let first = chars.next()?;
        self.rest = chars.as_str();
        match first {
            '\t' | '\n' => Some(' '),
            '\r' => {
                // A CR LF pair is one line end, hence one blank.
                self.rest = self.rest.strip_prefix('\n').unwrap_or(self.rest);
                Some(' ')
            }
            '&' => Some(match reference(self.rest) {
                Some((character, rest)) => {
                    self.rest = rest;
                    character
                }
                None => '&',
            }),
            other => Some(other),
        }
    }
}

/// Splits a reference, without its `&`, off the front of `text`.
///
/// `None` when it is not one of the five predefined entities nor a reference to a character that
/// XML allows.
pub(crate) fn reference(text: &str) -> Option<(char, &str)> {
    let (name, rest) = text.split_once(';')?;
    let character = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => digits(hex, 16)?,
                None => digits(number, 10)?,
            };
            char::from_u32(code).filter(|&character| is_xml_char(character))?
        }
    };
    Some((character, rest))
}

/// A number in `radix` made of digits alone: `from_str_radix` would let a sign through.
fn digits(text: &str, radix: u32) -> Option<u32> {
    if text.starts_with('+') { None } else { u32::from_str_radix(text, radix).ok() }
}

/// Whether XML 1.0 allows the character in a document.
const fn is_xml_char(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unescapes_every_kind_of_reference() {
        let text = Text::new("a&amp;b&lt;&gt;&apos;&quot;&#65;&#x42;\tx\r\ny\nz&#10;");
        assert_eq!(text.to_cow(), "a&b<>'\"AB x y z\n");
        assert!(text.eq_str("a&b<>'\"AB x y z\n"));
        assert!(!text.eq_str("a&b"));
    }

    #[test]
    fn borrows_plain_text() {
        assert!(matches!(Text::new("Grün").to_cow(), Cow::Borrowed("Grün")));
        assert!(Text::new("Grün").eq_str("Grün"));
    }

    #[test]
    fn refuses_references_to_what_xml_does_not_allow() {
        for name in ["#0;", "#x1F;", "#xFFFE;", "#xD800;", "#x110000;", "#;", "#x;", "foo;", "lt"] {
            assert!(reference(name).is_none(), "{name}");
        }
        for name in ["#+65;", "#x+41;", "#-1;", "#X41;", "LT;", ";", "#99999999999999999999;"] {
            assert!(reference(name).is_none(), "{name}");
        }
    }
}
