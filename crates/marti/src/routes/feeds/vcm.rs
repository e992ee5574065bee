//! Feeds as ATAK writes and reads them: XML, with an address in parts.

use std::fmt::Write as _;

use cot_core::xml::Element;
use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

use super::model::{Connection, Feed};

/// Deepest nesting; three are needed.
const MAX_DEPTH: usize = 8;

/// Most feeds of one list.
const MAX_FEEDS: usize = 1000;

const DEFAULT_TIMEOUT: &str = "10000";

/// The feeds of a connection that are switched on, one behind the other.
pub(super) fn feeds(connection: &Connection, has_whole_urls: bool) -> String {
    let active = connection.feeds.iter().filter(|feed| connection.active && feed.active);
    let mut text = String::new();
    for feed in active {
        // Writing to a text does not fail.
        let _ = write!(text, "{}", element(connection, feed, has_whole_urls));
    }
    text
}

fn element(connection: &Connection, feed: &Feed, has_whole_urls: bool) -> Element {
    let parts = Parts::of(&feed.url);
    let address = if has_whole_urls { &feed.url } else { parts.address };
    let alias = if feed.alias.is_empty() { &connection.alias } else { &feed.alias };
    let or = |value: &str, default: &str| {
        if value.is_empty() { default.to_owned() } else { value.to_owned() }
    };
    let port = parts.port.map_or_else(|| "-1".to_owned(), |port| port.to_string());
    let mut element = Element::new("feed");
    for (name, value) in [
        ("protocol", parts.protocol.to_owned()),
        ("alias", alias.clone()),
        ("uid", feed.uuid.clone()),
        ("address", address.to_owned()),
        ("port", port),
        ("roverPort", or(&feed.rover_port, "-1")),
        ("ignoreEmbeddedKLV", or(&feed.ignore_embedded_klv, "false")),
        ("preferredMacAddress", feed.mac_address.clone()),
        // The name of an interface of one device means nothing to another.
        ("preferredInterfaceAddress", String::new()),
        ("path", parts.path.to_owned()),
        ("buffer", or(&feed.buffer_time, "-1")),
        ("timeout", or(&feed.network_timeout, DEFAULT_TIMEOUT)),
        ("rtspReliable", or(&feed.rtsp_reliable, "0")),
    ] {
        element.push(Element::new(name).with_text(value));
    }
    element
}

/// Reads a document.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn read(text: &str) -> Result<Vec<Feed>, &'static str> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut feeds = Vec::new();
    let mut fields = Fields::default();
    let mut open: Vec<String> = Vec::new();
    let mut has_root = false;
    loop {
        let event = reader.read_event().map_err(|_| "it is not well-formed")?;
        match &event {
            Event::Start(start) | Event::Empty(start) => {
                let name = start.local_name();
                if open.len() >= MAX_DEPTH {
                    return Err("it is too deep");
                }
                if open.is_empty() && (has_root || name.as_ref() != "videoConnections") {
                    return Err("its root is not `videoConnections`");
                }
                has_root = true;
                if matches!(event, Event::Start(_)) {
                    open.push(name.as_ref().to_owned());
                } else if open.len() == 1 {
                    return Err("a feed is empty");
                }
            }
            Event::End(_) => {
                let name = open.pop();
                if open.len() == 1 && name.is_some_and(|name| name == "feed") {
                    feeds.push(std::mem::take(&mut fields).feed()?);
                    if feeds.len() > MAX_FEEDS {
                        return Err("it has too many feeds");
                    }
                }
            }
            Event::Text(text) => fields.push(&open, text),
            Event::CData(text) => fields.push(&open, text),
            Event::GeneralRef(name) => match name.resolve_char_ref() {
                Ok(Some(c)) => fields.push(&open, c.encode_utf8(&mut [0; 4])),
                Ok(None) => {
                    fields.push(&open, resolve_xml_entity(name).ok_or("it has entities")?);
                }
                Err(_) => return Err("it has references to nothing"),
            },
            Event::DocType(_) => return Err("it has a document type"),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof if has_root && open.is_empty() => return Ok(feeds),
            Event::Eof => return Err("it is broken off"),
        }
    }
}

/// Texts of a feed that is being read.
#[derive(Debug, Default)]
struct Fields {
    protocol: String,
    alias: String,
    uid: String,
    address: String,
    port: String,
    path: String,
    rover_port: String,
    ignore_embedded_klv: String,
    mac_address: String,
    buffer: String,
    timeout: String,
    rtsp_reliable: String,
}

