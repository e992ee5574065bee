//! Video connections as JSON clients write and read them.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Longest uuid. Bytes.
const MAX_UUID_BYTES: usize = 256;

/// A source of video under one name: feeds that are mostly the same picture in several sizes.
///
/// Every text is always there when it is written: clients expect them all.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Connection {
    #[serde(default, deserialize_with = "text")]
    pub(super) uuid: String,
    #[serde(default = "on", deserialize_with = "flag")]
    pub(super) active: bool,
    #[serde(deserialize_with = "text")]
    pub(super) alias: String,
    #[serde(default, deserialize_with = "text")]
    thumbnail: String,
    #[serde(default, deserialize_with = "text")]
    classification: String,
    pub(super) feeds: Vec<Feed>,
}

/// Where a picture is to be had, and how.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Feed {
    #[serde(default, deserialize_with = "text")]
    pub(super) uuid: String,
    #[serde(default = "on", deserialize_with = "flag")]
    pub(super) active: bool,
    #[serde(deserialize_with = "text")]
    pub(super) alias: String,
    #[serde(deserialize_with = "text")]
    pub(super) url: String,
    #[serde(default, deserialize_with = "number")]
    pub(super) order: i64,
    #[serde(default, deserialize_with = "text")]
    pub(super) mac_address: String,
    #[serde(default, deserialize_with = "text")]
    pub(super) rover_port: String,
    #[serde(default, rename = "ignoreEmbeddedKLV", deserialize_with = "text")]
    pub(super) ignore_embedded_klv: String,
    #[serde(default, deserialize_with = "text")]
    source: String,
    #[serde(default, deserialize_with = "text")]
    pub(super) network_timeout: String,
    #[serde(default, deserialize_with = "text")]
    pub(super) buffer_time: String,
    #[serde(default, deserialize_with = "text")]
    pub(super) rtsp_reliable: String,
    #[serde(default, deserialize_with = "text")]
    thumbnail: String,
    #[serde(default, deserialize_with = "text")]
    classification: String,
    #[serde(default, deserialize_with = "text")]
    latitude: String,
    #[serde(default, deserialize_with = "text")]
    longitude: String,
    #[serde(default, deserialize_with = "text")]
    fov: String,
    #[serde(default, deserialize_with = "text")]
    heading: String,
    #[serde(default, deserialize_with = "text")]
    range: String,
    #[serde(default, deserialize_with = "number")]
    width: i64,
    #[serde(default, deserialize_with = "number")]
    height: i64,
    #[serde(default, deserialize_with = "number")]
    bitrate: i64,
}

impl Connection {
    /// Reads a connection; with a `uuid` of its own or this one.
    ///
    /// # Errors
    ///
    /// It is none, has no identity, or no feed that leads anywhere.
    pub(super) fn read(json: Value, uuid: Option<&str>) -> Result<Self, String> {
        let mut connection: Self = serde_json::from_value(json).map_err(|e| e.to_string())?;
        if let Some(uuid) = uuid {
            if !connection.uuid.is_empty() && connection.uuid != uuid {
                return Err("its `uuid` is not the one in the path".to_owned());
            }
            uuid.clone_into(&mut connection.uuid);
        }
        connection.check()?;
        for (at, feed) in connection.feeds.iter_mut().enumerate() {
            if feed.uuid.is_empty() {
                feed.uuid = format!("{}-{}", connection.uuid, at + 1);
            }
            if feed.order == 0 {
                feed.order = i64::try_from(at + 1).unwrap_or(i64::MAX);
            }
        }
        Ok(connection)
    }

    /// A connection with one feed and the same identity.
    pub(super) fn of(feed: Feed) -> Self {
        Self {
            uuid: feed.uuid.clone(),
            active: true,
            alias: feed.alias.clone(),
            thumbnail: String::new(),
            classification: String::new(),
            feeds: vec![feed],
        }
    }

    /// Whether one of its feeds is reached by this protocol.
    pub(super) fn has_protocol(&self, protocol: &str) -> bool {
        let is_this =
            |feed: &Feed| feed.url.split_once("://").is_some_and(|(scheme, _)| scheme == protocol);
        self.feeds.iter().any(is_this)
    }

    fn check(&self) -> Result<(), String> {
        if self.uuid.is_empty() || self.uuid.len() > MAX_UUID_BYTES {
            return Err(format!("a `uuid` of up to {MAX_UUID_BYTES} bytes is needed"));
        }
        if self.feeds.iter().any(|feed| feed.uuid.len() > MAX_UUID_BYTES || feed.url.is_empty()) {
            return Err("each feed needs a `url`".to_owned());
        }
        Ok(())
    }
}

