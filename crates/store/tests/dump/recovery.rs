//! What a start finds, and goes on with.

use std::fs;

use store::dump::{DumpConfig, DumpEvent, DumpFormat, compress, list};
use store::fs::RealFs;

use crate::support::*;

#[test]
fn a_start_goes_on_with_the_newest_file() {
    let dir = tempfile::tempdir().unwrap();
    let config = DumpConfig::new(dir.path());
    for number in 0..5 {
        let (mut dump, report) = open(&config, NOW_MS + 1000);
        assert_eq!(report.resumed.is_some(), number > 0);
        assert_eq!(report.torn_bytes, 0);
        assert_eq!(report.files, usize::from(number > 0));
        push(&mut dump, number);
        dump.flush(NOW_MS).unwrap();
    }
    assert_eq!(list(dir.path()).unwrap().len(), 1);
    assert_eq!(lines(dir.path()), (0..5).map(line).collect::<Vec<_>>());
}

#[test]
fn a_file_to_be_finished_is_finished_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 3);
    let mut small = DumpConfig::new(dir.path());
    small.max_file_bytes = 100;
    let mut xml = DumpConfig::new(dir.path());
    xml.format = DumpFormat::Xml;
    let config = DumpConfig::new(dir.path());
    let day_ms = 24 * 60 * 60 * 1000;
    for (config, now_ms) in [(&small, NOW_MS), (&xml, NOW_MS), (&config, NOW_MS + day_ms)] {
        let (mut dump, report) = open(config, now_ms);
        assert_eq!((report.files, report.resumed), (1, None));
        assert!(dump.next_job().is_some() && dump.next_job().is_none());
    }
    let (mut dump, _) = open(&config, NOW_MS + day_ms);
    push(&mut dump, 3);
    dump.flush(NOW_MS + day_ms).unwrap();
    compress_all(&RealFs, &mut dump).unwrap();
    assert_eq!(
        names(dir.path()),
        ["dump-20261122T101500Z-000001.jsonl.zst", "dump-20261123T101500Z-000002.jsonl"]
    );
    assert_eq!(lines(dir.path()), (0..4).map(line).collect::<Vec<_>>());
}

#[test]
fn a_torn_line_is_cut_off_wherever_it_was_torn() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), 3);
    let whole = fs::read(&path).unwrap();
    let ends: Vec<_> =
        whole.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|e| e.0).collect();
    for len in (0..=whole.len()).step_by(7).chain(whole.len() - 3..=whole.len()) {
        fs::write(&path, &whole[..len]).unwrap();
        let before = ends.iter().filter(|end| **end < len).count();
        let whole_bytes = before.checked_sub(1).map_or(0, |last| ends[last] + 1);
        let (mut dump, report) = open(&DumpConfig::new(dir.path()), NOW_MS);
        assert_eq!(report.torn_bytes, (len - whole_bytes) as u64, "cut at {len}");
        assert_eq!(report.bytes, whole_bytes as u64);
        assert_eq!(dump.stats().torn_bytes, report.torn_bytes);
        push(&mut dump, 9);
        dump.flush(NOW_MS).unwrap();
        let expected: Vec<_> = (0..before as u64).chain([9]).map(line).collect();
        assert_eq!(lines(dir.path()), expected, "cut at {len}");
    }
}

#[test]
fn what_the_disk_left_of_a_write_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), 3);
    let whole = fs::read(&path).unwrap();
    let damaged = [&whole[..20], b"#", &whole[21..40], b"\n"].concat();
    for tail in [&[0; 4096][..], &damaged, &[&damaged[..], &[0; 99], b"\n\0\n{"].concat(), b"\n"] {
        fs::write(&path, [&whole, tail].concat()).unwrap();
        let (_, report) = open(&DumpConfig::new(dir.path()), NOW_MS);
        assert_eq!(report.torn_bytes, tail.len() as u64);
        assert_eq!(report.damaged_lines, 0);
        assert_eq!(lines(dir.path()), (0..3).map(line).collect::<Vec<_>>());
    }
}

#[test]
fn damage_before_good_lines_is_reported_and_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), 3);
    let mut content = fs::read(&path).unwrap();
    content[100] ^= 1;
    fs::write(&path, &content).unwrap();
    let (_, report) = open(&DumpConfig::new(dir.path()), NOW_MS);
    assert_eq!((report.damaged_lines, report.torn_bytes), (1, 0));
    assert_eq!(fs::read(&path).unwrap(), content);
}

