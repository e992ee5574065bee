//! What a restart finds.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

mod support;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use cot_core::CotTime;
use keeper::{Condition, Keeper, StateConfig};
use relay::{ExportCursor, Record};
use store::{Change, JsonState, MemoryState, StateStore};
use support::{PATIENCE, World, copy, dir_bytes, event, marker, position, wait_until};

const INTERVAL: Duration = Duration::from_millis(200);

fn config() -> StateConfig {
    let mut config = StateConfig::default();
    config.sync_interval = INTERVAL;
    config
}

fn keep(world: &World, dir: &Path) -> Keeper {
    let store = JsonState::open(dir).unwrap();
    Keeper::builder(world.relay.clone()).state(store, config()).start().unwrap()
}

fn stats(keeper: &Keeper) -> keeper::StateStats {
    keeper.monitor().stats().state.unwrap()
}

/// What a restart finds that begins from a copy of the directory.
fn restarted(dir: &Path) -> Vec<String> {
    let copy = copy(dir);
    let world = World::new();
    let keeper = keep(&world, copy.path());
    assert!(keeper.restoration().unwrap().load.damaged.is_empty());
    world.picture()
}

/// Puts one of everything into the picture.
fn populate(world: &World) {
    let (mut hope, mut lost) = (world.client(), world.client());
    hope.send(&position("A"));
    lost.send(&position("B"));
    hope.send(&marker("marker-1", 10));
    hope.send(&marker("marker-2", 2_000));
    let delete = "<link uid=\"marker-1\" relation=\"none\" type=\"none\"/><__forcedelete/>";
    hope.send(&event("delete-1", "t-x-d-d", delete));
    hope.send(&event("A-9-1-1", "b-a-o-tbl", "<emergency type=\"911 Alert\">A</emergency>"));
    world.has_accepted(6);
    lost.expect("A-9-1-1");
    drop(lost);
    wait_until("B has left", || world.relay.stats().connections_open == 1);
    let chat = "<marti><dest uid=\"B\"/></marti><remarks>where are you?</remarks>";
    hope.send(&event("GeoChat.A.B.1", "b-t-f", chat));
    wait_until("the chat is held", || world.relay.stats().held_events == 1);
    // It stays: the picture is one with somebody in it.
    std::mem::forget(hope);
}

#[test]
fn a_restart_finds_the_picture_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new();
    let keeper = keep(&world, dir.path());
    assert_eq!(keeper.restoration().unwrap().age, None);
    populate(&world);
    let before = world.picture();
    assert!(before.len() >= 7, "{before:#?}");
    assert!(keeper.finish(PATIENCE));
    for _ in 0..2 {
        let world = World::new();
        let keeper = keep(&world, dir.path());
        let restoration = keeper.restoration().unwrap();
        assert_eq!(restoration.restored.held, 1);
        assert_eq!((restoration.restored.refused, restoration.unreadable), (0, 0));
        assert!(restoration.age.unwrap() < PATIENCE);
        assert_eq!(world.picture(), before);
        assert!(keeper.finish(PATIENCE));
    }
}

#[test]
fn what_is_not_yet_in_a_snapshot_is_in_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new();
    let keeper = keep(&world, dir.path());
    populate(&world);
    wait_until("all is durable", || {
        stats(&keeper).snapshots > 0 && restarted(dir.path()) == world.picture()
    });
    let snapshots = stats(&keeper).snapshots;
    for i in 0..20 {
        world.client().send(&marker(&format!("late-{i}"), 100));
    }
    world.has_accepted(26);
    wait_until("that is durable, too", || restarted(dir.path()) == world.picture());
    assert_eq!(stats(&keeper).snapshots, snapshots, "by the journal alone");
    assert_eq!(keeper.monitor().health().state, Condition::Good);
}

