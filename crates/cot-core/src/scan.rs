//! One pass over one event: is it well-formed, is it complete, and where is what routing needs.

mod attribute;
mod chars;
mod content;
mod coordinate;
mod namespace;
mod swar;
mod tag;

use memchr::memmem::Finder;

use self::tag::{Attr, Open};
use crate::header::{Fields, Header};
use crate::limits::Limits;
use crate::reject::{Reject, RejectCode};
use crate::work;

/// What the end of every event starts with.
const END_TAG: &[u8] = b"</event";

/// Blanks that may stand before the `>` of an end tag and have it found by looking for it. One
/// with more of them is still read as XML; it is just not what the search stops at.
const END_BLANKS: usize = 16;

/// How many bytes before the end of what was searched an end tag may begin that is not complete.
pub(crate) const END_OVERLAP: usize = END_TAG.len() + END_BLANKS;

/// Validates events and reads their routing header.
///
/// Holds scratch memory that is used again for every event, so scanning allocates nothing once
/// warm (save for events that use namespace prefixes). Make one per worker, not one per
/// connection.
///
/// Checked are: size; UTF-8 and the characters XML allows; that tags balance by name and
/// attributes are quoted, separated and unique; references (predefined and numeric ones only);
/// comments, CDATA sections and instructions; the limits; that prefixes are bound; that the root
/// is `event` with `uid`, `type`, `time` and `stale`, and has a `point` with `lat` and `lon` in
/// range. What is inside `detail` is not held against any schema. Document type declarations are
/// refused.
///
/// # Complexity
///
/// Linear in the length of the event, whatever it holds.
///
/// # Examples
///
/// ```
/// use cot_core::{Limits, Scanner};
///
/// let event = br#"<event version="2.0" uid="A-1" type="a-f-G-U-C" how="m-g"
///   time="2026-01-01T00:00:00Z" start="2026-01-01T00:00:00Z" stale="2026-01-01T00:01:00Z">
///   <point lat="1.5" lon="-3" hae="0" ce="9.9" le="NaN"/>
///   <detail><contact callsign="ALPHA" endpoint="*:-1:stcp"/></detail></event>"#;
/// let header = Scanner::new(Limits::default()).scan(event)?;
/// assert_eq!(header.kind(), "a-f-G-U-C");
/// let callsign = header.contact().and_then(|contact| contact.callsign);
/// assert!(callsign.is_some_and(|callsign| callsign.eq_str("ALPHA")));
/// # Ok::<(), cot_core::Reject>(())
/// ```
#[derive(Debug)]
pub struct Scanner {
    limits: Limits,
    /// The elements that are open, outermost first. Never longer than `limits.depth`.
    open: Vec<Open>,
    /// Room for the attributes of a tag; the first `count` are those of the tag read last. Never
    /// longer than `limits.attributes`.
    attrs: Vec<Attr>,
    /// 0 <= count <= attrs.len()
    count: usize,
    /// Scratch for finding duplicates in a tag with many attributes.
    order: Vec<u32>,
    /// Finds [`END_TAG`].
    finder: Finder<'static>,
    /// A buffer that a connection gave back, for the next one that has to keep bytes.
    spare: Vec<u8>,
    /// The form of an event that had to be rewritten.
    mended: Vec<u8>,
}

