//! `tinycot package`: data packages of a server, through its admin listener, or of a data directory
//! that no server has.

mod add;
mod args;
mod bar;
mod direct;
mod error;
mod fetch;
mod hashing;
mod http;
mod list;
mod names;
mod place;
mod push;
mod remove;
mod row;
mod server;
mod show;
mod teams;
mod unfinished;

use std::ffi::OsString;
use std::io::{self, Write};

pub(crate) use self::args::PackageArgs;
use self::args::PackageCommand;
pub(crate) use self::error::PackageError;
use crate::error::Failure;
use crate::report;
use crate::view::text;

/// The environment.
type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Runs `tinycot package`. `variable` gives the value of an environment variable.
///
/// # Errors
///
/// What cannot be read, written, found or reached; what a server refuses.
pub(crate) fn run(args: &PackageArgs, variable: Variables<'_>) -> Result<(), Failure> {
    match &args.command {
        PackageCommand::Add(args) => add::add(args, variable),
        PackageCommand::Export(args) => fetch::export(args, variable),
        PackageCommand::Get(args) => fetch::get(args, variable),
        PackageCommand::List(args) => list::list(args, variable),
        PackageCommand::Push(args) => push::push(args, variable),
        PackageCommand::Rm(args) => remove::remove(args, variable),
        PackageCommand::Show(args) => show::show(args, variable),
    }
}

/// Prints a line to standard output, whatever the text.
fn say(line: &str) -> Result<(), Failure> {
    report::print(&(text::line(line) + "\n")).map(drop)
}

/// Says something on the side: on standard error, in one line.
fn complain(what: &str) {
    // When the terminal is gone there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "tinycot: {}", text::line(what));
}
