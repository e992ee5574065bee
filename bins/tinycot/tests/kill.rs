//! Nothing that was acknowledged is lost when the server is killed.
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `KILL_CYCLES` | 5 | how often servers are killed |
//! | `KILL_SEED` | the time | what makes the same choices again |

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]
#![expect(clippy::print_stdout, reason = "the report")]

#[path = "kill/mod.rs"]
mod harness;
mod support;

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use harness::mount::memory;
use harness::{Fault, Plan, Probe, Process, Tally, World};
use harness::{careless, env, in_place, seed, serve, serve_if_asked};
use rustix::process::Signal;
use support::now;
use tempfile::TempDir;

/// Cycles in which a server that is bound to lose something has to have done so.
const CONTROL_CYCLES: u32 = 100;

#[test]
fn a_kill_costs_nothing_that_was_acknowledged() {
    let (cycles, seed) = (env("KILL_CYCLES", 5_u32), seed());
    let slow = cycles.div_ceil(10);
    let many = (cycles - slow) / 2;
    let quick = Plan { sync: Duration::from_millis(50), work_ms: 400, ..Plan::new(serve) };
    let plans = [
        // Snapshots all the time.
        (cycles - slow - many, quick.clone()),
        // Snapshots that take long.
        (many, Plan { crowd: 1_500, ..quick.clone() }),
        // As it comes out of the box.
        (slow, Plan { sync: Duration::from_secs(1), work_ms: 2_500, ..quick }),
    ];
    let tally = run(plans.into(), seed);
    println!("kill -9, seed {seed}\n{tally}");
    assert!(tally.violations.is_empty(), "seed {seed}");
    assert_eq!(tally.cycles, cycles);
}

#[test]
fn a_naive_writer_is_found_out() {
    let seed = seed();
    let sync = Duration::from_millis(10);
    let plan = Plan { sync, crowd: 500, work_ms: 100, has_dump: false, ..Plan::new(in_place) };
    let tally = run(vec![(CONTROL_CYCLES, plan)], seed);
    println!("one file written over in place, seed {seed}\n{tally}");
    assert!(tally.count(Fault::Lost) > 0, "the checks did not find what had to be lost");
}

#[test]
fn a_careless_file_server_is_found_out() {
    let seed = seed();
    let sync = Duration::from_millis(10);
    let plan = Plan { sync, work_ms: 100, has_dump: false, goes_on: true, ..Plan::new(careless) };
    let tally = run(vec![(CONTROL_CYCLES / 2, plan)], seed);
    println!("rows before contents, seed {seed}\n{tally}");
    let found = tally.count(Fault::NoContent) + tally.count(Fault::Torn);
    assert!(found > 0, "the checks did not find what had to be without content");
}

#[test]
fn naive_server() {
    serve_if_asked();
}

/// Kills so many servers at the same time, each so often.
fn run(plans: Vec<(u32, Plan)>, seed: u64) -> Tally {
    let worlds = plans.into_iter().zip(seed..).map(|((cycles, plan), seed)| {
        thread::spawn(move || {
            let dir = TempDir::new_in(place(&plan)).unwrap();
            let (data, log) = (dir.path().join("data"), dir.path().join("log"));
            let probe = Probe::start(dir.path());
            let tally = World::new(plan, data, log, seed, probe).run(cycles, &mut kill);
            if !tally.violations.is_empty() {
                println!("what is left is in {}", dir.keep().display());
            }
            tally
        })
    });
    let worlds: Vec<_> = worlds.collect();
    let mut tally = Tally::default();
    worlds.into_iter().for_each(|world| tally.add(world.join().unwrap()));
    tally
}

/// A disk that others write to is slow at times, and then little is acknowledged within a short
/// interval. A kill leaves to a file system in memory what it leaves to any other.
fn place(plan: &Plan) -> PathBuf {
    if plan.sync < Duration::from_secs(1) { memory() } else { std::env::temp_dir() }
}

fn kill(server: &mut Process) -> Instant {
    let at = now();
    server.signal(Signal::KILL);
    server.ended();
    at
}
