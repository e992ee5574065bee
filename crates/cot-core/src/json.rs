//! The JSON form of events: `Serialize` and `Deserialize` without loss.
//!
//! [`Event`](crate::Event):
//!
//! ```text
//! {
//!   "version": "2.0", "uid": "ANDROID-1", "type": "a-f-G-U-C", "how": "m-g",
//!   "time": "2026-01-01T00:00:00.000Z", "start": "..", "stale": "..",
//!   "point": {"lat": 46.8, "lon": 9.8, "hae": "590.100", "ce": 9999999.0, "le": 9999999.0},
//!   "detail": [
//!     {"contact": {"callsign": "HOPE", "endpoint": "*:-1:stcp"}},
//!     {"archive": {}},
//!     {"remarks": {"source": "A", "#": "some text"}},
//!     {"__chat": {"id": "B", "#": [{"chatgrp": {"uid0": "A", "uid1": "B"}}]}}
//!   ]
//! }
//! ```
//!
//! - A key is an attribute when its value is a string or a number. Attributes are strings, except in
//!   `point`, where they are numbers as long as that keeps their text: `590.100` and numbers of more
//!   than 15 digits are strings. Either is read everywhere.
//! - An element in a list is an object with its name as the only key.
//! - `#` is what an element contains: a string when that is text alone, else a list of elements and
//!   strings in document order.
//! - `detail` is the list of what it contains. Content of `event` besides point and detail is in `#`.
//!   The order of the keys is the order in the document.
//! - An event that does not fit (two details, a detail with attributes) has all its content in `#`,
//!   point and detail included.
//!
//! [`Element`](crate::xml::Element) is `{"contact": {"callsign": "HOPE"}}`, and
//! [`CotTime`](crate::CotTime) the string that it shows.
//!
//! JSON to event to JSON keeps everything but the order of attributes and elements, should a reader of
//! the JSON have changed the order of keys. serde_json reads 128 levels, some forty nested elements.

mod read;
mod write;

/// The key of what an element contains; `#` cannot begin the name of an attribute.
const CONTENT: &str = "#";
