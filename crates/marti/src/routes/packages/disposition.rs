//! The header that says under which name a download is saved.

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Longest name that a download has. Characters.
const MAX_NAME: usize = 128;

/// What RFC 8187 lets stand for itself.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// `attachment; filename="…"`, whatever the name is made of.
///
/// A name with other than ASCII letters is given twice: for clients that read no more than the old
/// form, and as it is.
pub(super) fn attachment(name: &str, otherwise: &str) -> HeaderValue {
    let name = safe_name(name, otherwise);
    let plain: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    let mut text = format!("attachment; filename=\"{plain}\"");
    if plain != name {
        text += &format!("; filename*=UTF-8''{}", utf8_percent_encode(&name, PLAIN));
    }
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("attachment"))
}

/// A name without what leads to other places, ends a header or misleads a reader. `otherwise` when
/// nothing is left of it.
pub(super) fn safe_name(name: &str, otherwise: &str) -> String {
    let safe = |c: char| match c {
        '"' | '\\' | '/' | ':' | '*' | '?' | '<' | '>' | '|' => '_',
        c if c.is_control() || changes_order(c) => '_',
        c => c,
    };
    let name: String = name.trim().chars().map(safe).take(MAX_NAME).collect();
    if name.trim_matches(['.', '_', ' ']).is_empty() {
        return otherwise.to_owned();
    }
    name
}

/// Whether it changes the order in which a name is read.
fn changes_order(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_within_their_quotes() {
        for (name, expected) in [
            ("recon.zip", r#"attachment; filename="recon.zip""#),
            ("a b.zip", r#"attachment; filename="a b.zip""#),
            ("a\"; x=\"b", r#"attachment; filename="a_; x=_b""#),
            ("a\r\nSet-Cookie: b", r#"attachment; filename="a__Set-Cookie_ b""#),
            ("../../etc/passwd", r#"attachment; filename=".._.._etc_passwd""#),
            (r"..\..\x", r#"attachment; filename=".._.._x""#),
            ("..", r#"attachment; filename="ab12""#),
            ("", r#"attachment; filename="ab12""#),
            ("\0", r#"attachment; filename="ab12""#),
            (
                "Überblick 地図.zip",
                "attachment; filename=\"_berblick __.zip\"; \
                 filename*=UTF-8''%C3%9Cberblick%20%E5%9C%B0%E5%9B%B3.zip",
            ),
            ("x\u{202e}piz.exe", r#"attachment; filename="x_piz.exe""#),
        ] {
            assert_eq!(attachment(name, "ab12"), expected, "{name:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut() {
        let header = attachment(&"é".repeat(4096), "ab12");
        assert!(header.len() < 1200, "{}", header.len());
        assert_eq!(safe_name(&"x".repeat(4096), "").len(), MAX_NAME);
    }
}
