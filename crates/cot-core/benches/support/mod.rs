//! What the benches measure: TinyCoT's wire layer, and others doing less for comparison.

use std::hint::black_box;

use cot_core::generate::Traffic;
use cot_core::{Deframer, Header, Item, Limits, Scanner};
use memchr::memmem;
use quick_xml::Reader;
use quick_xml::events::Event;

/// Traffic to measure on: about 1 MiB, so that it lies in the cache as freshly read data does.
pub(crate) struct Corpus {
    /// The events, each with the declaration it may have.
    pub(crate) events: Vec<Vec<u8>>,
    /// The same, back to back.
    pub(crate) stream: Vec<u8>,
}

impl Corpus {
    /// The usual mixture of a working server.
    pub(crate) fn mix() -> Self {
        Self::new(Traffic::new(7).mix(1400))
    }

    /// Any events.
    pub(crate) fn new(events: Vec<Vec<u8>>) -> Self {
        Self { stream: events.concat(), events }
    }
}

/// Frames, validates and reads what routing needs, from reads of `size` bytes.
pub(crate) fn tinycot(scanner: &mut Scanner, stream: &[u8], size: usize) -> usize {
    let mut deframer = Deframer::new();
    let mut events = 0;
    for read in stream.chunks(size) {
        let fed = deframer.feed(scanner, read, &mut |item: Item<'_>| {
            if let Item::Event(header) = &item {
                events += 1;
                route(header);
            }
        });
        assert!(fed.is_ok(), "{fed:?}");
    }
    events
}

/// Validates and reads what routing needs, from events that are framed already.
pub(crate) fn scan(scanner: &mut Scanner, events: &[Vec<u8>]) -> usize {
    for event in events {
        let header = scanner.scan(event);
        assert!(header.is_ok(), "{header:?}");
        if let Ok(header) = &header {
            route(header);
        }
    }
    events.len()
}

/// Reads what a relay reads of every event.
fn route(header: &Header<'_>) {
    black_box(header.uid());
    black_box(header.kind());
    black_box(header.stale());
    black_box(header.contact());
    black_box(header.group());
    black_box(header.dests().count());
}

/// Looks for the end of each event and does nothing else.
pub(crate) fn bare_memmem(stream: &[u8]) -> usize {
    let finder = memmem::Finder::new("</event>");
    finder.find_iter(stream).map(black_box).count()
}

/// quick-xml: every event, and if asked every attribute. Checks less than the scanner does.
pub(crate) fn quick_xml(events: &[Vec<u8>], attributes: bool) -> usize {
    for event in events {
        let mut reader = Reader::from_reader(event.as_slice());
        loop {
            match reader.read_event() {
                Ok(Event::Start(tag) | Event::Empty(tag)) if attributes => {
                    for attribute in tag.attributes() {
                        assert!(black_box(&attribute).is_ok());
                    }
                }
                Ok(Event::Eof) => break,
                other => assert!(black_box(&other).is_ok()),
            }
        }
    }
    events.len()
}

/// roxmltree: a whole document tree.
pub(crate) fn roxmltree(events: &[Vec<u8>]) -> usize {
    for event in events {
        let text = std::str::from_utf8(event).unwrap_or_default();
        let tree = roxmltree::Document::parse(text);
        assert!(black_box(&tree).is_ok());
    }
    events.len()
}

/// A scanner whose limits let the worst cases through.
pub(crate) fn lenient() -> Scanner {
    let mut limits = Limits::default();
    limits.event = 4 << 20;
    limits.elements = usize::MAX;
    Scanner::new(limits)
}

/// Input that is as hard on the scanner as legal input can be: a name and a stream of about
/// 1 MiB each.
pub(crate) fn worst_cases() -> Vec<(&'static str, Vec<u8>)> {
    const SIZE: usize = 1 << 20;
    let wrap = |body: &str| {
        format!(
            "<event uid='u' type='a' time='' stale=''><point lat='1' lon='2'/><detail>{body}\
             </detail></event>"
        )
    };
    let fill = |piece: &str| piece.repeat(SIZE / piece.len());
    let names: String = (0..128).map(|n| format!(" aaaaaaaa{n:03}bbbbbbbb=''")).collect();
    let cases = [
        ("references in text", wrap(&fill("&amp;"))),
        ("escaped markup in a value", wrap(&format!("<a v='{}'/>", fill("&lt;a b=&quot;c")))),
        ("smallest elements", wrap(&fill("<a/>"))),
        ("smallest comments", wrap(&fill("<!---->"))),
        ("one long value", wrap(&format!("<a v='{}'/>", fill("abcdefgh")))),
        ("one long CDATA section", wrap(&format!("<![CDATA[{}]]>", fill("abcdefgh")))),
        ("text beyond ASCII", wrap(&fill("äß日本語"))),
        ("tags full of similar names", wrap(&fill(&format!("<a{names}/>")))),
        ("end tags in CDATA", wrap(&fill("<![CDATA[</event>]]>"))),
        ("unclosed elements", fill(&wrap("<a>"))),
        ("stray end tags", fill("</event>")),
        ("junk", fill("<a ")),
    ];
    cases.map(|(name, text)| (name, text.into_bytes())).into()
}
