//! A crash or a fault at every step of a workload leaves the state as it was at one moment, at or
//! after the last change that was acknowledged.
//!
//! `STORE_CRASH_SEEDS` sets how many workloads are run, each with its own seed.

mod life;
mod naive;

use std::env;

use store::testing::{Crash, Fault, SimFs};
use store::{JsonState, StateStore, StoreError};

use life::{Life, World};
use naive::NaiveState;

/// Steps of the workload, each one or more calls of the store.
const STEPS: usize = 200;

/// Steps after the first crash, before the second.
const MORE_STEPS: usize = 40;

type Open<S> = fn(&SimFs) -> Result<S, StoreError>;

fn json(fs: &SimFs) -> Result<JsonState<SimFs>, StoreError> {
    JsonState::with_fs(fs.clone(), "/state")
}

/// How the first life of a store goes wrong.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// Of the workload.
    seed: u64,
    /// What fails first, and how.
    fault: Option<(u64, Fault)>,
    /// The operation at which the process is killed.
    stop: u64,
}

impl Plan {
    /// Runs the workload until the process is killed.
    fn live<S: StateStore>(self, open: Open<S>) -> (SimFs, World) {
        let fs = SimFs::new();
        let mut world = World::new(self.seed);
        if let Some((operation, fault)) = self.fault {
            fs.fail(operation, fault);
        }
        fs.fail(self.stop, Fault::Stop);
        live(&fs, &mut world, open, STEPS);
        (fs, world)
    }

    /// Takes what is volatile as `first` says, recovers, lives on, and dies and recovers again.
    fn survive<S: StateStore>(
        self,
        (fs, world): &(SimFs, World),
        (first, second): (Crash, Crash),
        open: Open<S>,
    ) -> Result<(), String> {
        let (fs, mut world) = (fs.fork(), world.clone());
        let is_clean = !matches!(self.fault, Some((_, Fault::Failure)));
        let say = |what: String| format!("{what}, in {self:?}, {first:?}, {second:?}");
        fs.crash(first);
        recover(&fs, &mut world, open, is_clean).map_err(say)?;
        fs.fail(fs.operations() + 10 + self.stop % 60, Fault::Stop);
        live(&fs, &mut world, open, MORE_STEPS);
        fs.crash(second);
        recover(&fs, &mut world, open, is_clean).map_err(|what| say(format!("{what}, at last")))
    }
}

/// Runs a workload until its end or the end of the file system.
fn live<S: StateStore>(fs: &SimFs, world: &mut World, open: Open<S>, steps: usize) {
    if let Ok(mut store) = open(fs)
        && store.load().is_ok()
    {
        Life::new(&mut store, world).live(steps);
    }
}

/// Loads, and compares with what may be there.
fn recover<S: StateStore>(
    fs: &SimFs,
    world: &mut World,
    open: Open<S>,
    is_clean: bool,
) -> Result<(), String> {
    let loaded = open(fs).and_then(|mut store| store.load());
    let loaded = loaded.map_err(|error| format!("no start: {error}"))?;
    world.settle(&loaded.entries).map_err(|what| format!("{what}: {:?}", loaded.report))?;
    if is_clean && !loaded.report.damaged.is_empty() {
        return Err(format!("called damaged: {:?}", loaded.report.damaged));
    }
    match fs.files().iter().find(|path| path.extension() == Some("tmp".as_ref())) {
        Some(path) => Err(format!("left behind: {}", path.display())),
        None => Ok(()),
    }
}

/// The ways in which volatile things can go.
const CRASHES: u64 = 6;

/// One of them.
fn crash(seed: u64, number: u64) -> Crash {
    match number % CRASHES {
        0 => Crash::Killed,
        1 => Crash::Lost,
        2 | 3 => Crash::Some(seed * CRASHES + number),
        _ => Crash::Torn(seed * CRASHES + number),
    }
}

