//! Archives that are made to fill memory and disks, each inspected by a process of its own, so that
//! its time and memory are that of the inspection.

#![expect(clippy::disallowed_methods, reason = "a test measures")]
#![expect(clippy::print_stdout, reason = "the child's answer, and what is measured")]
#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

mod support;

use std::env;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use data_package::{Limits, inspect};
use flate2::{Compress, Compression, FlushCompress};
use support::{Raw, archive, end64, manifest};

/// Where the child finds the archive.
const VARIABLE: &str = "DATA_PACKAGE_TEST_ARCHIVE";

/// The most memory this process had. KiB.
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// How long this thread had a processor, where the system says so. What others do on the machine is
/// no part of it.
fn cpu_time() -> Option<Duration> {
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    told.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// Inspects an archive, and says in how much time, with how much memory, and with what result.
#[test]
#[ignore = "the child of the other test"]
fn child() {
    let path = env::var_os(VARIABLE).unwrap();
    // What allocates once.
    let warm = archive(&[manifest(&["a"]), Raw::deflated("a", b"1")]);
    support::look(&warm).unwrap();
    let before = peak_kib().unwrap_or_default();
    let (started, worked) = (Instant::now(), cpu_time());
    let found = inspect(File::open(path).unwrap(), &Limits::default());
    let took = match (worked, cpu_time()) {
        (Some(before), Some(now)) => now - before,
        _ => started.elapsed(),
    };
    let grown = peak_kib().unwrap_or_default() - before;
    println!("\ntook {} {grown}", took.as_micros());
    match found {
        Ok(found) => found.warnings.iter().take(40_000).for_each(|told| println!("told {told:?}")),
        Err(error) => println!("told {error:?}"),
    }
}

/// Longest look at an archive.
const MAX: Duration = Duration::from_millis(200);

/// What the child says of an archive must contain `expected`.
fn check(what: &str, write: impl FnOnce(&File), expected: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    write(file.as_file());
    // A machine with other work to do makes one run slow, not each.
    let fastest = (0..5).map(|_| inspected(what, file.path(), expected)).find(|took| *took < MAX);
    assert!(fastest.is_some(), "{what}: never within {MAX:?}");
}

/// How long a child takes, whose memory and words are checked.
fn inspected(what: &str, path: &Path, expected: &str) -> Duration {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(VARIABLE, path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{what}: {output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let figures = said.lines().find_map(|line| line.strip_prefix("took ")).unwrap();
    let (micros, grown) = figures.split_once(' ').unwrap();
    let (micros, grown): (u64, u64) = (micros.parse().unwrap(), grown.parse().unwrap());
    println!("{what}: {micros} us, {grown} KiB");
    assert!(said.contains(expected), "{what}: {said:.2000}");
    assert!(grown < 8 << 10, "{what}: {grown} KiB");
    Duration::from_micros(micros)
}

fn bytes(bytes: Vec<u8>) -> impl FnOnce(&File) {
    move |mut file| file.write_all(&bytes).unwrap()
}

#[test]
fn t19_bombs_are_not_unpacked() {
    // 10 MiB that inflate to 10 GiB: a megabyte of nothing, again and again.
    let block = deflate_without_end(1 << 20);
    let bomb = block.repeat((10 << 20) / block.len());
    let compressed = bomb.len() as u64;
    let bomb =
        Raw { data: bomb, compressed, ..Raw::deflated("a", &vec![0; 1 << 20]) }.claiming(10 << 30);
    let honest = archive(std::slice::from_ref(&bomb));
    check("a large entry", bytes(honest.clone()), "Ratio");
    check("a large entry", bytes(honest), "Expanded");
    for size in [1, 500, 10 << 30, u64::MAX] {
        let lying = Raw { name: b"MANIFEST/manifest.xml".into(), ..bomb.clone().claiming(size) };
        check("a large manifest", bytes(archive(&[lying])), "Manifest { why: TooLarge");
    }
    let layers: Vec<_> = (0..16).map(|i| Raw::stored(format!("lib {i}.zip"), b"PK")).collect();
    check("42.zip", bytes(archive(&layers)), "Nested");
}

#[test]
fn t19_what_fits_the_limits_takes_little_memory() {
    // As many entries and names as fit, all of them escaped, all in one place.
    let nowhere = |name: Vec<u8>| Raw { offset: Some(0), ..Raw::stored(name, b"") };
    let many: Vec<_> = (0..10_000).map(|i| nowhere(format!("\x1b{i:060}").into())).collect();
    check("many entries", bytes(archive(&many)), "Beyond");
    let long: Vec<_> = (0..60).map(|i| nowhere([vec![27; 60_000], vec![i]].concat())).collect();
    check("long names", bytes(archive(&long)), "Limit { what: \"bytes of names\"");

    let content: String = (0..29_000).map(|i| format!(r#"<Content zipEntry="{i}"/>"#)).collect();
    let xml =
        format!("<MissionPackageManifest><Contents>{content}</Contents></MissionPackageManifest>");
    let mut full = many;
    full.pop();
    full.push(Raw::deflated("MANIFEST/manifest.xml", xml.as_bytes()));
    check("a full manifest", bytes(archive(&full)), "Missing");
    let nothing = "<Parameter/>".repeat(80_000);
    let xml = format!(
        "<MissionPackageManifest><Configuration>{nothing}</Configuration></MissionPackageManifest>"
    );
    let full = Raw::deflated("MANIFEST/manifest.xml", xml.as_bytes());
    check("many parameters", bytes(archive(&[full])), "ManifestLacks");
}

/// Files of a gigabyte with signatures in their last 4 MiB, and an end that claims the rest.
#[test]
fn t19_large_files_are_not_searched() {
    for pattern in [b"PK\x05\x06", b"PK\x06\x06", b"PK\x01\x02", b"PK\x03\x04"] {
        let write = |mut file: &File| {
            file.seek(SeekFrom::Start(1 << 30)).unwrap();
            file.write_all(&pattern.repeat(1 << 20)).unwrap();
            file.write_all(&end64(10_000, 4 << 20, 1 << 30, (1 << 30) + (4 << 20))).unwrap();
        };
        check("signatures", write, "Malformed");
    }
}

/// Deflates nothings so that it can be repeated: without the end, at a byte's border.
fn deflate_without_end(len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len);
    let mut deflate = Compress::new(Compression::best(), false);
    deflate.compress_vec(&vec![0; len], &mut out, FlushCompress::Full).unwrap();
    out
}
