//! A disk that is full for real.

use std::fs;
use std::path::Path;
use std::process::Command;

use store::dump::{DumpConfig, DumpLine, GapReason};
use store::fs::RealFs;

use crate::support::*;

/// A small file system of its own, unmounted at the end.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn new(dir: &'a Path, bytes: u64) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(dir)
            .output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(dir))
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_costs_only_what_does_not_fit_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::new(dir.path(), 256 << 10) else {
        println!("skipped: a tmpfs cannot be mounted here");
        return;
    };
    let mut config = DumpConfig::new(dir.path());
    config.max_file_bytes = 64 << 10;
    let (mut dump, _) = open(&config, NOW_MS);
    let other = dir.path().join("other");
    fs::write(&other, vec![0; 120 << 10]).unwrap();
    let mut refused = 0;
    for number in 0..1000 {
        push(&mut dump, number);
        if number % 10 == 9 {
            refused += u32::from(dump.flush(NOW_MS).is_err());
            let _ = dump.sync();
        }
        if number == 600 {
            fs::remove_file(&other).unwrap();
        }
        if number > 600 {
            let _ = compress_all(&RealFs, &mut dump);
        }
    }
    let stats = dump.stats();
    let dropped = stats.dropped.get(GapReason::NoSpace);
    assert!(refused > 0 && dropped == 10 * u64::from(refused), "{refused}: {stats:?}");
    assert_eq!(stats.events + dropped, 1000);
    let mut missing = 0;
    let mut next = 0;
    for read in lines(dir.path()) {
        match read {
            DumpLine::Gap { events, why, .. } => {
                assert_eq!(why, "no space left on device");
                missing += events;
                next += events;
            }
            event => {
                assert_eq!(event, line(next));
                next += 1;
            }
        }
    }
    assert_eq!((next, missing), (1000, dropped));
    println!("full disk: {} events written, {dropped} dropped in {refused} flushes", stats.events);
}
