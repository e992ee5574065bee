//! What is built, read back by this crate and by another.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

mod support;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use data_package::{
    BuildError, Limits, MANIFEST_NAME, Manifest, NameProblem, PackageBuilder, inspect,
    is_data_package,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use support::{built, look};
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

/// What another reader finds in an archive.
fn unpacked(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..archive.len())
        .map(|i| {
            let mut file = archive.by_index(i).unwrap();
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            (file.name().unwrap().into_owned(), content)
        })
        .collect()
}

#[test]
fn a_folder_becomes_a_data_package_of_the_same_bytes_every_time() {
    let files = [("b/x.txt", "x"), ("a.kml", "<kml/>"), ("b/c/ü.jpg", "jpeg"), ("empty", "")];
    let build = |dir: &TempDir| {
        let mut builder = PackageBuilder::new("Recon & more");
        builder.parameter("onReceiveDelete", "false").add_folder(dir.path()).unwrap();
        built(builder)
    };
    let first = build(&folder(&files));
    let mut reversed = files;
    reversed.reverse();
    assert_eq!(first, build(&folder(&reversed)));
    assert_ne!(first, build(&folder(&files[1..])));

    let found = look(&first).unwrap();
    assert_eq!(found.warnings, []);
    let names: Vec<_> = found.entries.iter().map(|entry| &*entry.name).collect();
    assert_eq!(names, ["a.kml", "b/c/ü.jpg", "b/x.txt", "empty", MANIFEST_NAME]);
    let manifest = found.manifest.unwrap();
    assert_eq!(manifest.name(), Some("Recon & more"));
    assert_eq!(manifest.parameter("onReceiveDelete"), Some("false"));
    let uid = manifest.uid().unwrap();
    assert_eq!((uid.len(), uid.as_bytes()[14]), (36, b'8'));

    let mut contents = unpacked(&first);
    let xml = String::from_utf8(contents.remove(MANIFEST_NAME).unwrap()).unwrap();
    let xml = roxmltree::Document::parse(&xml).unwrap();
    assert_eq!(xml.root_element().attribute("version"), Some("2"));
    let expected: BTreeMap<_, _> = files
        .iter()
        .map(|(name, content)| ((*name).to_owned(), content.as_bytes().into()))
        .collect();
    assert_eq!(contents, expected);
}

#[test]
fn contents_and_name_decide_the_uid() {
    let uid = |name: &str, content: &'static str| {
        let mut builder = PackageBuilder::new(name);
        builder.add_reader("a", content.as_bytes()).unwrap();
        let built = builder.write(Cursor::new(Vec::new())).unwrap();
        built.manifest.uid().unwrap().to_owned()
    };
    assert_eq!(uid("a", "1"), uid("a", "1"));
    assert_ne!(uid("a", "1"), uid("a", "2"));
    assert_ne!(uid("a", "1"), uid("b", "1"));
    let mut builder = PackageBuilder::new("a");
    builder.uid("mine").add_reader("a", &b"1"[..]).unwrap();
    let built = builder.write(Cursor::new(Vec::new())).unwrap();
    assert_eq!(built.manifest.uid(), Some("mine"));
}

#[test]
fn a_folder_keeps_its_manifest() {
    let xml = r#"<?xml version="1.0"?>
<MissionPackageManifest version="2"><Configuration><Parameter name="uid" value="own"/></Configuration>
<Contents><Content zipEntry="a" ignore="false"/></Contents></MissionPackageManifest>"#;
    let dir = folder(&[("a", "1"), ("b", "2"), (MANIFEST_NAME, xml)]);
    let mut builder = PackageBuilder::new("other");
    builder.add_folder(dir.path()).unwrap();
    let bytes = built(builder);
    assert_eq!(unpacked(&bytes)[MANIFEST_NAME], xml.as_bytes());
    assert_eq!(look(&bytes).unwrap().manifest.unwrap().uid(), Some("own"));
    assert!(is_data_package(Cursor::new(&bytes)));

    fs::remove_file(dir.path().join("a")).unwrap();
    let mut builder = PackageBuilder::new("other");
    builder.add_folder(dir.path()).unwrap();
    let missing = builder.write(Cursor::new(Vec::new())).unwrap_err();
    assert!(matches!(&missing, BuildError::Missing { name } if name == "a"), "{missing}");

    fs::write(dir.path().join(MANIFEST_NAME), "text").unwrap();
    let mut builder = PackageBuilder::new("other");
    builder.add_folder(dir.path()).unwrap();
    let foreign = builder.write(Cursor::new(Vec::new())).unwrap_err();
    assert!(matches!(foreign, BuildError::Manifest { .. }), "{foreign}");
}

