//! One event as an owned value.

use std::fmt::{self, Write as _};
use std::io;

use crate::detail::Detail;
use crate::event_type::EventType;
use crate::xml::{self, Element, Node};
use crate::{CotTime, Limits, ParseError, Point};

/// A CoT event that programs read, build and change.
///
/// ```text
/// <event version="2.0" uid="ANDROID-deadbeef" type="a-f-G-U-C" time="2021-02-27T20:32:24.771Z"
///        start="2021-02-27T20:32:24.771Z" stale="2021-02-27T20:38:39.771Z" how="m-g">
///   <point lat="1.234567" lon="-3.141592" hae="-25.7" ce="9.9" le="9999999.0"/>
///   <detail>...</detail>
/// </event>
/// ```
///
/// Nothing that was read is lost on writing: unknown attributes and elements, their order,
/// duplicates, and the text of numbers and times that nobody changed. Only the handwriting is: the
/// declaration, quotes, references, comments, and white space that indents.
///
/// ```
/// use cot_core::Event;
///
/// let mut event = Event::from_xml(
///     br#"<event version="2.0" uid="A-1" type="a-f-G-U-C" time="2021-02-27T20:32:24.7Z"
///           start="2021-02-27T20:32:24.7Z" stale="2021-02-27T20:38:39Z" how="m-g">
///         <point lat="1.50" lon="-3.25" hae="9999999" ce="9.9" le="NaN"/>
///         <detail><contact callsign="HOPE"/><x-plugin a="1"/></detail>
///       </event>"#,
/// )?;
/// assert_eq!(event.kind().describe(), "friendly ground combat unit");
/// assert_eq!(event.point().and_then(|point| point.hae), None);
/// assert_eq!(event.detail().contact().and_then(|contact| contact.callsign), Some("HOPE"));
///
/// event.set_uid("A-2");
/// let xml = event.to_xml();
/// assert!(xml.starts_with(r#"<event version="2.0" uid="A-2" type="a-f-G-U-C" time="2021-02-27T20:32:24.7Z""#));
/// assert!(xml.ends_with(r#"<x-plugin a="1"/></detail></event>"#));
/// # Ok::<(), cot_core::ParseError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Event {
    /// `<event>` with its attributes, among them all of [`REQUIRED`]; never any content.
    head: Element,
    /// The content of `<event>` in document order.
    parts: Vec<Part>,
}

/// What `<event>` contains.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Part {
    /// The first `<point>`. One that reads as a [`Point`].
    Point(Element),
    /// The first `<detail>`.
    Detail(Detail),
    /// Anything else.
    Other(Node),
}

/// The attributes without which there is no event.
const REQUIRED: [&str; 4] = ["uid", "type", "time", "stale"];

/// Bytes that hold nine of ten events.
const TYPICAL_LEN: usize = 1024;

static NO_DETAIL: Detail = Detail::new();

impl Event {
    /// Makes an event that is valid from `time` for `valid_ms` milliseconds, with an unknown point
    /// and an empty detail.
    ///
    /// Nobody reads an event whose `uid` or `kind` is the empty text.
    #[must_use]
    pub fn new(uid: &str, kind: &str, how: &str, time: CotTime, valid_ms: i64) -> Self {
        let head = Element::new("event")
            .with("version", "2.0")
            .with("uid", uid)
            .with("type", kind)
            .with("time", time.to_string())
            .with("start", time.to_string())
            .with("stale", time.plus_millis(valid_ms).to_string())
            .with("how", how);
        Self { head, parts: Vec::new() }.with_point(Point::unknown()).with_detail(Detail::new())
    }

    /// Reads one event with the default [`Limits`].
    ///
    /// Besides well-formed XML this asks for `uid`, `type`, `time` and `stale`, the first two not
    /// empty, and for a `lat` and `lon` in range if there is a point. Times need not be readable: see [`Event::time`].
    ///
    /// # Errors
    ///
    /// Says which of these the bytes are not. The stream they came in may go on.
    pub fn from_xml(bytes: &[u8]) -> Result<Self, ParseError> {
        Self::from_xml_within(bytes, &Limits::default())
    }

    /// Reads one event with limits of your own.
    ///
    /// # Errors
    ///
    /// As [`Event::from_xml`].
    pub fn from_xml_within(bytes: &[u8], limits: &Limits) -> Result<Self, ParseError> {
        let mut head = xml::parse(bytes, limits)?;
        let nodes = std::mem::take(head.nodes_mut());
        Self::from_parts(head, nodes)
    }