impl Fields {
    /// Adds text to the field that it stands in; texts elsewhere say nothing.
    fn push(&mut self, open: &[String], text: &str) {
        let [_, feed, name] = open else { return };
        if feed != "feed" {
            return;
        }
        let field = match name.as_str() {
            "protocol" => &mut self.protocol,
            "alias" => &mut self.alias,
            "uid" => &mut self.uid,
            "address" => &mut self.address,
            "port" => &mut self.port,
            "path" => &mut self.path,
            "roverPort" => &mut self.rover_port,
            "ignoreEmbeddedKLV" => &mut self.ignore_embedded_klv,
            "preferredMacAddress" => &mut self.mac_address,
            "buffer" => &mut self.buffer,
            "timeout" => &mut self.timeout,
            "rtspReliable" => &mut self.rtsp_reliable,
            _ => return,
        };
        field.push_str(text);
    }

    fn feed(self) -> Result<Feed, &'static str> {
        let (uid, address) = (self.uid.trim(), self.address.trim());
        if uid.is_empty() || self.protocol.trim().is_empty() || self.alias.trim().is_empty() {
            return Err("a feed has no `protocol`, `alias` or `uid`");
        }
        if uid.len() > 256 {
            return Err("a `uid` is too long");
        }
        let port = match self.port.trim() {
            "" => None,
            port => match port.parse::<i64>().map_err(|_| "a `port` is no number")? {
                -1 | 0 => None,
                port => Some(u16::try_from(port).map_err(|_| "a `port` is out of range")?),
            },
        };
        let parts = Parts { protocol: self.protocol.trim(), address, port, path: self.path.trim() };
        let mut feed = Feed::new(uid.to_owned(), self.alias.trim().to_owned(), parts.url());
        feed.mac_address = self.mac_address.trim().to_owned();
        feed.rover_port = self.rover_port.trim().to_owned();
        feed.ignore_embedded_klv = self.ignore_embedded_klv.trim().to_owned();
        feed.network_timeout = self.timeout.trim().to_owned();
        feed.buffer_time = self.buffer.trim().to_owned();
        feed.rtsp_reliable = self.rtsp_reliable.trim().to_owned();
        Ok(feed)
    }
}