#[test]
fn names_that_no_receiver_should_see_are_refused() {
    let mut builder = PackageBuilder::new("a");
    for (name, problem) in [
        ("../x", NameProblem::Traversal),
        ("/x", NameProblem::Absolute),
        ("a\\b", NameProblem::Backslash),
        ("a\nb", NameProblem::Control),
        ("", NameProblem::Empty),
        ("a/", NameProblem::Empty),
    ] {
        let refused = builder.add_reader(name, io::empty()).unwrap_err();
        assert!(matches!(&refused, BuildError::Name { problem: why, .. } if *why == problem));
    }
    builder.add_reader("a", io::empty()).unwrap();
    let twice = builder.add_reader("a", io::empty()).unwrap_err();
    assert!(matches!(twice, BuildError::Duplicate { .. }));
    builder.parameter("a", "\u{1b}");
    let refused = builder.write(Cursor::new(Vec::new())).unwrap_err();
    assert_eq!(refused.to_string(), "the parameter `\\u{1b}` has control characters");
}

#[cfg(unix)]
#[test]
fn links_stay_in_the_folder_and_names_are_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    let add = |dir: &TempDir| PackageBuilder::new("a").add_folder(dir.path()).map(drop);

    let dir = folder(&[("d/a", "1")]);
    symlink("d/a", dir.path().join("b")).unwrap();
    let mut builder = PackageBuilder::new("a");
    builder.add_folder(dir.path()).unwrap();
    assert_eq!(unpacked(&built(builder))["b"], b"1");

    for target in [".", "..", "../e"] {
        fs::create_dir_all(dir.path().join("e")).unwrap();
        let _ = symlink("../d", dir.path().join("e/loop"));
        symlink(target, dir.path().join("d/loop")).unwrap();
        assert!(matches!(add(&dir), Err(BuildError::SymlinkLoop { .. })), "{target}");
        fs::remove_file(dir.path().join("d/loop")).unwrap();
    }
    fs::remove_dir_all(dir.path().join("e")).unwrap();

    for target in ["/etc/hostname", "../..", "/"] {
        symlink(target, dir.path().join("out")).unwrap();
        assert!(matches!(add(&dir), Err(BuildError::SymlinkOut { .. })), "{target}");
        fs::remove_file(dir.path().join("out")).unwrap();
    }
    symlink("nowhere", dir.path().join("out")).unwrap();
    assert!(matches!(add(&dir), Err(BuildError::Unreadable { .. })));
    fs::remove_file(dir.path().join("out")).unwrap();

    let socket = std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
    assert!(matches!(add(&dir), Err(BuildError::Special { .. })));
    drop(socket);
    fs::remove_file(dir.path().join("s")).unwrap();

    fs::write(dir.path().join(OsStr::from_bytes(b"\xff")), "1").unwrap();
    let refused = add(&dir).unwrap_err();
    assert!(matches!(refused, BuildError::Name { problem: NameProblem::NotUtf8, .. }));
}

#[test]
fn limits_hold() {
    let mut limits = Limits::default();
    limits.max_entries = 3;
    limits.max_expanded_bytes = 1000;
    let write = |files: &[(&str, usize)]| {
        let mut builder = PackageBuilder::new("a");
        builder.limits(limits.clone());
        for (name, len) in files {
            builder.add_reader(*name, io::repeat(0).take(*len as u64)).unwrap();
        }
        let mut out = Cursor::new(Vec::new());
        let result = builder.write(&mut out).map(|built| built.expanded_bytes);
        (result, out.into_inner())
    };
    assert_eq!(write(&[("a", 500), ("b", 500)]).0.unwrap(), 1000);
    let (refused, written) = write(&[("a", 500), ("b", 501)]);
    assert!(matches!(refused, Err(BuildError::Limit { what: "bytes", limit: 1000 })));
    assert!(look(&written).is_err(), "what was not completed is no archive");
    let (refused, _) = write(&[("a", 1), ("b", 1), ("c", 1)]);
    assert!(matches!(refused, Err(BuildError::Limit { what: "files", limit: 3 })));
    assert!(matches!(write(&[]).0, Err(BuildError::Empty)));
}

