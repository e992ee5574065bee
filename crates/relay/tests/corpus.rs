//! Real events from client to client over real TCP. Skipped, with a line that says so, where the
//! corpus is not at hand.
#![allow(
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test that is skipped says so, and the rest shows what became of how many"
)]

mod net;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use net::text::{attribute, is_pong, marker, sa};
use net::{Client, Server, config, hasty, on_both_runtimes};
use relay::{CloseReason, DropReason};
use roxmltree::{Document, Node};

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";

/// Folders of single events that a client may send.
const SKIPPED: [&str; 3] = ["invalid", "proto", "streams"];

fn corpus() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    if root.is_dir() {
        return Some(root);
    }
    println!("skipped: no corpus at {}", root.display());
    None
}

/// The events of a folder, with their names.
fn events(folder: &Path) -> Vec<(String, String)> {
    let files = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|kind| kind == "cot"));
    let mut events: Vec<_> = files
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).expect("UTF-8")))
        .collect();
    events.sort();
    events
}

fn valid_events(root: &Path) -> Vec<(String, String)> {
    let folders = fs::read_dir(root).expect("a folder").flatten();
    let folders = folders.filter(|folder| folder.path().is_dir());
    let folders = folders.filter(|folder| SKIPPED.iter().all(|name| folder.file_name() != *name));
    let mut events: Vec<_> = folders.flat_map(|folder| events(&folder.path())).collect();
    events.sort();
    assert!(events.len() > 150, "the corpus is damaged: {} events", events.len());
    events
}

/// What the rules of TAK servers say about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    /// Not an event that can be relayed.
    Refused,
    /// Answered by the server.
    Answered,
    /// Kept by the server.
    Consumed,
    /// For services that this server does not have, or a receipt without an addressee.
    Nobody,
    /// For those with these callsigns and uids.
    Only {
        callsigns: BTreeSet<String>,
        uids: BTreeSet<String>,
    },
    Everyone,
}

/// Reads the fate off the event, with another parser and without a look at the relay's rules.
fn fate(event: &Document<'_>) -> Fate {
    let root = event.root_element();
    let detail = child(root, "detail");
    let kind = root.attribute("type").unwrap_or_default();
    if child(root, "point").is_none() {
        return Fate::Refused;
    }
    match kind {
        "t-x-c-t" | "t-x-takp-q" => return Fate::Answered,
        "t-x-c-t-r" | "t-x-takp-v" | "t-x-takp-r" | "t-x-g-c" => return Fate::Consumed,
        _ if kind.starts_with("t-x-m-") => return Fate::Consumed,
        _ => {}
    }
    let dests = detail.and_then(|detail| child(detail, "marti"));
    let dests: Vec<_> =
        dests.into_iter().flat_map(|marti| marti.children()).filter(Node::is_element).collect();
    let named = |name: &str| -> BTreeSet<String> {
        dests.iter().filter_map(|dest| dest.attribute(name)).map(str::to_owned).collect()
    };
    let (callsigns, mut uids) = (named("callsign"), named("uid"));
    if !callsigns.is_empty() || !uids.is_empty() {
        return Fate::Only { callsigns, uids };
    }
    if !dests.is_empty() {
        return Fate::Nobody;
    }
    if !kind.starts_with("b-t-f") {
        return Fate::Everyone;
    }
    let chat = detail
        .and_then(|detail| child(detail, "__chat").or_else(|| child(detail, "__chatreceipt")));
    let id = chat.and_then(|chat| chat.attribute("id"));
    let peer = chat.and_then(|chat| child(chat, "chatgrp")).and_then(|peer| peer.attribute("uid1"));
    match id.filter(|id| Some(*id) == peer && *id != "All Chat Rooms") {
        Some(id) => {
            uids.insert(id.to_owned());
            Fate::Only { callsigns, uids }
        }
        None if kind == "b-t-f" => Fate::Everyone,
        None => Fate::Nobody,
    }
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name(name))
}

/// An event without what stands before and behind it.
fn bare(file: &str) -> &str {
    let start = file.find("<event").expect("an event");
    file.get(start..).expect("a border").trim_end()
}

/// What an addressee of a directed event is to get: the same without the addresses.
fn without_marti(event: &str) -> String {
    let tree = Document::parse(event).expect("well-formed");
    let marti = tree.descendants().find(|node| node.has_tag_name("marti"));
    let range = marti.map_or(0..0, |marti| marti.range());
    let mut event = event.to_owned();
    event.replace_range(range, "");
    event
}

