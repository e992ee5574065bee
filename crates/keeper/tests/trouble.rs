//! Disks that are slow, full or broken: nobody is held up, the operator is told, and nothing is
//! missing once it is over.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

mod support;

use std::path::Path;
use std::thread;
use std::time::Duration;

use keeper::{Condition, Health, Keeper, StateConfig};
use store::JsonState;
use store::dump::{DumpConfig, DumpLine, DumpReader, DumpStats, GapReason, list};
use support::disk::{Disk, Mode};
use support::{Client, PATIENCE, World, copy, marker, now, wait_until};

/// Trouble is over this long after the disk is good again.
const RECOVERY: Duration = Duration::from_secs(10);

fn keep(world: &World, disk: &Disk, dir: &Path) -> Keeper {
    let mut config = StateConfig::default();
    config.sync_interval = Duration::from_millis(100);
    let store = JsonState::with_fs(disk.clone(), dir).unwrap();
    Keeper::builder(world.relay.clone()).state(store, config).start().unwrap()
}

fn dump(world: &World, disk: &Disk, dir: &Path) -> Keeper {
    let config = DumpConfig::new(dir);
    Keeper::builder(world.relay.clone()).dump(config, disk.clone()).start().unwrap()
}

fn restarted(dir: &Path) -> Vec<String> {
    let copy = copy(dir);
    let world = World::new();
    let keeper = keep(&world, &Disk::new(), copy.path());
    assert!(keeper.restoration().unwrap().load.damaged.is_empty());
    world.picture()
}

fn why(condition: &Condition) -> &str {
    match condition {
        Condition::Degraded { why, .. } => why,
        _ => "",
    }
}

fn health(keeper: &Keeper) -> Health {
    keeper.monitor().health()
}

fn stats(keeper: &Keeper) -> DumpStats {
    keeper.monitor().stats().dump.unwrap()
}

/// Sends so many markers of 10 KB of different uids.
fn send(client: &mut Client, name: &str, count: usize) {
    for i in 0..count {
        client.send(&marker(&format!("{name}-{i}"), 10_000));
    }
}

#[test]
fn a_disk_that_hangs_holds_up_nobody_and_loses_nothing() {
    let (world, disk, dir) = (World::new(), Disk::new(), tempfile::tempdir().unwrap());
    let keeper = keep(&world, &disk, dir.path());
    let mut client = world.client();
    send(&mut client, "before", 1);
    wait_until("it is stored", || keeper.monitor().stats().state.unwrap().snapshots == 1);
    disk.set(Mode::Held);
    send(&mut client, "last", 1);
    wait_until("this is a problem", || {
        why(&health(&keeper).state).contains("the disk has not answered")
    });
    // More than the queue holds.
    send(&mut client, "meanwhile", 1_200);
    let took = wait_until("the picture has it", || world.relay.stats().state_events == 1_202);
    assert!(took < Duration::from_secs(5), "{took:?}");

    disk.set(Mode::Good);
    let begin = now();
    wait_until("it has recovered", || {
        health(&keeper).state == Condition::Good
            && keeper.monitor().stats().state.unwrap().snapshots > 1
    });
    assert!(begin.elapsed() < RECOVERY, "{:?}", begin.elapsed());
    assert!(keeper.monitor().stats().state.unwrap().lost_changes > 0);
    send(&mut client, "after", 1);
    world.has_accepted(1_203);
    let picture = world.picture();
    assert!(keeper.finish(PATIENCE));
    assert_eq!(restarted(dir.path()), picture);
}

#[test]
fn a_disk_that_refuses_is_tried_again_until_it_does_not() {
    for (mode, reason) in [
        (Mode::Full, "No space left on device (os error 28)"),
        (Mode::Unsynced, "Input/output error (os error 5)"),
    ] {
        let (world, disk, dir) = (World::new(), Disk::new(), tempfile::tempdir().unwrap());
        let keeper = keep(&world, &disk, dir.path());
        let mut client = world.client();
        send(&mut client, "before", 3);
        wait_until("it is stored", || keeper.monitor().stats().state.unwrap().snapshots == 1);
        disk.set(mode);
        send(&mut client, "meanwhile", 3);
        wait_until("this is a problem", || why(&health(&keeper).state).ends_with(reason));
        wait_until("it is tried again", || keeper.monitor().stats().state.unwrap().errors >= 2);
        assert!(restarted(dir.path()).len() >= 3, "what was there before stays");
        let files = std::fs::read_dir(dir.path()).unwrap().count();
        assert!(files < 12, "attempts leave nothing behind: {files} files");

        disk.set(Mode::Good);
        let took = wait_until("it has recovered", || health(&keeper).state == Condition::Good);
        assert!(took < RECOVERY, "{took:?}");
        send(&mut client, "after", 3);
        world.has_accepted(9);
        let picture = world.picture();
        assert!(keeper.finish(PATIENCE));
        assert_eq!(restarted(dir.path()), picture, "{mode:?}");
    }
}

#[test]
fn a_disk_that_hangs_does_not_hold_up_the_end() {
    let (world, disk, dir) = (World::new(), Disk::new(), tempfile::tempdir().unwrap());
    let keeper = keep(&world, &disk, dir.path());
    let mut client = world.client();
    disk.set(Mode::Held);
    send(&mut client, "meanwhile", 3);
    world.has_accepted(3);
    let begin = now();
    assert!(!keeper.finish(Duration::from_millis(300)));
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    // So that the thread ends before the directory does.
    disk.set(Mode::Good);
    wait_until("it is stored after all", || restarted(dir.path()).len() >= 3);
}

