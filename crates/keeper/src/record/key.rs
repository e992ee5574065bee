//! Keys of a store, made from what records are about.

use std::fmt::Write;

use relay::RecordKey;

/// Longest part of a key as it is. Two of them and a kind fit into the 1,024 bytes that a store
/// allows.
const MAX_PART: usize = 480;

/// Begins a part that stands for a longer one. No part as it is begins with it.
const DIGEST: char = '~';

/// The text of a key: a kind and one or two parts, separated by `/`. `None` is a kind of record that
/// this version does not know.
pub(super) fn key_text(key: &RecordKey) -> Option<String> {
    let (mut text, first, second) = match key {
        RecordKey::Item { scope, uid, is_alert: false } => ("item/".to_owned(), scope, Some(uid)),
        RecordKey::Item { scope, uid, is_alert: true } => ("alert/".to_owned(), scope, Some(uid)),
        RecordKey::Contact { uid } => ("contact/".to_owned(), uid, None),
        RecordKey::Held { to, uid } => ("held/".to_owned(), to, Some(uid)),
        _ => return None,
    };
    push_part(&mut text, first);
    if let Some(second) = second {
        text.push('/');
        push_part(&mut text, second);
    }
    Some(text)
}

/// Appends a part so that no two parts look the same: `%`, `/` and what acts on a terminal as `%2F`
/// and the like, and a part that would get too long as `~` and its BLAKE3 digest.
fn push_part(text: &mut String, part: &str) {
    let begin = text.len();
    for c in part.chars() {
        let is_digest = c == DIGEST && text.len() == begin;
        if is_digest || matches!(c, '%' | '/') || c.is_control() {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a `String` cannot fail.
                let _ = write!(text, "%{byte:02X}");
            }
        } else {
            text.push(c);
        }
        if text.len() > begin + MAX_PART {
            text.truncate(begin);
            text.push(DIGEST);
            text.push_str(blake3::hash(part.as_bytes()).to_hex().as_str());
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn item(scope: &str, uid: &str) -> String {
        key_text(&RecordKey::Item { scope: scope.into(), uid: uid.into(), is_alert: false })
            .unwrap()
    }

    #[test]
    fn keys_can_be_read() {
        let uid: std::sync::Arc<str> = "ANDROID-1".into();
        let key = RecordKey::Item { scope: "".into(), uid: uid.clone(), is_alert: false };
        assert_eq!(key_text(&key).unwrap(), "item//ANDROID-1");
        let key = RecordKey::Item { scope: "Dark Blue".into(), uid: uid.clone(), is_alert: true };
        assert_eq!(key_text(&key).unwrap(), "alert/Dark Blue/ANDROID-1");
        assert_eq!(
            key_text(&RecordKey::Contact { uid: uid.clone() }).unwrap(),
            "contact/ANDROID-1"
        );
        let key = RecordKey::Held { to: uid, uid: "GeoChat.A/B".into() };
        assert_eq!(key_text(&key).unwrap(), "held/ANDROID-1/GeoChat.A%2FB");
        assert_eq!(item("~", "50%\n狐~"), "item/%7E/50%25%0A狐~");
    }

    #[test]
    fn different_records_have_different_keys_of_bounded_length() {
        let long = "x".repeat(70_000);
        let digest = item("", &long);
        let parts =
            ["", "a", "a/b", "a%2Fb", "b", "%", "~", &long, &long[1..], &"/".repeat(300), "\u{85}"];
        let digest = digest.rsplit('/').next().unwrap();
        let parts: Vec<&str> = parts.into_iter().chain([digest]).collect();
        let mut seen = HashMap::new();
        for scope in &parts {
            for uid in &parts {
                let key = item(scope, uid);
                assert!(key.len() <= 1_024, "{}", key.len());
                assert!(!key.contains(char::is_control));
                let former = seen.insert(key, (*scope, *uid));
                assert_eq!(former, None);
            }
        }
    }
}
