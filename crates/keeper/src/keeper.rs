//! Threads that keep what a relay carries, as one thing.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use relay::server::Relay;
use store::dump::{DumpConfig, DumpStats};
use store::fs::Fs;
use store::{StateStore, StoreError};

use crate::clock;
use crate::dump::{DumpCounts, Opening};
use crate::feed::{Changes, Events, Feed};
use crate::queue::Queue;
use crate::restore::{Restoration, restore};
use crate::state::{Recorder, StateConfig, StateStats};
use crate::status::{Condition, Status};
use crate::worker::Worker;

/// Time in which the threads of a keeper that was dropped are to end.
const AFTERLIFE: Duration = Duration::from_secs(60);

/// Keeps what a relay carries, until it is finished or dropped.
///
/// Nothing that the relay does waits for it. It holds on to the relay: finish it, or drop it,
/// before or with the last [`Relay`].
///
/// Dropping it is the same as finishing it, without waiting for the end of that.
pub struct Keeper {
    monitor: Monitor,
    workers: Vec<Worker>,
    restoration: Option<Restoration>,
}

/// Says how a keeper is doing, also from other threads and after its end. Clones watch the same
/// one. The default watches none.
#[derive(Clone, Default)]
pub struct Monitor {
    state: Option<StatePart>,
    dump: Option<DumpPart>,
}

/// What a keeper is to do.
#[must_use = "nothing is kept before `start`"]
pub struct Builder {
    relay: Relay,
    state: Option<(Box<dyn StateStore>, StateConfig)>,
    dump: Option<StartDump>,
}

type StartDump =
    Box<dyn FnOnce(Relay, Arc<Queue<Events>>, Arc<Status<DumpCounts>>) -> io::Result<Worker>>;

/// Why keeping did not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The state cannot be read: not because it is damaged, but because the storage refuses.
    #[error("the state cannot be read")]
    Load(#[from] StoreError),
    /// There is no thread to be had.
    #[error("a thread cannot be started")]
    Thread(#[from] io::Error),
}

/// How keeping goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Of the picture.
    pub state: Condition,
    /// Of the dump.
    pub dump: Condition,
}

/// Counters of a keeper.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeeperStats {
    /// Of the picture; `None` when it is not kept.
    pub state: Option<StateStats>,
    /// Of the dump; `None` when there is none.
    pub dump: Option<DumpStats>,
    /// Operations on the dump that the disk refused.
    pub dump_errors: u64,
    /// Bytes of events that wait to be dumped.
    pub dump_queue_bytes: usize,
}

impl Keeper {
    /// Begins to say what is to be kept.
    pub fn builder(relay: Relay) -> Builder {
        Builder { relay, state: None, dump: None }
    }

    /// What came of restoring the picture; `None` when no state is kept.
    pub fn restoration(&self) -> Option<&Restoration> {
        self.restoration.as_ref()
    }

    /// Watches it.
    pub fn monitor(&self) -> Monitor {
        self.monitor.clone()
    }

    /// Stores what there is, writes a last snapshot, and ends the threads. Waits for that at most
    /// this long, and says whether all was stored: a disk that does not answer holds nobody up.
    ///
    /// To be called when no more clients are served; what comes later is not stored. Blocks: call
    /// it on a thread that may wait.
    pub fn finish(mut self, within: Duration) -> bool {
        let until = self.monitor.ask_to_finish(within);
        let workers = std::mem::take(&mut self.workers);
        for worker in workers {
            worker.join(until);
        }
        let Monitor { state, dump } = &self.monitor;
        state.as_ref().is_none_or(|part| part.status.is_settled())
            && dump.as_ref().is_none_or(|part| part.status.is_settled())
    }
}

impl Monitor {
    /// How it goes at this moment. A disk that does not answer is a problem after 2 s.
    pub fn health(&self) -> Health {
        Health {
            state: self.state.as_ref().map_or(Condition::Off, |part| part.status.condition()),
            dump: self.dump.as_ref().map_or(Condition::Off, |part| part.status.condition()),
        }
    }

