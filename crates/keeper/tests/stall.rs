//! A hundred clients, and a disk that does not answer for half a minute.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

mod support;

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use keeper::{Condition, Keeper, StateConfig};
use store::JsonState;
use store::dump::DumpConfig;
use support::disk::{Disk, Mode};
use support::{PATIENCE, World, copy, now, position, wait_until};

const CLIENTS: usize = 100;

/// Time between two events of one client.
const PERIOD: Duration = Duration::from_millis(500);

const STALL: Duration = Duration::from_secs(30);

/// Longest time in which nothing may come to a client that gets 198 events per second.
const MAX_GAP: Duration = Duration::from_secs(3);

#[test]
fn a_hundred_clients_do_not_notice_a_disk_that_hangs() {
    let (world, disk, dir) = (World::new(), Disk::new(), tempfile::tempdir().unwrap());
    let (state_dir, dump_dir) = (dir.path().join("state"), dir.path().join("dump"));
    let store = JsonState::with_fs(disk.clone(), &state_dir).unwrap();
    let keeper = Keeper::builder(world.relay.clone())
        .state(store, StateConfig::default())
        .dump(DumpConfig::new(dump_dir), disk.clone())
        .start()
        .unwrap();
    let monitor = keeper.monitor();

    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS).map(|i| exchange(&world, i, &stop)).collect();
    wait_until("it is stored", || {
        let stats = monitor.stats();
        stats.state.unwrap().snapshots > 0 && stats.dump.unwrap().events > 0
    });
    disk.set(Mode::Held);
    let stalled = now();
    wait_until("both are a problem", || {
        let health = monitor.health();
        health.state != Condition::Good && health.dump != Condition::Good
    });
    thread::sleep(STALL.saturating_sub(stalled.elapsed()));
    disk.set(Mode::Good);
    let took = wait_until("both have recovered", || {
        let health = monitor.health();
        health.state == Condition::Good && health.dump == Condition::Good
    });
    assert!(took < Duration::from_secs(5), "{took:?}");
    stop.store(true, Ordering::Relaxed);
    let gaps: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    let longest = gaps.iter().map(|(gap, _)| *gap).max().unwrap();
    let received: u64 = gaps.iter().map(|(_, bytes)| bytes).sum();
    println!("{CLIENTS} clients got {received} bytes; longest gap {longest:?}, recovery {took:?}");
    assert!(longest < MAX_GAP, "{longest:?}");

    wait_until("all have left", || world.relay.stats().connections_open == 0);
    let picture = world.picture();
    let accepted = world.relay.stats().events_accepted;
    assert!(keeper.finish(PATIENCE));
    let dumped = monitor.stats().dump.unwrap();
    assert_eq!(dumped.dropped.total(), 0, "half a minute fits into the queue");
    assert!(dumped.events > accepted / 2);
    let copy = copy(&state_dir);
    let world = World::new();
    let store = JsonState::open(copy.path()).unwrap();
    let keeper = Keeper::builder(world.relay.clone()).state(store, StateConfig::default());
    let keeper = keeper.start().unwrap();
    assert_eq!(keeper.restoration().unwrap().restored.refused, 0);
    assert_eq!(world.picture(), picture);
}

/// A client that sends every [`PERIOD`] and reads all. Gives its longest time without anything to
/// read, and the bytes that it read.
fn exchange(
    world: &World,
    number: usize,
    stop: &Arc<AtomicBool>,
) -> thread::JoinHandle<(Duration, u64)> {
    let client = world.client();
    let mut reader = client.socket.try_clone().unwrap();
    reader.set_read_timeout(Some(MAX_GAP * 2)).unwrap();
    let mut writer = client.socket.try_clone().unwrap();
    let (reading, writing) = (stop.clone(), stop.clone());
    let uid = format!("CLIENT-{number}");
    thread::spawn(move || {
        // Not all at the same moment.
        thread::sleep(PERIOD * u32::try_from(number).unwrap() / 100);
        while !writing.load(Ordering::Relaxed) {
            writer.write_all(position(&uid).as_bytes()).unwrap();
            thread::sleep(PERIOD);
        }
    });
    thread::spawn(move || {
        let _open = client;
        let mut buf = vec![0; 65_536];
        let (mut longest, mut bytes) = (Duration::ZERO, 0);
        // The first event may come late.
        bytes += reader.read(&mut buf).unwrap() as u64;
        let mut last = now();
        loop {
            let read = reader.read(&mut buf);
            if reading.load(Ordering::Relaxed) {
                return (longest, bytes);
            }
            let read = read.unwrap();
            assert_ne!(read, 0, "closed");
            bytes += read as u64;
            longest = longest.max(last.elapsed());
            last = now();
        }
    })
}
