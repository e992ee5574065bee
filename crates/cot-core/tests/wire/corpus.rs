//! Real events and streams. Skipped, with a line that says so, where the corpus is not at hand.

use std::fs;
use std::path::{Path, PathBuf};

use cot_core::{FrameError, Limits, RejectCode, Scanner};

use crate::bodies::{self, Outcome};

fn corpus() -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    if dir.is_dir() {
        return Some(dir);
    }
    println!("skipped: no corpus at {}", dir.display());
    None
}

/// Every `.cot` file below the folder, in order of its path.
fn events(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "cot") {
                let bytes = fs::read(&path).unwrap();
                found.push((path, bytes));
            }
        }
    }
    found.sort();
    found
}

fn scanner() -> Scanner {
    Scanner::new(Limits::default())
}

fn feed<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    bodies::feed(Limits::default(), reads)
}

#[test]
fn every_real_event_is_accepted() {
    let Some(dir) = corpus() else { return };
    let mut accepted = 0;
    for (path, bytes) in events(&dir) {
        if path.parent().is_some_and(|folder| folder.ends_with("invalid")) {
            continue;
        }
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let outcome = feed([&bytes[..]]);
        if name == "pytak-takpong-self-closing.cot" {
            // Complete, but without the point that every event must have.
            assert_eq!(outcome.rejects(), [RejectCode::MissingPoint], "{name}");
            assert_eq!(outcome.items.len(), 1, "{name}");
            continue;
        }
        assert_eq!((outcome.events().len(), outcome.items.len()), (1, 1), "{name}: {outcome:?}");
        scanner().scan(&bytes).unwrap_or_else(|reject| panic!("{name}: {reject}"));
        accepted += 1;
    }
    assert!(accepted > 150, "{accepted}");
}

#[test]
fn every_invalid_event_is_refused() {
    let Some(dir) = corpus() else { return };
    let expected = [
        ("doctype-external-entity.cot", RejectCode::Doctype),
        ("entity-expansion.cot", RejectCode::Doctype),
        ("lat-infinity.cot", RejectCode::Latitude),
        ("no-time-attributes.cot", RejectCode::MissingTime),
        ("unclosed-detail.cot", RejectCode::MismatchedTag),
    ];
    for (name, code) in expected {
        let bytes = fs::read(dir.join("invalid").join(name)).unwrap();
        assert_eq!(scanner().scan(&bytes).unwrap_err().code, code, "{name}");
        assert_eq!(feed([&bytes[..]]).events().len(), 0, "{name}");
    }
}

/// Events, other items, and how the stream ends.
const STREAMS: [(&str, usize, usize, Option<FrameError>); 20] = [
    ("atak-declaration-before-each.bin", 4, 0, None),
    ("auth-then-sa.bin", 1, 1, None),
    ("bad-then-good.bin", 1, 1, None),
    ("crlf-and-blank-lines.bin", 2, 0, None),
    ("end-tag-inside-comment-and-cdata.bin", 2, 0, None),
    ("end-tag-with-space.bin", 2, 0, None),
    ("event-over-64-kib-then-small.bin", 2, 0, None),
    ("garbage-between-events.bin", 3, 2, None),
    ("greater-than-in-attribute.bin", 2, 0, None),
    ("http-request-on-cot-port.bin", 0, 0, Some(FrameError::Http)),
    ("multibyte-callsign.bin", 2, 0, None),
    ("nested-escaped-event.bin", 2, 0, None),
    ("newline-before-declaration.bin", 3, 0, None),
    ("no-declaration-newline-separated.bin", 3, 0, None),
    ("self-closing-then-event.bin", 1, 1, None),
    ("tls-client-hello-on-plain-port.bin", 0, 0, Some(FrameError::Tls)),
    ("upgrade-client-to-server.bin", 2, 0, Some(FrameError::Protobuf)),
    ("upgrade-denied-server-to-client.bin", 3, 0, None),
    ("upgrade-server-to-client.bin", 2, 0, Some(FrameError::Protobuf)),
    ("utf16-declaration.bin", 2, 0, None),
];

#[test]
fn every_stream_gives_what_its_description_says_at_every_split() {
    let Some(dir) = corpus() else { return };
    for (name, events, others, error) in STREAMS {
        let bytes = fs::read(dir.join("streams").join(name)).unwrap();
        let whole = feed([&bytes[..]]);
        assert_eq!(whole.events().len(), events, "{name}: {whole:?}");
        assert_eq!(whole.items.len() - events, others, "{name}: {whole:?}");
        assert_eq!(whole.error, error, "{name}");
        assert_eq!(feed(bytes.chunks(1)), whole, "{name}, byte by byte");
        // Long streams are cut at every 97th byte only, to keep the test short.
        let step = if bytes.len() > 10_000 { 97 } else { 1 };
        for at in (0..bytes.len()).step_by(step) {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(feed([head, tail]), whole, "{name}, split at {at}");
        }
    }
}

#[test]
fn a_good_event_survives_behind_every_invalid_one() {
    let Some(dir) = corpus() else { return };
    let good = fs::read(dir.join("presence/atak4-sa-jenny-xmpp.cot")).unwrap();
    for (path, bad) in events(&dir.join("invalid")) {
        let outcome = feed([&bad[..], &good[..]]);
        let has_doctype = bad.windows(9).any(|window| window == b"<!DOCTYPE");
        if has_doctype {
            assert_eq!(outcome.error, Some(FrameError::Doctype), "{}", path.display());
        } else {
            assert_eq!((outcome.events().len(), outcome.items.len()), (1, 2), "{outcome:?}");
        }
    }
}