/// A URL in the parts that ATAK has.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Parts<'a> {
    protocol: &'a str,
    /// The host, with name and password before it if there are any.
    address: &'a str,
    port: Option<u16>,
    /// The rest, from its slash on.
    path: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Self {
        let (protocol, rest) = url.split_once("://").unwrap_or(("raw", url));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let host = authority.rfind('@').map_or(0, |at| at + 1);
        let port = authority
            .rsplit_once(':')
            .filter(|(address, _)| address.len() >= host)
            .and_then(|(address, port)| Some((address, port.parse().ok()?)));
        let (address, port) = match port {
            Some((address, port)) => (address, Some(port)),
            None => (authority, None),
        };
        Self { protocol, address, port, path }
    }

    fn url(self) -> String {
        let Self { protocol, address, port, path } = self;
        if address.contains("://") {
            return address.to_owned();
        }
        let is_bare_v6 = address.parse::<std::net::Ipv6Addr>().is_ok();
        let (open, close) = if is_bare_v6 { ("[", "]") } else { ("", "") };
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let slash = if path.is_empty() || path.starts_with(['/', '?', '#']) { "" } else { "/" };
        format!("{protocol}://{open}{address}{close}{port}{slash}{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::feeds as feeds_of;
    use super::*;

    #[test]
    fn urls_come_apart_and_together() {
        for (url, protocol, address, port, path) in [
            ("rtsp://198.51.100.7:554/live", "rtsp", "198.51.100.7", Some(554), "/live"),
            ("rtsp://a:b@cam:8554/x?y=1:2", "rtsp", "a:b@cam", Some(8554), "/x?y=1:2"),
            ("rtsp://a:99@cam/x", "rtsp", "a:99@cam", None, "/x"),
            ("udp://239.1.2.3:1234", "udp", "239.1.2.3", Some(1234), ""),
            ("https://h?token=1", "https", "h", None, "?token=1"),
            ("srt://[fd00::1]:9000", "srt", "[fd00::1]", Some(9000), ""),
            ("srt://[fd00::1]/x", "srt", "[fd00::1]", None, "/x"),
            ("rtsp://h:99999/x", "rtsp", "h:99999", None, "/x"),
        ] {
            let parts = Parts::of(url);
            assert_eq!(parts, Parts { protocol, address, port, path }, "{url}");
            assert_eq!(parts.url(), url);
        }
        assert_eq!(
            Parts { address: "fd00::1", ..Parts::of("srt://x:1") }.url(),
            "srt://[fd00::1]:1"
        );
        assert_eq!(Parts { path: "live", ..Parts::of("rtsp://h") }.url(), "rtsp://h/live");
        assert_eq!(Parts { address: "rtsp://h/1", ..Parts::of("x://y") }.url(), "rtsp://h/1");
    }

    #[test]
    fn what_atak_sends_comes_back() {
        let sent = "<?xml version='1.0' encoding='UTF-8' ?>\n<videoConnections>\n <feed>\
            <protocol>rtsp</protocol><alias>Cam &amp; &#49; <![CDATA[<x>]]></alias><uid>cam-1</uid>\
            <address>198.51.100.7</address><port>554</port><roverPort>-1</roverPort>\
            <ignoreEmbeddedKLV>false</ignoreEmbeddedKLV><preferredMacAddress/>\
            <preferredInterfaceAddress/><path>/live</path><buffer>-1</buffer><timeout>5000</timeout>\
            <rtspReliable>1</rtspReliable></feed></videoConnections>";
        let feeds = read(sent).unwrap();
        assert_eq!((feeds.len(), &*feeds[0].url), (1, "rtsp://198.51.100.7:554/live"));
        let connections: Vec<_> = feeds.iter().cloned().map(Connection::of).collect();
        let write = |has_whole_urls| {
            let feeds = connections.iter().map(|connection| feeds_of(connection, has_whole_urls));
            format!("<videoConnections>{}</videoConnections>", feeds.collect::<String>())
        };
        let written = write(false);
        assert!(written.starts_with(
            "<videoConnections><feed><protocol>rtsp</protocol><alias>Cam &amp; 1 &lt;x&gt;</alias>\
            <uid>cam-1</uid><address>198.51.100.7</address><port>554</port>"
        ));
        assert_eq!(read(&written).unwrap(), feeds);
        let whole = write(true);
        assert!(whole.contains("<address>rtsp://198.51.100.7:554/live</address>"), "{whole}");
        assert_eq!(read(&whole).unwrap(), feeds);
    }

    #[test]
    fn what_is_hostile_or_broken_is_refused() {
        let feed =
            |inner: &str| format!("<videoConnections><feed>{inner}</feed></videoConnections>");
        let good = "<protocol>rtsp</protocol><alias>A</alias><uid>u</uid><address>h</address>";
        assert!(read(&feed(good)).is_ok());
        let laughs = format!(
            "<!DOCTYPE v [<!ENTITY a \"{}\"><!ENTITY b \"&a;&a;\">]>{}",
            "x".repeat(1000),
            feed(&format!("{good}<path>&b;</path>"))
        );
        for bad in [
            String::new(),
            "rtsp://h".to_owned(),
            "<feed/>".to_owned(),
            "<videoConnections><feed/></videoConnections>".to_owned(),
            "<videoConnections>".to_owned(),
            "<videoConnections/><videoConnections/>".to_owned(),
            format!("<videoConnections>{}", "<a>".repeat(100_000)),
            feed("<protocol>rtsp</protocol><alias>A</alias><address>h</address>"),
            feed(&format!("{good}<port>x</port>")),
            feed(&format!("{good}<port>65536</port>")),
            feed(&format!("{good}<path>&b;</path>")),
            feed(&format!("{good}<path>&#0;</path>")),
            feed(&format!("{good}<path></pat>")),
            laughs,
            "<!DOCTYPE v SYSTEM \"file:///etc/passwd\"><videoConnections/>".to_owned(),
            format!("<videoConnections>{}</videoConnections>", feed(good).repeat(3)),
        ] {
            let read = read(&bad);
            let is_nothing = read.as_ref().is_ok_and(Vec::is_empty);
            assert!(read.is_err() || is_nothing, "{}", &bad[..bad.len().min(200)]);
        }
        let one = feed(good);
        let one = &one["<videoConnections>".len()..one.len() - "</videoConnections>".len()];
        let many = |n: usize| format!("<videoConnections>{}</videoConnections>", one.repeat(n));
        assert_eq!(read(&many(MAX_FEEDS)).unwrap().len(), MAX_FEEDS);
        assert!(read(&many(MAX_FEEDS + 1)).is_err());
    }
}
