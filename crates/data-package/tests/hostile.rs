//! Archives that are made to do harm.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

mod support;

use std::env;
use std::fs;
use std::io::Cursor;

use data_package::{Content, InspectError, ManifestError, NameProblem, Warning, is_data_package};
use support::{Raw, archive, end, end64, look, manifest};

/// Every file below the working directory, which nothing of an archive may reach.
fn files() -> Vec<std::path::PathBuf> {
    let mut open = vec![env::current_dir().unwrap()];
    let mut found = Vec::new();
    while let Some(dir) = open.pop() {
        for item in fs::read_dir(dir).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                open.push(path.clone());
            }
            found.push(path);
        }
    }
    found.sort();
    found
}

fn warnings(entries: &[Raw]) -> Vec<Warning> {
    look(&archive(entries)).unwrap().warnings
}

#[test]
fn t15_names_that_lead_elsewhere_are_text_with_a_warning() {
    use NameProblem::{Absolute, Backslash, Control, Long, NotUtf8, Traversal};
    let before = files();
    let long = "a".repeat(4096);
    for (name, problem) in [
        (&b"../../x"[..], Traversal),
        (b"..\\..\\x", Traversal),
        (b"a/../../../etc/passwd", Traversal),
        (b".", Traversal),
        (b"/etc/passwd", Absolute),
        (b"C:\\x", Absolute),
        (b"a\0b", Control),
        (b"\x1b]0;title\x07", Control),
        ("evil\u{202e}gpj.exe".as_bytes(), Control),
        (b"a\\b", Backslash),
        (b"\xff\xfe", NotUtf8),
        (long.as_bytes(), Long),
    ] {
        let inspection = look(&archive(&[Raw::stored(name, b"x")])).unwrap();
        let shown = &inspection.entries[0].name;
        assert!(!shown.contains(char::is_control), "{shown}");
        let expected = Warning::Name { name: shown.clone(), problem };
        assert!(inspection.warnings.contains(&expected), "{:?}", inspection.warnings);
    }
    for harmless in ["%2e%2e%2f", "CON", "．．／x", "a..b"] {
        let warnings = warnings(&[Raw::stored(harmless, b"x")]);
        assert_eq!(warnings, [Warning::NoManifest], "{harmless}");
    }
    assert_eq!(files(), before);
}

#[test]
fn t18_hostile_archives_are_warned_of_or_refused() {
    let before = files();
    let name = |text: &str| -> std::sync::Arc<str> { text.into() };

    let link = Raw { attributes: 0o120_777 << 16, ..Raw::stored("link", b"/etc/passwd") };
    let found = warnings(&[manifest(&["link"]), link]);
    assert_eq!(found, [Warning::Symlink { name: name("link") }]);

    let found = warnings(&[manifest(&["a"]), Raw::stored("a", b"1"), Raw::stored("a", b"2")]);
    assert_eq!(found, [Warning::Duplicate { name: name("a") }]);

    let secret = Raw { flags: 0x801, ..Raw::stored("a", b"1") };
    assert_eq!(warnings(&[manifest(&["a"]), secret]), [Warning::Encrypted { name: name("a") }]);

    // Sizes that no archive has, in the field for large ones.
    let forged = Raw { compressed: 1 << 63, size: u64::MAX, ..Raw::stored("a", b"1") };
    let found = warnings(&[manifest(&["a"]), forged.clone()]);
    assert!(found.contains(&Warning::Beyond { name: name("a") }), "{found:?}");
    assert!(found.iter().any(|warning| matches!(warning, Warning::Expanded { .. })), "{found:?}");
    let manifest_name = "MANIFEST/manifest.xml";
    let found = warnings(&[Raw { name: manifest_name.into(), ..forged }]);
    assert!(found.contains(&Warning::Manifest { why: ManifestError::Damaged }), "{found:?}");
    let far = Raw { offset: Some(u64::MAX - 1), ..manifest(&[]) };
    let found = warnings(&[far]);
    assert!(found.contains(&Warning::Manifest { why: ManifestError::Damaged }), "{found:?}");

    // One kernel, many entries.
    let kernel = Raw::deflated("00", &vec![0; 100_000]);
    let mut entries = vec![kernel.clone()];
    entries.extend((1..100).map(|i| Raw {
        name: format!("{i:02}").into(),
        offset: Some(0),
        ..kernel.clone()
    }));
    let overlaps = |found: &[Warning]| {
        found.iter().filter(|warning| matches!(warning, Warning::Overlap { .. })).count()
    };
    assert_eq!(overlaps(&warnings(&entries)), 99);

    // An end record that claims what cannot be.
    for (entries, len, offset) in
        [(u64::MAX, u64::MAX, u64::MAX), (1 << 40, 1 << 46, 0), (1, 1 << 63, 1), (3, 46, 1)]
    {
        let refused = look(&end64(entries, len, offset, 0));
        assert!(matches!(refused, Err(InspectError::Malformed(_))), "{refused:?}");
    }
    let many = [vec![0; 60_000], end64(1 << 40, 50_000, 10_000, 60_000)].concat();
    let refused = look(&many);
    assert!(matches!(refused, Err(InspectError::Limit { what: "entries", .. })), "{refused:?}");
    for at in [1, 1 << 40, u64::MAX] {
        assert!(look(&end64(1, 46, 0, at)).is_err());
    }

    // An entry that is not counted is seen by some receivers and not by others.
    let mut bytes = archive(&[Raw::stored("a", b"1"), Raw::stored("b", b"2")]);
    let counts = bytes.len() - 14;
    bytes[counts..counts + 4].copy_from_slice(&[1, 0, 1, 0]);
    assert!(matches!(look(&bytes), Err(InspectError::Malformed(_))));

    assert_eq!(files(), before);
}

#[test]
fn what_stands_before_an_archive_is_told() {
    let bytes = archive(&[manifest(&["a"]), Raw::stored("a", b"1")]);
    let both = [b"#!/bin/sh\n", &bytes[..]].concat();
    let found = look(&both).unwrap();
    assert_eq!(found.warnings, [Warning::Before { bytes: 10 }]);
    assert_eq!(found.manifest.unwrap().contents, [Content::new("a")]);
}

#[test]
fn a_manifest_that_does_not_fit_is_told() {
    let found =
        warnings(&[manifest(&["a", "gone"]), Raw::stored("a", b"1"), Raw::stored("b", b"2")]);
    let expected =
        [Warning::Missing { name: "gone".into() }, Warning::Unlisted { name: "b".into() }];
    assert_eq!(found, expected);
    let bad = Raw::stored("manifest\\Manifest.xml", b"<MissionPackageManifest/>");
    let found = warnings(&[Raw { checksum: 1, ..bad.clone() }]);
    assert_eq!(found[1], Warning::Manifest { why: ManifestError::Damaged });
    let lacking = ["uid", "name"].map(|parameter| Warning::ManifestLacks { parameter });
    assert_eq!(warnings(&[bad])[1..], lacking);
}

#[test]
fn what_is_no_archive_is_refused() {
    for bytes in [&b""[..], b"PK", b"PK\x05\x06", b"<event/>", &[0; 100_000]] {
        assert!(matches!(look(bytes), Err(InspectError::NotZip)));
        assert!(!is_data_package(Cursor::new(bytes)));
    }
    let empty = end(0, 0, 0);
    assert_eq!(look(&empty).unwrap().warnings, [Warning::NoManifest]);
    assert!(!is_data_package(Cursor::new(empty)));
}
