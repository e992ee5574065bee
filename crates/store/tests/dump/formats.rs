//! The formats, written and read.

use std::fs;
use std::io::{Cursor, Read};

use proptest::prelude::*;
use store::dump::{
    DumpConfig, DumpError, DumpEvent, DumpFormat, DumpLine, DumpReader, DumpSource, GapReason,
    MAX_LINE_BYTES,
};
use store::fs::RealFs;

use crate::support::*;

fn reader(content: impl Into<Vec<u8>>) -> DumpReader {
    DumpReader::new(DumpSource::new("a.jsonl", Cursor::new(content.into())).unwrap()).unwrap()
}

#[test]
fn events_and_gaps_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let (mut dump, _) = open(&DumpConfig::new(dir.path()), NOW_MS);
    push(&mut dump, 1);
    dump.flush(NOW_MS).unwrap();
    dump.note_gap(7, GapReason::Busy);
    dump.note_gap(2, GapReason::NoSpace);
    dump.note_gap(3, GapReason::Busy);
    push(&mut dump, 2);
    dump.flush(NOW_MS + 9).unwrap();
    let gap = |events, why: &str| DumpLine::Gap { at_ms: NOW_MS + 9, events, why: why.to_owned() };
    let expected = [
        line(1),
        gap(10, "more than could be written"),
        gap(2, "no space left on device"),
        line(2),
    ];
    assert_eq!(lines(dir.path()), expected);
    assert_eq!((dump.stats().events, dump.stats().gaps), (2, 2));
    assert_eq!(dump.stats().dropped.get(GapReason::Busy), 10);
    assert_eq!(dump.stats().dropped.total(), 12);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_reads_back(
        events in prop::collection::vec((".{0,9}", ".{0,9}", r#"(["\\\n\r\t\x00-\x7f]|.){0,99}"#), 1..9),
        received_ms in -62_167_219_200_000_i64..253_370_764_800_000,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (mut dump, _) = open(&DumpConfig::new(dir.path()), NOW_MS);
        let mut expected = Vec::new();
        for (sender, team, event) in &events {
            dump.push(&DumpEvent { received_ms, sender, team, event });
            let (sender, team, event) = (sender.clone(), team.clone(), event.clone());
            expected.push(DumpLine::Event { received_ms, sender, team, event });
        }
        dump.flush(NOW_MS).unwrap();
        prop_assert_eq!(lines(dir.path()), expected);
    }
}

#[test]
fn real_events_read_back() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus");
    let mut files = Vec::new();
    let mut dirs = vec![corpus.into()];
    while let Some(dir) = dirs.pop() {
        let Ok(entries) = fs::read_dir::<std::path::PathBuf>(dir) else { break };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "cot") {
                files.push(path);
            }
        }
    }
    if files.is_empty() {
        println!("skipped: no corpus");
        return;
    }
    let events: Vec<_> = files.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
    let dir = tempfile::tempdir().unwrap();
    let (mut dump, _) = open(&DumpConfig::new(dir.path()), NOW_MS);
    for event in &events {
        dump.push(&DumpEvent { received_ms: NOW_MS, sender: "A", team: "Cyan", event });
    }
    dump.flush(NOW_MS).unwrap();
    let read = lines(dir.path()).into_iter().map(|line| match line {
        DumpLine::Event { event, .. } => event,
        other => panic!("{other:?}"),
    });
    assert_eq!(read.collect::<Vec<_>>(), events);
}

#[test]
fn xml_is_the_events_as_they_came() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = DumpConfig::new(dir.path());
    config.format = DumpFormat::Xml;
    let (mut dump, _) = open(&config, NOW_MS);
    let event = "<event a='\u{e9}'>\n\t<point/>\r\n</event>";
    dump.push(&DumpEvent { received_ms: 0, sender: "A", team: "B", event });
    dump.flush(NOW_MS).unwrap();
    dump.note_gap(5, GapReason::Failed);
    dump.flush(NOW_MS).unwrap();
    assert_eq!(names(dir.path()), ["dump-20261122T101500Z-000001.cot"]);
    let path = dir.path().join("dump-20261122T101500Z-000001.cot");
    let gap = "<!-- 2026-11-22T10:15:00.000Z gap: 5 events not recorded before this: \
               the disk refused them -->\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{event}\n{gap}"));
    assert_eq!(DumpSource::open(&path).unwrap().format(), DumpFormat::Xml);
    assert!(matches!(DumpReader::open(&path), Err(DumpError::NotADump { .. })));
}

#[test]
fn hand_made_lines_need_no_checksum() {
    let content = "\u{feff}\n{\"event\":\"<event/>\",\"t\":\"2026-11-22T11:15:00+01:00\"}\r\n\n  \n\
                   {\"gap\": 1, \"t\": \"2026-11-22T10:15:00Z\"}";
    let read: Result<Vec<_>, _> = reader(content).collect();
    let none = String::new;
    let event = "<event/>".to_owned();
    let expected = [
        DumpLine::Event { received_ms: NOW_MS, sender: none(), team: none(), event },
        DumpLine::Gap { at_ms: NOW_MS, events: 1, why: none() },
    ];
    assert_eq!(read.unwrap(), expected);
}

