//! JSON to events.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::CONTENT;
use crate::xml::{Element, Node};
use crate::{CotTime, Event};

/// Levels of JSON: an element takes three, and [`Limits`](crate::Limits) allow 64 of those.
const MAX_LEVELS: usize = 3 * 64 + 2;

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Value::Map(entries) = Level(MAX_LEVELS).deserialize(deserializer)? else {
            return Err(D::Error::custom("an event is an object"));
        };
        let mut head = Element::new("event");
        for (key, value) in entries {
            match (&*key, value) {
                ("point", Value::Map(entries)) => head.push(element("point", entries)?),
                ("detail", Value::List(items)) => {
                    let mut detail = Element::new("detail");
                    add_content(&mut detail, Value::List(items))?;
                    head.push(detail);
                }
                (CONTENT, content) => add_content(&mut head, content)?,
                (_, Value::Text(text)) => add_attribute(&mut head, &key, text)?,
                _ => return Err(D::Error::custom(format!("`{key}` is not a string or a number"))),
            }
        }
        head.drop_indentation();
        let nodes = std::mem::take(head.nodes_mut());
        Self::from_parts(head, nodes).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        named_element(Level(MAX_LEVELS).deserialize(deserializer)?)
    }
}

impl<'de> Deserialize<'de> for CotTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Level(1).deserialize(deserializer)? {
            Value::Text(text) => Self::parse(&text).map_err(D::Error::custom),
            _ => Err(D::Error::custom("a time is a string")),
        }
    }
}

/// Makes an element of `{"name": {..}}`.
fn named_element<E: Error>(value: Value) -> Result<Element, E> {
    let Value::Map(entries) = value else {
        return Err(E::custom("an element is an object with its name as the only key"));
    };
    match <[_; 1]>::try_from(entries) {
        Ok([(name, Value::Map(entries))]) => element(&name, entries),
        Ok([(name, _)]) => Err(E::custom(format!("element `{name}` is not an object"))),
        Err(_) => Err(E::custom("an element is an object with its name as the only key")),
    }
}

fn element<E: Error>(name: &str, entries: Vec<(String, Value)>) -> Result<Element, E> {
    let mut element = Element::try_new(name).map_err(E::custom)?;
    for (key, value) in entries {
        match value {
            content if key == CONTENT => add_content(&mut element, content)?,
            Value::Text(text) => add_attribute(&mut element, &key, text)?,
            _ => return Err(E::custom(format!("`{key}` is not a string or a number"))),
        }
    }
    Ok(element)
}

fn add_attribute<E: Error>(element: &mut Element, name: &str, value: String) -> Result<(), E> {
    if element.attribute(name).is_some() {
        return Err(E::custom(format!("attribute `{name}` twice")));
    }
    element.try_set_attribute(name, value).map_err(E::custom)
}

fn add_content<E: Error>(element: &mut Element, content: Value) -> Result<(), E> {
    match content {
        Value::Text(text) => element.push_text(&text),
        Value::Map(_) => return Err(E::custom("content is a string or a list")),
        Value::List(items) => {
            for item in items {
                match item {
                    Value::Text(text) => element.push_text(&text),
                    item => element.nodes_mut().push(Node::Element(named_element(item)?)),
                }
            }
        }
    }
    element.drop_indentation();
    Ok(())
}

/// JSON as far as the form uses it.
enum Value {
    Text(String),
    Map(Vec<(String, Self)>),
    List(Vec<Self>),
}

/// Reads a [`Value`] of so many levels.
#[derive(Clone, Copy)]
struct Level(usize);

impl Level {
    fn below<E: Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("too many levels"))
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, a list or an object")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Text(format!("{value:?}")))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(below)? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut entries = Vec::new();
        while let Some(key) = map.next_key()? {
            entries.push((key, map.next_value_seed(below)?));
        }
        Ok(Value::Map(entries))
    }
}
