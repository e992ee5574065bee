//! What works until it is killed, and says what it does.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::task::{Context, Poll};
use std::time::Duration;

use sha2::Digest;
use store::StoreError;
use store::packages::{
    Audience, ContentHash, Owner, PackageChange, PackageFilter, PackageStore, PackagesConfig,
    SqlitePackages, Upload, Viewer,
};
use tokio::io::{AsyncRead, ReadBuf};

use crate::content::{Rng, content};
use crate::env;
use crate::naive::Naive;

/// Those who work at the same time, each with entries of its own.
pub(crate) const WORKERS: u64 = 4;

/// Contents of each kind that several have at a time.
const SHARED: u64 = 6;

/// Entries that one has at most.
const MOST: usize = 16;

/// What a line begins with that says what is about to be done, what has been done, and what was
/// refused.
pub(crate) const BEGIN: &str = "begin";
pub(crate) const DONE: &str = "done";
pub(crate) const FAILED: &str = "failed";

/// How a line ends that is about an upload.
pub(crate) const UPLOAD: &str = "upload";

/// The line that says that it works now.
pub(crate) const READY: &str = "ready";

/// A process that works on packages in a directory.
pub(crate) fn command(dir: &Path, seed: u64, cycle: u32, naive: Option<Naive>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "worker", "--nocapture", "--test-threads=1"]);
    command.env("PACKAGES_DIR", dir).env("KILL_SEED", seed.to_string());
    command.env("PACKAGES_CYCLE", cycle.to_string());
    if let Some(naive) = naive {
        command.env("PACKAGES_NAIVE", naive.name());
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Works if this process was started for it.
pub(crate) fn work_if_asked() {
    let Some(dir) = std::env::var_os("PACKAGES_DIR").map(PathBuf::from) else { return };
    let (seed, cycle) = (env("KILL_SEED", 0_u64), env("PACKAGES_CYCLE", 0_u32));
    let naive = std::env::var("PACKAGES_NAIVE").ok().and_then(|name| Naive::of(&name));
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().unwrap().block_on(async {
        let store = open(&dir, naive).await.unwrap();
        // Behind what the line already has.
        println!("\n{READY}");
        let workers = (0..WORKERS).map(|number| {
            let mut rng = Rng::new(seed ^ (u64::from(cycle) << 20) ^ (number << 50));
            rng.next();
            let (store, who) = (store.clone(), who(number));
            let work = async move { Worker::new(store, who, rng, cycle).await.work().await };
            tokio::spawn(work)
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await.unwrap();
        }
    });
}

/// Opens the store. A process that another test has just made, and that has not yet become what it
/// is to be, holds the locks of this one for a moment.
pub(crate) async fn open(dir: &Path, naive: Option<Naive>) -> Result<SqlitePackages, StoreError> {
    let mut config = PackagesConfig::default();
    config.min_free_bytes = 0;
    for _ in 0..1_000 {
        let opened = match naive {
            None => SqlitePackages::open(dir, config.clone()).await,
            Some(naive) => SqlitePackages::open_with_fs(dir, config.clone(), naive).await,
        };
        match opened {
            Err(StoreError::Locked { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
            opened => return opened,
        }
    }
    SqlitePackages::open(dir, config).await
}

/// The name of one of those who work, and of the group that sees its entries.
pub(crate) fn who(number: u64) -> String {
    format!("W{number}")
}

/// One who works, on entries that only members of a group of its own see.
struct Worker {
    store: SqlitePackages,
    who: String,
    viewer: Viewer,
    rng: Rng,
    /// Which start of the process this is.
    cycle: u32,
    /// Operations so far.
    n: u32,
    /// Names of the contents that it has.
    own: BTreeSet<String>,
}

impl Worker {
    async fn new(store: SqlitePackages, who: String, rng: Rng, cycle: u32) -> Self {
        let viewer = Viewer::groups([who.as_str()]);
        let found = store.list(&PackageFilter::new(viewer.clone())).await.unwrap();
        let own = found.into_iter().map(|package| package.name).collect();
        Self { store, who, viewer, rng, cycle, n: 0, own }
    }

    async fn work(mut self) {
        loop {
            self.n += 1;
            let is_full = self.own.len() >= MOST;
            match self.rng.below(100) {
                0..35 if !is_full => {
                    let name = format!("{}.{}.{}", self.who, self.cycle, self.n);
                    self.upload(name).await;
                }
                35..55 => {
                    let kind = ["shared", "tiny"][usize::from(self.n.is_multiple_of(3))];
                    let name = format!("{kind}.{}", 1 + self.rng.below(SHARED));
                    self.upload(name).await;
                }
                55..60 => self.cut().await,
                60..75 => self.change().await,
                _ => self.remove().await,
            }
        }
    }

    /// A number that no other state of an entry has.
    fn version(&self) -> u64 {
        (u64::from(self.cycle) << 32) + u64::from(self.n)
    }

    async fn upload(&mut self, name: String) {
        let (content, version) = (content(&name), self.version());
        self.say(BEGIN, &name, Some(version), UPLOAD);
        let done = self.store.insert(self.described(&name, version), &content[..]).await;
        self.say_done(&name, Some(version), UPLOAD, done.map(drop));
        self.own.insert(name);
    }

    /// An upload that breaks off.
    async fn cut(&self) {
        let name = format!("cut.{}.{}.{}", self.who, self.cycle, self.n);
        let content = content(&name);
        let cut = Cut(&content[..content.len() / 2]);
        let refused = self.store.insert(self.described(&name, 0), cut).await;
        if refused.is_ok() {
            self.say(FAILED, &name, None, "what was cut off was taken");
        }
    }

    fn described(&self, name: &str, version: u64) -> Upload {
        let mut upload = Upload::new(name, Audience::groups([self.who.as_str()]));
        upload.creator_uid = Some(self.who.clone());
        upload.tool = version.to_string();
        upload
    }

    async fn change(&mut self) {
        let Some(name) = self.any() else { return };
        let version = self.version();
        let mut change = PackageChange::default();
        change.tool = Some(version.to_string());
        self.say(BEGIN, &name, Some(version), "change");
        let done = self.store.update(hash(&content(&name)), &self.viewer, change).await;
        self.say_done(&name, Some(version), "change", done.map(drop));
    }

    async fn remove(&mut self) {
        let Some(name) = self.any() else { return };
        self.say(BEGIN, &name, None, "removal");
        let owner = Owner::Device(self.who.clone());
        let done = self.store.remove(hash(&content(&name)), &self.viewer, &owner).await;
        self.say_done(&name, None, "removal", done);
        self.own.remove(&name);
    }

    /// One of its entries.
    fn any(&mut self) -> Option<String> {
        let at = self.rng.next() % self.own.len().max(1) as u64;
        self.own.iter().nth(usize::try_from(at).unwrap()).cloned()
    }

    fn say_done(&self, name: &str, state: Option<u64>, how: &str, done: Result<(), StoreError>) {
        match done {
            Ok(()) => self.say(DONE, name, state, how),
            Err(error) => self.say(FAILED, name, state, &error.to_string()),
        }
    }

    /// One write of the system, which is whole or not there.
    fn say(&self, what: &str, name: &str, state: Option<u64>, how: &str) {
        println!("{what} {} {name} {} {how}", self.who, state.unwrap_or(0));
    }
}

fn hash(content: &[u8]) -> ContentHash {
    ContentHash::from_bytes(sha2::Sha256::digest(content).into())
}

/// Breaks off at its end.
struct Cut<'a>(&'a [u8]);

impl AsyncRead for Cut<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let (given, rest) = self.0.split_at(self.0.len().min(buf.remaining()));
        buf.put_slice(given);
        self.0 = rest;
        Poll::Ready(Ok(()))
    }
}
