//! Every kind of file gives its events, with when they were received and from whom.

mod support;

use std::fs;

use capture::{CaptureError, Source};
use support::{BEGIN, Files, line, read, report, report_line, uid};

#[test]
fn a_dump_gives_what_was_recorded() {
    let event = report("A", "HOPE", 0).to_xml();
    let text = line(BEGIN + 250, "GATEWAY", "Red", &event)
        + r#"{"t":"2026-11-22T10:16:00.000Z","gap":123,"why":"no space left on device"}"#
        + "\n"
        + &report_line("B", 500);
    let files = Files::new();
    for path in [files.with("a.jsonl", &text), files.with_zstd("a.jsonl.zst", &text)] {
        let found = read(&[path]);
        assert_eq!(found.uids(), ["A", "B"]);
        let record = &found.records[0];
        assert_eq!((record.received_ms(), record.sender()), (BEGIN + 250, "GATEWAY"));
        assert_eq!((record.team(), record.event()), ("Red", event.as_str()));
        assert_eq!(
            (found.gaps[0].events, found.gaps[0].why.as_str()),
            (123, "no space left on device")
        );
        assert!(found.bad.is_empty());
    }
}

#[test]
fn xml_is_cut_however_it_is_separated() {
    let [a, b, c] =
        [("A", 0), ("B", 1_000), ("C", 2_000)].map(|(uid, ms)| report(uid, uid, ms).to_xml());
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>";
    let files = Files::new();
    for text in [
        format!("{a}{b}{c}"),
        format!("{a}\n{b}\n{c}\n"),
        format!("\u{feff}{declaration}\r\n{a}{declaration}{b}\n{declaration}{c}"),
        format!("<!-- </event> -->{a}\n<!-- a > b -->\n{b}\n\n<?x y?>{c}<!---->"),
        format!("<auth><cot username='u' password='p'/></auth>{a}{b}{c}"),
    ] {
        for path in [files.with("a.cot", &text), files.with_zstd("a.bin", &text)] {
            let found = read(&[path]);
            assert_eq!(found.uids(), ["A", "B", "C"], "{text}");
            assert_eq!(found.records[1].event(), b);
            assert_eq!(found.records[2].received_ms(), BEGIN + 2_000);
            assert!(found.bad.is_empty(), "{:?}", found.bad);
        }
    }
}

#[test]
fn xml_events_may_be_longer_than_what_is_read_at_a_time() {
    let long = report("A", &"x".repeat(100_000), 0).to_xml();
    let text = format!("{long}\n{}", report("B", "B", 1)).repeat(3);
    let found = read(&[Files::new().with("a.cot", text)]);
    assert_eq!(found.uids(), ["A", "B"].repeat(3));
    assert_eq!(found.records[2].event(), long);
}

#[test]
fn the_sender_in_xml_is_who_speaks_about_itself_or_is_named_as_maker() {
    let chat = "<event uid='GeoChat.A.All.1' type='b-t-f' time='2026-11-22T10:00:01Z' stale=''>\
                <point lat='0' lon='0'/><detail><link uid='A' relation='p-p'/></detail></event>";
    let marker = chat.replace("GeoChat.A.All.1", "M").replace("p-p", "c");
    let text = format!("{chat}{}{chat}{marker}", report("A", "HOPE", 0));
    let files = Files::new();
    let found = read(&[files.with("a.cot", text)]);
    let who: Vec<_> = found.records.iter().map(|record| (record.sender(), record.team())).collect();
    assert_eq!(who, [("A", ""), ("A", "Cyan"), ("A", "Cyan"), ("", "")]);
}

#[test]
fn late_events_in_xml_keep_their_place_and_a_new_recording_begins_anew() {
    let offsets = [0, 5_000, 4_000, 6_000, -90_000, -89_000];
    let text: String = offsets.map(|ms| report("A", "A", ms).to_xml()).concat();
    let found = read(&[Files::new().with("a.cot", text)]);
    let received: Vec<_> = found.records.iter().map(|r| r.received_ms() - BEGIN).collect();
    assert_eq!(received, [0, 5_000, 5_000, 6_000, -90_000, -89_000]);
}

#[test]
fn xml_events_without_a_time_take_that_of_their_neighbours() {
    let untimed = |uid: &str| {
        format!("<event uid='{uid}' type='a-f-G' time='' stale=''><point lat='1' lon='2'/></event>")
    };
    let text = [untimed("A"), untimed("B"), report("C", "C", 0).to_xml(), untimed("D")].concat();
    let files = Files::new();
    let found = read(&[files.with("a.cot", text)]);
    let received: Vec<_> = found.records.iter().map(|r| r.received_ms() - BEGIN).collect();
    assert_eq!(received, [0; 4]);
    let found = read(&[files.with("b.cot", untimed("A"))]);
    assert_eq!(found.records[0].received_ms(), 0);
}

