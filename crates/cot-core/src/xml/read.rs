//! Reads the tree.
//!
//! quick-xml finds the markup and pairs the tags. What it leaves to its caller is checked here:
//! names, attributes, references, characters, and what may stand around the root.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::errors::{Error as QuickError, IllFormedError};
use quick_xml::events::{BytesStart, Event as Markup};

use super::{Element, intern, is_name};
use crate::text::reference;
use crate::{Limits, ParseError};

/// Reads one document: an optional declaration, one root element, nothing else but white space,
/// comments and processing instructions. DOCTYPE is refused.
pub(crate) fn parse(bytes: &[u8], limits: &Limits) -> Result<Element, ParseError> {
    if bytes.len() > limits.event {
        return Err(ParseError::Limit { what: "bytes", limit: limits.event });
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| malformed(error.valid_up_to(), "bytes that are not UTF-8"))?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    if let Some(at) = forbidden_character(text) {
        return Err(malformed(at, "a character that XML does not allow"));
    }
    let mut tree = Tree { limits, open: Vec::new(), root: None, elements: 0 };
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    loop {
        let at = offset(reader.buffer_position());
        match reader.read_event().map_err(|error| markup_error(&reader, &error))? {
            Markup::Start(start) => tree.start(&start, at)?,
            Markup::Empty(start) => {
                tree.start(&start, at)?;
                tree.end(at)?;
            }
            Markup::End(_) => tree.end(at)?,
            Markup::Text(text) => tree.text(&text, at)?,
            Markup::CData(text) => tree.character_data(&text, at)?,
            Markup::GeneralRef(name) => tree.reference(&name, at)?,
            Markup::Decl(_) if at > 0 => {
                return Err(malformed(at, "a declaration that is not at the start"));
            }
            Markup::Decl(declaration) if !is_declaration(&declaration) => {
                return Err(malformed(at, "a broken declaration"));
            }
            Markup::PI(target) if !is_target(target.target()) => {
                return Err(malformed(at, "a processing instruction without a proper name"));
            }
            Markup::Decl(_) | Markup::Comment(_) | Markup::PI(_) => {}
            Markup::DocType(_) => return Err(malformed(at, "a document type declaration")),
            Markup::Eof => return tree.finish(at),
        }
    }
}

/// The part of the document read so far.
struct Tree<'a> {
    limits: &'a Limits,
    /// Elements whose end tag is still to come, outermost first.
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
}

