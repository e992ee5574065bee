//! The routing header of an event: where in its bytes the parts lie that routing needs.

mod dest;
mod element;
mod parts;

use core::fmt;
use core::ops::Range;

pub use self::dest::{Dest, Dests};
pub(crate) use self::element::{Element, Token, Tokens};
pub use self::parts::{ChatRef, ContactRef, EmergencyRef, FlowTagsRef, GroupRef, LinkRef, Members};
use crate::text::Text;
use crate::time::CotTime;

/// The routing header of one validated event: spans into its bytes, nothing copied.
///
/// Only direct children of the first `<detail>` are looked at, and of those the first of each
/// name. All offsets and ranges are relative to [`bytes`](Self::bytes). What is not read eagerly
/// (times, destinations, chat) is read from the event's bytes when asked for.
#[derive(Clone)]
pub struct Header<'a> {
    text: &'a str,
    fields: Fields,
}

impl<'a> Header<'a> {
    pub(crate) const fn new(text: &'a str, fields: Fields) -> Self {
        Self { text, fields }
    }

    /// The event, exactly from `<event` to `</event>`: declaration, blanks and comments around it
    /// are cut off, and `</event>` occurs nowhere else in it.
    pub const fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The event as text; see [`bytes`](Self::bytes).
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// Identity of the thing the event describes; never empty.
    pub fn uid(&self) -> Text<'a> {
        self.required(self.fields.uid)
    }

    /// The `type` as it stands in the event, such as `a-f-G-U-C`; never empty.
    pub fn kind(&self) -> &'a str {
        self.slice(self.fields.kind.range())
    }

    /// How the position was obtained, such as `m-g`.
    pub fn how(&self) -> Option<Text<'a>> {
        self.optional(self.fields.how)
    }

    /// When the event was made, as it stands there; not checked to be a time.
    pub fn time(&self) -> Text<'a> {
        self.required(self.fields.time)
    }

    /// Start of the event's validity, as it stands there.
    pub fn start(&self) -> Option<Text<'a>> {
        self.optional(self.fields.start)
    }

    /// End of the event's validity, as it stands there; not checked to be a time.
    pub fn stale(&self) -> Text<'a> {
        self.required(self.fields.stale)
    }

    /// `time` in milliseconds since 1970; `None` when it is not a CoT time. Parsed at each call.
    pub fn time_ms(&self) -> Option<i64> {
        millis(self.time())
    }

    /// `start` in milliseconds since 1970; `None` when absent or not a CoT time.
    pub fn start_ms(&self) -> Option<i64> {
        millis(self.start()?)
    }

    /// `stale` in milliseconds since 1970; `None` when it is not a CoT time.
    pub fn stale_ms(&self) -> Option<i64> {
        millis(self.stale())
    }

    /// Where the value of `type` lies.
    pub fn kind_range(&self) -> Range<usize> {
        self.fields.kind.range()
    }

    /// Where the value of `time` lies.
    pub fn time_range(&self) -> Range<usize> {
        self.fields.time.range()
    }

    /// Where the value of `start` lies.
    pub fn start_range(&self) -> Option<Range<usize>> {
        self.fields.start.is_some().then(|| self.fields.start.range())
    }

    /// Where the value of `stale` lies.
    pub fn stale_range(&self) -> Range<usize> {
        self.fields.stale.range()
    }

    /// Latitude in degrees as it stands in the event; known to be a number from -90 to 90.
    pub fn lat(&self) -> Text<'a> {
        self.required(self.fields.lat)
    }

    /// Longitude in degrees as it stands in the event; known to be a number from -180 to 180.
    pub fn lon(&self) -> Text<'a> {
        self.required(self.fields.lon)
    }

    /// Height above the ellipsoid in metres, as it stands in the event; any text.
    pub fn hae(&self) -> Option<Text<'a>> {
        self.optional(self.fields.hae)
    }

    /// Circular error in metres, as it stands in the event; any text.
    pub fn ce(&self) -> Option<Text<'a>> {
        self.optional(self.fields.ce)
    }

    /// Linear error in metres, as it stands in the event; any text (`NaN` occurs).
    pub fn le(&self) -> Option<Text<'a>> {
        self.optional(self.fields.le)
    }

    /// The first `<contact>`.
    pub fn contact(&self) -> Option<ContactRef<'a>> {
        self.fields.has(Fields::CONTACT).then(|| ContactRef {
            callsign: self.optional(self.fields.callsign),
            endpoint: self.optional(self.fields.endpoint),
        })
    }

    /// The first `<__group>`: team and role of the sender.
    pub fn group(&self) -> Option<GroupRef<'a>> {
        self.fields.has(Fields::GROUP).then(|| GroupRef {
            name: self.optional(self.fields.team),
            role: self.optional(self.fields.role),
        })
    }

    /// Every `<dest>` of every `<marti>`, in order; empty for a broadcast.
    pub fn dests(&self) -> Dests<'a> {
        Dests::new(self.element(self.fields.marti))
    }

    /// The first `<marti>`, from its `<` to the end of `</marti>` or `/>`.
    ///
    /// There may be more of them: see [`marti_ranges`](Self::marti_ranges).
    pub fn marti_range(&self) -> Option<Range<usize>> {
        self.marti_ranges().next()
    }

    /// Every `<marti>` that is a child of the detail, in order, as whole elements.
    pub fn marti_ranges(&self) -> impl Iterator<Item = Range<usize>> + use<'a> {
        self.element(self.fields.marti)
            .into_iter()
            .flat_map(Element::with_siblings)
            .filter(|element| element.name() == "marti")
            .map(|element| element.start()..element.end())
    }

    /// How many `<marti>` the detail has; more than one is legal and all of them count.
    pub fn marti_count(&self) -> usize {
        self.marti_ranges().count()
    }

    /// The first `<__chat>` or `<__chatreceipt>`.
    pub fn chat(&self) -> Option<ChatRef<'a>> {
        self.element(self.fields.chat).map(ChatRef::read)
    }

    /// The first `<emergency>`.
    pub fn emergency(&self) -> Option<EmergencyRef<'a>> {
        self.element(self.fields.emergency).map(EmergencyRef::read)
    }

    /// The first `<link>`.
    pub fn link(&self) -> Option<LinkRef<'a>> {
        self.element(self.fields.link).map(LinkRef::read)
    }

    /// The protocol version that `<TakControl><TakRequest version="1"/>` asks for.
    pub fn tak_request(&self) -> Option<Text<'a>> {
        let mut children = self.element(self.fields.tak_control)?.children();
        children.find(|child| child.name() == "TakRequest")?.attribute("version")
    }

    /// Whether the detail has an `<ackresponse>`.
    pub const fn has_ack_response(&self) -> bool {
        self.fields.has(Fields::ACK_RESPONSE)
    }

    /// Whether the detail has a `<__forcedelete>`.
    pub const fn has_force_delete(&self) -> bool {
        self.fields.has(Fields::FORCE_DELETE)
    }

    /// Whether the detail has an `<archive>`.
    pub const fn has_archive(&self) -> bool {
        self.fields.has(Fields::ARCHIVE)
    }

    /// The first `<_flow-tags_>`: the servers the event has passed.
    pub fn flow_tags(&self) -> Option<FlowTagsRef<'a>> {
        self.element(self.fields.flow_tags).map(FlowTagsRef::read)
    }

    /// Offset of `</detail>`; `None` when there is no detail, or it is self-closing.
    pub fn detail_end(&self) -> Option<usize> {
        (self.fields.detail_end != 0).then_some(self.fields.detail_end as usize)
    }

    fn slice(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    fn required(&self, span: Span) -> Text<'a> {
        let raw = self.slice(span.range());
        // Only an event with a tab or a line end somewhere can have one in this value.
        if span.escaped() || self.fields.has(Fields::CONTROLS) {
            Text::new(raw)
        } else {
            Text::plain(raw)
        }
    }

    fn optional(&self, span: Span) -> Option<Text<'a>> {
        span.is_some().then(|| self.required(span))
    }

    fn element(&self, start: u32) -> Option<Element<'a>> {
        (start != 0).then(|| Element::new(self.text, start as usize))
    }
}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("uid", &self.uid().raw())
            .field("kind", &self.kind())
            .field("len", &self.text.len())
            .finish_non_exhaustive()
    }
}

