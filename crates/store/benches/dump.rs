//! Can a dump keep up with a relay that accepts 40,000 events per second, and what does that take?
//!
//! `cargo bench -p store --bench dump`
//!
//! `push` is what one event of 700 bytes takes: encoded into the buffer, and written to a file without
//! waiting for the disk, against serde_json alone and the checksums CRC-32, which is used, and
//! BLAKE3, which is not. `read` is the way back, for each event.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench fails by panicking and prints its figures"
)]

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use store::dump::{DumpConfig, DumpEvent, DumpReader, DumpWriter, Pushed, compress, list};
use store::fs::{Fs, FsEntry, FsFile, RealFs};

const EVENT: &str = concat!(
    r#"<event version="2.0" uid="ANDROID-0123456789abcdef" type="a-f-G-U-C" how="m-g" "#,
    r#"time="2026-11-22T10:15:00.123Z" start="2026-11-22T10:15:00.123Z" "#,
    r#"stale="2026-11-22T10:21:15.123Z"><point lat="47.123456" lon="8.512345" hae="412.5" "#,
    r#"ce="9.5" le="9999999.0"/><detail><takv os="34" version="5.2.0.4 (0123abcd).1718000000" "#,
    r#"device="A PHONE" platform="ATAK-CIV"/><contact endpoint="*:-1:stcp" callsign="HOPE-11" "#,
    r#"phone="+41000000000" xmppUsername="hope@example"/><uid Droid="HOPE-11"/>"#,
    r#"<precisionlocation altsrc="GPS" geopointsrc="GPS"/><__group role="Team Member" "#,
    r#"name="Cyan"/><status battery="87"/><track course="271.5" speed="1.25"/></detail></event>"#,
);

/// As a program without this crate would write a line.
#[derive(serde::Serialize)]
struct Line<'a> {
    t: &'a str,
    uid: &'a str,
    team: &'a str,
    event: &'a str,
}

fn push<F: Fs>(dump: &mut DumpWriter<F>) {
    let received_ms = 1_795_342_500_000;
    let event = DumpEvent { received_ms, sender: "ANDROID-1", team: "Cyan", event: EVENT };
    if dump.push(black_box(&event)) == Pushed::WantsFlush {
        dump.flush(received_ms).unwrap();
    }
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("push");
    group.throughput(Throughput::Bytes(EVENT.len() as u64));
    let dir = tempfile::tempdir().unwrap();
    let mut config = DumpConfig::new(dir.path());
    config.max_total_bytes = 32 << 20;
    config.compress = false;
    let (mut dump, _) = DumpWriter::open(NoDisk, config.clone(), 0).unwrap();
    group.bench_function("encoded", |bencher| bencher.iter(|| push(&mut dump)));
    let (mut dump, _) = DumpWriter::open(RealFs, config, 0).unwrap();
    group.bench_function("encoded and written", |bencher| bencher.iter(|| push(&mut dump)));
    let line = Line { t: "2026-11-22T10:15:00.123Z", uid: "ANDROID-1", team: "Cyan", event: EVENT };
    let mut buf = Vec::new();
    group.bench_function("serde_json, no checksum", |bencher| {
        bencher.iter(|| {
            buf.clear();
            serde_json::to_writer(&mut buf, black_box(&line)).unwrap();
        });
    });
    group.bench_function("crc32 of a line", |bencher| {
        bencher.iter(|| crc32fast::hash(black_box(&buf)));
    });
    group.bench_function("blake3 of a line", |bencher| {
        bencher.iter(|| blake3::hash(black_box(&buf)));
    });
    group.finish();
}

fn files(criterion: &mut Criterion) {
    const EVENTS: u64 = 10_000;
    let dir = tempfile::tempdir().unwrap();
    let (mut dump, _) = DumpWriter::open(RealFs, DumpConfig::new(dir.path()), 0).unwrap();
    for number in 0..EVENTS {
        let event = EVENT.replace("47.123456", &format!("47.{:06}", number * 7919 % 1_000_000));
        let received_ms = number.cast_signed();
        let event = DumpEvent { received_ms, sender: "ANDROID-1", team: "Cyan", event: &event };
        if dump.push(&event) == Pushed::WantsFlush {
            dump.flush(received_ms).unwrap();
        }
    }
    dump.flush(0).unwrap();
    let plain = list(dir.path()).unwrap().pop().unwrap().path;
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(10);
    group.bench_function("plain", |bencher| {
        bencher.iter(|| DumpReader::open(&plain).unwrap().filter(Result::is_ok).count());
    });
    dump.flush(i64::MAX).unwrap();
    let done = compress(&RealFs, &dump.next_job().unwrap()).unwrap();
    group.bench_function("compressed", |bencher| {
        bencher.iter(|| DumpReader::open(&done.path).unwrap().filter(Result::is_ok).count());
    });
    group.finish();
    println!("compressed {} bytes to {}", done.bytes_before, done.bytes_after);
}

/// Takes everything and keeps nothing.
#[derive(Debug)]
struct NoDisk;

impl Fs for NoDisk {
    fn create_new(&self, _: &Path) -> io::Result<Box<dyn FsFile>> {
        Ok(Box::new(Self))
    }

    fn append(&self, _: &Path) -> io::Result<Box<dyn FsFile>> {
        Ok(Box::new(Self))
    }

    fn open(&self, _: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(io::empty()))
    }

    fn sync_file(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<FsEntry>> {
        Ok(Vec::new())
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

impl Write for NoDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FsFile for NoDisk {
    fn sync_data(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }
}

criterion_group!(benches, encode, files);
criterion_main!(benches);
