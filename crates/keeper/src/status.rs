//! How a thread is doing, as others may ask at any time.

use std::error::Error;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use crate::clock;

/// Time after which one operation of a disk counts as a problem.
const SLOW: Duration = Duration::from_secs(2);

/// How one part of the keeper is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// What happens now is not stored, or may not be.
    Degraded {
        /// For how long this has been so.
        lasting: Duration,
        /// Why, for an operator.
        why: String,
    },
    /// All is stored as it should be.
    #[default]
    Good,
    /// This part is not in use.
    Off,
}

/// The condition of one thread and its counters.
pub(crate) struct Status<S> {
    /// What it does, for the log: `state` or `dump`.
    part: &'static str,
    inner: Mutex<Inner<S>>,
}

struct Inner<S> {
    stats: S,
    /// What went wrong, and since when nothing was put right.
    trouble: Option<(Instant, String)>,
    /// What the disk was asked to do and has not done yet.
    busy: Option<(Instant, &'static str)>,
    /// Whether the thread has stored what there was when it was told to finish.
    is_settled: bool,
}

impl<S: Clone + Default> Status<S> {
    pub(crate) fn new(part: &'static str) -> Self {
        let inner = Inner { stats: S::default(), trouble: None, busy: None, is_settled: false };
        Self { part, inner: Mutex::new(inner) }
    }

    pub(crate) fn stats(&self) -> S {
        self.lock().stats.clone()
    }

    pub(crate) fn count(&self, count: impl FnOnce(&mut S)) {
        count(&mut self.lock().stats);
    }

    pub(crate) fn condition(&self) -> Condition {
        let inner = self.lock();
        let now = clock::now();
        let trouble = inner.trouble.as_ref().map(|(since, why)| (*since, why.clone()));
        let stuck = inner.busy.filter(|(since, _)| now.duration_since(*since) > SLOW);
        let stuck = stuck.map(|(at, doing)| {
            let since = trouble.as_ref().map_or(at, |(since, _)| *since);
            (since, format!("the disk has not answered: {doing}"))
        });
        match stuck.or(trouble) {
            Some((since, why)) => Condition::Degraded { lasting: now.duration_since(since), why },
            None => Condition::Good,
        }
    }

    /// Has the disk do something. A disk that takes long is a problem while it does, and a line in
    /// the log afterwards.
    pub(crate) fn busy<T>(&self, doing: &'static str, operation: impl FnOnce() -> T) -> T {
        let begin = clock::now();
        self.lock().busy = Some((begin, doing));
        let done = operation();
        self.lock().busy = None;
        let took = clock::now().duration_since(begin);
        if took > SLOW {
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            warn!(part = self.part, doing, took_ms, "the disk is slow");
        }
        done
    }

    /// Notes that something is wrong. Only the first of several in a row is logged.
    pub(crate) fn fail(&self, why: String, todo: &str) {
        let mut inner = self.lock();
        match &mut inner.trouble {
            Some((_, former)) => *former = why,
            none => {
                error!(part = self.part, why, "not stored; the relay goes on: {todo}");
                *none = Some((clock::now(), why));
            }
        }
    }

    /// Notes that all is well, again or still.
    pub(crate) fn recover(&self) {
        let mut inner = self.lock();
        if let Some((since, _)) = inner.trouble.take() {
            let after = clock::now().duration_since(since);
            let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            info!(part = self.part, after_ms, "stored again");
        }
    }

    /// Notes that all has been stored that was there in the end.
    pub(crate) fn settle(&self) {
        self.lock().is_settled = true;
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.lock().is_settled
    }

    fn lock(&self) -> MutexGuard<'_, Inner<S>> {
        // Plain values: whole at any time.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a `String` cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
