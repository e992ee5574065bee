//! Properties of the wire layer that hold for any bytes whatever. The tests run them over
//! generated input, the fuzz targets over everything else.

use cot_core::{Deframer, Dest, FrameError, Header, Item, Limits, RejectCode, Scanner};
use quick_xml::Reader;
use quick_xml::events::Event;
use roxmltree::{Document, Node};

/// The event size that the framer is held to here: small, so that inputs reach it.
const EVENT_LIMIT: usize = 4096;

/// One item, in a form that can be kept and compared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Got {
    Auth,
    Event(String),
    Rejected(RejectCode, u32),
}

/// What a stream gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) items: Vec<Got>,
    pub(crate) error: Option<FrameError>,
}

impl Outcome {
    pub(crate) fn events(&self) -> Vec<&str> {
        let events = self.items.iter().filter_map(|item| match item {
            Got::Event(text) => Some(text.as_str()),
            _ => None,
        });
        events.collect()
    }

    pub(crate) fn rejects(&self) -> Vec<RejectCode> {
        let rejects = self.items.iter().filter_map(|item| match item {
            Got::Rejected(code, _) => Some(*code),
            _ => None,
        });
        rejects.collect()
    }
}

/// Feeds the reads to a fresh deframer and checks its memory as it goes.
pub(crate) fn feed<'a>(limits: Limits, reads: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut scanner = Scanner::new(limits);
    let mut deframer = Deframer::new();
    let mut outcome = Outcome::default();
    for read in reads {
        let result = deframer.feed(&mut scanner, read, &mut |item: Item<'_>| {
            outcome.items.push(match item {
                Item::Auth => Got::Auth,
                Item::Event(header) => Got::Event(header.as_str().to_owned()),
                Item::Rejected(reject) => Got::Rejected(reject.code, reject.offset),
                other => panic!("unknown item {other:?}"),
            });
        });
        assert!(deframer.pending() <= limits.event + read.len(), "{} held", deframer.pending());
        if let Err(error) = result {
            assert_eq!(deframer.pending(), 0, "a dead deframer holds nothing");
            outcome.error = Some(error);
            break;
        }
    }
    outcome
}

/// Any bytes, cut anywhere, give the same items; what is accepted is fit to be relayed.
pub(crate) fn framer(data: &[u8]) {
    let mut limits = Limits::default();
    limits.event = EVENT_LIMIT;
    let (seed, stream) = data.split_at(data.len().min(8));
    let whole = feed(limits, [stream]);
    let mut rest = stream;
    let mut sizes = seed.iter().cycle();
    let reads = std::iter::from_fn(|| {
        let size = sizes.next().map_or(1, |&byte| 1 + usize::from(byte)).min(rest.len());
        let (read, tail) = rest.split_at(size);
        rest = tail;
        (size > 0).then_some(read)
    });
    assert_eq!(feed(limits, reads), whole);
    assert_eq!(feed(limits, stream.chunks(1)), whole);
    for event in whole.events() {
        assert!(event.len() <= EVENT_LIMIT);
        relayable(event);
    }
}

/// What a receiver needs: a single well-formed event that nobody cuts elsewhere.
pub(crate) fn relayable(event: &str) {
    assert!(event.starts_with("<event"), "{event}");
    assert_eq!(event.find("</event>"), Some(event.len() - 8), "{event}");
    let tree = Document::parse(event).unwrap_or_else(|error| panic!("{error}: {event}"));
    assert!(tree.root_element().has_tag_name("event") || event.contains("xmlns"), "{event}");
    let mut reader = Reader::from_str(event);
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) => {
                for attribute in tag.attributes() {
                    assert!(attribute.is_ok(), "{attribute:?}: {event}");
                }
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(error) => panic!("{error}: {event}"),
        }
    }
}

/// The scanner says what other parsers say, and reads what they read.
pub(crate) fn route_vs_oracle(data: &[u8]) {
    let text = str::from_utf8(data);
    match Scanner::new(Limits::default()).scan(data) {
        Ok(header) => {
            relayable(header.as_str());
            let tree = Document::parse(header.as_str());
            same_header(&header, &tree.unwrap_or_else(|error| panic!("{error}: {header:?}")));
        }
        Err(reject) if is_policy(reject.code) => {}
        Err(reject) => {
            // roxmltree lets a lone colon in front of a name pass, in one tag or in both.
            let colon = data.windows(2).any(|pair| matches!(pair, b"<:" | b"/:"));
            let accepted = !colon && text.is_ok_and(|text| Document::parse(text).is_ok());
            assert!(!accepted, "{reject}, but another parser takes {text:?}");
        }
    }
}

