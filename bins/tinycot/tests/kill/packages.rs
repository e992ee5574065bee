//! Devices that share files over HTTP until the server is gone, and what it has to have kept.
//!
//! A package is acknowledged when its answer has come whole. Each is changed by one device alone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::http::{Answer, Http};
use super::model::{Fault, Violation};
use super::rng::Rng;

/// Devices that share files.
const DEVICES: usize = 2;

/// Packages that a device has at most.
const MOST: usize = 10;

/// Longest pause between two requests of a device. Milliseconds.
const PAUSE_MS: u64 = 8;

/// Largest content, about. Bytes.
const LARGEST: u64 = 1 << 20;

/// What of a package may be there: the number of the upload or change that it is of, or nothing.
type State = Option<u32>;

/// All devices, and all that they did.
#[derive(Debug)]
pub(crate) struct Packages {
    /// While none is at work.
    idle: Vec<Device>,
    at_work: Vec<JoinHandle<Device>>,
    stop: Arc<AtomicBool>,
    pub(crate) counts: Counts,
}

/// What was done and found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) acknowledged: u64,
    pub(crate) uploads: u64,
    pub(crate) removals: u64,
    /// Contents that were compared byte for byte.
    pub(crate) compared: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.uploads += other.uploads;
        self.removals += other.removals;
        self.compared += other.compared;
    }
}

/// One that shares files.
#[derive(Debug)]
struct Device {
    uid: String,
    rng: Rng,
    /// Requests so far.
    n: u32,
    own: BTreeMap<String, Package>,
    violations: Vec<Violation>,
    counts: Counts,
}

/// What a device knows of one of its packages.
#[derive(Clone, Debug, Default)]
struct Package {
    hash: Option<String>,
    /// The last state that was acknowledged.
    known: State,
    /// What was asked for since.
    begun: Vec<State>,
}

impl Packages {
    pub(crate) fn new(seed: u64) -> Self {
        let device = |number: usize| Device {
            uid: format!("D{number}"),
            rng: Rng::new(seed ^ (number as u64 + 1) << 40),
            n: 0,
            own: BTreeMap::new(),
            violations: Vec::new(),
            counts: Counts::default(),
        };
        Self {
            idle: (0..DEVICES).map(device).collect(),
            at_work: Vec::new(),
            stop: Arc::default(),
            counts: Counts::default(),
        }
    }

    /// Has the devices work until they are told to stop, or the server is gone.
    pub(crate) fn work(&mut self, server: SocketAddr) {
        self.stop.store(false, Ordering::Relaxed);
        for mut device in std::mem::take(&mut self.idle) {
            let stop = Arc::clone(&self.stop);
            self.at_work.push(thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) && device.act(server).is_some() {
                    thread::sleep(Duration::from_millis(device.rng.below(PAUSE_MS)));
                }
                device
            }));
        }
    }

    /// Waits for what is under way.
    pub(crate) fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for device in std::mem::take(&mut self.at_work) {
            let mut device = device.join().unwrap();
            self.counts.add(std::mem::take(&mut device.counts));
            self.idle.push(device);
        }
    }

    /// Compares with what the server has after a start, and goes on from that.
    pub(crate) fn check(&mut self, server: SocketAddr) -> Vec<Violation> {
        let mut faults = Vec::new();
        for device in &mut self.idle {
            faults.append(&mut device.violations);
        }
        let listed = match Http::new(server).ask("GET", "/Marti/sync/search", "", &[]) {
            Some(Answer { status: 200, body }) => listed(&body),
            other => {
                faults.push(violation(Fault::Unreadable, format!("no list: {other:?}")));
                return faults;
            }
        };
        for (name, (hash, _)) in &listed {
            let path = format!("/Marti/sync/content?hash={hash}");
            let whole = match Http::new(server).ask("GET", &path, "", &[]) {
                Some(Answer { status: 200, body }) => body == content(name),
                other => {
                    let status = other.map(|other| other.status);
                    faults.push(violation(Fault::NoContent, format!("{name}: {status:?}")));
                    continue;
                }
            };
            self.counts.compared += 1;
            if !whole {
                faults.push(violation(Fault::Torn, name.clone()));
            }
        }
        let mut unknown = listed;
        for device in &mut self.idle {
            for (name, package) in &mut device.own {
                let there = unknown.remove(name);
                let state = there.as_ref().map(|&(_, state)| state);
                if state != package.known && !package.begun.contains(&state) {
                    let is_gone = package.known.is_none();
                    let fault = if is_gone { Fault::Revived } else { Fault::Lost };
                    faults.push(violation(fault, format!("{name} is {state:?}: {package:?}")));
                }
                let hash = there.map(|(hash, _)| hash);
                *package = Package { hash, known: state, begun: Vec::new() };
            }
            device.own.retain(|_, package| package.known.is_some());
        }
        let unknown = unknown.into_keys();
        faults.extend(unknown.map(|name| violation(Fault::Wrong, format!("{name} is unknown"))));
        faults
    }
}

