//! TinyCoT: a small TAK server. Everything here is wiring; the relay itself is the `relay` crate.

mod admin;
mod announce;
mod app;
mod bench;
mod captures;
mod cli;
mod clock;
mod config;
mod error;
mod http;
mod limits;
mod logging;
mod ops;
mod packages;
mod report;
mod signals;
mod storage;
mod view;

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use cli::Command;
use error::{Failure, exit};
use view::text;

fn main() -> ExitCode {
    let started = clock::now();
    let command = match cli::parse(env::args_os()) {
        Ok(command) => command,
        Err(asked_or_wrong) => {
            // When the terminal is gone there is nobody left to tell.
            let _ = asked_or_wrong.print();
            let wrong = asked_or_wrong.use_stderr();
            return if wrong { ExitCode::from(exit::USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let done = match command {
        Command::Bench(args) => return bench::run(&args),
        Command::Check(sources) => config::load(sources, env::vars_os())
            .map_err(Failure::from)
            .and_then(|loaded| report::print(&report::check(&loaded)).map(drop)),
        Command::Dump(args) => captures::dump(&args, &|name| env::var_os(name)),
        Command::Config => report::print(config::DEFAULT_FILE).map(drop),
        Command::Package(args) => packages::run(&args, &|name| env::var_os(name)),
        Command::Replay(args) => captures::replay(&args),
        Command::Serve(sources) => config::load(sources, env::vars_os())
            .map_err(Failure::from)
            .and_then(|loaded| app::serve(loaded, started)),
        Command::View(view) => view.run(env::var("TINYCOT_ADMIN_LISTEN").ok()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            explain(&failure);
            failure.code()
        }
    }
}

/// Prints what went wrong, one line per cause.
fn explain(failure: &Failure) {
    let mut stderr = io::stderr().lock();
    for line in failure.to_string().lines() {
        let _ = writeln!(stderr, "tinycot: {}", text::line(line));
    }
    let mut cause = failure.source();
    while let Some(error) = cause {
        let _ = writeln!(stderr, "tinycot:   cause: {}", text::line(&error.to_string()));
        cause = error.source();
    }
}
