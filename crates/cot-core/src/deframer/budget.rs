//! Hostile streams cost work in proportion to their length, in whatever reads they arrive.

use super::{Deframer, Item};
use crate::limits::Limits;
use crate::scan::Scanner;
use crate::work;

/// Bytes looked at for each byte of a stream: searching, scanning, walking (16 for each step),
/// rewriting and scanning again, and some twice where a broken event ends in another one.
const PER_BYTE: usize = 24;
/// Bytes looked at for each read, however small: the seam of two reads, and the root's tag.
const PER_READ: usize = 1200;

const SIZE: usize = 60_000;

fn event(inside: &str) -> String {
    format!("<event uid='u' type='a' time='' stale=''><point lat='1' lon='2'/>{inside}</event>")
}

fn fill(piece: &str) -> String {
    piece.repeat(SIZE / piece.len())
}

fn hostile_streams() -> Vec<(&'static str, String)> {
    let names: String = (0..128).map(|n| format!(" aaaaaaaa{n:03}bbbbbbbb=''")).collect();
    vec![
        ("end tags", fill("</event>")),
        ("end tags that never end", fill("</event ")),
        ("end tags in an open event", format!("<event a='{}", fill("</event>"))),
        ("end tags in a comment", event(&format!("<!--{}-->", fill("</event>")))),
        ("end tags in an endless comment", format!("<event><!--{}", fill("</event>"))),
        ("events in an endless comment", format!("<event><!--{}", fill(&event("")))),
        ("end tags in CDATA sections", event(&fill("<![CDATA[</event>]]>"))),
        ("references", event(&fill("&amp;"))),
        ("long references", event(&fill("&#0000000000000000000000000000000000000065;"))),
        ("endless references", event(&fill("&#00000000000000000000000000000000000000000000000"))),
        ("markup in values", event(&format!("<a b='{}'/>", fill("&lt;")))),
        ("raw markup in values", event(&fill("<a b='<' c='<'/>"))),
        ("raw markup in an endless value", format!("<event a='{}", fill("<x "))),
        ("unclosed quotes", event(&fill("<a b='x y=\"z/>"))),
        ("small elements", event(&fill("<a/>"))),
        ("open elements", event(&fill("<a>"))),
        ("small comments", event(&fill("<!---->"))),
        ("tags with many attributes", event(&fill(&format!("<a{names}/>")))),
        ("one tag with many attributes", event(&format!("<a{}/>", fill(" a='' b=''")))),
        ("namespaces", event(&fill("<p:a xmlns:p='q'/>"))),
        ("many namespaces", event(&fill("<a xmlns:p='q'><p:a/></a>"))),
        ("self-closing roots", fill("<event uid='u' type='a' time='' stale=''/>")),
        ("almost self-closing roots", fill("<event a='/>/>/>/>/>'")),
        ("broken events", fill("<event uid='u' type='a' ")),
        ("broken events and an end", fill("<event uid='u' type='a' ") + "</event>"),
        ("self-closing roots and an end", fill("<event uid='u' a='/>'/>") + "</event>"),
        ("long self-closing roots", fill(&format!("<event a='{}'/>", " ".repeat(2000)))),
        ("embedded events", fill("<event><a><b>")),
        ("bad events", fill(&event("<a>"))),
        ("junk", fill("<a ")),
        ("half tags", fill("<")),
        ("declarations", fill("<?xml version='1.0'?>")),
        ("broken declarations", fill("<?xml version='1.0' ")),
        ("instructions", fill("<?a?>")),
        ("an endless instruction", format!("<?a {}", fill("?"))),
        ("an endless comment", format!("<!--{}", fill("-"))),
        ("login documents", fill("<auth><a/></auth>")),
        ("blanks", fill(" \n")),
        ("blanks in an end tag", event("").replace("</event>", &format!("</event{}", fill(" ")))),
        ("good events", fill(&event("<detail><contact callsign='A'/></detail>"))),
    ]
}

#[test]
fn work_is_linear_in_the_stream() {
    let mut scanner = Scanner::new(Limits::default());
    for (name, stream) in hostile_streams() {
        for size in [1, 7, 64, 1448, 16 << 10, usize::MAX] {
            let mut deframer = Deframer::new();
            let mut reads = 0;
            work::take();
            for read in stream.as_bytes().chunks(size) {
                reads += 1;
                if deframer.feed(&mut scanner, read, &mut |_: Item<'_>| {}).is_err() {
                    break;
                }
            }
            let (spent, budget) = (work::take(), PER_BYTE * stream.len() + PER_READ * reads);
            assert!(spent <= budget, "{name} in reads of {size}: {spent} of {budget}");
        }
    }
}
