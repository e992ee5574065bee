//! One directory, and the many ends of those who work on it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use store::packages::{PackageFilter, PackageStore, ScrubBudget, Viewer};
use tokio::io::AsyncReadExt;
use tokio::runtime::Runtime;

use crate::content::{Rng, content};
use crate::model::{Fault, Model};
use crate::naive::Naive;
use crate::tally::Tally;
use crate::worker::{BEGIN, DONE, FAILED, READY, UPLOAD, WORKERS, command, open, who};

/// Ends a process without warning, and leaves in the directory what would be left.
pub(crate) type Ender<'a> = &'a mut dyn FnMut(&mut Child);

/// A directory of packages through all ends.
pub(crate) struct World {
    dir: PathBuf,
    seed: u64,
    rng: Rng,
    naive: Option<Naive>,
    runtime: Runtime,
    model: Model,
    tally: Tally,
}

impl World {
    pub(crate) fn new(dir: &Path, seed: u64, naive: Option<Naive>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let dir = dir.to_owned();
        let (rng, model, tally) = (Rng::new(seed), Model::default(), Tally::default());
        Self { dir, seed, rng, naive, runtime, model, tally }
    }

    /// Has somebody work and ends them, so many times, and checks everything behind each end. Stops
    /// at the first thing that is wrong, unless that is expected.
    pub(crate) fn run(mut self, cycles: u32, end: Ender<'_>) -> Tally {
        for cycle in 1..=cycles {
            self.work(cycle, end);
            self.check(cycle == cycles);
            self.tally.cycles += 1;
            if !self.model.violations.is_empty() && self.naive.is_none() {
                break;
            }
        }
        self.tally.violations = self.model.violations;
        self.tally
    }

    fn work(&mut self, cycle: u32, end: Ender<'_>) {
        let work = Duration::from_micros(2_000 + self.rng.below(38_000));
        let mut child = command(&self.dir, self.seed, cycle, self.naive).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let is_ready = lines.by_ref().map_while(Result::ok).any(|line| line == READY);
        if is_ready {
            thread::sleep(work);
        } else {
            self.model.fault(Fault::Unreadable, "the store did not open".to_owned());
        }
        end(&mut child);
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            self.hear(&line);
        }
    }

    fn hear(&mut self, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        let [what, who, name, state, how, ..] = words[..] else { return };
        let key = (who.to_owned(), name.to_owned());
        let state = state.parse().ok().filter(|&state| state > 0);
        match what {
            BEGIN => self.model.begun(key, state),
            DONE => {
                self.tally.acknowledged += 1;
                self.tally.uploads += u64::from(how == UPLOAD);
                self.tally.removals += u64::from(state.is_none());
                self.model.done(key, state);
            }
            FAILED => self.model.fault(Fault::Wrong, line.to_owned()),
            _ => {}
        }
    }

    /// Opens what is there and compares it with what was said.
    fn check(&mut self, is_last: bool) {
        let begin = now();
        let opened = self.runtime.block_on(open(&self.dir, None));
        self.tally.opened_in.push(now().duration_since(begin));
        let store = match opened {
            Ok(store) => store,
            Err(error) => return self.model.fault(Fault::Unreadable, format!("{error:?}")),
        };
        let report = store.report();
        self.tally.swept += report.swept;
        self.tally.orphans = report.orphans_kept;
        for hash in &report.damaged {
            self.model.fault(Fault::NoContent, hash.to_string());
        }
        if let Some(aside) = &report.database_set_aside {
            self.model.fault(Fault::Unreadable, format!("{aside:?}"));
        }
        let left = fs::read_dir(self.dir.join("tmp")).unwrap().count();
        if left > 0 {
            self.model.fault(Fault::Unreadable, format!("{left} temporary files are left"));
        }
        self.runtime.block_on(async {
            let mut there = BTreeMap::new();
            for who in (0..WORKERS).map(who) {
                let viewer = Viewer::groups([who.as_str()]);
                let mut filter = PackageFilter::new(viewer.clone());
                (filter.limit, filter.include_damaged) = (u32::MAX, true);
                for package in store.list(&filter).await.unwrap() {
                    let mut bytes = Vec::new();
                    match store.open(package.hash, &viewer).await {
                        Ok((_, mut content)) => {
                            content.read_to_end(&mut bytes).await.unwrap();
                        }
                        // Told of already.
                        Err(_) if package.is_damaged => continue,
                        Err(error) => self.model.fault(Fault::Lost, error.to_string()),
                    }
                    if bytes != content(&package.name) {
                        let what = format!("{}: {} bytes", package.name, bytes.len());
                        self.model.fault(Fault::Torn, what);
                    }
                    self.tally.compared += 1;
                    self.tally.bytes += bytes.len() as u64;
                    let key = (who.clone(), package.name);
                    there.insert(key, package.tool.parse().unwrap_or(0));
                }
            }
            let entries = store.usage().await.unwrap().packages;
            if entries > there.len() as u64 && self.naive.is_none() {
                let what = format!("{entries} entries, of which {} are known", there.len());
                self.model.fault(Fault::Wrong, what);
            }
            self.model.check(&there);
            if is_last {
                let mut budget = ScrubBudget::default();
                (budget.bytes_per_second, budget.min_age) = (0, Duration::ZERO);
                let scrubbed = store.scrub(budget).await.unwrap();
                if !scrubbed.damaged.is_empty() {
                    self.model.fault(Fault::Torn, format!("{:?}", scrubbed.damaged));
                }
            }
            store.close().await;
        });
    }
}

/// Ends a process as if it had never been asked.
pub(crate) fn kill(child: &mut Child) {
    child.kill().unwrap();
}

#[expect(clippy::disallowed_methods, reason = "tests measure how long something takes")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