/// Events in a dump and, by reason, those that it says are missing.
fn recorded(dir: &Path) -> (u64, Vec<(u64, String)>) {
    let (mut count, mut gaps) = (0, Vec::new());
    for file in list(dir).unwrap() {
        for line in DumpReader::open(file.path).unwrap() {
            match line.unwrap() {
                DumpLine::Gap { events, why, .. } => gaps.push((events, why)),
                _ => count += 1,
            }
        }
    }
    (count, gaps)
}

#[test]
fn every_event_is_dumped_with_its_sender_and_team() {
    let (world, disk, dir) = (World::new(), Disk::new(), tempfile::tempdir().unwrap());
    let keeper = dump(&world, &disk, dir.path());
    let mut client = world.client();
    let position = support::position("A");
    client.send(&position);
    let begin = now();
    wait_until("it is in a file", || recorded(dir.path()).0 == 1);
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    send(&mut client, "marker", 100);
    world.has_accepted(101);
    assert!(keeper.finish(PATIENCE));
    assert_eq!(recorded(dir.path()), (101, vec![]));
    let file = list(dir.path()).unwrap().remove(0);
    let first = DumpReader::open(file.path).unwrap().next().unwrap().unwrap();
    let DumpLine::Event { sender, team, event, .. } = first else { panic!("{first:?}") };
    assert_eq!((sender.as_str(), team.as_str()), ("A", "Cyan"));
    assert_eq!(event, position);
}

#[test]
fn files_are_compressed_when_they_are_closed() {
    let (world, dir) = (World::new(), tempfile::tempdir().unwrap());
    let mut config = DumpConfig::new(dir.path());
    config.max_file_bytes = 300_000;
    let keeper = Keeper::builder(world.relay.clone()).dump(config, Disk::new()).start().unwrap();
    let mut client = world.client();
    send(&mut client, "marker", 200);
    world.has_accepted(200);
    wait_until("all closed ones are compressed", || {
        let stats = stats(&keeper);
        stats.events == 200 && stats.rotated >= 5 && stats.compressed == stats.rotated
    });
    assert!(keeper.finish(PATIENCE));
    assert_eq!(recorded(dir.path()), (200, vec![]));
    assert!(list(dir.path()).unwrap().iter().filter(|file| file.is_compressed).count() >= 5);
}

#[test]
fn a_dump_whose_disk_hangs_says_what_is_missing() {
    let (world, disk, dir) = (World::new(), Disk::new(), tempfile::tempdir().unwrap());
    let keeper = dump(&world, &disk, dir.path());
    let mut client = world.client();
    send(&mut client, "before", 10);
    wait_until("they are dumped", || stats(&keeper).events == 10);
    disk.set(Mode::Held);
    send(&mut client, "meanwhile", 2_000);
    world.has_accepted(2_010);
    wait_until("this is a problem", || health(&keeper).dump != Condition::Good);
    let waiting = keeper.monitor().stats().dump_queue_bytes;
    assert!(waiting <= 8 << 20, "{waiting}");

    disk.set(Mode::Good);
    let took = wait_until("it has recovered", || health(&keeper).dump == Condition::Good);
    assert!(took < RECOVERY, "{took:?}");
    send(&mut client, "after", 10);
    world.has_accepted(2_020);
    assert!(keeper.finish(PATIENCE));
    let (events, gaps) = recorded(dir.path());
    let missing: u64 = gaps.iter().map(|(events, _)| events).sum();
    assert_eq!(events + missing, 2_020);
    assert!(missing > 0 && gaps.iter().all(|(_, why)| why == "more than could be written"));
}

#[test]
fn a_dump_whose_disk_is_full_goes_on_when_there_is_space() {
    let (world, disk, dir) = (World::new(), Disk::new(), tempfile::tempdir().unwrap());
    let keeper = dump(&world, &disk, dir.path());
    let mut client = world.client();
    send(&mut client, "before", 10);
    wait_until("they are dumped", || stats(&keeper).events == 10);
    disk.set(Mode::Full);
    send(&mut client, "meanwhile", 100);
    wait_until("this is a problem", || why(&health(&keeper).dump).contains("No space left"));
    send(&mut client, "later", 100);
    world.has_accepted(210);
    thread::sleep(Duration::from_secs(2));
    let lost = stats(&keeper).dropped;
    assert!(lost.get(GapReason::NoSpace) > 0);
    assert!(lost.total() <= 100, "what came once it was known waits: {lost:?}");

    disk.set(Mode::Good);
    let took = wait_until("it has recovered", || health(&keeper).dump == Condition::Good);
    assert!(took < RECOVERY, "{took:?}");
    assert!(keeper.finish(PATIENCE));
    let (events, gaps) = recorded(dir.path());
    assert_eq!(gaps, [(lost.total(), "no space left on device".to_owned())]);
    assert_eq!(events + lost.total(), 210);
}

#[test]
fn a_dump_whose_directory_cannot_be_read_yet_is_begun_when_it_can() {
    let (world, disk, dir) = (World::new(), Disk::new(), tempfile::tempdir().unwrap());
    disk.set(Mode::Full);
    let keeper = dump(&world, &disk, dir.path());
    wait_until("it is a problem", || health(&keeper).dump != Condition::Good);
    let mut client = world.client();
    send(&mut client, "marker", 3);
    world.has_accepted(3);
    disk.set(Mode::Good);
    let took = wait_until("it has recovered", || {
        health(&keeper).dump == Condition::Good && stats(&keeper).events == 3
    });
    assert!(took < RECOVERY, "{took:?}");
    assert!(keeper.finish(PATIENCE));
    assert_eq!(recorded(dir.path()), (3, vec![]), "nothing is missing: it waited");
}
