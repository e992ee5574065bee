//! Reading captures, and saying what could not be read.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use capture::{BadRecord, CaptureError, Entry, Filter, Gap, Record, Source};
use cot_core::{Header, Scanner};

use super::Variables;
use super::args::{FilterArgs, InputArgs};
use crate::error::Failure;
use crate::view::text;

/// Where a server keeps its data unless it is told otherwise.
const DEFAULT_DATA_DIR: &str = "tinycot-data";

/// Where in it the dumps are.
const DUMP_DIR: &str = "dump";

/// Bad records that are reported one by one; there may be millions.
const MAX_REPORTED: u64 = 10;

/// The wanted events of the given files.
#[derive(Debug)]
pub(super) struct Input {
    source: Source,
    filter: Filter,
    scanner: Scanner,
    troubles: Troubles,
}

/// What is found in a capture.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// Something that cannot be read; it has been reported.
    Bad,
    /// A wanted event.
    Event(&'a Record, &'a Header<'a>),
    /// Events that are missing, at a wanted time.
    Gap(&'a Gap),
}

impl Input {
    /// Opens what the arguments name, or else the dumps where the environment says.
    pub(super) fn open(
        args: &InputArgs,
        filter: &FilterArgs,
        variable: Variables<'_>,
    ) -> Result<Self, Failure> {
        let files = if args.files.is_empty() {
            dumps(&dump_dir(args.data_dir.as_deref(), variable))?
        } else {
            expand(&args.files)?
        };
        let source = Source::open(files)?;
        let filter = filter_of(filter, &source);
        Ok(Self { source, filter, scanner: capture::scanner(), troubles: Troubles::default() })
    }

    /// The filter in force.
    pub(super) const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Gives everything that is found to `found`, until that says `false`.
    pub(super) fn read(
        &mut self,
        mut found: impl FnMut(Found<'_>) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        for entry in &mut self.source {
            self.troubles.good += u64::from(entry.is_ok());
            let reads_on = match entry {
                Ok(Entry::Event(record)) => match record.header(&mut self.scanner) {
                    Ok(header) if self.filter.admits(&record, &header) => {
                        found(Found::Event(&record, &header))?
                    }
                    _ => true,
                },
                Ok(Entry::Gap(gap)) => {
                    let is_wanted = gap.until_ms.is_none_or(|until| self.filter.admits_time(until));
                    !is_wanted || found(Found::Gap(&gap))?
                }
                Ok(_) => true,
                Err(bad) => {
                    self.troubles.add(&bad);
                    found(Found::Bad)?
                }
            };
            if !reads_on {
                break;
            }
        }
        Ok(())
    }

    /// Says how much could not be read.
    ///
    /// # Errors
    ///
    /// When that is all there was.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        self.troubles.finish()
    }
}

/// What could not be read.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// Records that could be read.
    pub(super) good: u64,
    bad: u64,
}

impl Troubles {
    /// Reports one, unless there were many already.
    pub(super) fn add(&mut self, bad: &BadRecord) {
        self.bad += 1;
        if self.bad <= MAX_REPORTED {
            complain(&bad.to_string());
        }
    }

    pub(super) fn finish(&self) -> Result<(), Failure> {
        match (self.bad, self.good) {
            (0, _) => Ok(()),
            (_, 0) => Err(Failure::Unreadable),
            (bad, _) => {
                let plural = if bad == 1 { "" } else { "s" };
                complain(&format!("{bad} bad record{plural} passed over"));
                Ok(())
            }
        }
    }
}

/// Where the dumps of a server are: as named, as its environment says, or where they always are.
fn dump_dir(data_dir: Option<&Path>, variable: Variables<'_>) -> PathBuf {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let in_data = |data: PathBuf| data.join(DUMP_DIR);
    let named = data_dir.map(|data| in_data(data.to_owned()));
    let set = || set("TINYCOT_DUMP_DIR").or_else(|| set("TINYCOT_DATA_DIR").map(in_data));
    named.or_else(set).unwrap_or_else(|| in_data(DEFAULT_DATA_DIR.into()))
}

/// Files as they are, directories as the dumps in them.
pub(super) fn expand(given: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in given {
        if path.is_dir() {
            files.extend(dumps(path)?);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

/// The filter that the arguments ask for.
pub(super) fn filter_of(args: &FilterArgs, source: &Source) -> Filter {
    args.filter(if args.needs_begin() { source.first_ms() } else { None })
}

fn dumps(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let files = match capture::dump_files(dir) {
        Err(CaptureError::List { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Vec::new()
        }
        listed => listed?,
    };
    if files.is_empty() { Err(Failure::NoDump { dir: dir.to_owned() }) } else { Ok(files) }
}

/// Says something on the side: on standard error, in one line.
pub(super) fn complain(what: &str) {
    // When the terminal is gone there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "tinycot: {}", text::line(what));
}
