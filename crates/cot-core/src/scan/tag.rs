//! The hot loop: tags and what is between them, and which of their attributes the header keeps.

use super::Scanner;
use super::attribute::{Attribute, any_attribute, usual_attribute};
use super::chars::{letters, name};
use super::content::{opaque, text};
use super::coordinate::in_range;
use super::swar::{key, name_key};
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
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attr {
    key: u64,
    name_start: u32,
    name_end: u32,
    value: Span,
}

impl Attr {
    const fn name_len(&self) -> usize {
        (self.name_end - self.name_start) as usize
    }

    fn name<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        bytes.get(self.name_start as usize..self.name_end as usize)
    }
}

/// Tags with more attributes than this look for duplicates by sorting: comparing each with each
/// would let a peer buy quadratic work.
const SORT_ABOVE: usize = 16;

/// Spreads the names of attributes over 64 bits; chosen so that those of the usual tags do not
/// clash.
const SPREAD: u64 = 0x5BC8_FBBC_BDE5_C099;

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
        let element = match letters(bytes, start) {
            Some(name) if matches!(bytes.get(name.end), Some(b' ' | b'>' | b'/')) => name,
            _ => name(bytes, start)?,
        };
        if element.prefixed {
            fields.set(Fields::PREFIXES);
        }
        let len = element.end - start;
        let is_event = element.key == EVENT && len == 5;
        if is_event != self.open.is_empty() {
            let code = if is_event { RejectCode::NestedEvent } else { RejectCode::Root };
            return Err(Reject::new(code, at));
        }
        let (end, empty) = self.attributes(bytes, element.end, fields)?;
        match self.open.len() {
            0 => self.root(at, fields)?,
            1 => self.event_child(bytes, at, (element.key, len), empty, fields)?,
            2 if fields.has(Fields::IN_DETAIL) => {
                self.detail_child(bytes, at, (element.key, len), fields);
            }
            _ => {}
        }
        if !empty {
            if self.open.len() >= self.limits.depth {
                return Err(Reject::new(RejectCode::Depth, at));
            }
            self.open.push(Open { key: element.key, start: offset(start), len: offset(len) });
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
        let mut count = 0;
        // The bits that names hash to, and those among them that two names hash to.
        let (mut seen, mut clashes) = (0_u64, 0_u64);
        loop {
            let usual = match bytes.get(at) {
                Some(b'>') => break,
                Some(b'/') if bytes.get(at + 1) == Some(&b'>') => break,
                Some(b' ') => usual_attribute(bytes, at + 1),
                _ => None,
            };
            let Some(Attribute { start, name, value }) = (match usual {
                Some(attribute) => Some(attribute),
                None => any_attribute(bytes, &mut at)?,
            }) else {
                break;
            };
            if name.prefixed {
                fields.set(Fields::PREFIXES);
            }
            at = value.end + 1;
            let bit = 1 << (name.key.wrapping_mul(SPREAD) >> 58);
            clashes |= seen & bit;
            seen |= bit;
            let attr = Attr {
                key: name.key,
                name_start: offset(start),
                name_end: offset(name.end),
                value: Span::new(value.open, value.end, value.escaped),
            };
            match self.attrs.get_mut(count) {
                Some(slot) => *slot = attr,
                None => self.make_room(attr)?,
            }
            count += 1;
        }
        self.count = count;
        if clashes != 0 {
            self.look_for_duplicate(bytes)?;
        }
        let empty = bytes.get(at) == Some(&b'/');
        Ok((at + 1 + usize::from(empty), empty))
    }

    /// Takes in one attribute more than any tag had before, if the limit allows.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, attr: Attr) -> Result<(), Reject> {
        if self.attrs.len() >= self.limits.attributes {
            return Err(Reject::new(RejectCode::TooManyAttributes, attr.name_start as usize));
        }
        self.attrs.push(attr);
        Ok(())
    }

    /// The attributes of the tag read last.
    #[inline(always)]
    fn tag_attrs(&self) -> &[Attr] {
        self.attrs.get(..self.count).unwrap_or_default()
    }

    /// Compares the names of the tag's attributes: two of them hash to the same bit.
    #[cold]
    #[inline(never)]
    fn look_for_duplicate(&mut self, bytes: &[u8]) -> Result<(), Reject> {
        if self.count > SORT_ABOVE {
            return self.look_for_duplicate_among_many(bytes);
        }
        let mut rest = self.tag_attrs();
        while let [first, others @ ..] = rest {
            let is_same = |other: &&Attr| {
                other.key == first.key
                    && other.name_len() == first.name_len()
                    && (first.name_len() <= 8 || other.name(bytes) == first.name(bytes))
            };
            if let Some(twin) = others.iter().find(is_same) {
                return Err(duplicate(twin));
            }
            rest = others;
        }
        Ok(())
    }

    fn look_for_duplicate_among_many(&mut self, bytes: &[u8]) -> Result<(), Reject> {
        let attrs = self.attrs.get(..self.count).unwrap_or_default();
        let name = |index: u32| attrs.get(index as usize).and_then(|attr| attr.name(bytes));
        self.order.clear();
        self.order.extend(0..offset(attrs.len()));
        self.order.sort_unstable_by_key(|&index| name(index));
        let twin = self.order.windows(2).find_map(|pair| match *pair {
            [a, b] if name(a) == name(b) => attrs.get(a.max(b) as usize),
            _ => None,
        });
        twin.map_or(Ok(()), |twin| Err(duplicate(twin)))
    }

    #[inline(always)]
    fn root(&self, at: usize, fields: &mut Fields) -> Result<(), Reject> {
        for attr in self.tag_attrs() {
            let field = match (attr.key, attr.name_len()) {
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
                for attr in self.tag_attrs() {
                    let field = match (attr.key, attr.name_len()) {
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
            (CHAT_RECEIPT, 13) if name_ends(bytes, at, name.1, b"ceipt") => &mut fields.chat,
            (EMERGENCY, 9) if name_ends(bytes, at, name.1, b"y") => &mut fields.emergency,
            (TAK_CONTROL, 10) if name_ends(bytes, at, name.1, b"ol") => &mut fields.tak_control,
            (FLOW_TAGS, 11) if name_ends(bytes, at, name.1, b"gs_") => &mut fields.flow_tags,
            (ACK_RESPONSE, 11) if name_ends(bytes, at, name.1, b"nse") => {
                return fields.set(Fields::ACK_RESPONSE);
            }
            (FORCE_DELETE, 13) if name_ends(bytes, at, name.1, b"elete") => {
                return fields.set(Fields::FORCE_DELETE);
            }
            _ => return,
        };
        if *field == 0 {
            *field = offset(at);
        }
    }

    #[inline(always)]
    fn attribute(&self, key: u64, len: usize) -> Span {
        let found = self.tag_attrs().iter().find(|attr| attr.key == key && attr.name_len() == len);
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
pub(super) fn skip_blanks(bytes: &[u8], mut at: usize) -> usize {
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

#[cold]
fn duplicate(attr: &Attr) -> Reject {
    Reject::new(RejectCode::DuplicateAttribute, attr.name_start as usize)
}

/// Whether the element at `at`, of which the key is known, has a name that ends in `rest` behind
/// the eight bytes that the key holds.
#[inline(always)]
fn name_ends(bytes: &[u8], at: usize, len: usize, rest: &[u8]) -> bool {
    bytes.get(at + 9..at + 1 + len) == Some(rest)
}
