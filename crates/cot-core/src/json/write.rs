//! Events to JSON.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::CONTENT;
use crate::event::Part;
use crate::xml::{Element, Node};
use crate::{CotTime, Event};

/// Digits up to which every reader of JSON gets a number exactly.
const EXACT_DIGITS: usize = 15;

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (head, parts) = self.parts();
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in head.attributes() {
            map.serialize_entry(name, value)?;
        }
        if !fits(head, parts) {
            map.serialize_entry(CONTENT, &Parts(parts))?;
            return map.end();
        }
        let mut others_are_due = true;
        for part in parts {
            match part {
                Part::Point(point) => map.serialize_entry("point", &Body(point))?,
                Part::Detail(detail) => {
                    map.serialize_entry("detail", &Nodes(detail.element().nodes()))?;
                }
                Part::Other(_) if others_are_due => {
                    let is_other = |part: &&Part| matches!(part, Part::Other(_));
                    let others: Vec<_> = parts.iter().filter(is_other).cloned().collect();
                    map.serialize_entry(CONTENT, &Parts(&others))?;
                    others_are_due = false;
                }
                Part::Other(_) => {}
            }
        }
        map.end()
    }
}

/// Whether the short form says everything: `detail` has no attributes, no attribute of `event` takes
/// the key of a part, and the others stand together.
fn fits(head: &Element, parts: &[Part]) -> bool {
    let is_plain = |part: &Part| match part {
        Part::Point(_) => head.attribute("point").is_none(),
        Part::Detail(detail) => {
            head.attribute("detail").is_none() && detail.element().attributes().len() == 0
        }
        Part::Other(_) => true,
    };
    let is_other = |part: &Part| matches!(part, Part::Other(_));
    let runs = parts.chunk_by(|a, b| is_other(a) == is_other(b));
    let other_runs = runs.filter(|run| run.iter().any(is_other)).count();
    parts.iter().all(is_plain) && other_runs <= 1
}

impl Serialize for Element {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.name(), &Body(self))?;
        map.end()
    }
}

impl Serialize for CotTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.write_to(&mut [0; Self::TEXT_LEN]))
    }
}

/// The content of `event` as a list.
struct Parts<'a>(&'a [Part]);

impl Serialize for Parts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|part| match part {
            Part::Point(element) | Part::Other(Node::Element(element)) => Item::Element(element),
            Part::Detail(detail) => Item::Element(detail.element()),
            Part::Other(Node::Text(text)) => Item::Text(text),
        }))
    }
}

/// Text and elements as a list.
struct Nodes<'a>(&'a [Node]);

impl Serialize for Nodes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|node| match node {
            Node::Element(element) => Item::Element(element),
            Node::Text(text) => Item::Text(text),
        }))
    }
}

/// One entry of a list.
enum Item<'a> {
    Element(&'a Element),
    Text(&'a str),
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Element(element) => element.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// An element without its name: attributes and content.
struct Body<'a>(&'a Element);

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let is_point = self.0.name() == "point";
        for (name, value) in self.0.attributes() {
            if is_point && is_exact(value) {
                serialize_number(&mut map, name, value)?;
            } else {
                map.serialize_entry(name, value)?;
            }
        }
        match self.0.nodes() {
            [] => {}
            [Node::Text(text)] => map.serialize_entry(CONTENT, text)?,
            nodes => map.serialize_entry(CONTENT, &Nodes(nodes))?,
        }
        map.end()
    }
}

/// Whether the text has so few digits, and no exponent, that no reader of a number rounds it.
fn is_exact(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let others = text.bytes().filter(|byte| b"-.".contains(byte)).count();
    digits <= EXACT_DIGITS && digits + others == text.len()
}

/// Writes a number when printing that number gives the text again, else the text.
fn serialize_number<M: SerializeMap>(map: &mut M, name: &str, text: &str) -> Result<(), M::Error> {
    let integer = text.parse().ok().filter(|number: &i64| number.to_string() == text);
    let float = text.parse().ok().filter(|number: &f64| format!("{number:?}") == text);
    match (integer, float.filter(|number| number.is_finite())) {
        (Some(number), _) => map.serialize_entry(name, &number),
        (None, Some(number)) => map.serialize_entry(name, &number),
        (None, None) => map.serialize_entry(name, text),
    }
}
