//! `tinycot dump export`: where things went.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use capture::{TrackFormat, Tracks};

use super::Variables;
use super::args::ExportArgs;
use super::input::{Found, Input, complain};
use super::output::{Output, Syntax, read_on};
use crate::error::Failure;
use crate::report;

pub(super) fn run(args: &ExportArgs, variable: Variables<'_>) -> Result<(), Failure> {
    let mut input = Input::open(&args.input, &args.filter, variable)?;
    let mut tracks = Tracks::new().with_split(args.split);
    let uids = input.filter().uids.clone();
    input.read(|found| {
        // What a uid sent about others is not its own movement.
        if let Found::Event(record, header) = found
            && (uids.is_empty() || uids.iter().any(|uid| header.uid().eq_str(uid)))
        {
            tracks.add(record, header);
        }
        Ok(true)
    })?;
    input.finish()?;
    if tracks.dropped() > 0 {
        let (dropped, kept) = (tracks.dropped(), tracks.positions());
        complain(&format!("{dropped} positions left out: {kept} are as many as are kept"));
    }
    match &args.out {
        Some(path) => {
            let output = |source| Failure::Output { path: path.clone(), source };
            write_file(&mut tracks, args.format, path).map_err(output)?;
            let (positions, things) = (tracks.positions(), tracks.len());
            let plural = if things == 1 { "thing" } else { "things" };
            let text = format!("{}: {positions} positions of {things} {plural}\n", path.display());
            report::print(&text).map(drop)
        }
        None => {
            let mut output = Output::new(match args.format {
                TrackFormat::GeoJson => Syntax::Json,
                _ => Syntax::Xml,
            });
            let written = tracks.write(args.format, &mut output).and_then(|()| output.flush());
            read_on(written).map(drop)
        }
    }
}

fn write_file(tracks: &mut Tracks, format: TrackFormat, path: &Path) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    tracks.write(format, &mut file)?;
    file.flush()
}
