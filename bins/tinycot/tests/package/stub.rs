//! A server with the routes for packages, in memory.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here fails the test")]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A server whose token is `5eCret`.
pub(crate) struct Stub {
    pub(crate) addr: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The newest last: a row and its content. Each audience has one of its own.
    packages: Vec<(Value, Vec<u8>)>,
    last_key: i64,
    pushed: Vec<(String, String)>,
    sent_bytes: usize,
    misbehaviour: Misbehaviour,
}

/// What is wrong with the server.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Misbehaviour {
    CutContent,
    FlipContent,
    NoRanges,
    #[default]
    None,
    RefuseEarly,
    SpeakNonsense,
    StallContent,
}

/// The hash of a content.
pub(crate) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::new(), |mut hash, byte| {
        write!(hash, "{byte:02x}").unwrap();
        hash
    })
}

impl Stub {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for conn in listener.incoming() {
                let state = Arc::clone(&shared);
                // Who hangs up is not answered.
                thread::spawn(move || serve(conn.unwrap(), &state));
            }
        });
        Self { addr, state }
    }

    /// Adds a package with whatever hash.
    pub(crate) fn insert(&self, name: &str, hash: &str, content: &[u8]) {
        let row = json!({
            "hash": hash, "uid": hash, "name": name, "filename": name, "size": content.len(),
            "tool": "public", "keywords": ["missionpackage"], "expiration": -1,
            "submissionTime": "2026-11-22T10:15:00.000Z",
        });
        self.state.lock().unwrap().packages.push((row, content.to_vec()));
    }

    pub(crate) fn pushed(&self) -> Vec<(String, String)> {
        self.state.lock().unwrap().pushed.clone()
    }

    pub(crate) fn sent_bytes(&self) -> usize {
        self.state.lock().unwrap().sent_bytes
    }

    pub(crate) fn misbehave(&self, how: Misbehaviour) {
        self.state.lock().unwrap().misbehaviour = how;
    }
}

/// A request without its body.
struct Head {
    method: String,
    path: String,
    parameters: Vec<(String, String)>,
    headers: Vec<(String, String)>,
}

impl Head {
    fn read(reader: &mut impl BufRead) -> Option<Self> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let mut first = lines.first()?.split(' ');
        let (method, target) = (first.next()?.to_owned(), first.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let header = |line: &String| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_lowercase(), value.to_owned())
        };
        Some(Self {
            method,
            path: path.to_owned(),
            parameters: pairs.map(|(name, value)| (name.to_owned(), decode(value))).collect(),
            headers: lines[1..].iter().map(header).collect(),
        })
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.parameters.iter().filter(move |pair| pair.0 == name).map(|pair| pair.1.as_str())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|pair| pair.0 == name).map(|pair| pair.1.as_str())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|pair| pair.0 == name).map(|pair| pair.1.as_str())
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
        } else {
            byte
        });
    }
    String::from_utf8(bytes).unwrap()
}

