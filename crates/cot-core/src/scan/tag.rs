//! The hot loop: tags, attributes and text, and which of them the header keeps.

use super::Scanner;
use super::chars::name;
use super::content::{opaque, text};
use super::coordinate::in_range;
use super::swar::{first_lane, key, load, name_key, splat, zero_lanes};
use crate::header::{Fields, Span};
use crate::reject::{Reject, RejectCode};

/// An element that is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    key: u64,
    /// Offset of the name.
    start: u32,
    len: u32,
}

/// An attribute of the tag being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attr {
    key: u64,
    name: Span,
    value: Span,
}

impl Attr {
    /// Whether this is the attribute with a name of up to eight bytes that has this key.
    const fn is(&self, key: u64, len: usize) -> bool {
        self.key == key && self.name.len() == len
    }
}

/// Tags with more attributes than this look for duplicates by sorting: comparing each with each
/// would let a peer buy quadratic work.
const SORT_ABOVE: usize = 16;

const EVENT: u64 = name_key("event");

impl Scanner {
    /// Reads elements from the root's `<` on until the root is closed; returns the offset after
    /// it.
    pub(super) fn elements(&mut self, bytes: &[u8], fields: &mut Fields) -> Result<usize, Reject> {
        self.open.clear();
        let mut elements = 0_usize;
        let mut at = 0;
        loop {
            // There is a `<` at `at`.
            match bytes.get(at + 1) {
                Some(b'/') => {
                    at = self.end_tag(bytes, at, fields)?;
                    if self.open.is_empty() {
                        return Ok(at);
                    }
                }
                Some(b'!' | b'?') => {
                    fields.set(Fields::OPAQUE);
                    at = opaque(bytes, at)?;
                }
                _ => {
                    elements += 1;
                    if elements > self.limits.elements {
                        return Err(Reject::new(RejectCode::TooManyElements, at));
                    }
                    at = self.start_tag(bytes, at, fields)?;
                    if self.open.is_empty() {
                        fields.set(Fields::ODD_END);
                        return Ok(at);
                    }
                }
            }
            if bytes.get(at) != Some(&b'<') {
                at = text(bytes, at)?;
            }
        }
    }

    #[inline(always)]
    fn end_tag(&mut self, bytes: &[u8], at: usize, fields: &mut Fields) -> Result<usize, Reject> {
        let Some(open) = self.open.pop() else {
            return Err(Reject::new(RejectCode::MismatchedTag, at));
        };
        let (start, len) = (at + 2, open.len as usize);
        let same = key(bytes, start, len) == open.key
            && (len <= 8 || bytes.get(start..start + len) == slice(bytes, open.start, len));
        if !same {
            return Err(Reject::new(RejectCode::MismatchedTag, at));
        }
        let mut end = start + len;
        if bytes.get(end) != Some(&b'>') {
            end = spaced_end(bytes, end)?;
            if self.open.is_empty() {
                fields.set(Fields::ODD_END);
            }
        }
        if self.open.len() == 1 && fields.has(Fields::IN_DETAIL) {
            fields.detail_end = offset(at);
            fields.clear(Fields::IN_DETAIL);
        }
        Ok(end + 1)
    }

    /// Reads a start tag. Afterwards the element is open, unless the tag is self-closing.
    #[inline(always)]
    fn start_tag(&mut self, bytes: &[u8], at: usize, fields: &mut Fields) -> Result<usize, Reject> {
        let start = at + 1;
        let element = name(bytes, start)?;
        if element.prefixed {
            fields.set(Fields::PREFIXES);
        }
        let len = element.end - start;
        let element_key = key(bytes, start, len);
        let is_event = element_key == EVENT && len == 5;
        if is_event != self.open.is_empty() {
            let code = if is_event { RejectCode::NestedEvent } else { RejectCode::Root };
            return Err(Reject::new(code, at));
        }
        let (end, empty) = self.attributes(bytes, element.end, fields)?;
        match self.open.len() {
            0 => self.root(bytes, at, fields)?,
            1 => self.event_child(bytes, at, (element_key, len), empty, fields)?,
            2 if fields.has(Fields::IN_DETAIL) => {
                self.detail_child(bytes, at, (element_key, len), fields);
            }
            _ => {}
        }
        if !empty {
            if self.open.len() >= self.limits.depth {
                return Err(Reject::new(RejectCode::Depth, at));
            }
            self.open.push(Open { key: element_key, start: offset(start), len: offset(len) });
        }
        Ok(end)
    }

