//! Damaged files: the lines that are read are right, and the others are errors that have a name.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use store::dump::{DumpConfig, DumpError, DumpLine, DumpReader, DumpSource, GapReason, list};
use store::fs::RealFs;

use crate::support::*;

/// How a damaged file reads.
#[derive(Debug, Default)]
struct Outcome {
    lines: Vec<DumpLine>,
    errors: Vec<DumpError>,
}

fn read(content: &[u8]) -> Outcome {
    let mut outcome = Outcome::default();
    let source = DumpSource::new("damaged.jsonl", Cursor::new(content.to_vec()));
    match source.and_then(DumpReader::new) {
        Ok(reader) => {
            for line in reader {
                match line {
                    Ok(line) => outcome.lines.push(line),
                    Err(error) => outcome.errors.push(error),
                }
            }
        }
        Err(error) => outcome.errors.push(error),
    }
    for error in &outcome.errors {
        assert!(error.to_string().starts_with("damaged.jsonl: "), "{error}");
    }
    outcome
}

/// Whether all of `some` are in `all`, in the same order.
fn is_among(some: &[DumpLine], all: &[DumpLine]) -> bool {
    let mut all = all.iter();
    some.iter().all(|line| all.any(|other| other == line))
}

/// A dump with events and a gap: as it was written, and as it was compressed.
fn dumps(dir: &Path, events: u64) -> (Vec<u8>, Vec<u8>) {
    let mut config = DumpConfig::new(dir);
    config.max_file_bytes = 1 << 20;
    let (mut dump, _) = open(&config, NOW_MS);
    for number in 0..events {
        push(&mut dump, number);
    }
    dump.note_gap(3, GapReason::Busy);
    dump.flush(NOW_MS).unwrap();
    let plain = fs::read(&list(dir).unwrap()[0].path).unwrap();
    dump.flush(NOW_MS + 25 * 60 * 60 * 1000).unwrap();
    compress_all(&RealFs, &mut dump).unwrap();
    (plain, fs::read(&list(dir).unwrap()[0].path).unwrap())
}

/// A sequence of numbers that is the same in every run (a 64-bit linear congruential generator).
fn numbers() -> impl Iterator<Item = usize> {
    let mut state = 42_u64;
    std::iter::repeat_with(move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    })
}

#[test]
fn every_truncation_gives_the_lines_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let (plain, compressed) = dumps(dir.path(), 4);
    let all = read(&plain).lines;
    assert_eq!(all.len(), 5);
    for len in 0..plain.len() {
        let outcome = read(&plain[..len]);
        let ended = plain[..len].iter().filter(|byte| **byte == b'\n').count();
        // A last line that lacks nothing but its line feed is whole.
        let whole = ended + usize::from(plain[len] == b'\n');
        assert_eq!(outcome.lines, all[..whole], "cut at {len}");
        let is_clean = len == 0 || plain[len] == b'\n' || plain[len - 1] == b'\n';
        assert_eq!(outcome.errors.is_empty(), is_clean, "cut at {len}: {:?}", outcome.errors);
    }
    for len in 0..compressed.len() {
        let outcome = read(&compressed[..len]);
        assert!(all.starts_with(&outcome.lines), "cut at {len}");
        assert_eq!(outcome.errors.is_empty(), len == 0, "cut at {len}");
    }
}

#[test]
fn truncated_compressed_data_gives_what_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let (_, compressed) = dumps(dir.path(), 1200);
    let outcome = read(&compressed[..compressed.len() - 1]);
    assert!(outcome.lines.len() >= 1200, "{}", outcome.lines.len());
    assert!(matches!(outcome.errors[..], [DumpError::Unreadable { line: 1201, .. }]));
    let outcome = read(&compressed[..compressed.len() * 3 / 4]);
    assert!(outcome.lines.len() > 500, "{}", outcome.lines.len());
    assert!(outcome.errors.iter().any(DumpError::is_final));
}

#[test]
fn flipped_bits_never_make_a_wrong_line() {
    let dir = tempfile::tempdir().unwrap();
    let (plain, compressed) = dumps(dir.path(), 7);
    let all = read(&plain).lines;
    let mut numbers = numbers();
    let mut unread = 0;
    for (name, content) in [("plain", &plain), ("compressed", &compressed)] {
        let mut content = content.clone();
        for flip in 0..10_000 {
            let (at, bit) = (numbers.next().unwrap() % content.len(), numbers.next().unwrap() % 8);
            content[at] ^= 1 << bit;
            let outcome = read(&content);
            assert!(is_among(&outcome.lines, &all), "{name}: flip {flip}, bit {bit} of {at}");
            // An unused bit of the compressed form can be any; all others are noticed.
            if outcome.errors.is_empty() {
                assert_eq!((name, &outcome.lines), ("compressed", &all), "bit {bit} of {at}");
            }
            unread += all.len() - outcome.lines.len();
            content[at] ^= 1 << bit;
        }
    }
    println!("20000 flips: {unread} lines not read, 0 wrong");
}

#[test]
fn many_flips_at_once_never_make_a_wrong_line() {
    let dir = tempfile::tempdir().unwrap();
    let (plain, compressed) = dumps(dir.path(), 20);
    let all = read(&plain).lines;
    let mut numbers = numbers();
    for content in [plain, compressed] {
        for _ in 0..1000 {
            let mut content = content.clone();
            for _ in 0..numbers.next().unwrap() % 50 + 2 {
                let at = numbers.next().unwrap() % content.len();
                content[at] = numbers.next().unwrap().to_le_bytes()[0];
            }
            assert!(is_among(&read(&content).lines, &all));
        }
    }
}

#[test]
fn the_start_copes_with_every_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), 5);
    let whole = fs::read(&path).unwrap();
    let all: Vec<_> = (0..5).chain([9]).map(line).collect();
    let mut numbers = numbers();
    for _ in 0..1000 {
        let mut content = whole.clone();
        content[numbers.next().unwrap() % whole.len()] ^= 1 << (numbers.next().unwrap() % 8);
        content.truncate(numbers.next().unwrap() % (2 * whole.len()));
        fs::write(&path, &content).unwrap();
        let (mut dump, _) = open(&DumpConfig::new(dir.path()), NOW_MS);
        push(&mut dump, 9);
        dump.flush(NOW_MS).unwrap();
        let outcome = read(&fs::read(&path).unwrap());
        assert!(is_among(&outcome.lines, &all));
        assert_eq!(outcome.lines.last(), all.last());
    }
}