/// Says the event to a relay with an audience, and tells what became of it.
async fn relayed(name: &str, file: &str) -> Fate {
    let server = Server::start(hasty()).await;
    let event = bare(file);
    let tree = Document::parse(event).expect("well-formed");
    let fate = fate(&tree);

    let mut addressees = Vec::new();
    if let Fate::Only { callsigns, uids } = &fate {
        for (n, callsign) in callsigns.iter().enumerate() {
            addressees.push(server.join(&format!("addressee-{n}"), callsign, "").await);
        }
        for uid in uids {
            addressees.push(server.join(uid, &format!("callsign of {uid}"), "").await);
        }
    }
    let mut bystanders =
        vec![server.join("bystander", "BYSTANDER", "").await, server.listener().await];
    let mut sender = server.listener().await;
    for client in addressees.iter_mut().chain(&mut bystanders) {
        client.sync().await;
    }

    for said in [file.to_owned(), format!("{DECLARATION}{event}")] {
        sender.send(&said).await;
        if fate == Fate::Answered {
            let answer = sender.event().await;
            let is_ping = tree.root_element().attribute("type") == Some("t-x-c-t");
            assert_eq!(is_pong(&answer), is_ping, "{name}: {answer}");
            if !is_ping {
                let uid = tree.root_element().attribute("uid");
                assert_eq!(Some(attribute(&answer, "uid")), uid, "{name}");
                assert_eq!(attribute(&answer, "status"), "false", "{name}");
            }
        }
        assert_eq!(sender.sync().await, [""; 0], "{name}: no echo");
    }
    let twice = |event: String| vec![event.clone(), event];
    let (direct, public) = match fate {
        Fate::Only { .. } => (twice(without_marti(event)), Vec::new()),
        Fate::Everyone => (Vec::new(), twice(event.to_owned())),
        _ => (Vec::new(), Vec::new()),
    };
    for addressee in &mut addressees {
        assert_eq!(addressee.sync().await, direct, "{name}");
    }
    for bystander in &mut bystanders {
        assert_eq!(bystander.sync().await, public, "{name}");
    }
    let stats = server.stats();
    let refused = stats.events_rejected;
    let nobody = refused.of(DropReason::NoSuchService) + refused.of(DropReason::UnknownAddressee);
    let expected = match fate {
        Fate::Refused => [2, 0],
        Fate::Nobody => [0, 2],
        _ => [0, 0],
    };
    assert_eq!([refused.of(DropReason::Invalid), nobody], expected, "{name}");
    assert_eq!(refused.total(), expected.iter().sum(), "{name}");
    fate
}

#[test]
fn every_event_goes_byte_for_byte_to_those_it_is_for_and_to_nobody_else() {
    let Some(root) = corpus() else { return };
    let events = valid_events(&root);
    on_both_runtimes(async || {
        let mut table = BTreeMap::<&str, usize>::new();
        for (name, file) in &events {
            let way = match relayed(name, file).await {
                Fate::Refused => "refused",
                Fate::Answered => "answered",
                Fate::Consumed => "consumed",
                Fate::Nobody => "nobody",
                Fate::Only { .. } => "addressees",
                Fate::Everyone => "everyone",
            };
            *table.entry(way).or_default() += 1;
        }
        println!("{} events: {table:?}", events.len());
        let of = |way| table.get(way).copied().unwrap_or_default();
        assert_eq!(of("refused"), 1, "the one without a point");
        assert_eq!(of("answered"), 2, "a ping, and a request for protobuf");
        assert!(of("consumed") >= 5 && of("nobody") >= 4, "{table:?}");
        assert!(of("addressees") >= 10 && of("everyone") >= 140, "{table:?}");
        assert_eq!(table.values().sum::<usize>(), events.len());
    });
}

#[test]
fn all_public_events_in_one_stream_arrive_in_order() {
    let Some(root) = corpus() else { return };
    let events = valid_events(&root);
    let is_public =
        |file: &str| fate(&Document::parse(bare(file)).expect("well-formed")) == Fate::Everyone;
    let public: Vec<_> =
        events.iter().map(|(_, file)| file).filter(|file| is_public(file)).collect();
    on_both_runtimes(async || {
        let server = Server::start(config()).await;
        let (mut alpha, mut bravo) = (server.listener().await, server.listener().await);
        let stream: String = public.iter().map(|file| file.as_str()).collect();
        alpha.say(stream).await;
        let got = bravo.sync().await;
        for (got, file) in got.iter().zip(&public) {
            assert_eq!(got, bare(file));
        }
        assert_eq!(got.len(), public.len());
        assert!(got.len() >= 140, "{}", got.len());
    });
}

/// Sends an event between two good ones; tells which of these arrive.
async fn between(server: &Server, bad: &str) -> (Client, Vec<String>) {
    let (mut alpha, mut bravo) = (server.listener().await, server.listener().await);
    alpha.send(format!("{}{bad}{}", marker("before"), marker("after"))).await;
    // Someone else says the last word, since ALPHA may not be able to.
    let mut charlie = server.listener().await;
    let all_in =
        |stats: &relay::Stats| stats.connections_closed.total() == 1 || stats.events_accepted >= 2;
    server.until("all is read", all_in).await;
    charlie.say(sa("C", "CHARLIE", "")).await;
    let got = bravo.sync().await;
    (alpha, got.iter().map(|event| attribute(event, "uid").to_owned()).collect())
}

#[test]
fn an_invalid_event_costs_only_itself_and_a_doctype_its_sender() {
    let Some(root) = corpus() else { return };
    let invalid = events(&root.join("invalid"));
    assert!(invalid.len() >= 5, "{invalid:?}");
    on_both_runtimes(async || {
        let mut closed = 0;
        for (name, bad) in &invalid {
            let server = Server::start(config()).await;
            let (mut alpha, got) = between(&server, bad).await;
            let stats = server.stats();
            assert_eq!(stats.events_rejected.of(DropReason::Invalid), 1, "{name}");
            if bad.contains("<!DOCTYPE") {
                assert_eq!(got, ["before", "C"], "{name}");
                alpha.closed().await;
                assert_eq!(stats.connections_closed.of(CloseReason::Protocol), 1, "{name}");
                assert_eq!(stats.rejected, [("doctype", 1)], "{name}");
                closed += 1;
            } else {
                assert_eq!(got, ["before", "after", "C"], "{name}");
                alpha.say(marker("later")).await;
                assert_eq!(server.stats().connections_closed.of(CloseReason::Protocol), 0);
            }
        }
        assert!(closed >= 2);
    });
}