impl Feed {
    /// A feed of which only this is known.
    pub(super) fn new(uuid: String, alias: String, url: String) -> Self {
        Self {
            uuid,
            active: true,
            alias,
            url,
            order: 1,
            mac_address: String::new(),
            rover_port: String::new(),
            ignore_embedded_klv: String::new(),
            source: String::new(),
            network_timeout: String::new(),
            buffer_time: String::new(),
            rtsp_reliable: String::new(),
            thumbnail: String::new(),
            classification: String::new(),
            latitude: String::new(),
            longitude: String::new(),
            fov: String::new(),
            heading: String::new(),
            range: String::new(),
            width: 0,
            height: 0,
            bitrate: 0,
        }
    }

    /// What the XML form says of a feed is taken over from `new`; what it has no word for stays.
    pub(super) fn take_over(&mut self, new: Self) {
        self.alias = new.alias;
        self.url = new.url;
        self.active = true;
        self.mac_address = new.mac_address;
        self.rover_port = new.rover_port;
        self.ignore_embedded_klv = new.ignore_embedded_klv;
        self.network_timeout = new.network_timeout;
        self.buffer_time = new.buffer_time;
        self.rtsp_reliable = new.rtsp_reliable;
    }
}

const fn on() -> bool {
    true
}

/// Text in whatever form: clients send numbers, truths and `null` where others send texts.
fn text<'de, D: Deserializer<'de>>(json: D) -> Result<String, D::Error> {
    match Value::deserialize(json)? {
        Value::String(text) => Ok(text),
        Value::Null => Ok(String::new()),
        Value::Array(_) | Value::Object(_) => Err(Error::custom("a text was expected")),
        other => Ok(other.to_string()),
    }
}

fn number<'de, D: Deserializer<'de>>(json: D) -> Result<i64, D::Error> {
    match Value::deserialize(json)? {
        Value::Number(number) => Ok(number.as_i64().unwrap_or_default()),
        Value::String(text) => Ok(text.trim().parse().unwrap_or_default()),
        Value::Null => Ok(0),
        _ => Err(Error::custom("a number was expected")),
    }
}

fn flag<'de, D: Deserializer<'de>>(json: D) -> Result<bool, D::Error> {
    match Value::deserialize(json)? {
        Value::Bool(is_on) => Ok(is_on),
        Value::String(text) => Ok(!text.eq_ignore_ascii_case("false")),
        Value::Null => Ok(true),
        _ => Err(Error::custom("`true` or `false` was expected")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_clients_send_is_read_and_written_whole() {
        let sent = json!({
            "uuid": "v-1", "active": true, "alias": "Cam 1", "thumbnail": null,
            "feeds": [{
                "uuid": "f-1", "active": "true", "alias": "Cam 1", "url": "rtsp://h/live",
                "order": null, "latitude": 1.5, "width": "640", "roverPort": -1, "ours": {},
            }, { "alias": "", "url": "rtsp://h/low" }],
        });
        let read = Connection::read(sent, None).unwrap();
        let written = serde_json::to_value(&read).unwrap();
        assert_eq!(written["thumbnail"], "");
        let feed = &written["feeds"][0];
        assert_eq!(feed.as_object().unwrap().len(), 22);
        assert_eq!((&feed["latitude"], &feed["width"]), (&json!("1.5"), &json!(640)));
        assert_eq!((&feed["roverPort"], &feed["order"]), (&json!("-1"), &json!(1)));
        assert_eq!(written["feeds"][1]["uuid"], "v-1-2");
        assert_eq!(Connection::read(written, Some("v-1")), Ok(read));
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        for sent in [
            json!({ "uuid": "v", "alias": "A" }),
            json!({ "uuid": "v", "feeds": [] }),
            json!({ "alias": "A", "feeds": [] }),
            json!({ "uuid": "v".repeat(257), "alias": "A", "feeds": [] }),
            json!({ "uuid": "v", "alias": "A", "feeds": [{ "alias": "A" }] }),
            json!({ "uuid": "v", "alias": "A", "feeds": [{ "alias": "A", "url": "" }] }),
            json!({ "uuid": "v", "alias": ["A"], "feeds": [] }),
            json!([]),
            json!(1),
        ] {
            assert!(Connection::read(sent.clone(), None).is_err(), "{sent}");
        }
        let other = json!({ "uuid": "v", "alias": "A", "feeds": [] });
        assert!(Connection::read(other, Some("w")).is_err());
    }
}
