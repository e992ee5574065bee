//! Why an event, or a whole stream, was refused.

use core::fmt;

/// Why one event was refused. Eight bytes, so that the scanner's results stay in registers.
///
/// The stream goes on after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} at byte {offset}", .code.message())]
#[non_exhaustive]
pub struct Reject {
    /// What was wrong.
    pub code: RejectCode,
    /// Where it was found: bytes from the first byte of the refused event. Zero for what was
    /// skipped between events.
    pub offset: u32,
}

impl Reject {
    #[cold]
    pub(crate) fn new(code: RejectCode, at: usize) -> Self {
        Self { code, offset: u32::try_from(at).unwrap_or(u32::MAX) }
    }
}

/// What was wrong with a refused event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum RejectCode {
    /// Well-formed, but other readers would cut it elsewhere: it ends in `</event >`, in a
    /// self-closing root, or holds `</event>` in a comment, a CDATA section or an instruction.
    /// Only [`Scanner::scan`](crate::Scanner::scan) says so; a
    /// [`Deframer`](crate::Deframer) rewrites such events.
    AmbiguousEnd,
    /// Two attributes, or an attribute and the tag's end, are not separated as they must be.
    Attribute,
    /// A CDATA section outside the root, or one that never ends.
    Cdata,
    /// A character that XML does not allow.
    Character,
    /// A comment that holds `--`, or never ends.
    Comment,
    /// More elements open at the same time than [`Limits::depth`](crate::Limits::depth).
    Depth,
    /// A document type declaration.
    Doctype,
    /// An element with the same attribute twice.
    DuplicateAttribute,
    /// Bytes between events that belong to no document.
    Junk,
    /// The latitude is not a number from -90 to 90.
    Latitude,
    /// The longitude is not a number from -180 to 180.
    Longitude,
    /// Markup that is none of the kinds XML knows.
    Markup,
    /// An end tag that does not name the element which is open.
    MismatchedTag,
    /// No `point`, or a `point` without `lat` or `lon`.
    MissingPoint,
    /// No `stale` on the root.
    MissingStale,
    /// No `time` on the root.
    MissingTime,
    /// No `type` on the root, or an empty one.
    MissingType,
    /// No `uid` on the root, or an empty one.
    MissingUid,
    /// A name with a character that names cannot have.
    Name,
    /// A namespace prefix that is not bound, or bound against the rules.
    Namespace,
    /// An `event` element inside an event.
    NestedEvent,
    /// A processing instruction without a name, named `xml`, or without an end.
    ProcessingInstruction,
    /// A raw `<` in an attribute value.
    RawLessThan,
    /// A reference to an entity that XML does not predefine, or to an illegal character.
    Reference,
    /// The document's root is not `event`.
    Root,
    /// An `</event>` that ends nothing.
    StrayEnd,
    /// Longer than [`Limits::event`](crate::Limits::event), as it came or after rewriting.
    TooLong,
    /// More attributes on an element than [`Limits::attributes`](crate::Limits::attributes).
    TooManyAttributes,
    /// More elements than [`Limits::elements`](crate::Limits::elements).
    TooManyElements,
    /// Something other than blanks, comments and instructions after the root.
    Trailing,
    /// The event breaks off.
    Truncated,
    /// The bytes are not UTF-8.
    Utf8,
}

impl RejectCode {
    /// The name of this reason in metrics and logs: lower case, words joined by `_`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AmbiguousEnd => "ambiguous_end",
            Self::Attribute => "attribute",
            Self::Cdata => "cdata",
            Self::Character => "character",
            Self::Comment => "comment",
            Self::Depth => "depth",
            Self::Doctype => "doctype",
            Self::DuplicateAttribute => "duplicate_attribute",
            Self::Junk => "junk",
            Self::Latitude => "latitude",
            Self::Longitude => "longitude",
            Self::Markup => "markup",
            Self::MismatchedTag => "mismatched_tag",
            Self::MissingPoint => "missing_point",
            Self::MissingStale => "missing_stale",
            Self::MissingTime => "missing_time",
            Self::MissingType => "missing_type",
            Self::MissingUid => "missing_uid",
            Self::Name => "name",
            Self::Namespace => "namespace",
            Self::NestedEvent => "nested_event",
            Self::ProcessingInstruction => "processing_instruction",
            Self::RawLessThan => "raw_less_than",
            Self::Reference => "reference",
            Self::Root => "root",
            Self::StrayEnd => "stray_end",
            Self::TooLong => "too_long",
            Self::TooManyAttributes => "too_many_attributes",
            Self::TooManyElements => "too_many_elements",
            Self::Trailing => "trailing",
            Self::Truncated => "truncated",
            Self::Utf8 => "utf8",
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::AmbiguousEnd => "other readers would end the event elsewhere",
            Self::Attribute => "malformed attribute",
            Self::Cdata => "misplaced or endless CDATA section",
            Self::Character => "character not allowed in XML",
            Self::Comment => "malformed or endless comment",
            Self::Depth => "too many elements open at once",
            Self::Doctype => "document type declaration",
            Self::DuplicateAttribute => "duplicate attribute",
            Self::Junk => "bytes that belong to no event",
            Self::Latitude => "latitude is not a number from -90 to 90",
            Self::Longitude => "longitude is not a number from -180 to 180",
            Self::Markup => "unknown markup",
            Self::MismatchedTag => "end tag does not match the open element",
            Self::MissingPoint => "no point with lat and lon",
            Self::MissingStale => "attribute `stale` is missing",
            Self::MissingTime => "attribute `time` is missing",
            Self::MissingType => "attribute `type` is missing or empty",
            Self::MissingUid => "attribute `uid` is missing or empty",
            Self::Name => "malformed name",
            Self::Namespace => "namespace prefix is not bound",
            Self::NestedEvent => "event inside an event",
            Self::ProcessingInstruction => "malformed processing instruction",
            Self::RawLessThan => "raw `<` in an attribute value",
            Self::Reference => "undefined entity or illegal character reference",
            Self::Root => "root element is not `event`",
            Self::StrayEnd => "end tag without an event",
            Self::TooLong => "event is too long",
            Self::TooManyAttributes => "too many attributes on one element",
            Self::TooManyElements => "too many elements",
            Self::Trailing => "content after the event",
            Self::Truncated => "event breaks off",
            Self::Utf8 => "bytes are not UTF-8",
        }
    }
}

impl fmt::Display for RejectCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a stream cannot go on: nothing after this point can be cut into events safely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A document type declaration: never sent by a TAK client, always by an attacker.
    #[error("document type declaration")]
    Doctype,
    /// An HTTP request on a port for events.
    #[error("HTTP request on a port for events")]
    Http,
    /// An event begins inside an unfinished one, and it cannot be told which of the two is real:
    /// the mark of a sender that breaks off events.
    #[error("event inside an unfinished event")]
    NestedEvent,
    /// A TAK protocol version 1 message (first byte 0xBF), which this deframer does not read.
    #[error("protobuf message on an XML stream")]
    Protobuf,
    /// A TLS handshake on a plain port.
    #[error("TLS handshake on a plain port")]
    Tls,
    /// No end of the event within the limit.
    #[error("event longer than {limit} bytes")]
    TooLong {
        /// [`Limits::event`](crate::Limits::event), in bytes.
        limit: usize,
    },
}

impl FrameError {
    /// The name of this reason in metrics and logs: lower case, words joined by `_`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Doctype => "doctype",
            Self::Http => "http",
            Self::NestedEvent => "nested_event",
            Self::Protobuf => "protobuf",
            Self::Tls => "tls",
            Self::TooLong { .. } => "too_long",
        }
    }
}
