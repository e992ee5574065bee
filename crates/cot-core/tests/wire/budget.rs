//! Attacks on time and memory are refused, soon and within the limits.

use std::time::Duration;

use cot_core::{Deframer, FrameError, Item, Limits, RejectCode, Scanner};
use rustix::time::{ClockId, clock_gettime};

use crate::bodies::{Outcome, feed};

/// CPU time that one attack of 1 MiB may take. A release build needs a few milliseconds; this
/// has to hold for a debug build on a busy machine, and quadratic work takes minutes.
const CPU: Duration = Duration::from_secs(2);

fn event(inside: &str) -> String {
    format!("<event uid='u' type='a' time='' stale=''><point lat='1' lon='2'/>{inside}</event>")
}

fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.try_into().unwrap(), now.tv_nsec.try_into().unwrap())
}

fn attack(stream: &str) -> Outcome {
    let start = cpu_time();
    let outcome = feed(Limits::default(), stream.as_bytes().chunks(16 << 10));
    let spent = cpu_time() - start;
    assert!(spent < CPU, "{spent:?} for {} bytes", stream.len());
    outcome
}

#[test]
fn a_tag_with_16_000_attributes_is_refused() {
    let names: String = (0..16_000).map(|n| format!(" a{n}=''")).collect();
    let outcome = attack(&(event(&format!("<a{names}/>")) + &event("")));
    assert_eq!(outcome.rejects(), [RejectCode::TooManyAttributes]);
    assert_eq!(outcome.events().len(), 1);
    let mut limits = Limits::default();
    limits.attributes = 20_000;
    let start = cpu_time();
    Scanner::new(limits).scan(event(&format!("<a{names}/>")).as_bytes()).unwrap();
    assert!(cpu_time() - start < CPU);
}

#[test]
fn namespaces_by_the_thousand_are_refused() {
    let names: String = (0..20_000).map(|n| format!(" xmlns:a{n}='b'")).collect();
    let outcome = attack(&(event(&format!("<a{names}/>")) + &event("")));
    assert_eq!(outcome.rejects(), [RejectCode::TooManyAttributes]);
    let tags: String = (0..60).map(|n| format!("<a xmlns:a{n}='b'>")).collect();
    let outcome = attack(&event(&(tags + &"</a>".repeat(60))));
    assert_eq!(outcome.rejects(), [RejectCode::Namespace]);
}

#[test]
fn depth_costs_no_stack() {
    let run = || {
        for depth in [5_000, 100_000] {
            let body = "<a>".repeat(depth) + &"</a>".repeat(depth);
            let outcome = attack(&(event(&body) + &event("")));
            assert_eq!(outcome.rejects(), [RejectCode::Depth], "{depth}");
            assert_eq!(outcome.events().len(), 1);
        }
        let outcome = attack(&"<event><a>".repeat(50_000));
        assert!(outcome.error.is_some() || outcome.events().is_empty());
    };
    let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(run);
    thread.unwrap().join().unwrap();
}

#[test]
fn end_tags_by_the_mebibyte_are_refused_one_by_one() {
    let outcome = attack(&"</event>".repeat(1 << 17));
    assert_eq!(outcome.rejects().len(), 1 << 17);
    assert!(outcome.rejects().iter().all(|code| *code == RejectCode::StrayEnd));
}

#[test]
fn an_event_that_never_ends_is_cut_off_at_the_limit() {
    for open in [
        "<event a='",
        "<event a=\"",
        "<event>",
        "<event><!--",
        "<event><![CDATA[",
        "<!--",
        "<?a ",
        "<auth a='",
    ] {
        let mut scanner = Scanner::new(Limits::default());
        let mut deframer = Deframer::new();
        let mut fed = 0;
        let mut held = 0;
        let mut feed = |read: &[u8]| {
            let result = deframer.feed(&mut scanner, read, &mut |_: Item<'_>| {});
            fed += read.len();
            held = held.max(deframer.pending());
            result
        };
        feed(open.as_bytes()).unwrap();
        let read = [b'a'; 64 << 10];
        let error = loop {
            if let Err(error) = feed(&read) {
                break error;
            }
        };
        let limit = Limits::default().event;
        assert_eq!(error, FrameError::TooLong { limit }, "{open}");
        assert!(fed <= limit + 2 * read.len(), "{open}: {fed} taken in");
        assert!(held <= limit + read.len(), "{open}: {held} held");
        assert_eq!(deframer.pending(), 0);
    }
}

#[test]
fn an_event_at_the_limit_passes_and_one_beyond_ends_the_stream() {
    let mut limits = Limits::default();
    limits.event = 1000;
    let pad = |len: usize| event(&" ".repeat(len - event("").len()));
    for size in [1, 7, 300, 5000] {
        let stream = pad(1000) + &pad(999);
        let outcome = feed(limits, stream.as_bytes().chunks(size));
        assert_eq!((outcome.events().len(), outcome.error), (2, None));
        let stream = pad(1000) + &pad(1001) + &event("");
        let outcome = feed(limits, stream.as_bytes().chunks(size));
        let error = Some(FrameError::TooLong { limit: 1000 });
        assert_eq!((outcome.events().len(), outcome.error), (1, error), "reads of {size}");
    }
}

#[test]
fn rewriting_stays_within_the_limit() {
    let body = format!("<![CDATA[</event>{}]]>", "&".repeat(400_000));
    let outcome = attack(&(event(&body) + &event("")));
    assert_eq!(outcome.rejects(), [RejectCode::TooLong]);
    assert_eq!(outcome.events().len(), 1);
}

#[test]
fn a_dead_stream_stays_dead() {
    let mut scanner = Scanner::new(Limits::default());
    let mut deframer = Deframer::new();
    for read in [&b"GET / HTTP/1.1"[..], event("").as_bytes()] {
        let result = deframer.feed(&mut scanner, read, &mut |item: Item<'_>| panic!("{item:?}"));
        assert_eq!(result, Err(FrameError::Http));
    }
}
