//! How attribute values are read and written.

use std::borrow::Cow;

use crate::CotTime;
use crate::point::number;
use crate::xml::Element;

/// A type that an attribute value can be read as.
pub(super) trait Value<'a>: Sized {
    /// Reads the whole text; `None` when it does not mean such a value.
    fn read(text: &'a str) -> Option<Self>;

    /// Whether the text means any such value.
    fn is_readable(text: &str) -> bool;

    /// Whether the text means this value.
    fn is_meant_by(&self, text: &str) -> bool;

    /// The text that is written for the value.
    fn text(&self) -> Cow<'_, str>;
}

/// Reads an attribute.
pub(super) fn read_attribute<'a, V: Value<'a>>(element: &'a Element, name: &str) -> Option<V> {
    element.attribute(name).and_then(V::read)
}

/// Replaces, adds or removes an attribute, but leaves alone a text that means the value already,
/// and one that cannot be read when there is no value.
pub(super) fn write_attribute<'a, V: Value<'a>>(
    element: &mut Element,
    name: &'static str,
    value: Option<&V>,
) {
    let present = element.attribute(name);
    match value {
        Some(value) if !present.is_some_and(|text| value.is_meant_by(text)) => {
            element.set_attribute(name, value.text());
        }
        None if present.is_some_and(V::is_readable) => {
            element.remove_attribute(name);
        }
        _ => {}
    }
}

impl<'a> Value<'a> for &'a str {
    fn read(text: &'a str) -> Option<Self> {
        Some(text)
    }

    fn is_readable(_: &str) -> bool {
        true
    }

    fn is_meant_by(&self, text: &str) -> bool {
        *self == text
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

/// Implements [`Value`] for a type that borrows nothing.
macro_rules! owned_value {
    ($type:ty, $read:expr, $text:expr) => {
        impl Value<'_> for $type {
            fn read(text: &str) -> Option<Self> {
                $read(text)
            }

            fn is_readable(text: &str) -> bool {
                Self::read(text).is_some()
            }

            fn is_meant_by(&self, text: &str) -> bool {
                Self::read(text).as_ref() == Some(self)
            }

            fn text(&self) -> Cow<'_, str> {
                Cow::Owned($text(*self))
            }
        }
    };
}

owned_value!(bool, |text: &str| text.parse().ok(), |value: bool| value.to_string());
owned_value!(i32, |text: &str| text.trim_ascii().parse().ok(), |value: i32| value.to_string());
owned_value!(u64, |text: &str| text.trim_ascii().parse().ok(), |value: u64| value.to_string());
owned_value!(CotTime, |text| Self::parse(text).ok(), |value: Self| value.to_string());
// What is not finite cannot be read back, so it is never written.
owned_value!(f64, number, |value: f64| format!(
    "{:?}",
    if value.is_finite() { value } else { 0.0 }
));