    /// Checks what [`Event::from_xml`] promises and sorts the content.
    pub(crate) fn from_parts(head: Element, nodes: Vec<Node>) -> Result<Self, ParseError> {
        if head.name() != "event" {
            return Err(ParseError::NotAnEvent);
        }
        for name in REQUIRED {
            match head.attribute(name) {
                Some("") if matches!(name, "uid" | "type") => {
                    return Err(ParseError::InvalidAttribute { name, expected: "a text" });
                }
                Some(_) => {}
                None => return Err(ParseError::MissingAttribute { name }),
            }
        }
        if nodes.iter().any(holds_event) {
            return Err(ParseError::NestedEvent);
        }
        let mut event = Self { head, parts: Vec::with_capacity(nodes.len()) };
        for node in nodes {
            let part = match node {
                Node::Element(element) if element.name() == "point" && !event.has_point() => {
                    Point::read(&element)?;
                    Part::Point(element)
                }
                Node::Element(element) if element.name() == "detail" && !event.has_detail() => {
                    Part::Detail(Detail::from_element(element))
                }
                node => Part::Other(node),
            };
            event.parts.push(part);
        }
        Ok(event)
    }

    /// Writes the event in one line: no declaration, double quotes, nothing after `</event>`.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let mut out = String::with_capacity(TYPICAL_LEN);
        // Writing into memory cannot fail.
        let _ = write!(out, "{self}");
        out
    }

    /// Appends what [`Event::to_xml`] gives.
    pub fn write_xml(&self, out: &mut Vec<u8>) {
        // Writing into memory cannot fail.
        let _ = io::Write::write_fmt(out, format_args!("{self}"));
    }

    /// The head without content, and the content.
    #[cfg(feature = "serde")]
    pub(crate) fn parts(&self) -> (&Element, &[Part]) {
        (&self.head, &self.parts)
    }
}

// === attributes ===

impl Event {
    /// Identity of the thing that the event describes, not of its sender.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.head.attribute("uid").unwrap_or_default()
    }

    /// The `type`.
    #[must_use]
    pub fn kind(&self) -> EventType<'_> {
        EventType::new(self.head.attribute("type").unwrap_or_default())
    }

    /// How the position was obtained: `m-g` by GPS, `h-e` estimated by a human.
    #[must_use]
    pub fn how(&self) -> Option<&str> {
        self.head.attribute("how")
    }

    /// When the event was made. `None` when the text is not a time: some tools write such.
    #[must_use]
    pub fn time(&self) -> Option<CotTime> {
        self.time_attribute("time")
    }

    /// From when the event is valid. `None` when missing or not a time.
    #[must_use]
    pub fn start(&self) -> Option<CotTime> {
        self.time_attribute("start")
    }

    /// Until when the event is valid. `None` when the text is not a time.
    #[must_use]
    pub fn stale(&self) -> Option<CotTime> {
        self.time_attribute("stale")
    }

    /// Any attribute of `event` as text, such as `access` or `qos`.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.head.attribute(name)
    }

    /// All attributes of `event` in document order.
    pub fn attributes(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.head.attributes()
    }

    /// Replaces the uid, which must not be empty.
    pub fn set_uid(&mut self, uid: impl Into<String>) {
        self.head.set_attribute("uid", uid);
    }

    /// Replaces the `type`, which must not be empty.
    pub fn set_kind(&mut self, kind: impl Into<String>) {
        self.head.set_attribute("type", kind);
    }

    /// Replaces `how`.
    pub fn set_how(&mut self, how: impl Into<String>) {
        self.head.set_attribute("how", how);
    }

    /// Makes the event valid from `time` for `valid_ms` milliseconds.
    pub fn set_times(&mut self, time: CotTime, valid_ms: i64) {
        self.set_time_attribute("time", time);
        self.set_time_attribute("start", time);
        self.set_time_attribute("stale", time.plus_millis(valid_ms));
    }

    /// Replaces any attribute of `event`, or adds it at the end.
    ///
    /// # Panics
    ///
    /// When `name` is not an XML name.
    pub fn set_attribute(&mut self, name: &'static str, value: impl Into<String>) {
        self.head.set_attribute(name, value);
    }

    /// Takes an attribute away and gives its value; `uid`, `type`, `time` and `stale` stay.
    pub fn remove_attribute(&mut self, name: &str) -> Option<String> {
        if REQUIRED.contains(&name) { None } else { self.head.remove_attribute(name) }
    }

    fn time_attribute(&self, name: &str) -> Option<CotTime> {
        self.head.attribute(name).and_then(|text| CotTime::parse(text).ok())
    }

    /// Leaves the text alone when it means that time already.
    fn set_time_attribute(&mut self, name: &'static str, time: CotTime) {
        if self.time_attribute(name) != Some(time) {
            self.head.set_attribute(name, time.to_string());
        }
    }
}

