//! Writes the tree.

use std::fmt;

use super::{Element, Node};

/// Writes `<name a="..">..</name>` or `<name a=".."/>`: no declaration, no blanks that were not said.
///
/// Recursion is bounded by the depth of the tree, which readers bound by [`crate::Limits`].
pub(super) fn element(element: &Element, out: &mut impl fmt::Write) -> fmt::Result {
    start(element, out)?;
    if element.nodes().is_empty() {
        return out.write_str("/>");
    }
    out.write_char('>')?;
    for node in element.nodes() {
        match node {
            Node::Element(child) => self::element(child, out)?,
            Node::Text(text) => self::text(text, out)?,
        }
    }
    out.write_str("</")?;
    out.write_str(element.name())?;
    out.write_char('>')
}

/// Writes `<name a=".."`, without the end of the tag.
pub(crate) fn start(element: &Element, out: &mut impl fmt::Write) -> fmt::Result {
    out.write_char('<')?;
    out.write_str(element.name())?;
    for (name, value) in element.attributes() {
        out.write_char(' ')?;
        out.write_str(name)?;
        out.write_str("=\"")?;
        escape(value, attribute_reference, out)?;
        out.write_char('"')?;
    }
    Ok(())
}

/// Writes text between tags.
pub(crate) fn text(text: &str, out: &mut impl fmt::Write) -> fmt::Result {
    escape(text, text_reference, out)
}

/// Writes `text`, with a reference for each character that `reference` has one for.
fn escape(
    text: &str,
    reference: fn(char) -> Option<&'static str>,
    out: &mut impl fmt::Write,
) -> fmt::Result {
    // Most text needs nothing. 0xEF begins U+FFFE and U+FFFF, among others.
    let may_need_care =
        |byte| byte < b' ' || matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'' | 0xEF);
    if !text.bytes().any(may_need_care) {
        return out.write_str(text);
    }
    let mut rest = text;
    let found = |text: &str| text.char_indices().find_map(|(at, c)| Some((at, c, reference(c)?)));
    while let Some((at, character, reference)) = found(rest) {
        let (clean, tail) = rest.split_at(at);
        out.write_str(clean)?;
        out.write_str(reference)?;
        rest = tail.get(character.len_utf8()..).unwrap_or_default();
    }
    out.write_str(rest)
}

/// Tab and line ends are referenced too: a reader would turn them into blanks otherwise.
fn attribute_reference(character: char) -> Option<&'static str> {
    match character {
        '"' => Some("&quot;"),
        '\'' => Some("&apos;"),
        '\t' => Some("&#9;"),
        '\n' => Some("&#10;"),
        _ => text_reference(character),
    }
}

/// `>` is always referenced, so that `]]>` cannot arise, and CR because a reader would drop it.
fn text_reference(character: char) -> Option<&'static str> {
    match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '\r' => Some("&#13;"),
        '\t' | '\n' | ' '..='\u{FFFD}' | '\u{10000}'.. => None,
        _ => Some("\u{FFFD}"),
    }
}
