//! Whatever a file holds: no panic, no memory without bound, a name for what is wrong, and all that
//! is good.

mod support;

use std::fs::File;
use std::io::{BufWriter, Write};

use capture::{Place, Source, Why};
use cot_core::FrameError;
use support::{Files, line, read, report, report_line};

#[test]
fn a_bad_line_costs_only_itself() {
    let files = Files::new();
    let lines = [
        report_line("A", 0),
        "nonsense\n".to_owned(),
        "{\"t\":\"2026-11-22T10:00:00Z\"}\n".to_owned(),
        line(0, "S", "T", "<event uid='X'"),
        line(0, "S", "T", "no event at all \u{1b}[31m"),
        "\n".to_owned(),
        report_line("B", 1),
    ];
    let found = read(&[files.with("a.jsonl", lines.concat())]);
    assert_eq!(found.uids(), ["A", "B"]);
    let places: Vec<_> = found.bad.iter().map(|bad| bad.place).collect();
    assert_eq!(places, [2, 3, 4, 5].map(Place::Line));
    assert!(found.bad.iter().all(|bad| !bad.ends_file()));
    let text = found.bad[0].to_string();
    assert!(text.starts_with(&format!("{}:2: ", files.path("a.jsonl").display())), "{text}");
}

#[test]
fn bad_xml_costs_only_itself() {
    let bad = report("X", "X", 0).to_xml();
    let text = [
        report("A", "A", 0).to_xml(),
        bad.replace("</detail>", "</retail>"),
        bad.replace("<point lat=\"47.0\"", "<point lat=\"247.0\""),
        "junk".to_owned(),
        report("B", "B", 1).to_xml(),
        "</event>".to_owned(),
        report("C", "C", 2).to_xml(),
        bad.replace("</event>", ""),
    ]
    .concat();
    let found = read(&[Files::new().with("a.cot", text)]);
    assert_eq!(found.uids(), ["A", "B", "C"]);
    assert!(found.bad.len() >= 4, "{:?}", found.bad);
    assert!(matches!(found.bad.last().expect("some").why, Why::Truncated));
}

#[test]
fn events_are_found_again_behind_one_that_breaks_off() {
    // As when the sender's connection was lost in the middle, and its next one went to the same file.
    let broken = report("X", "X", 0).to_xml();
    let broken = &broken[..broken.len() / 2];
    let text =
        format!("{}{broken}{}", report("A", "A", 0), report("B", "B", 1).to_xml().repeat(100));
    let found = read(&[Files::new().with("a.cot", text)]);
    assert!(found.records.len() > 50, "{} {:?}", found.records.len(), found.bad);
    assert!(!found.bad.is_empty());
}

#[test]
fn other_files_are_named_and_the_rest_is_read() {
    let files = Files::new();
    let good = files.with("good.jsonl", report_line("A", 0));
    for (name, content) in [
        ("picture.png", &b"\x89PNG\r\n\x1a\n...."[..]),
        ("protobuf.bin", b"\xbf\x10abcdefgh"),
        ("text.txt", b"hello"),
        ("list.json", b"[1, 2]"),
    ] {
        let found = read(&[files.with(name, content), good.clone()]);
        assert_eq!(found.uids(), ["A"], "{name}");
        assert_eq!(found.bad.len(), 1, "{name}");
        assert!(matches!(found.bad[0].why, Why::Foreign), "{name}: {:?}", found.bad);
        assert!(found.bad[0].to_string().contains(name));
    }
}

#[test]
fn a_document_type_ends_the_file() {
    let event = report("A", "A", 0).to_xml();
    let text = format!("{event}<!DOCTYPE x [<!ENTITY a \"b\">]>{event}");
    let found = read(&[Files::new().with("a.cot", text)]);
    assert_eq!(found.uids(), ["A"]);
    let last = found.bad.last().expect("some");
    assert!(matches!(last.why, Why::Stream(FrameError::Doctype)) && last.ends_file());
    assert!(last.to_string().ends_with("the rest of the file is skipped"), "{last}");
}

#[test]
fn a_cut_file_gives_what_was_before_the_cut() {
    let files = Files::new();
    let dump: String = (0..200).map(|n| report_line("A", n)).collect();
    let stream: String = (0..200).map(|n| report("A", "A", n).to_xml()).collect();
    for whole in [dump.as_bytes().to_vec(), stream.into_bytes()] {
        for compressed in [false, true] {
            let bytes = if compressed {
                zstd::encode_all(&whole[..], 3).expect("works")
            } else {
                whole.clone()
            };
            for cut in [1, 5, bytes.len() / 2, bytes.len() - 9] {
                let found = read(&[files.with("cut", &bytes[..cut])]);
                assert!(found.records.len() < 200 && found.bad.len() <= 2, "{:?}", found.bad);
                assert!(!found.bad.is_empty(), "{cut} of {}", bytes.len());
            }
        }
    }
}