fn seeds() -> u64 {
    env::var("STORE_CRASH_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1)
}

/// How many operations the workload of a seed has when nothing fails.
fn operations<S: StateStore>(seed: u64, open: Open<S>) -> u64 {
    Plan { seed, fault: None, stop: u64::MAX }.live(open).0.operations()
}

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_acknowledged() {
    let (mut crashes, mut acknowledged) = (0_u64, 0);
    for seed in 0..seeds() {
        for stop in 0..=operations(seed, json) {
            let plan = Plan { seed, fault: None, stop };
            let lived = plan.live(json);
            for number in 0..CRASHES {
                let both = (crash(stop, number), crash(stop + 1, stop + number));
                plan.survive(&lived, both, json).unwrap();
                crashes += 1;
                acknowledged += lived.1.acknowledged();
            }
        }
    }
    println!("{crashes} crashes, {acknowledged} acknowledged changes: 0 lost, 0 unreadable");
}

#[test]
fn a_fault_at_any_operation_and_a_crash_after_it_lose_nothing_that_was_acknowledged() {
    let (mut faults, mut acknowledged) = (0_u64, 0);
    for seed in 0..seeds() {
        for operation in 0..operations(seed, json) {
            for fault in [Fault::Failure, Fault::Full, Fault::Short] {
                // At once, soon, or much later.
                let after = [1, 2, 3, 2 + operation % 23, 400];
                let stop = operation + after[usize::try_from(faults).unwrap() % after.len()];
                let plan = Plan { seed, fault: Some((operation, fault)), stop };
                let lived = plan.live(json);
                let both = (crash(stop, faults), crash(stop + 1, faults / CRASHES));
                plan.survive(&lived, both, json).unwrap();
                faults += 1;
                acknowledged += lived.1.acknowledged();
            }
        }
    }
    println!("{faults} faults, {acknowledged} acknowledged changes: 0 lost, 0 unreadable");
}

#[test]
fn a_crash_while_loading_loses_nothing() {
    for stop in (0..operations(0, json)).step_by(17) {
        let (fs, world) = Plan { seed: 0, fault: None, stop }.live(json);
        for number in 0..CRASHES {
            let fs = fs.fork();
            fs.crash(crash(stop, number));
            for load_stop in 0..50 {
                let (fs, mut world) = (fs.fork(), world.clone());
                fs.fail(fs.operations() + load_stop, Fault::Stop);
                let is_over = json(&fs).and_then(|mut store| store.load()).is_ok();
                fs.crash(crash(stop + load_stop, number + load_stop));
                recover(&fs, &mut world, json, true).unwrap();
                if is_over {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_fault_while_loading_is_an_error_or_reported() {
    let fs = SimFs::new();
    let mut world = World::new(0);
    live(&fs, &mut world, json, STEPS);
    recover(&fs, &mut world, json, true).unwrap();
    for fault in [Fault::Failure, Fault::Full, Fault::Short] {
        for operation in fs.operations()..fs.operations() + 40 {
            let (fs, mut world) = (fs.fork(), world.clone());
            let say = format!("{fault:?} at {operation}");
            fs.fail(operation, fault);
            let Ok(mut store) = json(&fs) else {
                continue;
            };
            if let Ok(loaded) = store.load() {
                let is_whole = loaded.entries == *world.now();
                assert!(is_whole || fault != Fault::Short, "{say} is no fault");
                assert!(is_whole || !loaded.report.damaged.is_empty(), "{say} is not reported");
                world.resume(&loaded.entries).expect(&say);
                // What could not be read once may be readable later; the history went on without.
                Life::new(&mut store, &mut world).live(MORE_STEPS);
            }
            drop(store);
            fs.crash(Crash::Lost);
            recover(&fs, &mut world, json, false).expect(&say);
        }
    }
}

#[test]
fn a_full_disk_refuses_changes_and_goes_on_when_there_is_space() {
    for capacity in (500..6_000).step_by(500) {
        let fs = SimFs::new();
        let mut world = World::new(capacity);
        fs.set_capacity(Some(capacity));
        live(&fs, &mut world, json, STEPS);
        fs.set_capacity(None);
        fs.crash(Crash::Lost);
        recover(&fs, &mut world, json, true).unwrap();
        let before = world.acknowledged();
        live(&fs, &mut world, json, STEPS);
        assert!(world.acknowledged() > before + 100, "changes are taken again");
        fs.crash(Crash::Lost);
        recover(&fs, &mut world, json, true).unwrap();
    }
}

/// The harness must find what is wrong with a writer that rewrites its file in place.
#[test]
fn the_naive_writer_does_not_survive() {
    let open: Open<NaiveState> = |fs| Ok(NaiveState::new(fs.clone()));
    for number in 0..CRASHES {
        let both = (crash(1, number), Crash::Killed);
        let stops = (0..operations(0, open)).step_by(3);
        let plans = stops.map(|stop| Plan { seed: 0, fault: None, stop });
        let outcomes: Vec<_> =
            plans.map(|plan| plan.survive(&plan.live(open), both, open)).collect();
        let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        println!("{both:?}: {failed} of {} crashes found the naive writer out", outcomes.len());
        assert!(failed > outcomes.len() / 2, "{both:?} must not leave its state whole");
    }
}
