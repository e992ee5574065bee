//! Events that proptest makes up: any tree that XML can express.

use cot_core::xml::Element;
use cot_core::{CotTime, Event, Point};
use proptest::prelude::*;

/// Any characters that XML allows, with those that need care over-represented.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => proptest::char::range(' ', '~'),
        2 => proptest::sample::select(vec!['&', '<', '>', '"', '\'', '\n', '\t', '\r', ']', ' ']),
        1 => proptest::char::range('\u{A0}', '\u{D7FF}'),
        1 => proptest::char::range('\u{10000}', '\u{10FFFF}'),
    ];
    prop_oneof![
        4 => proptest::collection::vec(character, 0..12).prop_map(String::from_iter),
        1 => Just("]]>".to_owned()),
        1 => Just("</event>".to_owned()),
        1 => Just("<!-- & -->".to_owned()),
    ]
}

fn filled_text() -> impl Strategy<Value = String> {
    text().prop_filter("not empty", |text| !text.is_empty())
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z_][A-Za-z0-9._-]{0,8}",
        proptest::sample::select(vec![
            "contact", "point", "detail", "remarks", "__chat", "é", "uid", "x"
        ])
        .prop_map(str::to_owned),
    ]
}

fn attributes() -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::vec((name(), text()), 0..4)
}

/// Any element, a few levels deep.
pub(crate) fn element() -> impl Strategy<Value = Element> {
    let leaf = (name(), attributes(), text())
        .prop_map(|(name, attributes, text)| filled(&name, attributes).with_text(text));
    leaf.prop_recursive(4, 24, 4, |inner| {
        let content = proptest::collection::vec((inner, text()), 0..4);
        (name(), attributes(), content).prop_map(|(name, attributes, content)| {
            let mut element = filled(&name, attributes);
            let mixed = content.iter().any(|(_, text)| !text.trim_ascii().is_empty());
            for (child, text) in content {
                if mixed && !text.is_empty() {
                    element.nodes_mut().push(cot_core::xml::Node::Text(text));
                }
                element.push(child);
            }
            element
        })
    })
}

fn filled(name: &str, attributes: Vec<(String, String)>) -> Element {
    let mut element = Element::try_new(name).expect("generated names are names");
    for (name, value) in attributes {
        element.try_set_attribute(&name, value).expect("generated names are names");
    }
    element
}

/// Any event with any detail.
pub(crate) fn event() -> impl Strategy<Value = Event> {
    let degrees = (-90.0..=90.0_f64, -180.0..=180.0_f64);
    let metres = proptest::option::of(-500.0..9000.0_f64);
    let times = (-62_000_000_000_000..=253_000_000_000_000_i64, 0..100_000_000_i64);
    let children = proptest::collection::vec(element(), 0..5);
    let words = (filled_text(), filled_text(), text());
    (words, times, degrees, metres, children, proptest::option::of(text())).prop_map(
        |((uid, kind, how), (time, valid), (lat, lon), hae, children, access)| {
            let time = CotTime::from_unix_millis(time);
            let point = Point { hae, ..Point::new(lat, lon) };
            let mut event = Event::new(&uid, &kind, &how, time, valid).with_point(point);
            for child in children {
                event.detail_mut().element_mut().push(child);
            }
            if let Some(access) = access {
                event.set_attribute("access", access);
            }
            event
        },
    )
}