/// Reasons to refuse what roxmltree accepts: our own limits, and where it is lenient, which are
/// the names of instructions and names that begin or end with a colon.
fn is_policy(code: RejectCode) -> bool {
    use RejectCode::{
        AmbiguousEnd, Depth, Latitude, Longitude, MissingPoint, MissingStale, MissingTime,
        MissingType, MissingUid, Namespace, NestedEvent, ProcessingInstruction, Root, TooLong,
        TooManyAttributes, TooManyElements,
    };
    matches!(
        code,
        AmbiguousEnd
            | Depth
            | Latitude
            | Longitude
            | MissingPoint
            | MissingStale
            | MissingTime
            | MissingType
            | MissingUid
            | Namespace
            | NestedEvent
            | ProcessingInstruction
            | Root
            | TooLong
            | TooManyAttributes
            | TooManyElements
    )
}

/// Every field of the header equals what a document tree says.
fn same_header(header: &Header<'_>, tree: &Document<'_>) {
    let root = tree.root_element();
    let owned = |text: Option<cot_core::Text<'_>>| text.map(|text| text.to_cow().into_owned());
    let attr = |node: Option<Node<'_, '_>>, name: &str| {
        node.and_then(|node| node.attribute(name)).map(ToOwned::to_owned)
    };
    let of_root = |name| attr(Some(root), name);
    assert_eq!(owned(Some(header.uid())), of_root("uid"));
    assert!(header.uid().eq_str(root.attribute("uid").unwrap_or_default()));
    let kind = of_root("type").unwrap_or_default();
    assert!(header.kind() == kind || header.kind().contains(['&', '\t', '\n', '\r']));
    assert_eq!(owned(header.how()), of_root("how"));
    assert_eq!(owned(Some(header.time())), of_root("time"));
    assert_eq!(owned(header.start()), of_root("start"));
    assert_eq!(owned(Some(header.stale())), of_root("stale"));
    let time = header.as_str().get(header.time_range());
    assert_eq!(time, Some(header.time().raw()));
    let stale = header.as_str().get(header.stale_range());
    assert_eq!(stale, Some(header.stale().raw()));

    let child = |parent: Option<Node<'_, '_>>, names: &[&str]| {
        parent
            .into_iter()
            .flat_map(|parent| parent.children())
            .find(|node| is(*node, names))
            .map(|node| node.id())
    };
    let node = |id: Option<roxmltree::NodeId>| id.and_then(|id| tree.get_node(id));
    let point = node(child(Some(root), &["point"]));
    assert_eq!(owned(Some(header.lat())), attr(point, "lat"));
    assert_eq!(owned(Some(header.lon())), attr(point, "lon"));
    assert_eq!(owned(header.hae()), attr(point, "hae"));
    assert_eq!(owned(header.ce()), attr(point, "ce"));
    assert_eq!(owned(header.le()), attr(point, "le"));

    let detail = node(child(Some(root), &["detail"]));
    let source = header.as_str();
    let end = detail.map(|detail| &source[detail.range()]).filter(|text| !text.ends_with("/>"));
    assert_eq!(header.detail_end().is_some(), end.is_some());
    if let (Some(end), Some(detail)) = (header.detail_end(), detail) {
        let tag = &source[end..detail.range().end];
        assert!(tag.starts_with("</detail") && tag.find('>') == Some(tag.len() - 1), "{tag}");
    }
    let in_detail = |names: &[&str]| node(child(detail, names));
    let contact = in_detail(&["contact"]);
    assert_eq!(header.contact().is_some(), contact.is_some());
    let read = header.contact();
    assert_eq!(owned(read.and_then(|contact| contact.callsign)), attr(contact, "callsign"));
    assert_eq!(owned(read.and_then(|contact| contact.endpoint)), attr(contact, "endpoint"));
    let group = in_detail(&["__group"]);
    assert_eq!(header.group().is_some(), group.is_some());
    assert_eq!(owned(header.group().and_then(|group| group.name)), attr(group, "name"));
    assert_eq!(owned(header.group().and_then(|group| group.role)), attr(group, "role"));
    let link = in_detail(&["link"]);
    assert_eq!(header.link().is_some(), link.is_some());
    assert_eq!(owned(header.link().and_then(|link| link.uid)), attr(link, "uid"));
    assert_eq!(owned(header.link().and_then(|link| link.relation)), attr(link, "relation"));
    assert_eq!(owned(header.link().and_then(|link| link.kind)), attr(link, "type"));
    let emergency = in_detail(&["emergency"]);
    assert_eq!(header.emergency().is_some(), emergency.is_some());
    let chat = in_detail(&["__chat", "__chatreceipt"]);
    let read = header.chat();
    assert_eq!(read.is_some(), chat.is_some());
    assert_eq!(owned(read.and_then(|chat| chat.id)), attr(chat, "id"));
    assert_eq!(owned(read.and_then(|chat| chat.chatroom)), attr(chat, "chatroom"));
    assert_eq!(owned(read.and_then(|chat| chat.message_id)), attr(chat, "messageId"));
    let members = read.into_iter().flat_map(|chat| chat.members()).count();
    let chatgrp = node(child(chat, &["chatgrp"]));
    let listed = chatgrp.into_iter().flat_map(|group| group.attributes()).filter(|attribute| {
        let number = attribute.name().strip_prefix("uid");
        attribute.namespace().is_none() && number.is_some_and(|n| n.parse::<usize>().is_ok())
    });
    assert_eq!(members, listed.count());
    assert_eq!(header.has_archive(), in_detail(&["archive"]).is_some());
    assert_eq!(header.has_ack_response(), in_detail(&["ackresponse"]).is_some());
    assert_eq!(header.has_force_delete(), in_detail(&["__forcedelete"]).is_some());
    let control = in_detail(&["TakControl"]);
    let request = node(child(control, &["TakRequest"]));
    assert_eq!(owned(header.tak_request()), attr(request, "version"));
    let tags = in_detail(&["_flow-tags_"]);
    assert_eq!(header.flow_tags().is_some(), tags.is_some());
    if let (Some(read), Some(tags)) = (header.flow_tags(), tags) {
        assert_eq!(read.range.start, tags.range().start);
        assert!(source[read.range.clone()].ends_with('>'));
        assert!(tags.attributes().all(|tag| tag.namespace().is_some() || read.carries(tag.name())));
        assert!(!read.carries("no-such-tag"));
    }

    let martis = || {
        let children = detail.into_iter().flat_map(|detail| detail.children());
        children.filter(|node| is(*node, &["marti"]))
    };
    let ranges: Vec<_> = martis().map(|marti| marti.range()).collect();
    assert_eq!(header.marti_ranges().collect::<Vec<_>>(), ranges);
    assert_eq!(header.marti_range(), ranges.first().cloned());
    let dests: Vec<String> = header.dests().map(dest_text).collect();
    let expected: Vec<String> = martis()
        .flat_map(|marti| marti.children().filter(|node| is(*node, &["dest"])).collect::<Vec<_>>())
        .map(|dest| {
            let names = ["callsign", "publish", "uid", "mission", "mission-guid", "group"];
            let first = names.iter().find_map(|name| Some((name, dest.attribute(*name)?)));
            first.map_or_else(|| "unknown".to_owned(), |(name, value)| format!("{name}={value}"))
        })
        .collect();
    assert_eq!(dests, expected);
}

