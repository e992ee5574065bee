//! A few words to speak about dumps with.

use std::path::{Path, PathBuf};

use store::StoreError;
use store::dump::{
    DumpConfig, DumpError, DumpEvent, DumpLine, DumpReader, DumpReport, DumpWriter, compress, list,
};
use store::fs::{Fs, RealFs};

/// 2026-11-22T10:15:00Z, when these tests take place.
pub(crate) const NOW_MS: i64 = 1_795_342_500_000;

/// A position report of about 700 bytes.
pub(crate) fn event(number: u64) -> String {
    format!(
        "<event version=\"2.0\" uid=\"ANDROID-{number:016x}\" type=\"a-f-G-U-C\" how=\"m-g\" \
         time=\"2026-11-22T10:15:00.123Z\" start=\"2026-11-22T10:15:00.123Z\" \
         stale=\"2026-11-22T10:21:15.123Z\"><point lat=\"47.{number:06}\" lon=\"8.512345\" \
         hae=\"412.5\" ce=\"9.5\" le=\"9999999.0\"/><detail><takv os=\"34\" version=\"5.2.0.4\" \
         device=\"A PHONE\" platform=\"ATAK-CIV\"/><contact endpoint=\"*:-1:stcp\" \
         callsign=\"HOPE-{number}\"/><uid Droid=\"HOPE-{number}\"/><precisionlocation \
         altsrc=\"GPS\" geopointsrc=\"GPS\"/><__group role=\"Team Member\" name=\"Cyan\"/><status \
         battery=\"87\"/><track course=\"271.5\" speed=\"1.25\"/></detail></event>"
    )
}

pub(crate) fn line(number: u64) -> DumpLine {
    DumpLine::Event {
        received_ms: NOW_MS + number.cast_signed(),
        sender: "ANDROID-1".to_owned(),
        team: "Cyan".to_owned(),
        event: event(number),
    }
}

pub(crate) fn open(config: &DumpConfig, now_ms: i64) -> (DumpWriter, DumpReport) {
    DumpWriter::open(RealFs, config.clone(), now_ms).unwrap()
}

pub(crate) fn push<F: Fs>(dump: &mut DumpWriter<F>, number: u64) {
    dump.push(&DumpEvent {
        received_ms: NOW_MS + number.cast_signed(),
        sender: "ANDROID-1",
        team: "Cyan",
        event: &event(number),
    });
}

/// Does all the jobs there are.
pub(crate) fn compress_all<F: Fs>(fs: &F, dump: &mut DumpWriter<F>) -> Result<(), StoreError> {
    while let Some(job) = dump.next_job() {
        let result = compress(fs, &job);
        dump.note_compressed(job, result)?;
    }
    Ok(())
}

/// Writes a file of a dump with events 0 to `events`, and gives its path.
pub(crate) fn written(dir: &Path, events: u64) -> PathBuf {
    let (mut dump, _) = open(&DumpConfig::new(dir), NOW_MS);
    for number in 0..events {
        push(&mut dump, number);
    }
    dump.flush(NOW_MS).unwrap();
    list(dir).unwrap().pop().unwrap().path
}

/// All lines of all files, of which none may be damaged.
pub(crate) fn lines(dir: &Path) -> Vec<DumpLine> {
    let files = list(dir).unwrap();
    files.into_iter().flat_map(|file| read(&file.path).unwrap()).collect()
}

pub(crate) fn read(path: &Path) -> Result<Vec<DumpLine>, DumpError> {
    DumpReader::open(path)?.collect()
}

/// The names of the files in a directory, sorted.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
