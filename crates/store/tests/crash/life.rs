//! A workload, and the model that knows what it may leave.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use store::{Change, StateStore};

type Map = BTreeMap<String, String>;

/// Keys that the workload uses.
const KEYS: u64 = 24;

/// Everything that ever was.
#[derive(Clone)]
pub(crate) struct World {
    random: u64,
    now: Map,
    /// Digests of the map after each number of changes.
    moments: Vec<u64>,
    /// How many changes are acknowledged.
    acknowledged: usize,
}

impl World {
    /// An empty map.
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: seed, now: Map::new(), moments: vec![0], acknowledged: 0 }
    }

    /// The map as it is.
    pub(crate) fn now(&self) -> &Map {
        &self.now
    }

    /// How many changes were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    /// Goes back to what was found, if that may be there.
    pub(crate) fn settle(&mut self, found: &Map) -> Result<(), String> {
        let acknowledged = self.acknowledged;
        self.resume(found)?;
        match acknowledged - self.acknowledged {
            0 => Ok(()),
            lost => Err(format!("{lost} changes of {acknowledged} were lost")),
        }
    }

    /// Goes back to what was found, if that ever was.
    pub(crate) fn resume(&mut self, found: &Map) -> Result<(), String> {
        let digest = digest(found);
        let Some(moment) = self.moments.iter().rposition(|moment| *moment == digest) else {
            return Err(format!("never was: {found:?}"));
        };
        self.moments.truncate(moment + 1);
        self.acknowledged = self.acknowledged.min(moment);
        self.now.clone_from(found);
        Ok(())
    }

    fn random(&mut self, below: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    /// Changes something. Every change gives a map that never was before.
    fn change(&mut self) -> Change {
        let number = self.moments.len();
        let key = format!("item/\"{}\"", self.random(KEYS));
        let is_removed = self.random(4) == 0 && self.now.contains_key(&key);
        let value = (!is_removed).then(|| {
            let filling = "x".repeat(usize::try_from(self.random(120)).unwrap_or(0));
            format!(r#"{{"number":{number},"filling":"{filling}"}}"#)
        });
        let old = match value.clone() {
            Some(value) => self.now.insert(key.clone(), value),
            None => self.now.remove(&key),
        };
        let entry =
            |value: &Option<String>| value.as_ref().map_or(0, |value| entry_digest(&key, value));
        let digest = self.moments.last().copied().unwrap_or(0) ^ entry(&old) ^ entry(&value);
        self.moments.push(digest);
        Change { key, value }
    }
}

/// Tells maps apart, whatever order they were made in.
fn digest(map: &Map) -> u64 {
    map.iter().fold(0, |digest, (key, value)| digest ^ entry_digest(key, value))
}

fn entry_digest(key: &str, value: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key, value).hash(&mut hasher);
    hasher.finish()
}

/// Somebody who keeps a world in a store.
pub(crate) struct Life<'a, S> {
    store: &'a mut S,
    world: &'a mut World,
    /// Changes that were not appended.
    waiting: Vec<Change>,
    /// How many changes were loaded: the first generation makes them durable.
    loaded: usize,
    has_generation: bool,
    /// Whether a change was not taken since the last `begin`.
    is_lossy: bool,
    /// Whether an append acknowledges.
    is_counting: bool,
    /// Up to which key the snapshot holds the map; `None` without a snapshot.
    put_upto: Option<u64>,
}

impl<'a, S: StateStore> Life<'a, S> {
    /// Goes on where the world is, which was loaded from this store.
    pub(crate) fn new(store: &'a mut S, world: &'a mut World) -> Self {
        let (waiting, loaded) = (Vec::new(), world.moments.len() - 1);
        let (has_generation, is_lossy, is_counting, put_upto) = (false, false, true, None);
        Self { store, world, waiting, loaded, has_generation, is_lossy, is_counting, put_upto }
    }

    /// Does so many steps.
    pub(crate) fn live(mut self, steps: usize) {
        self.begin();
        for _ in 0..steps {
            match self.world.random(16) {
                0 => self.begin(),
                1..=3 => self.put(),
                4 => self.commit(),
                5..=7 => self.change(),
                _ => {
                    self.change();
                    self.append();
                }
            }
        }
    }

    fn change(&mut self) {
        for _ in 0..=self.world.random(4) {
            let change = self.world.change();
            self.waiting.push(change);
        }
    }

    fn append(&mut self) {
        if !self.has_generation {
            return self.begin();
        }
        if self.store.append(&self.waiting).is_ok() {
            if self.is_counting {
                self.world.acknowledged = self.world.moments.len() - 1;
            }
        } else {
            self.has_generation = false;
            self.is_lossy = true;
            self.put_upto = None;
        }
        self.waiting.clear();
    }

    fn begin(&mut self) {
        // What waits is in the snapshot, or is appended to the next generation.
        if self.is_lossy {
            self.waiting.clear();
        }
        self.put_upto = None;
        self.has_generation = self.store.begin(1, !self.is_lossy).is_ok();
        if self.has_generation {
            self.is_counting &= !self.is_lossy;
            if self.is_counting {
                self.world.acknowledged = self.world.acknowledged.max(self.loaded);
            }
            self.is_lossy = false;
            self.put_upto = Some(0);
        }
    }

    /// Puts a quarter of the keys as they are now.
    fn put(&mut self) {
        let Some(upto) = self.put_upto.filter(|upto| *upto < KEYS) else {
            return;
        };
        let keys = (upto..upto + KEYS / 4).map(|number| format!("item/\"{number}\""));
        let entries: Vec<_> = keys
            .filter_map(|key| Some(Change::put(key.clone(), self.world.now.get(&key)?)))
            .collect();
        self.put_upto = self.store.put(&entries).is_ok().then_some(upto + KEYS / 4);
    }

    fn commit(&mut self) {
        while self.put_upto.is_some_and(|upto| upto < KEYS) {
            self.put();
        }
        if self.put_upto.is_none() {
            return self.begin();
        }
        self.append();
        if self.put_upto.take().is_some() && self.store.commit().is_ok() {
            self.is_counting = true;
            self.world.acknowledged = self.world.moments.len() - 1;
        }
    }
}
