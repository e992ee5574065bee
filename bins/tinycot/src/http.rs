//! The third thread: data packages and the Marti API over HTTP.
//!
//! It has a runtime of its own, so that uploads, downloads and searches share nothing with the
//! relay's thread but the processor. The store of packages is opened here, and opened again until
//! that works: a disk in trouble is no reason not to relay.

mod closed;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use marti::{DumpHistory, Marti, MartiConfig};
use relay::server::Relay;
use store::packages::{
    PackageHealth, PackagesConfig, Precedence, ScrubBudget, SqlitePackages, check_owner,
};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use crate::app::asked;
use crate::clock;
use crate::config::{DumpMode, Settings};
use crate::error::{Failure, chain};

/// Directory of the packages in the data directory.
pub(crate) const PACKAGES_DIR: &str = "packages";

/// File of the video feeds in the data directory.
const FEEDS_FILE: &str = "video.json";

/// Threads that read and write files, beside that of the database.
const FILE_THREADS: usize = 16;

/// Steps by which all threads here are less urgent than the relay's.
#[cfg(target_os = "linux")]
const LESS_URGENT: i32 = 10;

/// Stack of one of them.
const STACK_BYTES: usize = 512 << 10;

/// How long a request of the operator waits for the store at a start, and how often it looks.
const START_PATIENCE: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Pause between two attempts to open the store.
const RETRY: Duration = Duration::from_secs(3);

/// Pause between two rounds of what is done from time to time.
const MAINTAIN_EVERY: Duration = Duration::from_secs(60);

/// Time for requests that have begun when the server stops.
const FINISH_WITHIN: Duration = Duration::from_secs(1);

/// Time for the database to be closed after that.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);

/// The thread ends within this time when it is asked to.
pub(crate) const END_WITHIN: Duration = FINISH_WITHIN.saturating_add(CLOSE_WITHIN);

/// The API, once the store is open; for the admin listener, too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packages {
    opened: Arc<OnceLock<Opened>>,
    trouble: Arc<OnceLock<(Instant, String)>>,
    off: Option<Off>,
}

/// Why there are no packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Off {
    /// The settings say so.
    Asked,
    /// Another program has the port.
    PortTaken(SocketAddr),
}

#[derive(Debug)]
struct Opened {
    marti: Marti<SqlitePackages>,
    store: SqlitePackages,
}

impl Packages {
    /// None, because the listener is off.
    pub(crate) fn off(why: Off) -> Self {
        Self { off: Some(why), ..Self::default() }
    }

    /// Whether there are none because the listener is off.
    pub(crate) fn is_off(&self) -> bool {
        self.off.is_some()
    }

    /// The API, once it can be used.
    pub(crate) fn marti(&self) -> Option<&Marti<SqlitePackages>> {
        self.opened.get().map(|opened| &opened.marti)
    }

    /// The API, for which a start is waited for a moment. `None` when it cannot be opened.
    pub(crate) async fn opened(&self) -> Option<&Marti<SqlitePackages>> {
        let begin = clock::now();
        while self.opened.get().is_none() && self.trouble.get().is_none() {
            if clock::now().duration_since(begin) > START_PATIENCE {
                break;
            }
            sleep(LOOK_AGAIN).await;
        }
        self.marti()
    }

    /// The store, once it is open.
    pub(crate) fn store(&self) -> Option<&SqlitePackages> {
        self.opened.get().map(|opened| &opened.store)
    }

    /// What is wrong, for an operator.
    pub(crate) async fn problem(&self) -> Option<String> {
        if let Some(Off::PortTaken(addr)) = self.off {
            return Some(format!("packages: none, as another program has the port of {addr}"));
        }
        if let Some(opened) = self.opened.get() {
            return match opened.store.health().await {
                PackageHealth::Degraded { lasting, why } => {
                    Some(format!("packages: {why} (for {} s)", lasting.as_secs()))
                }
                _ => None,
            };
        }
        let (since, why) = self.trouble.get()?;
        let lasting = clock::now().duration_since(*since).as_secs();
        Some(format!("packages: {why} (for {lasting} s)"))
    }
}

/// What the thread works with.
#[derive(Debug)]
pub(crate) struct Http {
    listener: std::net::TcpListener,
    parts: Parts,
}

#[derive(Debug)]
struct Parts {
    relay: Relay,
    dir: PathBuf,
    config: MartiConfig,
    packages_config: PackagesConfig,
    /// Where events are recorded, if they are.
    dump_dir: Option<PathBuf>,
    packages: Packages,
    stopped: watch::Receiver<bool>,
}

