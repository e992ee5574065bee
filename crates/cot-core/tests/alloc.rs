//! The wire layer allocates nothing for an event once it is warm.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::hint::black_box;

use allocation_counter::measure;
use cot_core::generate::Traffic;
use cot_core::{Deframer, Header, Item, Limits, Scanner};

fn read_header(header: &Header<'_>) {
    black_box((header.uid(), header.kind(), header.how(), header.time_ms(), header.stale_ms()));
    black_box((header.contact(), header.group(), header.link(), header.emergency()));
    black_box((header.marti_count(), header.dests().count(), header.detail_end()));
    black_box(header.chat().map(|chat| chat.members().count()));
    black_box(header.flow_tags().map(|tags| tags.carries("marti1")));
}

fn run(scanner: &mut Scanner, deframer: &mut Deframer, stream: &[u8], size: usize) -> usize {
    let mut events = 0;
    for read in stream.chunks(size) {
        let sink = &mut |item: Item<'_>| {
            if let Item::Event(header) = item {
                events += 1;
                read_header(&header);
            }
        };
        deframer.feed(scanner, read, sink).unwrap();
    }
    events
}

#[test]
fn framing_and_scanning_allocate_nothing() {
    let stream = Traffic::new(5).mix(1000).concat();
    let mut scanner = Scanner::new(Limits::default());
    for size in [stream.len(), 16 << 10, 1448, 64] {
        let mut deframer = Deframer::new();
        run(&mut scanner, &mut deframer, &stream, size);
        let mut events = 0;
        let info = measure(|| events = run(&mut scanner, &mut deframer, &stream, size));
        assert_eq!(events, 1000);
        assert_eq!(info.count_total, 0, "reads of {size}");
        assert_eq!(deframer.pending(), 0);
    }
}

#[test]
fn a_connection_between_events_owns_no_memory() {
    let events = Traffic::new(6).mix(3);
    let stream = events.concat();
    let mut scanner = Scanner::new(Limits::default());
    let info = measure(|| {
        let mut deframers: Vec<_> = (0..100).map(|_| Deframer::new()).collect();
        for deframer in &mut deframers {
            run(&mut scanner, deframer, &stream, 100);
        }
        let info = measure(|| drop(black_box(deframers)));
        // The vector itself, and nothing that the deframers hold.
        assert_eq!(info.count_total, 0);
        assert!(usize::try_from(-info.bytes_current).unwrap() <= 100 * size_of::<Deframer>());
    });
    black_box(info);
}