#[test]
fn trouble_is_told_once_and_leaves_no_archive() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
    let mut builder = PackageBuilder::new("a");
    builder.add_reader("a", &[7; 100_000][..]).unwrap();
    builder.add_reader("b", Broken).unwrap();
    let mut out = Cursor::new(Vec::new());
    let told = builder.write(&mut out).unwrap_err();
    assert!(matches!(&told, BuildError::Unreadable { path, .. } if path.as_os_str() == "b"));
    assert!(look(out.get_ref()).is_err());

    /// A disk with room for so many bytes.
    struct Small(Cursor<Vec<u8>>, u64);
    impl Write for Small {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            if self.0.position() + buf.len() as u64 > self.1 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.write(buf)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Seek for Small {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }
    let write = |room| {
        let mut builder = PackageBuilder::new("a");
        builder.add_reader("a", &[7; 1000][..]).unwrap();
        let mut out = Small(Cursor::new(Vec::new()), room);
        (builder.write(&mut out), out.0.into_inner())
    };
    let (done, whole) = write(10_000);
    done.unwrap();
    for room in 0..whole.len() as u64 {
        let (told, written) = write(room);
        assert!(matches!(told, Err(BuildError::Write { .. })), "{room}");
        assert!(look(&written).is_err(), "{room}");
    }
}

#[test]
fn a_file_that_is_no_data_package_is_none() {
    let dir = folder(&[("a.zip", "PK")]);
    assert!(!is_data_package(File::open(dir.path().join("a.zip")).unwrap()));
    let mut builder = PackageBuilder::new("a");
    builder.add_file(dir.path().join("a.zip"), "a.zip").unwrap();
    assert!(is_data_package(Cursor::new(built(builder))));
    assert!(PackageBuilder::new("a").add_file(dir.path(), "a").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_was_built_is_what_is_found(
        name in "[^\\p{C}\\u{2028}\\u{2029}]{0,20}",
        uid in "[^\\p{C}\\u{2028}\\u{2029}]{1,20}",
        parameters in vec(("[a-zA-Z]{1,9}", "[^\\p{C}\\u{2028}\\u{2029}]{0,20}"), 0..4),
        files in btree_map(
            "[a-zA-Z0-9ü☂&<>\"' _.()-]{0,9}[a-z](/[a-z]{1,5}){0,2}(\\.(png|txt|))?x",
            vec(any::<u8>(), 0..300),
            1..12,
        ),
    ) {
        let mut builder = PackageBuilder::new(&name);
        builder.uid(&uid);
        for (name, value) in &parameters {
            builder.parameter(name, value);
        }
        for (name, content) in &files {
            builder.add_reader(name, &content[..]).unwrap();
        }
        let mut archive = Cursor::new(Vec::new());
        let built = builder.write(&mut archive).unwrap();
        let found = inspect(&mut archive, &Limits::default()).unwrap();

        let lacks = usize::from(name.is_empty());
        prop_assert_eq!(found.warnings.len(), lacks, "{:?}", found.warnings);
        let manifest: Manifest = found.manifest.unwrap();
        prop_assert_eq!((manifest.uid(), manifest.name()), (Some(&*uid), Some(&*name)));
        let told: Vec<_> = manifest.parameters[2..]
            .iter()
            .map(|parameter| (parameter.name.clone(), parameter.value.clone()))
            .collect();
        prop_assert_eq!(told, parameters);
        let (last, entries) = found.entries.split_last().unwrap();
        prop_assert_eq!(&*last.name, MANIFEST_NAME);
        let entries: Vec<_> = entries.iter().map(|entry| (&*entry.name, entry.size)).collect();
        let expected: Vec<_> =
            files.iter().map(|(name, content)| (&**name, content.len() as u64)).collect();
        prop_assert_eq!(entries, expected);
        let listed: Vec<_> = manifest.contents.iter().map(|content| &*content.zip_entry).collect();
        prop_assert_eq!(listed, files.keys().map(String::as_str).collect::<Vec<_>>());
        prop_assert_eq!(manifest, built.manifest);
    }
}