    /// Reads the attributes and the end of a tag; returns the offset after it, and whether the
    /// tag is self-closing.
    #[inline(always)]
    fn attributes(
        &mut self,
        bytes: &[u8],
        mut at: usize,
        fields: &mut Fields,
    ) -> Result<(usize, bool), Reject> {
        self.attrs.clear();
        let mut seen = 0_u64;
        loop {
            let gap = at;
            at = skip_blanks(bytes, at);
            match bytes.get(at) {
                Some(b'>') => break,
                Some(b'/') => {
                    if bytes.get(at + 1) != Some(&b'>') {
                        return Err(Reject::new(RejectCode::Attribute, at));
                    }
                    break;
                }
                None => return Err(Reject::new(RejectCode::Truncated, at)),
                _ if gap == at => return Err(Reject::new(RejectCode::Attribute, at)),
                _ => {}
            }
            let start = at;
            let attribute = name(bytes, start)?;
            if attribute.prefixed {
                fields.set(Fields::PREFIXES);
            }
            let quote_at = equals(bytes, attribute.end)?;
            let value = value(bytes, quote_at)?;
            at = value.range().end + 1;

            if self.attrs.len() >= self.limits.attributes {
                return Err(Reject::new(RejectCode::TooManyAttributes, start));
            }
            let name = Span::new(start, attribute.end, false);
            let attr = Attr { key: key(bytes, start, name.len()), name, value };
            let bit = 1 << (attr.key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58);
            if seen & bit != 0 && self.attrs.len() < SORT_ABOVE && self.is_repeated(bytes, attr) {
                return Err(Reject::new(RejectCode::DuplicateAttribute, start));
            }
            seen |= bit;
            self.attrs.push(attr);
        }
        if self.attrs.len() > SORT_ABOVE {
            self.many_attributes(bytes)?;
        }
        let empty = bytes.get(at) == Some(&b'/');
        Ok((at + 1 + usize::from(empty), empty))
    }

    #[cold]
    fn is_repeated(&self, bytes: &[u8], new: Attr) -> bool {
        self.attrs.iter().any(|old| {
            old.key == new.key
                && old.name.len() == new.name.len()
                && bytes.get(old.name.range()) == bytes.get(new.name.range())
        })
    }

    /// Looks for duplicates in a tag with many attributes.
    #[cold]
    #[inline(never)]
    fn many_attributes(&mut self, bytes: &[u8]) -> Result<(), Reject> {
        let attrs = &self.attrs;
        let name =
            |index: u32| attrs.get(index as usize).and_then(|attr| bytes.get(attr.name.range()));
        self.order.clear();
        self.order.extend(0..offset(attrs.len()));
        self.order.sort_unstable_by_key(|&index| name(index));
        let twice = self.order.windows(2).find_map(|pair| match *pair {
            [a, b] if name(a) == name(b) => attrs.get(a.max(b) as usize),
            _ => None,
        });
        match twice {
            Some(attr) => Err(Reject::new(RejectCode::DuplicateAttribute, attr.name.range().start)),
            None => Ok(()),
        }
    }

    #[inline(always)]
    fn root(&self, bytes: &[u8], at: usize, fields: &mut Fields) -> Result<(), Reject> {
        for attr in &self.attrs {
            let field = match (attr.key, attr.name.len()) {
                (UID, 3) => &mut fields.uid,
                (TYPE, 4) => &mut fields.kind,
                (TIME, 4) => &mut fields.time,
                (START, 5) => &mut fields.start,
                (STALE, 5) => &mut fields.stale,
                (HOW, 3) => &mut fields.how,
                _ => continue,
            };
            *field = attr.value;
        }
        let _ = bytes;
        let missing = if fields.uid.len() == 0 {
            RejectCode::MissingUid
        } else if fields.kind.len() == 0 {
            RejectCode::MissingType
        } else if !fields.time.is_some() {
            RejectCode::MissingTime
        } else if !fields.stale.is_some() {
            RejectCode::MissingStale
        } else {
            return Ok(());
        };
        Err(Reject::new(missing, at))
    }