fn millis(text: Text<'_>) -> Option<i64> {
    CotTime::parse(&text.to_cow()).ok().map(CotTime::as_unix_millis)
}

/// A piece of an event, in eight bytes: where it starts, how long it is, whether it has a `&`.
///
/// All-zero means absent: no value starts at the event's first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    /// The length in the upper 31 bits; the lowest says whether there is a `&`.
    meta: u32,
}

impl Span {
    /// `start..end`, which lies within the 1 GiB an event may have.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "events are shorter than 1 GiB")]
    pub(crate) const fn new(start: usize, end: usize, escaped: bool) -> Self {
        Self { start: start as u32, meta: ((end - start) as u32) << 1 | escaped as u32 }
    }

    pub(crate) const fn is_some(self) -> bool {
        self.start != 0
    }

    pub(crate) const fn len(self) -> usize {
        (self.meta >> 1) as usize
    }

    pub(crate) const fn escaped(self) -> bool {
        self.meta & 1 != 0
    }

    pub(crate) const fn range(self) -> Range<usize> {
        self.start as usize..self.start as usize + self.len()
    }
}

/// What the scanner found. Element positions are the offset of their `<`; zero means absent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fields {
    pub(crate) uid: Span,
    pub(crate) kind: Span,
    pub(crate) how: Span,
    pub(crate) time: Span,
    pub(crate) start: Span,
    pub(crate) stale: Span,
    pub(crate) lat: Span,
    pub(crate) lon: Span,
    pub(crate) hae: Span,
    pub(crate) ce: Span,
    pub(crate) le: Span,
    pub(crate) callsign: Span,
    pub(crate) endpoint: Span,
    pub(crate) team: Span,
    pub(crate) role: Span,
    pub(crate) marti: u32,
    pub(crate) chat: u32,
    pub(crate) emergency: u32,
    pub(crate) link: u32,
    pub(crate) tak_control: u32,
    pub(crate) flow_tags: u32,
    pub(crate) detail_end: u32,
    pub(crate) flags: u32,
}