impl Tree<'_> {
    fn start(&mut self, start: &BytesStart<'_>, at: usize) -> Result<(), ParseError> {
        let Limits { depth, attributes, elements, .. } = *self.limits;
        if self.root.is_some() {
            return Err(malformed(at, "a second root element"));
        }
        if self.open.len() >= depth {
            return Err(ParseError::Limit { what: "depth", limit: depth });
        }
        self.elements += 1;
        if self.elements > elements {
            return Err(ParseError::Limit { what: "elements", limit: elements });
        }
        let name = checked_name(start.name().as_ref());
        let name = name.ok_or_else(|| malformed(at, "an element without a proper name"))?;
        let mut element = Element::from_name(name);
        let mut has_prefixes = element.name().contains(':');
        let mut rest = start.attributes_raw();
        while !rest.trim_start_matches(is_blank).is_empty() {
            if element.attributes().len() >= attributes {
                return Err(ParseError::Limit { what: "attributes", limit: attributes });
            }
            let (name, value, tail) =
                attribute(rest).ok_or_else(|| malformed(at, "a broken attribute"))?;
            if element.attribute(&name).is_some() {
                return Err(malformed(at, "an attribute twice"));
            }
            has_prefixes |= name.contains(':');
            let value = attribute_value(value)
                .ok_or_else(|| malformed(at, "an attribute value that XML does not allow"))?;
            element.push_attribute(name, value);
            rest = tail;
        }
        if has_prefixes && !self.binds_prefixes_of(&element) {
            return Err(malformed(at, "a name whose prefix is not declared"));
        }
        self.open.push(element);
        Ok(())
    }

    /// Namespace-aware readers refuse names whose prefix nobody declared.
    fn binds_prefixes_of(&self, element: &Element) -> bool {
        let names = element.attributes().map(|(name, _)| name).chain([element.name()]);
        let mut prefixes = names.filter_map(|name| name.split_once(':')).map(|(prefix, _)| prefix);
        prefixes.all(|prefix| {
            let declares = |scope: &Element| {
                let mut names = scope.attributes().map(|(name, _)| name);
                names.any(|name| name.strip_prefix("xmlns:") == Some(prefix))
            };
            matches!(prefix, "xml" | "xmlns") || declares(element) || self.open.iter().any(declares)
        })
    }

    fn end(&mut self, at: usize) -> Result<(), ParseError> {
        let mut element = self.open.pop().ok_or_else(|| malformed(at, "a stray end tag"))?;
        element.drop_indentation();
        match self.open.last_mut() {
            Some(parent) => parent.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, raw: &str, at: usize) -> Result<(), ParseError> {
        if raw.contains("]]>") {
            return Err(malformed(at, "`]]>` in text"));
        }
        match self.open.last_mut() {
            Some(element) => push_lines(element, raw),
            None if raw.chars().all(is_blank) => {}
            None => return Err(malformed(at, "text outside the root element")),
        }
        Ok(())
    }

    fn character_data(&mut self, raw: &str, at: usize) -> Result<(), ParseError> {
        let element = self.open.last_mut();
        push_lines(element.ok_or_else(|| malformed(at, "text outside the root element"))?, raw);
        Ok(())
    }

    fn reference(&mut self, name: &str, at: usize) -> Result<(), ParseError> {
        let element = self.open.last_mut();
        let element = element.ok_or_else(|| malformed(at, "text outside the root element"))?;
        let (character, _) = reference(&format!("{name};"))
            .ok_or_else(|| malformed(at, "a reference to nothing that XML knows"))?;
        element.push_text(character.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn finish(self, at: usize) -> Result<Element, ParseError> {
        match self.root {
            Some(root) if self.open.is_empty() => Ok(root),
            _ => Err(malformed(at, "an end before the root element is closed")),
        }
    }
}

/// Whether this is `xml version=".." encoding=".." standalone=".."`; the latter two may be missing. What
/// encoding is named does not matter: the bytes are UTF-8, whatever old clients say.
fn is_declaration(declaration: &str) -> bool {
    let mut rest = declaration.strip_prefix("xml").unwrap_or_default();
    let mut expected = ["version", "encoding", "standalone"].into_iter();
    let mut has_version = false;
    while !rest.trim_start_matches(is_blank).is_empty() {
        let Some((name, value, tail)) = attribute(rest) else { return false };
        let is_sound = match &*name {
            "version" => value.strip_prefix("1.").is_some_and(|minor| !minor.is_empty()),
            _ => has_version,
        };
        has_version = true;
        let is_plain =
            value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !is_sound || !is_plain || value.is_empty() || !expected.any(|next| next == name) {
            return false;
        }
        rest = tail;
    }
    has_version
}

/// Whether a processing instruction may have this name: `xml` is kept for the declaration.
fn is_target(name: &str) -> bool {
    is_name(name) && !name.eq_ignore_ascii_case("xml")
}

/// Splits ` name = "value"` off the front. The blank before the name is required.
fn attribute(text: &str) -> Option<(Cow<'static, str>, &str, &str)> {
    let trimmed = text.trim_start_matches(is_blank);
    if trimmed.len() == text.len() {
        return None;
    }
    let (name, rest) = trimmed.split_once('=')?;
    let name = name.trim_end_matches(is_blank);
    let rest = rest.trim_start_matches(is_blank);
    let quote = rest.chars().next().filter(|&quote| quote == '"' || quote == '\'')?;
    let (value, tail) = rest.get(1..)?.split_once(quote)?;
    Some((checked_name(name)?, value, tail))
}

/// Keeps a name if it is one. Known names need no check.
fn checked_name(name: &str) -> Option<Cow<'static, str>> {
    let kept = intern(name);
    (matches!(kept, Cow::Borrowed(_)) || is_name(name)).then_some(kept)
}

/// What an attribute value means: references resolved, literal tabs and line ends as blanks.
fn attribute_value(raw: &str) -> Option<String> {
    let needs_care = |byte| matches!(byte, b'<' | b'&' | b'\t' | b'\n' | b'\r');
    if !raw.bytes().any(needs_care) {
        return Some(raw.to_owned());
    }
    if raw.contains('<') {
        return None;
    }
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '\t', '\n', '\r']) {
        let (clean, tail) = rest.split_at(at);
        value.push_str(clean);
        rest = match tail.strip_prefix('&') {
            Some(tail) => {
                let (character, tail) = reference(tail)?;
                value.push(character);
                tail
            }
            None => {
                value.push(' ');
                tail.strip_prefix("\r\n").or_else(|| tail.get(1..))?
            }
        };
    }
    value.push_str(rest);
    Some(value)
}

/// Adds text with every line end as LF.
fn push_lines(element: &mut Element, raw: &str) {
    let mut rest = raw;
    while let Some((line, tail)) = rest.split_once('\r') {
        element.push_text(line);
        element.push_text("\n");
        rest = tail.strip_prefix('\n').unwrap_or(tail);
    }
    element.push_text(rest);
}

const fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

/// Where the first character stands that XML 1.0 does not allow: control characters, U+FFFE, U+FFFF.
fn forbidden_character(text: &str) -> Option<usize> {
    let is_suspect = |byte: u8| byte == 0xEF || byte < b' ';
    let mut from = 0;
    while let Some(at) = text.bytes().skip(from).position(is_suspect).map(|at| from + at) {
        let character = text.get(at..)?.chars().next()?;
        if !matches!(character, '\t' | '\n' | '\r' | ' '..='\u{FFFD}') {
            return Some(at);
        }
        from = at + character.len_utf8();
    }
    None
}

fn malformed(offset: usize, problem: &'static str) -> ParseError {
    ParseError::Malformed { offset, problem }
}

fn markup_error(reader: &Reader<&[u8]>, error: &QuickError) -> ParseError {
    let problem = match error {
        QuickError::IllFormed(IllFormedError::MismatchedEndTag { .. }) => {
            "an end tag that does not match its start tag"
        }
        QuickError::IllFormed(IllFormedError::UnmatchedEndTag(_)) => "a stray end tag",
        QuickError::IllFormed(IllFormedError::DoubleHyphenInComment) => "`--` in a comment",
        QuickError::IllFormed(IllFormedError::UnclosedReference) => "a reference without an end",
        _ => "broken markup",
    };
    malformed(offset(reader.error_position()), problem)
}

fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}
