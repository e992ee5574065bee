//! Files are finished by size and age, compressed, and removed when there are too many.

use std::fs;
use std::time::Duration;

use store::dump::{
    DumpConfig, DumpEvent, DumpLine, GapReason, MAX_LINE_BYTES, Pushed, compress, list,
};
use store::fs::RealFs;

use crate::support::*;

const HOUR_MS: i64 = 60 * 60 * 1000;

#[test]
fn a_file_is_finished_before_it_is_too_big() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = DumpConfig::new(dir.path());
    config.max_file_bytes = 10_000;
    config.compress = false;
    let (mut dump, _) = open(&config, NOW_MS);
    for number in 0..100 {
        push(&mut dump, number);
        dump.flush(NOW_MS + 1000 * number.cast_signed()).unwrap();
    }
    let files = list(dir.path()).unwrap();
    assert!(files.len() > 7, "{}", files.len());
    assert!(files.iter().all(|file| file.bytes <= 10_000));
    assert!(files.is_sorted_by_key(|file| (file.number, file.begun_ms)));
    assert_eq!(lines(dir.path()), (0..100).map(line).collect::<Vec<_>>());
    assert_eq!(dump.stats().rotated, files.len() as u64 - 1);
    assert_eq!(dump.stats().files, files.len());
    assert_eq!(dump.stats().stored_bytes, files.iter().map(|file| file.bytes).sum::<u64>());
    assert!(dump.next_job().is_none());
}

#[test]
fn an_old_file_is_finished_even_when_nothing_comes() {
    let dir = tempfile::tempdir().unwrap();
    let (mut dump, _) = open(&DumpConfig::new(dir.path()), NOW_MS);
    dump.flush(NOW_MS).unwrap();
    assert!(names(dir.path()).is_empty(), "a file begins with its first line");
    push(&mut dump, 0);
    dump.flush(NOW_MS).unwrap();
    for later_ms in [-9 * HOUR_MS, 24 * HOUR_MS - 1] {
        dump.flush(NOW_MS + later_ms).unwrap();
        assert_eq!(dump.stats().rotated, 0);
    }
    dump.flush(NOW_MS + 24 * HOUR_MS).unwrap();
    assert_eq!(dump.stats().rotated, 1);
    compress_all(&RealFs, &mut dump).unwrap();
    assert_eq!(names(dir.path()), ["dump-20261122T101500Z-000001.jsonl.zst"]);
    push(&mut dump, 1);
    dump.flush(NOW_MS + 30 * HOUR_MS).unwrap();
    assert_eq!(names(dir.path())[1], "dump-20261123T161500Z-000002.jsonl");
    assert_eq!(lines(dir.path()), [line(0), line(1)]);
}

#[test]
fn compressed_files_read_as_before_and_are_small() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = DumpConfig::new(dir.path());
    config.max_file_bytes = 100_000;
    let (mut dump, _) = open(&config, NOW_MS);
    for number in 0..1000 {
        push(&mut dump, number);
        dump.flush(NOW_MS).unwrap();
    }
    let before = dump.stats().stored_bytes;
    compress_all(&RealFs, &mut dump).unwrap();
    assert_eq!(lines(dir.path()), (0..1000).map(line).collect::<Vec<_>>());
    let stats = dump.stats();
    assert_eq!(stats.compressed, stats.rotated);
    assert!(stats.stored_bytes < before / 4, "{before} -> {}", stats.stored_bytes);
    let files = list(dir.path()).unwrap();
    assert_eq!(stats.stored_bytes, files.iter().map(|file| file.bytes).sum::<u64>());
    assert_eq!(files.iter().filter(|file| !file.is_compressed).count(), 1);
}

#[test]
fn the_oldest_files_go_when_there_are_too_many() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = DumpConfig::new(dir.path());
    config.max_file_bytes = 1000;
    config.max_files = 5;
    let (mut dump, _) = open(&config, NOW_MS);
    for number in 0..20 {
        push(&mut dump, number);
        dump.flush(NOW_MS).unwrap();
        assert!(names(dir.path()).len() <= 5);
    }
    assert_eq!(lines(dir.path()), (15..20).map(line).collect::<Vec<_>>());
    assert_eq!(dump.stats().removed, 15);
    assert_eq!(std::iter::from_fn(|| dump.next_job()).count(), 4, "removed files are no jobs");
}

#[test]
fn all_files_together_stay_below_the_cap() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = DumpConfig::new(dir.path());
    config.max_total_bytes = 50_000;
    let (mut dump, _) = open(&config, NOW_MS);
    for number in 0..500 {
        push(&mut dump, number);
        dump.flush(NOW_MS).unwrap();
        if number > 250 {
            compress_all(&RealFs, &mut dump).unwrap();
        }
        let total: u64 = list(dir.path()).unwrap().iter().map(|file| file.bytes).sum();
        assert!(total <= 50_000, "{total}");
    }
    let read = lines(dir.path());
    assert_eq!(read.last(), Some(&line(499)));
    assert!(read.len() > 100 && dump.stats().removed > 5, "{}", read.len());
}