impl Scanner {
    /// A scanner that holds every event to `limits`.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            open: Vec::with_capacity(limits.depth.min(64)),
            attrs: vec![Attr::default(); limits.attributes.min(128)],
            count: 0,
            order: Vec::new(),
            finder: Finder::new(END_TAG),
            spare: Vec::new(),
            mended: Vec::new(),
        }
    }

    /// The limits in force.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Validates the one event that `bytes` holds, as a datagram does, and reads its header.
    ///
    /// A byte-order mark, blanks, an XML declaration, comments and instructions may stand before
    /// the event, and all but the first two of these after it; they are not part of the header's
    /// bytes. The encoding that a declaration names is ignored.
    ///
    /// # Errors
    ///
    /// The first thing found wrong. [`RejectCode::AmbiguousEnd`] for an event that is
    /// well-formed but must not be relayed as it stands.
    pub fn scan<'a>(&mut self, bytes: &'a [u8]) -> Result<Header<'a>, Reject> {
        let start = content::prolog(bytes)?;
        let rest = bytes.get(start..).unwrap_or_default();
        if !rest.starts_with(b"<") {
            return Err(Reject::new(RejectCode::Root, 0));
        }
        let document = self.document(rest)?;
        content::epilog(bytes, start + document.len())?;
        if self.is_ambiguous(&document) {
            return Err(Reject::new(RejectCode::AmbiguousEnd, document.len()));
        }
        Ok(document.header)
    }

    /// Validates the event whose `<` is the first byte; what follows its end is left alone.
    #[inline]
    pub(crate) fn document<'a>(&mut self, bytes: &'a [u8]) -> Result<Document<'a>, Reject> {
        if bytes.len() > self.limits.event_bytes() {
            return Err(Reject::new(RejectCode::TooLong, self.limits.event_bytes()));
        }
        let mut fields = Fields::default();
        let end = self.elements(bytes, &mut fields);
        work::looked_at(end.map_or_else(|reject| reject.offset as usize, |end| 2 * end));
        let end = end?;
        if !fields.has(Fields::POINT) {
            return Err(Reject::new(RejectCode::MissingPoint, end));
        }
        let checked = chars::check(bytes.get(..end).unwrap_or_default())?;
        if checked.controls {
            fields.set(Fields::CONTROLS);
        }
        let text = checked.text;
        if fields.has(Fields::PREFIXES) {
            namespace::check(text)?;
        }
        Ok(Document { header: Header::new(text, fields), fields: fields.flags })
    }

    /// Whether the event has to be rewritten before it may be relayed: a reader that ends it at
    /// the first `</event>` would cut it elsewhere.
    pub(crate) fn is_ambiguous(&self, document: &Document<'_>) -> bool {
        if document.has(Fields::ODD_END) {
            return true;
        }
        // A raw `<` is legal in comments, CDATA sections and instructions alone.
        document.has(Fields::OPAQUE)
            && self.find_end(document.header.bytes()) != Some(document.len())
    }

    /// The offset after the first `</event>`, in which blanks may stand before the `>`.
    #[inline]
    pub(crate) fn find_end(&self, bytes: &[u8]) -> Option<usize> {
        let mut from = 0;
        loop {
            let rest = bytes.get(from..)?;
            let found = self.finder.find(rest);
            work::looked_at(found.unwrap_or(rest.len()) + END_OVERLAP);
            let end = from + found? + END_TAG.len();
            if bytes.get(end) == Some(&b'>') {
                return Some(end + 1);
            }
            let window = bytes.get(end..bytes.len().min(end + END_BLANKS + 1))?;
            let blanks = window.iter().take_while(|byte| is_blank(**byte)).count();
            if window.get(blanks) == Some(&b'>') {
                return Some(end + blanks + 1);
            }
            from = end;
        }
    }

    /// Lends the buffer for rewritten events; [`keep_mended`](Self::keep_mended) returns it.
    pub(crate) fn take_mended(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.mended)
    }

    pub(crate) fn keep_mended(&mut self, buf: Vec<u8>) {
        keep(&mut self.mended, buf);
    }

    /// An empty buffer for a connection that has to keep bytes.
    pub(crate) fn take_spare(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.spare)
    }

    pub(crate) fn keep_spare(&mut self, buf: Vec<u8>) {
        keep(&mut self.spare, buf);
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Keeps the larger of two buffers, unless it is so large that only one odd event can have
/// needed it.
fn keep(slot: &mut Vec<u8>, mut buf: Vec<u8>) {
    const KEPT: usize = 64 * 1024;
    if buf.capacity() > slot.capacity() && buf.capacity() <= KEPT {
        buf.clear();
        *slot = buf;
    }
}

/// A validated event.
pub(crate) struct Document<'a> {
    pub(crate) header: Header<'a>,
    fields: u32,
}

impl Document<'_> {
    /// Bytes from the start of `<event` to the end of the root element.
    pub(crate) const fn len(&self) -> usize {
        self.header.bytes().len()
    }

    /// Whether the root ends in an end tag, and that without blanks.
    pub(crate) const fn has_end_tag(&self) -> bool {
        !self.has(Fields::ODD_END)
    }

    const fn has(&self, flag: u32) -> bool {
        self.fields & flag != 0
    }
}
