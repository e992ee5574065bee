//! No package that was acknowledged is lost when the process is killed or the power is cut.
//!
//! ```text
//! start -> work 2..40 ms -> end -> compare with what was acknowledged -> start -> ...
//! ```
//!
//! A process of its own uploads, changes and removes packages from several tasks at once and says
//! on a pipe what it is about to do and what it has done. Ended without warning at a random
//! moment, it must leave what it said it had done: every content byte for byte, nothing without
//! its content, and nothing of what it had not finished but as a whole.
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `KILL_CYCLES` | 50 | how often it is killed |
//! | `POWER_CUTS` | 100 | how often the power is cut |
//! | `KILL_SEED` | the time | what makes the same choices again |
//!
//! Power is cut by hand, as root:
//!
//! ```text
//! cargo test --release -p store --features sqlite --test packages_kill -- --ignored --nocapture
//! ```

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the report, and what a worker has to say")]

mod content;
mod disk;
mod model;
mod naive;
mod tally;
mod worker;
mod world;

use std::str::FromStr;
use std::time::SystemTime;

use disk::{Disk, memory};
use model::Fault;
use naive::Naive;
use tempfile::TempDir;
use world::World;

#[test]
fn a_kill_costs_no_package_that_was_acknowledged() {
    let (cycles, seed) = (env("KILL_CYCLES", 50), seed());
    let dir = TempDir::new_in(memory()).unwrap();
    let tally = World::new(&dir.path().join("packages"), seed, None).run(cycles, &mut world::kill);
    println!("kill -9, seed {seed}\n{tally}");
    assert!(tally.violations.is_empty(), "seed {seed}");
    assert_eq!(tally.cycles, cycles);
    assert!(tally.uploads > u64::from(cycles), "next to nothing was done");
}

#[test]
fn a_store_that_acknowledges_before_it_has_written_is_found_out() {
    let seed = seed();
    let dir = TempDir::new_in(memory()).unwrap();
    let world = World::new(&dir.path().join("packages"), seed, Some(Naive::Late));
    let tally = world.run(50, &mut world::kill);
    println!("rows before contents, seed {seed}\n{tally}");
    let found = [Fault::Lost, Fault::NoContent].map(|fault| tally.count(fault));
    assert!(found.iter().all(|&count| count > 0), "the checks did not find what had to be lost");
}

#[test]
#[ignore = "takes a minute and needs root: run it by hand"]
fn a_power_cut_costs_no_package_that_was_acknowledged() {
    let (cuts, seed) = (env("POWER_CUTS", 100), seed());
    let Some(mut disk) = Disk::make(seed) else { return };
    let tally = World::new(&disk.packages(), seed, None).run(cuts, &mut |child| disk.cut(child));
    println!("power cuts, seed {seed}\n{tally}");
    assert!(tally.violations.is_empty(), "seed {seed}");
    assert_eq!(tally.cycles, cuts);
}

#[test]
#[ignore = "takes a minute and needs root: run it by hand"]
fn a_store_that_never_syncs_is_found_out() {
    let seed = seed();
    let Some(mut disk) = Disk::make(seed) else { return };
    let world = World::new(&disk.packages(), seed, Some(Naive::Unsynced));
    let tally = world.run(50, &mut |child| disk.cut(child));
    println!("power cuts, contents never synced, seed {seed}\n{tally}");
    assert!(tally.count(Fault::Lost) > 0, "the checks did not find what had to be lost");
}

/// What works until it is killed: a process of this file's, which runs this alone.
#[test]
fn worker() {
    worker::work_if_asked();
}

/// A number from the environment, or its default.
fn env<T: FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[expect(clippy::disallowed_methods, reason = "a seed has to come from somewhere")]
fn seed() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    env("KILL_SEED", since.as_secs() * 1_000_000 + u64::from(since.subsec_micros()))
}