    #[inline(always)]
    fn event_child(
        &self,
        bytes: &[u8],
        at: usize,
        name: (u64, usize),
        empty: bool,
        fields: &mut Fields,
    ) -> Result<(), Reject> {
        match name {
            (POINT, 5) if !fields.has(Fields::POINT) => {
                fields.set(Fields::POINT);
                for attr in &self.attrs {
                    let field = match (attr.key, attr.name.len()) {
                        (LAT, 3) => &mut fields.lat,
                        (LON, 3) => &mut fields.lon,
                        (HAE, 3) => &mut fields.hae,
                        (CE, 2) => &mut fields.ce,
                        (LE, 2) => &mut fields.le,
                        _ => continue,
                    };
                    *field = attr.value;
                }
                if !fields.lat.is_some() || !fields.lon.is_some() {
                    return Err(Reject::new(RejectCode::MissingPoint, at));
                }
                if !in_range(bytes, fields.lat, 90) {
                    return Err(Reject::new(RejectCode::Latitude, fields.lat.range().start));
                }
                if !in_range(bytes, fields.lon, 180) {
                    return Err(Reject::new(RejectCode::Longitude, fields.lon.range().start));
                }
            }
            (DETAIL, 6) if !fields.has(Fields::DETAIL) => {
                fields.set(Fields::DETAIL);
                if !empty {
                    fields.set(Fields::IN_DETAIL);
                }
            }
            _ => {}
        }
        Ok(())
    }

    #[inline(always)]
    fn detail_child(&self, bytes: &[u8], at: usize, name: (u64, usize), fields: &mut Fields) {
        // The key holds the first eight bytes; longer names are compared here.
        let is = |whole: &[u8]| bytes.get(at + 1..at + 1 + name.1) == Some(whole);
        let field = match name {
            (CONTACT, 7) if !fields.has(Fields::CONTACT) => {
                fields.set(Fields::CONTACT);
                fields.callsign = self.attribute(CALLSIGN, 8);
                fields.endpoint = self.attribute(ENDPOINT, 8);
                return;
            }
            (GROUP, 7) if !fields.has(Fields::GROUP) => {
                fields.set(Fields::GROUP);
                fields.team = self.attribute(NAME, 4);
                fields.role = self.attribute(ROLE, 4);
                return;
            }
            (ARCHIVE, 7) => return fields.set(Fields::ARCHIVE),
            (MARTI, 5) => &mut fields.marti,
            (LINK, 4) => &mut fields.link,
            (CHAT, 6) => &mut fields.chat,
            (CHAT_RECEIPT, 13) if is(b"__chatreceipt") => &mut fields.chat,
            (EMERGENCY, 9) if is(b"emergency") => &mut fields.emergency,
            (TAK_CONTROL, 10) if is(b"TakControl") => &mut fields.tak_control,
            (FLOW_TAGS, 11) if is(b"_flow-tags_") => &mut fields.flow_tags,
            (ACK_RESPONSE, 11) if is(b"ackresponse") => return fields.set(Fields::ACK_RESPONSE),
            (FORCE_DELETE, 13) if is(b"__forcedelete") => return fields.set(Fields::FORCE_DELETE),
            _ => return,
        };
        if *field == 0 {
            *field = offset(at);
        }
    }

    #[inline(always)]
    fn attribute(&self, key: u64, len: usize) -> Span {
        let found = self.attrs.iter().find(|attr| attr.is(key, len));
        found.map_or_else(Span::default, |attr| attr.value)
    }
}