#[test]
fn flipped_bits_are_no_panic_and_change_no_other_event() {
    let files = Files::new();
    let dump: String = (0..20).map(|n| report_line("A", n)).collect();
    let stream: String = (0..20).map(|n| report("A", "A", n).to_xml() + "\n").collect();
    for whole in [
        dump.as_bytes().to_vec(),
        stream.into_bytes(),
        zstd::encode_all(dump.as_bytes(), 3).expect("works"),
    ] {
        let expected = read(&[files.with("whole", &whole)]).records;
        assert_eq!(expected.len(), 20);
        for flip in 0..1_000 {
            let mut bytes = whole.clone();
            let at = flip * 7919 % (bytes.len() * 8);
            bytes[at / 8] ^= 1 << (at % 8);
            let found = read(&[files.with("flipped", &bytes)]);
            assert!(found.records.len() <= 20, "{at}");
        }
    }
}

/// Writes `len` bytes of `filler` between what goes before and after.
fn big(
    files: &Files,
    name: &str,
    before: &str,
    filler: u8,
    len: usize,
    after: &str,
) -> std::path::PathBuf {
    let path = files.path(name);
    let mut out = zstd::Encoder::new(BufWriter::new(File::create(&path).expect("writable")), 1)
        .expect("works");
    out.write_all(before.as_bytes()).expect("writable");
    let block = vec![filler; 1 << 20];
    for _ in 0..len >> 20 {
        out.write_all(&block).expect("writable");
    }
    out.write_all(after.as_bytes()).expect("writable");
    out.finish().expect("works").flush().expect("writable");
    path
}

#[test]
fn what_unpacks_to_far_more_is_read_in_bounded_memory() {
    const LEN: usize = 192 << 20;
    let files = Files::new();
    let (a, b) = (report_line("A", 0), report_line("B", 1));
    let (x, y) = (report("A", "A", 0).to_xml(), report("B", "B", 1).to_xml());
    let path = big(&files, "blank", &a, b' ', LEN, &format!("\n{b}"));
    assert!(path.metadata().expect("there").len() < 1 << 20, "it is a bomb");
    let before = peak_kib();
    assert_eq!(read(&[path]).uids(), ["A", "B"]);
    let path = big(&files, "line", &a, b'x', LEN, &format!("\n{b}"));
    assert_eq!(read(&[path]).uids(), ["A", "B"]);
    let path = big(&files, "blank.cot", &x, b'\n', LEN, &y);
    assert_eq!(read(&[path]).uids(), ["A", "B"]);
    let path = big(&files, "attribute.cot", &format!("{x}<event uid='"), b'x', LEN, &y);
    let found = read(&[path]);
    assert_eq!(found.uids(), ["A", "B"]);
    assert!(found.bad.iter().any(|bad| matches!(bad.why, Why::Stream(FrameError::TooLong { .. }))));
    if let (Some(before), Some(after)) = (before, peak_kib()) {
        assert!(after - before < 100 << 10, "from {before} KiB to {after} KiB");
    }
}

/// Most memory that this process ever had, where the system says so.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[test]
fn an_event_longer_than_the_limit_is_passed_over() {
    let long = report("X", &"x".repeat(capture::MAX_EVENT_BYTES), 0).to_xml();
    let files = Files::new();
    let text = format!("{}{}{}", report_line("A", 0), line(0, "X", "", &long), report_line("B", 1));
    let found = read(&[files.with("a.jsonl", text)]);
    assert_eq!((found.uids(), found.bad.len()), (vec!["A".to_owned(), "B".to_owned()], 1));
    let many = report("B", "B", 1).to_xml().repeat(100);
    let found = read(&[files.with("a.cot", format!("{long}{many}"))]);
    assert!(found.records.len() > 50, "{}", found.records.len());
}

#[test]
fn a_file_that_goes_away_is_an_error_of_that_file() {
    let files = Files::new();
    let paths =
        [files.with("a.jsonl", report_line("A", 0)), files.with("b.jsonl", report_line("B", 1))];
    let source = Source::open(&paths).expect("both are there");
    std::fs::remove_file(&paths[0]).expect("it was there");
    let found: Vec<_> = source.collect();
    assert!(matches!(&found[0], Err(bad) if matches!(bad.why, Why::Broken(_))));
    assert!(found[1].is_ok());
}