fn serve(conn: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(conn.try_clone().unwrap());
    let Some(head) = Head::read(&mut reader) else { return };
    let mut writer = conn;
    let (status, headers, body) = if head.header("authorization") == Some("Bearer 5eCret") {
        answer(&head, &mut reader, state)
    } else {
        (401, String::new(), refusal("no token"))
    };
    let mut len = body.len();
    let mut state = state.lock().unwrap();
    if state.misbehaviour == Misbehaviour::CutContent && head.path == "/Marti/sync/content" {
        len /= 2;
    }
    let is_stalled =
        state.misbehaviour == Misbehaviour::StallContent && head.path == "/Marti/sync/content";
    if is_stalled {
        len /= 2;
    }
    state.sent_bytes += len;
    drop(state);
    let head = format!("HTTP/1.0 {status} X\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    // In one piece: a second one waits until the first is acknowledged, and is lost where the
    // connection is closed before that with a body unread.
    let _ = writer.write_all(&[head.as_bytes(), &body[..len]].concat());
    if is_stalled {
        // Until the other end has had enough.
        let _ = reader.read(&mut [0]);
    }
}

fn refusal(message: &str) -> Vec<u8> {
    json!({ "status": "X", "message": message }).to_string().into_bytes()
}

fn answer(head: &Head, reader: &mut impl Read, state: &Mutex<State>) -> (u16, String, Vec<u8>) {
    let how = state.lock().unwrap().misbehaviour;
    let ok = |body: Value| (200, String::new(), body.to_string().into_bytes());
    let not_found = |what: &str| (404, String::new(), refusal(what));
    match (head.method.as_str(), head.path.as_str()) {
        _ if how == Misbehaviour::SpeakNonsense => (200, String::new(), b"<html>".to_vec()),
        ("GET", "/api/teams") => ok(json!([])),
        ("GET", "/Marti/api/sync/search") => ok(search(head, &state.lock().unwrap())),
        ("POST", "/Marti/sync/upload") if how == Misbehaviour::RefuseEarly => {
            let _ = reader.read(&mut [0; 5]);
            (413, String::new(), refusal("the content has more than 5 bytes"))
        }
        ("POST", "/Marti/sync/upload") => {
            let len = head.header("content-length").unwrap().parse().unwrap();
            let mut content = Vec::new();
            reader.take(len).read_to_end(&mut content).unwrap();
            assert_eq!(content.len() as u64, len);
            ok(store(head, content, &mut state.lock().unwrap()))
        }
        ("GET", "/Marti/sync/content") => {
            let state = state.lock().unwrap();
            let hash = head.get("hash").unwrap();
            let found = state.packages.iter().find(|(row, _)| row["hash"] == hash);
            let Some((_, content)) = found else { return not_found("no such package") };
            let mut content = content.clone();
            if how == Misbehaviour::FlipContent {
                content[0] ^= 1;
            }
            match head.header("range").filter(|_| how != Misbehaviour::NoRanges) {
                None => (200, String::new(), content),
                Some(range) => {
                    let range = range.strip_prefix("bytes=").unwrap();
                    let (from, to) = range.split_once('-').unwrap();
                    let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
                    let headers = format!("Content-Range: bytes {range}/{}\r\n", content.len());
                    (206, headers, content[from..=to].to_vec())
                }
            }
        }
        (method, path) => {
            let mut state = state.lock().unwrap();
            let parts: Vec<_> = path.split('/').collect();
            match (method, &parts[..]) {
                ("DELETE", ["", "Marti", "api", "files", hash]) => {
                    let before = state.packages.len();
                    state.packages.retain(|(row, _)| row["hash"] != *hash);
                    if state.packages.len() == before {
                        return not_found("no such package");
                    }
                    ok(json!({}))
                }
                ("DELETE", ["", "Marti", "sync", "delete"]) => {
                    let key: i64 = head.get("PrimaryKey").unwrap().parse().unwrap();
                    state.packages.retain(|(row, _)| row["primaryKey"] != key);
                    ok(json!({}))
                }
                ("GET", ["", "Marti", "api", "packages", hash, "push"]) => {
                    let to = head.get("to").unwrap();
                    if to == "NOBODY" {
                        return not_found("nobody called NOBODY has been here");
                    }
                    let is_shared = state.packages.iter().any(|(row, _)| row["hash"] == *hash);
                    ok(json!({
                        "uid": to, "callsign": to, "isHere": to == "HAWK", "team": null,
                        "isShared": is_shared, "wouldBeShared": true,
                    }))
                }
                ("POST", ["", "Marti", "api", "packages", hash, "push"]) => {
                    let to = head.get("to").unwrap();
                    if to == "FULL" {
                        return ok(json!({ "sent": 0, "held": 0, "url": "http://x/Marti/x" }));
                    }
                    if to == "NOBODY" {
                        return not_found("nobody is called NOBODY");
                    }
                    state.pushed.push(((*hash).to_owned(), to.to_owned()));
                    let sent = u8::from(to == "HAWK");
                    ok(json!({ "sent": sent, "held": 1 - sent, "url": "http://x/Marti/x" }))
                }
                _ => not_found("no such route"),
            }
        }
    }
}

fn search(head: &Head, state: &State) -> Value {
    let number = |name| head.get(name).and_then(|value| value.parse().ok());
    let name = head.get("name").unwrap_or_default().to_lowercase();
    let is_each = head.get("eachAudience") == Some("true");
    let mut seen = std::collections::HashSet::new();
    let rows: Vec<_> = state
        .packages
        .iter()
        .rev()
        .map(|(row, _)| row)
        .filter(|row| head.get("hash").is_none_or(|hash| row["hash"] == hash))
        .filter(|row| row["name"].as_str().unwrap().to_lowercase().contains(&name))
        .filter(|row| is_each || seen.insert(row["hash"].as_str()))
        .skip(number("offset").unwrap_or(0))
        .take(number("limit").unwrap_or(1000))
        .collect();
    json!({ "version": "3", "type": "Resource", "data": rows, "nodeId": "x" })
}

fn store(head: &Head, content: Vec<u8>, state: &mut State) -> Value {
    let hash = sha256(&content);
    let name = head.get("name").unwrap();
    let mut groups: Vec<_> = head.all("groups").collect();
    groups.sort_unstable();
    state.packages.retain(|(row, _)| {
        let same = if groups.is_empty() { Value::Null } else { json!(groups) };
        row["hash"] != hash.as_str() || row["groups"] != same
    });
    state.last_key += 1;
    let expiration: i64 = head.get("expiration").map_or(-1, |value| value.parse().unwrap());
    let mut row = json!({
        "hash": hash, "uid": hash, "name": name, "filename": name, "size": content.len(),
        "tool": head.get("tool").unwrap(), "keywords": head.all("keywords").collect::<Vec<_>>(),
        "mimeType": head.header("content-type"), "creatorUid": head.get("creatorUid"),
        "expiration": expiration, "submissionTime": "2026-11-22T10:15:00.000Z",
        "primaryKey": state.last_key,
    });
    if !groups.is_empty() {
        row["groups"] = groups.into();
    }
    state.packages.push((row, content));
    json!({ "Hash": hash, "Name": name })
}