#[test]
fn damaged_lines_are_named_and_others_are_read() {
    let good = r#"{"t":"2026-11-22T10:15:00Z","event":"<event/>"}"#;
    let time = good.replace("2026", "26");
    let content = ["{}", good, "{\"t\":1}", "nonsense", good, &time, "\0\0\0", "{\"x\":1}"];
    let (good, bad): (Vec<_>, Vec<_>) = reader(content.join("\n")).partition(Result::is_ok);
    assert_eq!(good.len(), 2);
    let bad: Vec<_> = bad.into_iter().map(|error| error.unwrap_err().to_string()).collect();
    assert_eq!(bad.len(), 6);
    for (error, line) in bad.iter().zip([1, 3, 4, 6, 7, 8]) {
        assert!(error.starts_with(&format!("a.jsonl: line {line} is damaged: ")), "{error}");
    }
    assert!(bad[3].ends_with("`26-11-22T10:15:00Z` is not a valid time"), "{}", bad[3]);
}

#[test]
fn a_line_that_lost_its_checksum_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), 2);
    let content = fs::read_to_string(&path).unwrap();
    let end = content.rfind(",\"sum\"").unwrap();
    let mut reader = reader(format!("{}}}\n", &content[..end]));
    assert_eq!(reader.next().unwrap().unwrap(), line(0));
    let error = reader.next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "a.jsonl: line 2 is damaged: it has no checksum");
    assert!(!error.is_final());
    assert!(reader.next().is_none());
}

#[test]
fn an_endless_line_takes_no_endless_memory() {
    let good = r#"{"t":"2026-11-22T10:15:00Z","event":"<event/>"}"#;
    for (long, is_read) in [(MAX_LINE_BYTES - good.len() - 1, true), (MAX_LINE_BYTES, false)] {
        let long = good.replace("<event/>", &format!("<event/>{}", "x".repeat(long)));
        let mut reader = reader(format!("{long}\n{good}\n"));
        let first = reader.next().unwrap();
        assert_eq!(first.is_ok(), is_read, "{}", long.len());
        if let Err(error) = first {
            assert_eq!(error.to_string(), "a.jsonl: line 1 is damaged: longer than 16 MiB");
        }
        assert!(reader.next().unwrap().is_ok());
        assert!(reader.next().is_none());
    }
}

#[test]
fn what_a_file_is_is_seen_from_its_content() {
    let good = "{\"t\":\"2026-11-22T10:15:00Z\",\"event\":\"<event/>\"}\n";
    let open = |name: &str, content: &[u8]| {
        let source = DumpSource::new(name, Cursor::new(content.to_vec()))?;
        Ok::<_, DumpError>((source.format(), source.is_compressed()))
    };
    let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
    assert_eq!(open("x", good.as_bytes()).unwrap(), (DumpFormat::Json, false));
    assert_eq!(open("a.cot", &zstd(good)).unwrap(), (DumpFormat::Json, true));
    assert_eq!(open("x", b" \n<?xml?><event/>").unwrap(), (DumpFormat::Xml, false));
    assert_eq!(open("a.jsonl", &zstd("<event/>")).unwrap(), (DumpFormat::Xml, true));
    assert_eq!(open("a.cot", b"").unwrap(), (DumpFormat::Xml, false));
    assert_eq!(open("a.cot.zst", &zstd("")).unwrap(), (DumpFormat::Xml, true));
    assert_eq!(open("a.jsonl", b"").unwrap(), (DumpFormat::Json, false));
    for other in [&b"\x1f\x8b\x08"[..], b"PK\x03\x04", b"\xbf\x01\xbf", b"hello", b"\x28\xb5\x2f"] {
        assert!(matches!(open("x", other), Err(DumpError::NotADump { .. })), "{other:?}");
    }
    assert_eq!(open("a.jsonl", b"\0\0\0").unwrap(), (DumpFormat::Json, false));
    assert_eq!(open("a.cot.zst", &zstd("\0")).unwrap(), (DumpFormat::Xml, true));
    assert!(matches!(open("x", b"\x28\xb5\x2f\xfd"), Err(DumpError::Unreadable { line: 0, .. })));
    assert!(matches!(DumpReader::open("no such file"), Err(DumpError::Open { .. })));
}

#[test]
fn compressed_xml_is_read_as_it_was() {
    let events = "<event/>\n<event/>\n".repeat(9999);
    let compressed = zstd::encode_all(events.as_bytes(), 1).unwrap();
    let mut source = DumpSource::new("a.cot.zst", Cursor::new(compressed.clone())).unwrap();
    let mut read = String::new();
    source.read_to_string(&mut read).unwrap();
    assert_eq!(read, events);
    assert_eq!(source.position(), compressed.len() as u64);
}

#[test]
fn several_compressed_files_in_one_are_read_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let content = fs::read(written(dir.path(), 1)).unwrap();
    let compressed = zstd::encode_all(&*content, 1).unwrap().repeat(3);
    let read: Result<Vec<_>, _> = reader(compressed).collect();
    assert_eq!(read.unwrap(), [line(0), line(0), line(0)]);
}

#[test]
fn a_source_tells_how_far_it_was_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), 500);
    let mut reader = DumpReader::open(&path).unwrap();
    let bytes = fs::metadata(&path).unwrap().len();
    assert_eq!(reader.source().file_bytes(), Some(bytes));
    assert!(reader.next().is_some() && reader.source().position() < bytes);
    assert_eq!(reader.line(), 1);
    assert_eq!(reader.by_ref().count(), 499);
    assert_eq!(reader.source().position(), bytes);
}

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let mut config = DumpConfig::new(dir.path().join("data/dump"));
    config.max_file_bytes = 1000;
    let (mut dump, _) = open(&config, NOW_MS);
    for number in 0..3 {
        push(&mut dump, number);
        dump.flush(NOW_MS).unwrap();
    }
    compress_all(&RealFs, &mut dump).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&config.dir), 0o700);
    let names = names(&config.dir);
    assert_eq!(names.len(), 3);
    for name in names {
        assert_eq!(mode(&config.dir.join(&name)), 0o600, "{name}");
    }
}