#[test]
fn the_file_being_written_is_never_removed() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = DumpConfig::new(dir.path());
    config.max_total_bytes = 1;
    config.max_files = 0;
    let (mut dump, _) = open(&config, NOW_MS);
    for number in 0..3 {
        push(&mut dump, number);
        dump.flush(NOW_MS).unwrap();
        assert_eq!(lines(dir.path()), [line(number)]);
    }
}

#[test]
fn files_of_others_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let others =
        ["notes.txt", "dump-x.jsonl", "dump-20261122T101500Z-1.jsonl", "x.zst.tmp", "lock"];
    for name in others {
        fs::write(dir.path().join(name), "mine").unwrap();
    }
    let mut config = DumpConfig::new(dir.path());
    config.max_files = 1;
    config.max_total_bytes = 10;
    let (mut dump, report) = open(&config, NOW_MS);
    push(&mut dump, 0);
    dump.flush(NOW_MS).unwrap();
    assert_eq!((report.files, report.swept), (0, 0));
    assert_eq!(names(dir.path()).len(), others.len() + 1);
}

#[test]
fn a_file_that_was_removed_by_hand_is_not_missed() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = DumpConfig::new(dir.path());
    config.max_file_bytes = 1000;
    config.max_files = 3;
    let (mut dump, _) = open(&config, NOW_MS);
    for number in 0..3 {
        push(&mut dump, number);
        dump.flush(NOW_MS).unwrap();
    }
    let gone = dump.next_job().unwrap();
    fs::remove_file(&gone.path).unwrap();
    push(&mut dump, 3);
    dump.flush(NOW_MS).unwrap();
    let result = compress(&RealFs, &gone);
    assert!(result.is_err());
    dump.note_compressed(gone, result).unwrap();
    compress_all(&RealFs, &mut dump).unwrap();
    assert_eq!(lines(dir.path()), (1..4).map(line).collect::<Vec<_>>());
}

#[test]
fn a_file_that_was_removed_while_it_was_compressed_counts_against_the_caps() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = DumpConfig::new(dir.path());
    config.max_file_bytes = 1000;
    config.max_files = 2;
    let (mut dump, _) = open(&config, NOW_MS);
    push(&mut dump, 0);
    dump.flush(NOW_MS).unwrap();
    push(&mut dump, 1);
    dump.flush(NOW_MS).unwrap();
    let job = dump.next_job().unwrap();
    let result = compress(&RealFs, &job);
    push(&mut dump, 2);
    dump.flush(NOW_MS).unwrap();
    dump.note_compressed(job, result).unwrap();
    assert_eq!(lines(dir.path()), [line(1), line(2)]);
    assert_eq!(dump.stats().files, 2);
}

#[test]
fn a_full_buffer_takes_no_more_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (mut dump, _) = open(&DumpConfig::new(dir.path()), NOW_MS);
    let text = "x".repeat(100_000);
    let event = DumpEvent { received_ms: NOW_MS, sender: "A", team: "Cyan", event: &text };
    let pushed: Vec<_> = (0..20).map(|_| dump.push(&event)).collect();
    let count = |of| pushed.iter().filter(|pushed| **pushed == of).count();
    assert_eq!(pushed[0], Pushed::Buffered);
    assert_eq!((count(Pushed::WantsFlush), count(Pushed::Dropped)), (10, 9));
    dump.flush(NOW_MS).unwrap();
    let read = lines(dir.path());
    assert!(matches!(&read[0], DumpLine::Gap { events: 9, .. }));
    assert_eq!(read.len(), 12);
    assert_eq!(dump.stats().dropped.get(GapReason::Busy), 9);
}

#[test]
fn an_event_that_no_reader_would_take_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let (mut dump, _) = open(&DumpConfig::new(dir.path()), NOW_MS);
    for (text, is_taken) in [
        ("x".repeat(MAX_LINE_BYTES), false),
        ("\0".repeat(MAX_LINE_BYTES / 6), false),
        ("x".repeat(MAX_LINE_BYTES - 200), true),
    ] {
        let event = DumpEvent { received_ms: NOW_MS, sender: "A", team: "Cyan", event: &text };
        assert_eq!(dump.push(&event) != Pushed::Dropped, is_taken);
        dump.flush(NOW_MS).unwrap();
    }
    let read = lines(dir.path());
    assert_eq!(read.len(), 3);
    assert_eq!(dump.stats().dropped.get(GapReason::TooLong), 2);
    assert_eq!(dump.stats().events, 1);
}

#[test]
fn a_clock_that_is_set_right_ends_the_file_of_the_wrong_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = DumpConfig::new(dir.path());
    config.max_file_age = Duration::from_secs(60);
    let year_ms = 365 * 24 * HOUR_MS;
    let (mut dump, _) = open(&config, NOW_MS + 10 * year_ms);
    for (number, now_ms) in [(0, NOW_MS + 10 * year_ms), (1, NOW_MS), (2, i64::MAX), (3, NOW_MS)] {
        push(&mut dump, number);
        dump.flush(now_ms).unwrap();
        dump.flush(now_ms).unwrap();
    }
    assert_eq!(dump.stats().rotated, 3);
    assert_eq!(list(dir.path()).unwrap()[2].begun_ms, 253_370_764_799_000);
    assert_eq!(lines(dir.path()), (0..4).map(line).collect::<Vec<_>>());
}