#[test]
fn a_gap_in_xml_is_a_comment() {
    let note = "<!-- 2026-11-22T10:16:00.000Z gap: 7 events not recorded before this: disk -->";
    // A note that is part of an event is none.
    let inner = report("A", "A", 0).to_xml().replace("</detail>", &format!("\n{note}\n</detail>"));
    let padding = " ".repeat(20_000);
    let text = format!("{inner}\n{note}\n{padding}\n{note}\n{inner}\n<!-- gap: -->\n");
    let found = read(&[Files::new().with("a.cot", text)]);
    assert_eq!(found.gaps.iter().map(|gap| gap.events).collect::<Vec<_>>(), [7, 7]);
    assert_eq!(found.gaps[0].why, "disk");
    assert_eq!(found.uids(), ["A", "A"]);
}

#[test]
fn several_files_are_read_in_the_order_of_their_first_events() {
    let files = Files::new();
    let paths = [
        files.with("1-empty.jsonl", ""),
        files.with("2.cot", report("C", "C", 7_200_000).to_xml()),
        files.with_zstd("3.jsonl.zst", report_line("A", 0) + &report_line("D", 9_000_000)),
        files.with("4.jsonl", report_line("B", 3_600_000)),
    ];
    assert_eq!(read(&paths).uids(), ["A", "D", "B", "C"]);
    let mut source = Source::open(&paths).expect("all are there");
    assert_eq!(source.first_ms(), Some(BEGIN));
    assert_eq!(source.by_ref().count(), 4);
    assert_eq!(source.read_bytes(), source.total_bytes());
    source.rewind();
    assert_eq!(source.read_bytes(), 0);
    assert_eq!(source.count(), 4);
}

#[test]
fn one_event_in_each_file_is_a_capture_too() {
    let files = Files::new();
    let paths: Vec<_> = (0..50_i64)
        .rev()
        .map(|n| files.with(&format!("{n}.cot"), report(&n.to_string(), "x", n * 1_000).to_xml()))
        .collect();
    let expected: Vec<_> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(read(&paths).uids(), expected);
}

#[test]
fn a_missing_file_and_a_directory_are_errors_before_anything_is_read() {
    let files = Files::new();
    let good = files.with("a.jsonl", report_line("A", 0));
    for bad in [files.path("nowhere.jsonl"), good.parent().expect("a directory").to_owned()] {
        let opened = Source::open([good.clone(), bad.clone()]);
        let Err(CaptureError::Open { path, .. }) = opened else {
            panic!("{opened:?}");
        };
        assert_eq!(path, bad);
    }
}

#[test]
fn a_dump_that_is_compressed_meanwhile_is_found() {
    let files = Files::new();
    let path = files.with("a.jsonl", report_line("A", 0));
    let source = Source::open([&path]).expect("it is there");
    files.with_zstd("a.jsonl.zst", report_line("A", 0));
    fs::remove_file(&path).expect("it was there");
    let found: Vec<_> = source.map(|entry| entry.expect("good")).collect();
    assert_eq!(found.len(), 1);
}

#[test]
fn the_dump_of_a_server_is_its_files_in_order() {
    let files = Files::new();
    for name in [
        "dump-20261122T100000Z-000002.jsonl",
        "dump-20261122T090000Z-000001.jsonl.zst",
        "dump-20261122T090000Z-000001.jsonl",
        "dump-20261122T110000Z-000003.jsonl.zst.tmp",
        "notes.txt",
    ] {
        files.with(name, "");
    }
    let found = capture::dump_files(&files.path("")).expect("it can be listed");
    let names: Vec<_> = found.iter().map(|path| path.file_name().expect("a file")).collect();
    assert_eq!(
        names,
        ["dump-20261122T090000Z-000001.jsonl.zst", "dump-20261122T100000Z-000002.jsonl"]
    );
    assert!(matches!(capture::dump_files(&files.path("x")), Err(CaptureError::List { .. })));
}

#[test]
fn real_events_are_read_when_they_are_at_hand() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus/presence");
    let Ok(dir) = fs::read_dir(corpus) else {
        println!("skipped: no corpus at {corpus}");
        return;
    };
    let files: Vec<_> = dir.map(|entry| entry.expect("an entry").path()).collect();
    let found = read(&files);
    assert_eq!(found.records.len(), files.len());
    assert!(found.bad.is_empty(), "{:?}", found.bad);
    assert!(found.records.is_sorted_by_key(|record| record.received_ms()));
    assert!(found.records.iter().all(|record| !uid(record).is_empty()));
}