/// Whether the node is an element with one of these names and no prefix.
fn is(node: Node<'_, '_>, names: &[&str]) -> bool {
    node.is_element()
        && names.contains(&node.tag_name().name())
        && names
            .iter()
            .any(|name| node.document().input_text()[node.range()][1..].starts_with(name))
}

fn dest_text(dest: Dest<'_>) -> String {
    let (name, text) = match dest {
        Dest::Callsign(text) => ("callsign", text),
        Dest::Group(text) => ("group", text),
        Dest::Mission(text) => ("mission", text),
        Dest::MissionGuid(text) => ("mission-guid", text),
        Dest::Publish(text) => ("publish", text),
        Dest::Uid(text) => ("uid", text),
        _ => return "unknown".to_owned(),
    };
    format!("{name}={}", text.to_cow())
}

/// An event that has to be rewritten says the same afterwards.
pub(crate) fn mend(data: &[u8]) {
    let Ok(body) = str::from_utf8(data) else { return };
    let event = format!(
        "<event uid='u' type='a' time='' stale=''><point lat='1' lon='2'/><detail>{body}</detail>\
         </event \n>"
    );
    let Ok(before) = Document::parse(&event) else { return };
    let outcome = feed(Limits::default(), [event.as_bytes()]);
    let [after] = outcome.events()[..] else { return };
    relayable(after);
    let after = Document::parse(after).unwrap_or_else(|error| panic!("{error}: {after}"));
    assert_eq!(shape(before.root_element()), shape(after.root_element()), "{event}");
}

/// Elements, attributes and text of a tree, without comments and instructions, with neighbouring
/// pieces of text joined.
fn shape(node: Node<'_, '_>) -> String {
    let mut shape = String::new();
    for node in node.descendants() {
        if node.is_element() {
            shape.push_str(&format!("<{:?}", node.tag_name()));
            for attribute in node.attributes() {
                shape.push_str(&format!(" {:?}={:?}", attribute.name(), attribute.value()));
            }
            shape.push('>');
        } else if node.is_text() {
            // roxmltree forgets to turn a CR in front of a reference into a LF.
            shape.push_str(&node.text().unwrap_or_default().replace('\r', "\n"));
        }
    }
    shape
}
