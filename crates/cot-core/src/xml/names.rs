//! Names of elements and attributes.

use std::borrow::Cow;

/// Whether `name` is an XML 1.0 name. A colon, if any, divides a prefix from a local part.
pub(crate) fn is_name(name: &str) -> bool {
    let mut parts = name.splitn(2, ':');
    parts.all(|part| {
        let mut characters = part.chars();
        characters.next().is_some_and(is_name_start) && characters.all(is_name_char)
    })
}

const fn is_name_start(character: char) -> bool {
    matches!(character,
        'A'..='Z' | '_' | 'a'..='z'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}'
        | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

const fn is_name_char(character: char) -> bool {
    is_name_start(character)
        || matches!(character,
            '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Lists names once, as text to match and as the constant to keep.
macro_rules! known {
    ($($name:literal)*) => {
        /// Keeps a name without allocation when it is one of those that nearly every event uses.
        pub(crate) fn intern(name: &str) -> Cow<'static, str> {
            match name {
                $($name => Cow::Borrowed($name),)*
                _ => Cow::Owned(name.to_owned()),
            }
        }
    };
}

known! {
    "event" "point" "detail"
    "version" "uid" "type" "access" "time" "start" "stale" "how" "qos" "opex" "caveat"
    "lat" "lon" "hae" "ce" "le"
    "contact" "callsign" "endpoint" "phone"
    "__group" "name" "role"
    "takv" "device" "platform" "os"
    "status" "battery" "readiness"
    "track" "speed" "course" "slope"
    "precisionlocation" "geopointsrc" "altsrc"
    "Droid" "_flow-tags_" "archive" "remarks" "color" "argb" "usericon" "iconsetpath" "value"
    "link" "relation" "parent_callsign" "production_time" "url" "mime"
    "__chat" "__chatreceipt" "chatgrp" "chatroom" "id" "parent" "groupOwner" "messageId"
    "senderCallsign" "uid0" "uid1" "uid2" "hierarchy" "group"
    "source" "to" "marti" "dest" "__serverdestination" "destinations"
    "fileshare" "filename" "senderUrl" "sizeInBytes" "sha256" "senderUid"
    "ackrequest" "ackrequested" "tag" "emergency" "cancel"
    "strokeColor" "strokeWeight" "fillColor" "labels_on" "shape" "height" "creator"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_field_are_names() {
        for name in ["event", "__group", "_flow-tags_", "TAK-Server-00ff", "a.b", "x:y", "é", "名"]
        {
            assert!(is_name(name), "{name}");
        }
    }

    #[test]
    fn other_texts_are_not_names() {
        for name in
            ["", "1a", "-a", ".a", "a b", "a@b", "a<", "a\"", ":", "a:", ":a", "a:b:c", "a:1"]
        {
            assert!(!is_name(name), "{name}");
        }
    }
}