#[test]
fn a_change_is_durable_within_the_interval() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new();
    let keeper = keep(&world, dir.path());
    let mut client = world.client();
    client.send(&marker("first", 10));
    wait_until("the first snapshot is complete", || stats(&keeper).snapshots == 1);
    let mut times = Vec::new();
    for i in 0..5 {
        let uid = format!("marker-{i}");
        client.send(&marker(&uid, 10));
        let begin = support::now();
        wait_until("it is written", || {
            let files = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
            files.into_iter().any(|path| fs::read_to_string(path).unwrap().contains(&uid))
        });
        times.push(begin.elapsed());
    }
    // Twice that, and once at least, for a machine that does other things as well.
    assert!(times.iter().any(|time| *time < INTERVAL * 2), "{times:?}");
}

#[test]
fn an_idle_keeper_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new();
    let keeper = keep(&world, dir.path());
    thread::sleep(INTERVAL * 3);
    assert_eq!(dir_bytes(dir.path()), 0);
    world.client().send(&marker("marker", 10));
    wait_until("it is durable", || stats(&keeper).snapshots == 1);
    thread::sleep(INTERVAL * 2);
    let (before, bytes) = (stats(&keeper), dir_bytes(dir.path()));
    thread::sleep(INTERVAL * 3);
    assert_eq!(stats(&keeper), before);
    assert_eq!(dir_bytes(dir.path()), bytes);
    assert!(keeper.finish(PATIENCE));

    let world = World::new();
    let bytes = dir_bytes(dir.path());
    let keeper = keep(&world, dir.path());
    thread::sleep(INTERVAL * 2);
    assert!(keeper.finish(PATIENCE));
    assert_eq!(dir_bytes(dir.path()), bytes, "a restart in which nothing happens writes nothing");
}

#[test]
fn only_the_newest_of_each_uid_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new();
    let keeper = keep(&world, dir.path());
    let mut client = world.client();
    client.send(&marker("first", 10));
    wait_until("the first snapshot is complete", || stats(&keeper).snapshots == 1);
    let before = stats(&keeper).changes;
    for i in 0..2_000 {
        client.send(&marker(&format!("marker-{}", i % 4), 100));
    }
    world.has_accepted(2_001);
    wait_until("all is durable", || restarted(dir.path()) == world.picture());
    let written = stats(&keeper).changes - before;
    assert!(written < 200, "{written} changes written for 2,000 events of 4 uids");
}

#[test]
fn a_journal_does_not_grow_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new();
    let mut config = config();
    config.sync_interval = Duration::from_millis(10);
    config.journal_bytes = 64 << 10;
    let store = JsonState::open(dir.path()).unwrap();
    let keeper = Keeper::builder(world.relay.clone()).state(store, config).start().unwrap();
    let mut client = world.client();
    let mut sent = 0;
    wait_until("there are six snapshots", || {
        for i in 0..8 {
            client.send(&marker(&format!("marker-{i}"), 1_000));
        }
        sent += 8;
        world.has_accepted(sent);
        stats(&keeper).snapshots >= 6
    });
    assert!(stats(&keeper).journal_bytes < 256 << 10);
    assert!(dir_bytes(dir.path()) < 1 << 20, "old ones go");
    wait_until("all is durable", || restarted(dir.path()) == world.picture());
    assert!(keeper.finish(PATIENCE));
}

#[test]
fn a_damaged_snapshot_does_not_stop_a_start_and_is_followed_by_a_good_one() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new();
    let keeper = keep(&world, dir.path());
    populate(&world);
    assert!(keeper.finish(PATIENCE));
    let is_snapshot = |name: &str| name.starts_with("state-") && name.ends_with(".json");
    let newest = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| is_snapshot(name))
        .max()
        .unwrap();
    let path = dir.path().join(newest);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();

    let world = World::new();
    let keeper = keep(&world, dir.path());
    assert_eq!(keeper.restoration().unwrap().load.damaged.len(), 1);
    assert!(!path.exists());
    wait_until("there is a new snapshot", || stats(&keeper).snapshots == 1);
    assert_eq!(restarted(dir.path()), world.picture());
}

