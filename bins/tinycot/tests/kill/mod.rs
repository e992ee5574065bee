//! A harness that ends a server without warning, again and again, and checks what is left.
//!
//! ```text
//! start -> compare with what was -> everybody returns -> work 2..400 ms -> end -> start -> ...
//! ```
//!
//! Scripted clients report positions, put, move and delete markers, raise and cancel alerts, write to
//! those who are here and those who are away, leave and return. One more watches. Whatever it saw
//! long enough before an end is acknowledged: it has to be there after the next start, and what
//! was seen to go has to stay away. Others upload, change and remove data packages over HTTP;
//! there, an answer acknowledges.

#![allow(dead_code, unused_imports, reason = "each test file uses its own part")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here fails the test")]
#![expect(clippy::print_stdout, reason = "what a server says, and what a test has to say")]

mod careless;
mod disk;
mod event;
mod http;
mod model;
pub(crate) mod mount;
mod naive;
mod packages;
mod player;
mod probe;
mod process;
mod report;
mod rng;
mod world;

pub(crate) use model::Fault;
pub(crate) use naive::{careless, in_place, serve_if_asked, without_sync};
pub(crate) use probe::Probe;
pub(crate) use process::Process;
pub(crate) use report::Tally;
pub(crate) use rng::Rng;
pub(crate) use world::{Plan, World};

use std::path::Path;
use std::process::Command;
use std::str::FromStr;
use std::time::SystemTime;

use crate::support::tinycot;

/// The real server, with small files, so that there are many of them.
pub(crate) fn serve(plan: &Plan, data: &Path) -> Command {
    let mut command = tinycot();
    command.args(["serve", "--cot-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.args(["--http-listen", "127.0.0.1:0"]);
    command.args(["--journal-size", "64KiB", "--dump", "json", "--dump-file-size", "1MiB"]);
    command.args(["--dump-files", "100000", "--state-sync"]);
    command.arg(format!("{}ms", plan.sync.as_millis())).arg("--data-dir").arg(data);
    command
}

/// A number from the environment, or its default.
pub(crate) fn env<T: FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// The seed of a run: `KILL_SEED`, or one that is new every time.
#[expect(clippy::disallowed_methods, reason = "a seed has to come from somewhere")]
pub(crate) fn seed() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    env("KILL_SEED", since.as_secs() * 1_000_000 + u64::from(since.subsec_micros()))
}
