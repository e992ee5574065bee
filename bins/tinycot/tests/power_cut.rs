//! Nothing that was acknowledged is lost when the power is cut. By hand, as root:
//!
//! ```text
//! cargo test --release -p tinycot --test power_cut -- --ignored --nocapture
//! ```
//!
//! The data directory is on ext4 in an image in memory. A cut stops the server, copies the image,
//! in which everything is missing that was not flushed, and goes on with the copy.
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `POWER_CUTS` | 100 | how often the power is cut |
//! | `KILL_SEED` | the time | what makes the same choices again |

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]
#![expect(clippy::print_stdout, reason = "the report")]

#[path = "kill/mod.rs"]
mod harness;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness::mount::{Mount, make_image, memory};
use harness::{Fault, Plan, Probe, Process, Rng, Tally, World, env, seed};
use harness::{serve, serve_if_asked, without_sync};
use rustix::process::Signal;
use support::{now, wait_until};
use tempfile::TempDir;

/// Size of the image. Bytes.
const IMAGE: u64 = 64 << 20;

#[test]
#[ignore = "takes a minute and needs root: run it by hand"]
fn a_power_cut_costs_nothing_that_was_acknowledged() {
    let seed = seed();
    for (sync_ms, crowd, work_ms) in [(50, 0, 400), (50, 1_000, 400), (1_000, 0, 2_500)] {
        let sync = Duration::from_millis(sync_ms);
        let plan = Plan { sync, crowd, work_ms, ..Plan::new(serve) };
        let Some(tally) = cut(plan, seed) else { return };
        println!("power cuts, {sync:?}, {crowd} uids more, seed {seed}\n{tally}");
        assert!(tally.violations.is_empty(), "seed {seed}");
    }
}

#[test]
#[ignore = "takes a minute and needs root: run it by hand"]
fn a_writer_that_never_syncs_is_found_out() {
    let seed = seed();
    let sync = Duration::from_millis(50);
    let plan = Plan::new(without_sync);
    let plan = Plan { sync, work_ms: 400, has_dump: false, goes_on: true, ..plan };
    let Some(tally) = cut(plan, seed) else { return };
    println!("power cuts, nothing synced, seed {seed}\n{tally}");
    assert!(tally.count(Fault::Lost) > 0, "the checks did not find what had to be lost");
}

#[test]
fn naive_server() {
    serve_if_asked();
}

/// Cuts the power again and again; nothing when that is not possible here.
fn cut(plan: Plan, seed: u64) -> Option<Tally> {
    let dir = TempDir::new_in(memory()).unwrap();
    let mut disk = Disk::make(dir.path(), seed)?;
    let data = disk.point.join("data");
    let probe = Probe::start(dir.path());
    let world = World::new(plan, data, dir.path().join("log"), seed, probe);
    Some(world.run(env("POWER_CUTS", 100), &mut |server| disk.cut(server)))
}

/// A disk whose power can be cut.
struct Disk {
    image: PathBuf,
    copy: PathBuf,
    point: PathBuf,
    mount: Option<Mount>,
    rng: Rng,
}

impl Disk {
    fn make(dir: &Path, seed: u64) -> Option<Self> {
        let (image, copy, point) = (dir.join("image"), dir.join("copy"), dir.join("mount"));
        let is_made = make_image(&image, IMAGE);
        let mount = is_made.then(|| Mount::image(&image, &point)).flatten();
        if mount.is_none() {
            println!("skipped: no file system can be mounted here");
        }
        Some(Self { image, copy, point, mount: Some(mount?), rng: Rng::new(seed) })
    }

    /// Ends a server and leaves the disk as a power cut would have.
    fn cut(&mut self, server: &mut Process) -> Instant {
        let at = now();
        server.signal(Signal::STOP);
        wait_until("it stands still", || is_stopped(server.id()));
        self.write_back();
        fs::copy(&self.image, &self.copy).unwrap();
        server.signal(Signal::KILL);
        server.ended();
        // What this writes goes to the image that is not used any more.
        self.mount = None;
        fs::rename(&self.copy, &self.image).unwrap();
        self.mount = Mount::image(&self.image, &self.point);
        assert!(self.mount.is_some(), "the copy cannot be mounted");
        at
    }

    /// A kernel may write any file at any time: half of the time it has just written one.
    fn write_back(&mut self) {
        let dir = self.point.join("data").join(*self.rng.one(&["state", "dump"]));
        let files = fs::read_dir(dir).into_iter().flatten().flatten();
        let files: Vec<_> = files.map(|entry| entry.path()).collect();
        if !files.is_empty() && self.rng.below(2) == 0 {
            fs::File::open(self.rng.one(&files)).and_then(|file| file.sync_data()).unwrap();
        }
    }
}

/// Whether all threads of a process stand still.
fn is_stopped(id: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{id}/task")).unwrap();
    threads.flatten().all(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    })
}
