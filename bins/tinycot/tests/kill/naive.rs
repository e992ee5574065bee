//! Servers that are bound to lose something, to know that the checks find it: the real relay and
//! keeper over storage that does what storage must not.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use keeper::{Keeper, StateConfig};
use relay::HubConfig;
use relay::server::Relay;
use store::fs::{Fs, FsEntry, FsFile, RealFs};
use store::{Change, JsonState, Loaded, StateStore, StoreError};
use tokio::net::TcpListener;

use super::careless::serve as serve_packages;
use super::world::Plan;

const DIR: &str = "KILL_NAIVE_DIR";
const SYNC_MS: &str = "KILL_NAIVE_SYNC_MS";
const KIND: &str = "KILL_NAIVE_KIND";

/// The one that keeps data packages, too.
const CARELESS: &str = "careless";

/// The test that [`serve_if_asked`] is called by.
pub(crate) const ENTRY: &str = "naive_server";

/// A server that rewrites one file in place.
pub(crate) fn in_place(plan: &Plan, data: &Path) -> Command {
    command("in-place", plan, data)
}

/// A server that never has anything made durable.
pub(crate) fn without_sync(plan: &Plan, data: &Path) -> Command {
    command("without-sync", plan, data)
}

/// A server that rewrites one file in place, and keeps data packages as carelessly.
pub(crate) fn careless(plan: &Plan, data: &Path) -> Command {
    command(CARELESS, plan, data)
}

/// This program again, as a server.
fn command(kind: &str, plan: &Plan, data: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([ENTRY, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(KIND, kind).env(DIR, data).env(SYNC_MS, plan.sync.as_millis().to_string());
    command
}

/// Is a server until it is killed, if the environment says so.
pub(crate) fn serve_if_asked() {
    let (Ok(kind), Some(dir)) = (std::env::var(KIND), std::env::var_os(DIR)) else { return };
    let sync_ms: u64 = std::env::var(SYNC_MS).unwrap().parse().unwrap();
    let data = PathBuf::from(dir);
    let dir = data.join("state");
    let mut config = StateConfig::default();
    config.sync_interval = Duration::from_millis(sync_ms);
    config.journal_bytes = 64 << 10;
    let (relay, driver) = Relay::new(HubConfig::default());
    let builder = Keeper::builder(relay.clone());
    let builder = match kind.as_str() {
        "in-place" | CARELESS => builder.state(InPlace::new(&dir), config),
        _ => builder.state(JsonState::with_fs(WithoutSync, &dir).unwrap(), config),
    };
    let _keeper = builder.start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("\nlistening cot {}", listener.local_addr().unwrap());
        if kind == CARELESS {
            println!("listening http {}", serve_packages(&data.join("packages")));
        }
        println!("ready");
        let driver = tokio::spawn(driver.run());
        relay::server::serve(listener, relay, std::future::pending()).await.unwrap();
        driver.await.unwrap();
    });
}

/// State in one file that is written over again with each change, as simple programs do.
struct InPlace {
    path: PathBuf,
    entries: BTreeMap<String, String>,
    /// What the snapshot will hold.
    next: BTreeMap<String, String>,
    appended: u64,
}

impl InPlace {
    fn new(dir: &Path) -> Self {
        fs::create_dir_all(dir).unwrap();
        let (entries, next) = (BTreeMap::new(), BTreeMap::new());
        Self { path: dir.join("state.json"), entries, next, appended: 0 }
    }

    fn rewrite(&self) -> io::Result<()> {
        let mut file = File::create(&self.path)?;
        let mut separator = "{";
        for (key, value) in &self.entries {
            let key = serde_json::Value::from(key.as_str());
            file.write_all(format!("{separator}{key}:{value}").as_bytes())?;
            separator = ",\n";
        }
        file.write_all(b"}")
    }

    fn written(&self) -> Result<(), StoreError> {
        let path = self.path.clone();
        self.rewrite().map_err(|source| StoreError::Io { doing: "cannot write", path, source })
    }
}

impl StateStore for InPlace {
    fn load(&mut self) -> Result<Loaded, StoreError> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let all: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&text).unwrap_or_default();
        self.entries = all.into_iter().map(|(key, value)| (key, value.to_string())).collect();
        let mut loaded = Loaded::default();
        loaded.schema = keeper::record::SCHEMA;
        loaded.entries = self.entries.clone();
        Ok(loaded)
    }

    fn begin(&mut self, _schema: u32, _is_continuous: bool) -> Result<(), StoreError> {
        (self.next, self.appended) = (BTreeMap::new(), 0);
        Ok(())
    }

    fn append(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        for Change { key, value } in changes {
            self.appended +=
                key.len() as u64 + value.as_ref().map_or(0, |value| value.len() as u64);
            let (key, value) = (key.clone(), value.clone());
            match value {
                Some(value) => self.entries.insert(key, value),
                None => self.entries.remove(&key),
            };
        }
        self.written()
    }

    fn put(&mut self, entries: &[Change]) -> Result<(), StoreError> {
        for Change { key, value } in entries {
            self.next.insert(key.clone(), value.clone().unwrap_or_default());
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.written()
    }

    fn appended_bytes(&self) -> u64 {
        self.appended
    }
}

/// The real file system, on which nothing is ever made durable.
#[derive(Clone, Copy, Debug)]
struct WithoutSync;

#[derive(Debug)]
struct FileWithoutSync(Box<dyn FsFile>);

impl Fs for WithoutSync {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        Ok(Box::new(FileWithoutSync(RealFs.create_new(path)?)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        Ok(Box::new(FileWithoutSync(RealFs.append(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        RealFs.open(path)
    }

    fn sync_file(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FsEntry>> {
        RealFs.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealFs.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealFs.remove(path)
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }
}

impl Write for FileWithoutSync {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl FsFile for FileWithoutSync {
    fn sync_data(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
}