const UID: u64 = name_key("uid");
const TYPE: u64 = name_key("type");
const TIME: u64 = name_key("time");
const START: u64 = name_key("start");
const STALE: u64 = name_key("stale");
const HOW: u64 = name_key("how");
const LAT: u64 = name_key("lat");
const LON: u64 = name_key("lon");
const HAE: u64 = name_key("hae");
const CE: u64 = name_key("ce");
const LE: u64 = name_key("le");
const CALLSIGN: u64 = name_key("callsign");
const ENDPOINT: u64 = name_key("endpoint");
const NAME: u64 = name_key("name");
const ROLE: u64 = name_key("role");
const POINT: u64 = name_key("point");
const DETAIL: u64 = name_key("detail");
const CONTACT: u64 = name_key("contact");
const GROUP: u64 = name_key("__group");
const ARCHIVE: u64 = name_key("archive");
const MARTI: u64 = name_key("marti");
const LINK: u64 = name_key("link");
const CHAT: u64 = name_key("__chat");
const CHAT_RECEIPT: u64 = name_key("__chatreceipt");
const EMERGENCY: u64 = name_key("emergency");
const TAK_CONTROL: u64 = name_key("TakControl");
const FLOW_TAGS: u64 = name_key("_flow-tags_");
const ACK_RESPONSE: u64 = name_key("ackresponse");
const FORCE_DELETE: u64 = name_key("__forcedelete");

/// An offset within an event, which is shorter than 1 GiB.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "events are shorter than 1 GiB")]
const fn offset(at: usize) -> u32 {
    at as u32
}

#[inline(always)]
fn slice(bytes: &[u8], start: u32, len: usize) -> Option<&[u8]> {
    bytes.get(start as usize..start as usize + len)
}

#[inline(always)]
fn skip_blanks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The end of an end tag with blanks before its `>`.
#[cold]
fn spaced_end(bytes: &[u8], at: usize) -> Result<usize, Reject> {
    let end = skip_blanks(bytes, at);
    match bytes.get(end) {
        Some(b'>') => Ok(end),
        None => Err(Reject::new(RejectCode::Truncated, end)),
        _ => Err(Reject::new(RejectCode::MismatchedTag, at)),
    }
}

/// Reads `=` with blanks around it; returns where the quote has to be.
#[inline(always)]
fn equals(bytes: &[u8], at: usize) -> Result<usize, Reject> {
    if bytes.get(at) == Some(&b'=')
        && let Some(b'"' | b'\'') = bytes.get(at + 1)
    {
        return Ok(at + 1);
    }
    spaced_equals(bytes, at)
}

#[cold]
fn spaced_equals(bytes: &[u8], at: usize) -> Result<usize, Reject> {
    let at = skip_blanks(bytes, at);
    match bytes.get(at) {
        Some(b'=') => Ok(skip_blanks(bytes, at + 1)),
        None => Err(Reject::new(RejectCode::Truncated, at)),
        _ => Err(Reject::new(RejectCode::Attribute, at)),
    }
}

/// Reads the attribute value whose quote is at `at`.
#[inline(always)]
fn value(bytes: &[u8], at: usize) -> Result<Span, Reject> {
    let quote = match bytes.get(at) {
        Some(&quote @ (b'"' | b'\'')) => quote,
        None => return Err(Reject::new(RejectCode::Truncated, at)),
        _ => return Err(Reject::new(RejectCode::Attribute, at)),
    };
    // Either quote differs from `&` in a single bit, so with that bit set the two are one.
    let (bit, merged) = if quote == b'"' { (0x04, b'&') } else { (0x01, b'\'') };
    let (bit, merged) = (splat(bit), splat(merged));
    let start = at + 1;
    let mut at = start;
    let mut escaped = false;
    loop {
        while let Some(word) = load(bytes, at) {
            let hits = zero_lanes((word | bit) ^ merged) | zero_lanes(word ^ splat(b'<'));
            if hits != 0 {
                at += first_lane(hits);
                break;
            }
            at += 8;
        }
        match bytes.get(at) {
            Some(&byte) if byte == quote => return Ok(Span::new(start, at, escaped)),
            Some(b'&') => {
                escaped = true;
                at = super::content::reference(bytes, at)?;
            }
            Some(b'<') => return Err(Reject::new(RejectCode::RawLessThan, at)),
            // Fewer than eight bytes are left.
            Some(_) => at += 1,
            None => return Err(Reject::new(RejectCode::Truncated, at)),
        }
    }
}