impl Device {
    /// One request; `None` when the server is gone.
    fn act(&mut self, server: SocketAddr) -> Option<()> {
        self.n += 1;
        // What is gone may be uploaded again, and nothing else.
        let is_there = |(_, package): &(&String, &Package)| package.known.is_some();
        let there = self.own.iter().filter(is_there).map(|(name, _)| name.clone());
        let there: Vec<_> = there.collect();
        let names: Vec<_> = self.own.keys().cloned().collect();
        let chance = self.rng.below(100);
        if names.is_empty() || (chance < 50 && names.len() < MOST) {
            let name = format!("{}.{}", self.uid, self.n);
            return self.upload(server, &name);
        }
        if there.is_empty() || chance < 60 {
            let name = self.rng.one(&names).clone();
            return self.upload(server, &name);
        }
        let name = self.rng.one(&there).clone();
        if chance < 75 { self.change(server, &name) } else { self.remove(server, &name) }
    }

    /// As ATAK does it, or as iTAK does.
    fn upload(&mut self, server: SocketAddr, name: &str) -> Option<()> {
        let (uid, n, bytes) = (&self.uid, self.n, content(name));
        let mut http = Http::new(server);
        let package = self.own.entry(name.to_owned()).or_default();
        package.begun.push(Some(n));
        let answer = if n.is_multiple_of(2) {
            let path =
                format!("/Marti/sync/missionupload?filename={name}&creatorUid={uid}&tool={n}");
            let head = format!(
                "--cut\r\nContent-Disposition: form-data; name=\"assetfile\"; \
                 filename=\"{name}\"\r\nContent-Type: application/x-zip-compressed\r\n\r\n"
            );
            let body = [head.as_bytes(), &bytes, b"\r\n--cut--\r\n"].concat();
            http.ask("POST", &path, "multipart/form-data; boundary=cut", &body)
        } else {
            let path = format!(
                "/Marti/sync/upload?name={name}&CreatorUid={uid}&keywords=missionpackage&tool={n}"
            );
            http.ask("POST", &path, "application/x-zip-compressed", &bytes)
        }?;
        if let Some(hash) = hash_in(&answer.body) {
            package.hash = Some(hash);
        }
        self.counts.uploads += u64::from(answer.status == 200);
        self.has_answered(name, Some(n), &answer);
        Some(())
    }

    fn change(&mut self, server: SocketAddr, name: &str) -> Option<()> {
        let package = self.own.get_mut(name)?;
        let hash = package.hash.clone()?;
        package.begun.push(Some(self.n));
        let uid = &self.uid;
        let path = format!("/Marti/api/sync/metadata/{hash}/tool?creatorUid={uid}");
        let body = self.n.to_string();
        let answer = Http::new(server).ask("PUT", &path, "text/plain", body.as_bytes())?;
        self.has_answered(name, Some(self.n), &answer);
        Some(())
    }

    fn remove(&mut self, server: SocketAddr, name: &str) -> Option<()> {
        let package = self.own.get_mut(name)?;
        let hash = package.hash.clone()?;
        package.begun.push(None);
        let path = format!("/Marti/sync/delete?hash={hash}&creatorUid={}", self.uid);
        let answer = Http::new(server).ask("DELETE", &path, "", &[])?;
        self.counts.removals += u64::from(answer.status == 200);
        self.has_answered(name, None, &answer);
        Some(())
    }

    fn has_answered(&mut self, name: &str, state: State, answer: &Answer) {
        if answer.status != 200 {
            let body = String::from_utf8_lossy(&answer.body);
            let what = format!("{name}, {state:?}: {} {body}", answer.status);
            return self.violations.push(violation(Fault::Wrong, what));
        }
        self.counts.acknowledged += 1;
        let package = self.own.entry(name.to_owned()).or_default();
        let hash = package.hash.take();
        *package = Package { hash, known: state, begun: Vec::new() };
    }
}

fn violation(fault: Fault, what: String) -> Violation {
    Violation { fault, what }
}

/// The content of this name: up to 1 MiB, each order of magnitude as often as any other. It begins
/// with the name, so that no other has it.
fn content(name: &str) -> Vec<u8> {
    let number = name.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(257) + u64::from(byte));
    let mut rng = Rng::new(number);
    let most = LARGEST >> rng.below(u64::from(LARGEST.ilog2()));
    let len = usize::try_from(rng.below(most)).unwrap();
    let mut bytes = name.as_bytes().to_vec();
    let random = rng.next().to_le_bytes();
    bytes.extend(random.iter().cycle().take(len).zip(0_u32..).map(|(byte, at)| {
        // So that what is cut out of the middle shows.
        byte ^ at.to_le_bytes()[0] ^ at.to_le_bytes()[1]
    }));
    bytes
}

/// The hash in what an upload is answered with: of a URL, or of a row.
fn hash_in(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let is_digit = |byte: char| byte.is_ascii_hexdigit();
    let mut words = text.split(|byte: char| !is_digit(byte));
    words.find(|word| word.len() == 64).map(str::to_owned)
}

/// What a search found, by name: the hash, and the number of the upload or change.
fn listed(body: &[u8]) -> BTreeMap<String, (String, u32)> {
    let found: serde_json::Value = serde_json::from_slice(body).unwrap();
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or("").to_owned();
    let rows = found["results"].as_array().unwrap().iter();
    let of = |row| (text(row, "Name"), (text(row, "Hash"), text(row, "Tool").parse().unwrap_or(0)));
    rows.map(of).collect()
}