    /// All counters.
    pub fn stats(&self) -> KeeperStats {
        let mut stats = KeeperStats::default();
        if let Some(part) = &self.state {
            let mut counted = part.status.stats();
            counted.queue_bytes = part.queue.look(|changes| changes.bytes);
            stats.state = Some(counted);
        }
        if let Some(part) = &self.dump {
            let counted = part.status.stats();
            stats.dump = Some(counted.writer);
            stats.dump_errors = counted.errors;
            stats.dump_queue_bytes = part.queue.look(|events| events.bytes);
        }
        stats
    }

    /// Tells all threads to finish. Until when.
    fn ask_to_finish(&self, within: Duration) -> Instant {
        let now = clock::now();
        let until = now.checked_add(within).unwrap_or(now + AFTERLIFE);
        if let Some(part) = &self.state {
            part.queue.finish(until);
        }
        if let Some(part) = &self.dump {
            part.queue.finish(until);
        }
        until
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.monitor.ask_to_finish(AFTERLIFE);
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("monitor", &self.monitor).finish_non_exhaustive()
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("health", &self.health()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("state", &self.state.is_some())
            .field("dump", &self.dump.is_some())
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Keeps the picture in a store, and puts in the one that is there.
    pub fn state(mut self, store: impl StateStore + 'static, config: StateConfig) -> Self {
        self.state = Some((Box::new(store), config));
        self
    }

    /// Records accepted events in a dump, on a file system. What an interrupted run left there is
    /// put right on the thread of the dump, so that a start does not wait for it; a disk that does
    /// not take it is tried again and again, and shows as a [`Condition::Degraded`] meanwhile.
    pub fn dump<F: Fs + Clone>(mut self, config: DumpConfig, fs: F) -> Self {
        self.dump = Some(Box::new(move |relay, queue, status| {
            let opening = Opening { config, fs, relay, queue, status: status.clone() };
            Worker::spawn("dump", status, move || opening.run())
        }));
        self
    }

    /// Restores the picture and begins to keep. To be called before the relay's first client comes.
    ///
    /// # Errors
    ///
    /// The storage of the state cannot be read, or there are no threads to be had. A state that is
    /// damaged is no error: what can be read of it is restored.
    pub fn start(self) -> Result<Keeper, StartError> {
        let Self { relay, state, dump } = self;
        let mut keeper =
            Keeper { monitor: Monitor::default(), workers: Vec::new(), restoration: None };
        let mut feed = Feed { changes: None, events: None };
        let mut recorder = None;
        if let Some((mut store, config)) = state {
            let restoration = restore(&relay, store.as_mut())?;
            let (queue, status) = (Arc::new(Queue::new()), Arc::new(Status::new("state")));
            match restoration.newer_schema {
                // Whoever wrote it will want to read it.
                Some(schema) => {
                    status.fail(
                        format!("the state was written by a newer version (schema {schema})"),
                        "install that version again, or move the directory of the state away",
                    );
                    status.settle();
                }
                None => {
                    feed.changes = Some(queue.clone());
                    let new = Recorder::new(
                        relay.clone(),
                        store,
                        queue.clone(),
                        status.clone(),
                        config,
                        restoration.is_whole(),
                    );
                    recorder = Some((new, status.clone()));
                }
            }
            keeper.restoration = Some(restoration);
            keeper.monitor.state = Some(StatePart { queue, status });
        }
        if let Some(start) = dump {
            let (queue, status) = (Arc::new(Queue::new()), Arc::new(Status::new("dump")));
            feed.events = Some(queue.clone());
            keeper.workers.push(start(relay.clone(), queue.clone(), status.clone())?);
            keeper.monitor.dump = Some(DumpPart { queue, status });
        }
        // From here on nothing that happens is missed.
        relay.observe(feed.what(), Box::new(feed));
        if let Some((recorder, status)) = recorder {
            keeper.workers.push(Worker::spawn("state", status, move || recorder.run())?);
        }
        Ok(keeper)
    }
}

#[derive(Clone)]
struct StatePart {
    queue: Arc<Queue<Changes>>,
    status: Arc<Status<StateStats>>,
}

#[derive(Clone)]
struct DumpPart {
    queue: Arc<Queue<Events>>,
    status: Arc<Status<DumpCounts>>,
}
