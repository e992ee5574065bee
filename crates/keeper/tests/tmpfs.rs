//! A real file system that is full.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use keeper::{Condition, Keeper, StateConfig};
use store::JsonState;
use store::dump::DumpConfig;
use store::fs::RealFs;
use support::{PATIENCE, World, copy, marker, wait_until};
use tempfile::TempDir;

/// A file system of 4 MiB in memory, gone when this is dropped.
struct TmpFs(TempDir);

impl TmpFs {
    /// `None` where one may not be mounted.
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(dir.path());
        let is_mounted = mount.output().is_ok_and(|output| output.status.success());
        is_mounted.then_some(Self(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for TmpFs {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open does not keep it.
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

/// Takes all the space there is.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    for size in [65_536, 4_096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

#[test]
fn a_full_disk_is_survived_by_what_was_there_and_by_the_relay() {
    let Some(disk) = TmpFs::mount() else {
        println!("skipped: no file system may be mounted here");
        return;
    };
    let (state_dir, dump_dir) = (disk.path().join("state"), disk.path().join("dump"));
    let (world, mut config) = (World::new(), StateConfig::default());
    config.sync_interval = Duration::from_millis(100);
    let store = JsonState::open(&state_dir).unwrap();
    let keeper = Keeper::builder(world.relay.clone())
        .state(store, config)
        .dump(DumpConfig::new(dump_dir), RealFs)
        .start()
        .unwrap();
    let (mut hope, mut lost) = (world.client(), world.client());
    wait_until("both are there", || world.relay.stats().connections_open == 2);
    hope.send(&marker("before", 1_000));
    lost.expect("before");
    wait_until("it is stored", || {
        let stats = keeper.monitor().stats();
        stats.state.unwrap().snapshots > 0 && stats.dump.unwrap().events > 0
    });

    let filling = disk.path().join("filling");
    fill(&filling);
    let mut sent = 0;
    wait_until("both are a problem", || {
        hope.send(&marker(&format!("meanwhile-{sent}"), 1_000));
        lost.expect(&format!("meanwhile-{sent}"));
        sent += 1;
        let health = keeper.monitor().health();
        [health.state, health.dump].iter().all(|condition| match condition {
            Condition::Degraded { why, .. } => why.contains("No space left on device"),
            _ => false,
        })
    });

    fs::remove_file(&filling).unwrap();
    let took = wait_until("both have recovered", || {
        let health = keeper.monitor().health();
        health.state == Condition::Good && health.dump == Condition::Good
    });
    assert!(took < Duration::from_secs(5), "{took:?}");
    hope.send(&marker("after", 1_000));
    lost.expect("after");
    let (picture, stats) = (world.picture(), world.relay.stats());
    let monitor = keeper.monitor();
    assert!(keeper.finish(PATIENCE));
    let dumped = monitor.stats().dump.unwrap();
    assert_eq!(dumped.events + dumped.dropped.total(), stats.events_accepted);
    assert!(dumped.gaps > 0);

    let copy = copy(&state_dir);
    let world = World::new();
    let store = JsonState::open(copy.path()).unwrap();
    let keeper = Keeper::builder(world.relay.clone()).state(store, StateConfig::default());
    let keeper = keeper.start().unwrap();
    assert!(keeper.restoration().unwrap().load.damaged.is_empty());
    assert_eq!(world.picture(), picture);
}
