//! What is found in the directory of a dump at the start.

use std::io::{self, BufRead, BufReader, Read};

use super::compress::Finished;
use super::current::Current;
use super::line::check;
use super::shelf::Shelf;
use super::{DumpConfig, DumpFile, DumpFormat, DumpReport, MAX_LINE_BYTES, files};
use crate::StoreError;
use crate::fs::Fs;

/// What a writer begins with.
pub(super) struct Recovered {
    pub(super) shelf: Shelf,
    pub(super) current: Option<Current>,
    /// Higher than any there is.
    pub(super) next_number: u64,
    pub(super) report: DumpReport,
}

/// Looks through the directory, creating it when there is none: removes what was being compressed,
/// goes on with the newest file if it is one to go on with, and has the others compressed.
pub(super) fn recover(
    fs: &impl Fs,
    config: &DumpConfig,
    now_ms: i64,
) -> Result<Recovered, StoreError> {
    let dir = &config.dir;
    fs.create_dir(dir).map_err(StoreError::io("cannot create", dir))?;
    let mut report = DumpReport::default();
    let mut found = Vec::new();
    for entry in fs.list(dir).map_err(StoreError::io("cannot read", dir))? {
        let path = dir.join(&entry.name);
        if is_unfinished(&entry.name.to_string_lossy()) {
            fs.remove(&path).map_err(StoreError::io("cannot remove", &path))?;
            report.swept += 1;
        }
        found.extend(DumpFile::from_path(path, entry.len));
    }
    files::sort(&mut found);
    report.files = found.len();
    report.bytes = found.iter().map(|file| file.bytes).sum();
    let next_number = found.last().map_or(0, |file| file.number).saturating_add(1);
    let current = resume(fs, config, now_ms, &mut found, &mut report);
    report.bytes -= report.torn_bytes;
    let jobs = jobs(fs, config, &found);
    let mut shelf = Shelf::new(found);
    jobs.into_iter().for_each(|job| shelf.push_job(job));
    Ok(Recovered { shelf, current, next_number, report })
}

/// Whether this is the name of a file that was being compressed.
fn is_unfinished(name: &str) -> bool {
    name.starts_with("dump-") && name.ends_with(".zst.tmp")
}

/// The files that are to be compressed: those that had just been, too, of whatever the
/// configuration says now. An unfinished line at the end stays out.
fn jobs(fs: &impl Fs, config: &DumpConfig, found: &[DumpFile]) -> Vec<Finished> {
    let mut before = None;
    let mut jobs = Vec::new();
    for file in found {
        if !file.is_compressed && (config.compress || before == Some(file.number)) {
            let bytes = scan(fs, file).map_or(file.bytes, |scan| scan.whole_bytes);
            jobs.push(Finished { path: file.path.clone(), bytes });
        }
        before = Some(file.number);
    }
    jobs
}

/// Takes the newest file out of those found, if it can be gone on with.
fn resume(
    fs: &impl Fs,
    config: &DumpConfig,
    now_ms: i64,
    found: &mut Vec<DumpFile>,
    report: &mut DumpReport,
) -> Option<Current> {
    let mut newest = found.pop_if(|newest| !newest.is_compressed)?;
    let is_twin = found.last().is_some_and(|before| before.number == newest.number);
    // Reading or cutting it may fail: then it is left as it is, and another begun.
    let cut = if is_twin { None } else { cut(fs, &newest, report) };
    let Some(mut current) = cut else {
        found.push(newest);
        return None;
    };
    if newest.format == config.format
        && current.bytes < config.file_limit()
        && !config.is_old(newest.begun_ms, now_ms)
    {
        report.resumed = Some(newest.path);
        return Some(current);
    }
    // It may have been written on by a process that was killed. What the disk does not confirm
    // now, nobody was told of.
    let _ = current.sync(fs);
    newest.bytes = current.bytes;
    found.push(newest);
    None
}

/// Cuts off the unfinished line at the end of a file.
fn cut(fs: &impl Fs, newest: &DumpFile, report: &mut DumpReport) -> Option<Current> {
    let scan = scan(fs, newest).ok()?;
    let current = Current::resume(fs, newest, scan.whole_bytes).ok()?;
    report.torn_bytes = newest.bytes - current.bytes;
    report.damaged_lines = scan.damaged_lines;
    Some(current)
}

/// What is in a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Scan {
    /// Bytes up to the end of the last whole line.
    whole_bytes: u64,
    /// Damaged lines before that.
    damaged_lines: u64,
}

fn scan(fs: &impl Fs, file: &DumpFile) -> io::Result<Scan> {
    let mut reader = BufReader::with_capacity(64 << 10, fs.open(&file.path)?);
    let mut scan = Scan::default();
    let mut line = Vec::new();
    let mut at = 0;
    let mut damaged = 0;
    loop {
        line.clear();
        let taken = reader.by_ref().take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut line)?;
        if taken == 0 {
            return Ok(scan);
        }
        at += taken as u64;
        match line.strip_suffix(b"\n") {
            Some(line) if is_end(file.format, line) => {
                scan = Scan { whole_bytes: at, damaged_lines: damaged };
            }
            // XML events may have several lines.
            _ if file.format == DumpFormat::Xml => {}
            _ => damaged += 1,
        }
    }
}

/// Whether a line is whole, and of XML: whether it is the last one of an event, or a gap.
fn is_end(format: DumpFormat, line: &[u8]) -> bool {
    match format {
        DumpFormat::Json => {
            check(line).unwrap_or_else(|| line.starts_with(b"{") && line.ends_with(b"}"))
        }
        DumpFormat::Xml => {
            line.ends_with(b"</event>")
                || (line.starts_with(b"<!-- ") && line.ends_with(b" -->"))
                || (line.starts_with(b"<event") && line.ends_with(b"/>") && has_one_tag(line))
        }
    }
}

/// An unescaped `<` begins a tag, wherever it stands.
fn has_one_tag(line: &[u8]) -> bool {
    line.iter().filter(|&&byte| byte == b'<').count() == 1
}