impl Fields {
    pub(crate) const CONTACT: u32 = 1;
    pub(crate) const GROUP: u32 = 1 << 1;
    pub(crate) const ACK_RESPONSE: u32 = 1 << 2;
    pub(crate) const FORCE_DELETE: u32 = 1 << 3;
    pub(crate) const ARCHIVE: u32 = 1 << 4;
    pub(crate) const POINT: u32 = 1 << 5;
    pub(crate) const DETAIL: u32 = 1 << 6;
    /// The event has a tab or a line end somewhere.
    pub(crate) const CONTROLS: u32 = 1 << 7;
    /// The event has a comment, a CDATA section or a processing instruction.
    pub(crate) const OPAQUE: u32 = 1 << 8;
    /// The event has a name with a colon.
    pub(crate) const PREFIXES: u32 = 1 << 9;
    /// The event ends in something other than the eight bytes `</event>`.
    pub(crate) const ODD_END: u32 = 1 << 10;
    /// While scanning: inside the first detail.
    pub(crate) const IN_DETAIL: u32 = 1 << 11;

    pub(crate) const fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    pub(crate) const fn set(&mut self, flag: u32) {
        self.flags |= flag;
    }

    pub(crate) const fn clear(&mut self, flag: u32) {
        self.flags &= !flag;
    }
}