impl Http {
    /// What the settings say.
    pub(crate) fn new(
        listener: std::net::TcpListener,
        relay: Relay,
        settings: &Settings,
        packages: Packages,
        stopped: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let mut config = MartiConfig::default();
        config.http_port = listener.local_addr()?.port();
        config.public_url = Some(settings.public_url.clone()).filter(|url| !url.is_empty());
        config.allowed_origins = settings.allowed_origins.clone();
        config.max_upload_bytes = settings.max_upload;
        config.max_connections = settings.http_connections;
        config.max_connections_per_addr = (settings.http_connections * 3 / 4).max(1);
        let mut packages_config = PackagesConfig::default();
        packages_config.max_upload_bytes = settings.max_upload;
        packages_config.max_total_bytes = settings.packages_total;
        packages_config.max_owner_bytes = settings.packages_owner_total;
        packages_config.min_free_bytes = settings.packages_free;
        config.feeds_file = Some(settings.data_dir.join(FEEDS_FILE));
        let is_recorded = settings.dump != DumpMode::Off;
        let parts = Parts {
            relay,
            dir: settings.data_dir.join(PACKAGES_DIR),
            config,
            packages_config,
            dump_dir: is_recorded.then(|| settings.dump_dir()),
            packages,
            stopped,
        };
        Ok(Self { listener, parts })
    }

    /// Has all work on packages wait while this one goes first.
    pub(crate) fn making_way(mut self, precedence: Precedence) -> Self {
        self.parts.config.precedence = precedence.clone();
        self.parts.packages_config.precedence = precedence;
        self
    }

    /// Starts the thread. What is received completes when the thread has ended.
    ///
    /// # Errors
    ///
    /// No runtime, no listener or no thread to be had.
    pub(crate) fn start(self) -> Result<oneshot::Receiver<()>, Failure> {
        let trouble = |doing| move |source| Failure::System { doing, source };
        let runtime = runtime().map_err(trouble("the third runtime cannot be made"))?;
        let context = runtime.enter();
        let listener = TcpListener::from_std(self.listener);
        let listener = listener.map_err(trouble("the HTTP listener cannot be watched"))?;
        drop(context);
        let parts = self.parts;
        let (done, ended) = oneshot::channel();
        thread::Builder::new()
            .name("http".to_owned())
            .stack_size(2 * STACK_BYTES)
            .spawn(move || {
                make_way();
                runtime.block_on(parts.run(listener));
                // A disk that hangs does not hold up the exit.
                runtime.shutdown_background();
                let _ = done.send(());
            })
            .map_err(trouble("the third thread cannot be started"))?;
        Ok(ended)
    }
}

impl Parts {
    async fn run(self, listener: TcpListener) {
        let Some(store) = self.open(&listener).await else { return };
        let marti = self.api(&store);
        let _ = self.packages.opened.set(Opened { marti: marti.clone(), store: store.clone() });
        tokio::spawn(store.maintain(MAINTAIN_EVERY, ScrubBudget::default()));
        let stopped = self.stopped.clone();
        let late = async {
            asked(stopped.clone()).await;
            sleep(FINISH_WITHIN).await;
        };
        tokio::select! {
            served = marti::serve(listener, marti, asked(stopped.clone())) => {
                if let Err(error) = served {
                    error!(%error, "data packages are not served any more");
                }
            }
            () = late => warn!("downloads or uploads were broken off"),
        }
        if timeout(CLOSE_WITHIN, store.close()).await.is_err() {
            warn!("the database of data packages was not closed in time");
        }
    }

    /// Opens the store, again and again until it works. `None` when the server is to stop.
    async fn open(&self, listener: &TcpListener) -> Option<SqlitePackages> {
        let stop = asked(self.stopped.clone());
        tokio::pin!(stop);
        // As root it works all the same, and nobody else can read what is new.
        if let Err(error) = check_owner(&self.dir) {
            warn!(%error, "data packages of another user are served");
        }
        loop {
            let opening = SqlitePackages::open(&self.dir, self.packages_config.clone());
            let opened = tokio::select! {
                opened = opening => opened,
                () = &mut stop => return None,
            };
            match opened {
                Ok(store) => {
                    info!(dir = %self.dir.display(), "sharing data packages");
                    return Some(store);
                }
                Err(error) => {
                    let why = chain(&error);
                    if self.packages.trouble.set((clock::now(), why.clone())).is_ok() {
                        error!(dir = %self.dir.display(), %why, "no data packages: trying again");
                    }
                }
            }
            tokio::select! {
                () = sleep(RETRY) => {}
                () = closed::refuse(listener) => {}
                () = &mut stop => return None,
            }
        }
    }

    fn api(&self, store: &SqlitePackages) -> Marti<SqlitePackages> {
        let (config, relay) = (self.config.clone(), self.relay.clone());
        let store = Arc::new(store.clone());
        match &self.dump_dir {
            Some(dir) => {
                let history = Arc::new(DumpHistory::new(dir));
                Marti::with_history(config, relay, store, history)
            }
            None => Marti::new(config, relay, store),
        }
    }
}

/// Has this thread, and those that it starts, make way for the relay where there are fewer
/// processors than there is work: they get a tenth of what the relay's thread may have of one.
fn make_way() {
    // In Linux this is of a thread, elsewhere of the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(LESS_URGENT) {
        warn!(%error, "uploads and downloads do not make way for events");
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .max_blocking_threads(FILE_THREADS)
        .thread_keep_alive(Duration::from_secs(10))
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
}