#[test]
fn a_store_of_a_newer_version_is_left_alone() {
    let store = MemoryState::new();
    let mut writer = store.clone();
    writer.load().unwrap();
    writer.begin(99, true).unwrap();
    writer.put(&[Change::put("item//A", "{\"colour\":\"new\"}")]).unwrap();
    writer.commit().unwrap();

    let world = World::new();
    let keeper =
        Keeper::builder(world.relay.clone()).state(store.clone(), config()).start().unwrap();
    assert_eq!(keeper.restoration().unwrap().newer_schema, Some(99));
    populate(&world);
    let condition = || keeper.monitor().health().state;
    wait_until("this is a problem", || condition() != Condition::Good);
    let Condition::Degraded { why, .. } = condition() else { panic!("{:?}", condition()) };
    assert!(why.contains("newer version (schema 99)"), "{why}");
    assert!(keeper.finish(PATIENCE), "there is nothing that it should store");
    let mut reader = store;
    let loaded = reader.load().unwrap();
    assert_eq!((loaded.schema, loaded.entries.len()), (99, 1));
}

#[test]
fn entries_that_cannot_be_read_are_counted_and_the_others_restored() {
    let world = World::new();
    let store = MemoryState::new();
    let keeper =
        Keeper::builder(world.relay.clone()).state(store.clone(), config()).start().unwrap();
    populate(&world);
    assert!(keeper.finish(PATIENCE));
    let before = world.picture();
    let mut writer = store.clone();
    let schema = writer.load().unwrap().schema;
    writer.begin(schema, true).unwrap();
    writer.append(&[Change::put("mission//1", "{}"), Change::put("item//x", "[]")]).unwrap();

    let world = World::new();
    let keeper = Keeper::builder(world.relay.clone()).state(store.clone(), config()).start();
    let keeper = keeper.unwrap();
    assert_eq!(keeper.restoration().unwrap().unreadable, 2);
    assert_eq!(world.picture(), before);
    wait_until("there is a snapshot without them", || stats(&keeper).snapshots == 1);
    let mut reader = store;
    assert!(!reader.load().unwrap().entries.contains_key("mission//1"));
}

#[test]
fn what_is_held_is_restored_in_its_order_and_not_that_of_its_times() {
    let world = World::new();
    let store = MemoryState::new();
    let mut writer = store.clone();
    writer.load().unwrap();
    writer.begin(keeper::record::SCHEMA, true).unwrap();
    let mut entries = vec![Change::put("contact/B", "{\"uid\":\"B\",\"callsign\":\"B\"}")];
    // Earlier versions gave them no numbers.
    for (uid, seq, age_ms) in
        [("d", None, 9), ("c", None, 8), ("b", Some(7), 0), ("z", Some(8), 0), ("a", Some(9), 500)]
    {
        let time = CotTime::from_unix_millis(world.relay.now().unix_ms).plus_millis(-age_ms);
        let seq = seq.map(|seq: u64| format!("\"seq\":{seq},")).unwrap_or_default();
        let event = serde_json::to_string(&event(uid, "b-t-f", "")).unwrap();
        let value = format!(
            "{{{seq}\"to\":\"B\",\"uid\":\"{uid}\",\"received\":\"{time}\",\"event\":{event}}}"
        );
        entries.push(Change::put(format!("held/B/{uid}"), value));
    }
    writer.append(&entries).unwrap();
    let _keeper = Keeper::builder(world.relay.clone()).state(store, config()).start().unwrap();
    let records = world.relay.export(&mut ExportCursor::default(), 100);
    let held = records.iter().filter_map(|record| match record {
        Record::Held(held) => Some((&*held.uid, held.seq)),
        _ => None,
    });
    let held: Vec<_> = held.collect();
    assert_eq!(held, [("d", 0), ("c", 0), ("b", 7), ("z", 8), ("a", 9)]);
}

#[test]
fn a_keeper_that_is_dropped_lets_go_of_the_relay() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (relay, driver) = relay::server::Relay::new(relay::HubConfig::default());
    let store = JsonState::open(dir.path()).unwrap();
    let keeper = Keeper::builder(relay.clone()).state(store, config()).start().unwrap();
    let marker = marker("marker", 10);
    relay.publish(marker.as_bytes(), &relay::Scope::All).unwrap();
    drop((keeper, relay));
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, driver.run()).await.unwrap();
    });
    assert_eq!(restarted(dir.path()).len(), 1, "what there was is stored");
}