// === content ===

impl Event {
    /// Where the thing is. `None` for an event without `<point>`, which only tools send.
    #[must_use]
    pub fn point(&self) -> Option<Point> {
        self.parts.iter().find_map(|part| match part {
            Part::Point(element) => Point::read(element).ok(),
            _ => None,
        })
    }

    /// Moves the thing. Numbers that mean the same as before keep their text; degrees out of range
    /// are brought to its nearest end.
    pub fn set_point(&mut self, point: Point) {
        let present = self.parts.iter_mut().find_map(|part| match part {
            Part::Point(element) => Some(element),
            _ => None,
        });
        if let Some(element) = present {
            point.write(element);
        } else {
            let mut element = Element::new("point");
            point.write(&mut element);
            self.parts.insert(0, Part::Point(element));
        }
    }

    /// [`Event::set_point`], for chains.
    #[must_use]
    pub fn with_point(mut self, point: Point) -> Self {
        self.set_point(point);
        self
    }

    /// The extensible part; empty when the event has none.
    #[must_use]
    pub fn detail(&self) -> &Detail {
        let present = self.parts.iter().find_map(|part| match part {
            Part::Detail(detail) => Some(detail),
            _ => None,
        });
        present.unwrap_or(&NO_DETAIL)
    }

    /// The extensible part, to change; added when the event has none.
    pub fn detail_mut(&mut self) -> &mut Detail {
        let at = match self.parts.iter().position(|part| matches!(part, Part::Detail(_))) {
            Some(at) => at,
            None => {
                self.parts.push(Part::Detail(Detail::new()));
                self.parts.len() - 1
            }
        };
        match self.parts.get_mut(at) {
            Some(Part::Detail(detail)) => detail,
            _ => unreachable!("the position of the detail was just found"),
        }
    }

    /// Replaces the detail, for chains.
    #[must_use]
    pub fn with_detail(mut self, detail: Detail) -> Self {
        *self.detail_mut() = detail;
        self
    }

    /// Takes the detail away, for the few events that are sent without one.
    #[must_use]
    pub fn without_detail(mut self) -> Self {
        self.parts.retain(|part| !matches!(part, Part::Detail(_)));
        self
    }

    /// Content of `event` other than the first point and the first detail. Feeds of aircraft put
    /// `<contact>` here.
    pub fn others(&self) -> impl Iterator<Item = &Node> {
        self.parts.iter().filter_map(|part| match part {
            Part::Other(node) => Some(node),
            _ => None,
        })
    }

    /// The callsign of the contact in `detail`, or else of one beside it.
    #[must_use]
    pub fn callsign(&self) -> Option<&str> {
        let beside = || self.others().filter_map(Node::as_element).find(|e| e.name() == "contact");
        let contact = self.detail().element().child("contact").or_else(beside);
        contact.and_then(|contact| contact.attribute("callsign"))
    }

    fn has_point(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Point(_)))
    }

    fn has_detail(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Detail(_)))
    }
}

fn holds_event(node: &Node) -> bool {
    node.as_element()
        .is_some_and(|element| element.name() == "event" || element.nodes().iter().any(holds_event))
}

/// The XML of [`Event::to_xml`]. Never self-closing: readers that look for `</event>` would miss it.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        xml::write_start(&self.head, f)?;
        f.write_str(">")?;
        for part in &self.parts {
            match part {
                Part::Point(element) | Part::Other(Node::Element(element)) => element.fmt(f)?,
                Part::Detail(detail) => detail.element().fmt(f)?,
                Part::Other(Node::Text(text)) => xml::write_text(text, f)?,
            }
        }
        f.write_str("</event>")
    }
}