#[test]
fn torn_xml_is_cut_behind_the_last_whole_event() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = DumpConfig::new(dir.path());
    config.format = DumpFormat::Xml;
    let events =
        ["<event uid='1'><a/></event>", "<event>\n<b/>\n <!-- c -->\n</event>", "<event d=''/>"];
    {
        let (mut dump, _) = open(&config, NOW_MS);
        for event in events {
            dump.push(&DumpEvent { received_ms: 0, sender: "A", team: "B", event });
        }
        dump.note_gap(1, store::dump::GapReason::Busy);
        dump.flush(NOW_MS).unwrap();
    }
    let path = list(dir.path()).unwrap().pop().unwrap().path;
    let whole = fs::read_to_string(&path).unwrap();
    let gap_end = whole.find('\n').unwrap() + 1;
    let mut ends = vec![0, gap_end];
    for event in events {
        ends.push(ends.last().unwrap() + event.len() + 1);
    }
    for len in 0..=whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        let expected = ends.iter().rev().find(|end| **end <= len).unwrap();
        let (_, report) = open(&config, NOW_MS);
        assert_eq!(report.bytes, *expected as u64, "cut at {len}");
        assert_eq!(fs::read_to_string(&path).unwrap(), whole[..*expected]);
    }
}

#[test]
fn interrupted_compression_is_taken_up_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = DumpConfig::new(dir.path());
    config.max_file_bytes = 1000;
    let (mut dump, _) = open(&config, NOW_MS);
    for number in 0..4 {
        push(&mut dump, number);
        dump.flush(NOW_MS).unwrap();
    }
    let original = list(dir.path()).unwrap().remove(0).path;
    let kept = fs::read(&original).unwrap();
    compress_all(&RealFs, &mut dump).unwrap();
    let all: Vec<_> = (0..4).map(line).collect();
    // The original was not yet removed, and another was half done.
    fs::write(&original, &kept).unwrap();
    let half = dir.path().join("dump-20261122T101500Z-000004.jsonl.zst.tmp");
    fs::write(&half, "half").unwrap();
    assert_eq!(list(dir.path()).unwrap().len(), 4);
    assert_eq!(lines(dir.path()), all, "no line twice");
    config.compress = false;
    let (mut dump, report) = open(&config, NOW_MS);
    assert_eq!((report.swept, report.files), (1, 5));
    compress_all(&RealFs, &mut dump).unwrap();
    assert!(!original.exists() && !half.exists());
    assert_eq!(dump.stats().files, 4);
    assert_eq!(lines(dir.path()), all);
}

#[test]
fn a_compressed_file_that_is_not_what_it_was_made_of_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), 3);
    let content = fs::read(&path).unwrap();
    let target = dir.path().join(path.file_name().unwrap()).with_extension("jsonl.zst");
    let shorter = zstd::encode_all(&content[..100], 3).unwrap();
    let longer = zstd::encode_all(&*[&content[..], b"x"].concat(), 3).unwrap();
    for wrong in [&b"nonsense"[..], b"", &shorter, &longer] {
        fs::write(&path, &content).unwrap();
        fs::write(&target, wrong).unwrap();
        let (mut dump, _) = open(&DumpConfig::new(dir.path()), NOW_MS);
        let job = dump.next_job().unwrap();
        let done = compress(&RealFs, &job).unwrap();
        assert_eq!(done.path, target);
        assert_eq!(done.bytes_after, fs::metadata(&target).unwrap().len());
        assert!(!path.exists());
        assert_eq!(lines(dir.path()), (0..3).map(line).collect::<Vec<_>>());
    }
}

#[test]
fn numbers_go_on_whatever_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let name = "dump-20261122T101500Z-1234567.jsonl.zst";
    fs::write(dir.path().join(name), zstd::encode_all(&b""[..], 1).unwrap()).unwrap();
    let (mut dump, _) = open(&DumpConfig::new(dir.path()), NOW_MS);
    push(&mut dump, 0);
    dump.flush(NOW_MS).unwrap();
    assert_eq!(names(dir.path()), [name, "dump-20261122T101500Z-1234568.jsonl"]);
}
