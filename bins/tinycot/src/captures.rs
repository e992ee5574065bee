//! `tinycot dump` and `tinycot replay`: what the server's dumps and other captures hold.

mod args;
mod cat;
mod export;
mod input;
mod output;
mod progress;
mod replay;
mod stats;
mod when;

use std::ffi::OsString;

use crate::error::Failure;

/// The environment.
type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

use self::args::DumpCommand;
pub(crate) use self::args::{DumpArgs, ReplayArgs, duration};

/// Runs `tinycot dump`. `variable` gives the value of an environment variable.
///
/// # Errors
///
/// A file that is not there, nothing that could be read, or trouble with the output.
pub(crate) fn dump(args: &DumpArgs, variable: Variables<'_>) -> Result<(), Failure> {
    match &args.command {
        DumpCommand::Cat(args) => cat::run(args, variable),
        DumpCommand::Export(args) => export::run(args, variable),
        DumpCommand::Stats(args) => stats::run(args, variable),
    }
}

/// Runs `tinycot replay`.
///
/// # Errors
///
/// As [`dump`]; no server, or one that goes away before all is sent.
pub(crate) fn replay(args: &ReplayArgs) -> Result<(), Failure> {
    replay::run(args)
}
