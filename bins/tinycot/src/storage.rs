//! What is kept on disk: the directories, the state, the dump.

use std::io;
use std::path::Path;
use std::time::Duration;

use keeper::{Keeper, Monitor, StateConfig};
use relay::server::Relay;
use store::dump::{DumpConfig, DumpFormat};
use store::fs::{Fs, RealFs};
use store::{DirLock, JsonState, StoreError};
use tracing::warn;

use crate::config::{DumpMode, Settings};
use crate::error::Failure;

/// Time for what is left to be stored at the end, once clients have been let go.
pub(crate) const FINISH_WITHIN: Duration = Duration::from_secs(2);

/// Directory of the state in the data directory.
const STATE_DIR: &str = "state";

/// Takes the data directory for this process alone.
///
/// # Errors
///
/// Another server has it, or it cannot be used.
pub(crate) fn lock(dir: &Path) -> Result<DirLock, Failure> {
    DirLock::acquire(dir).map_err(|error| match error {
        StoreError::Locked { .. } => Failure::DirTaken { key: "data_dir", path: dir.to_owned() },
        StoreError::Io { source, .. } => Failure::DataDir { path: dir.to_owned(), source },
        error => Failure::DataDir { path: dir.to_owned(), source: io::Error::other(error) },
    })
}

/// What keeps the relay's picture and events, as the settings want it. `None`: nothing does.
#[derive(Debug, Default)]
pub(crate) struct Storage {
    keeper: Option<Keeper>,
    /// Two servers may be told to record in one directory, whatever their data directories are.
    _dump_lock: Option<DirLock>,
}

impl Storage {
    /// Restores the picture and begins to keep it.
    ///
    /// # Errors
    ///
    /// A directory cannot be used. What is damaged in it is no error.
    pub(crate) fn start(relay: &Relay, settings: &Settings) -> Result<Self, Failure> {
        if !settings.state && settings.dump == DumpMode::Off {
            return Ok(Self::default());
        }
        let mut builder = Keeper::builder(relay.clone());
        let state_dir = settings.data_dir.join(STATE_DIR);
        if settings.state {
            let store = JsonState::open(&state_dir).map_err(trouble("state", &state_dir))?;
            let mut config = StateConfig::default();
            config.sync_interval = settings.state_sync;
            config.journal_bytes = settings.journal_size;
            builder = builder.state(store.keep_generations(settings.state_generations), config);
        }
        let mut dump_lock = None;
        if let Some(format) = dump_format(settings.dump) {
            let config = dump_config(settings, format);
            // What is wrong with the directory is told at the start; what is wrong with the disk is
            // nothing that a relay has to wait for.
            usable(&config.dir).map_err(trouble("dump", &config.dir))?;
            dump_lock = lock_dump(&config.dir, &settings.data_dir)?;
            builder = builder.dump(config, RealFs);
        }
        let keeper = builder.start().map_err(trouble("state", &state_dir))?;
        Ok(Self { keeper: Some(keeper), _dump_lock: dump_lock })
    }

    /// Watches how it goes.
    pub(crate) fn monitor(&self) -> Monitor {
        self.keeper.as_ref().map(Keeper::monitor).unwrap_or_default()
    }

    /// Stores what there is. Blocks for [`FINISH_WITHIN`] at most.
    pub(crate) fn finish(self) {
        if self.keeper.is_some_and(|keeper| !keeper.finish(FINISH_WITHIN)) {
            warn!("the disk did not take everything in time; the last changes may be lost");
        }
    }
}

/// Makes a directory for its owner alone, and proves that it can be read.
fn usable(dir: &Path) -> io::Result<()> {
    RealFs.create_dir(dir)?;
    RealFs.list(dir).map(drop)
}

/// Takes the directory of the dump for this process alone, unless it is the data directory, which is
/// taken already.
fn lock_dump(dir: &Path, data_dir: &Path) -> Result<Option<DirLock>, Failure> {
    let is_same = match (dir.canonicalize(), data_dir.canonicalize()) {
        (Ok(dir), Ok(data_dir)) => dir == data_dir,
        _ => false,
    };
    if is_same {
        return Ok(None);
    }
    match DirLock::acquire(dir) {
        Ok(lock) => Ok(Some(lock)),
        Err(StoreError::Locked { .. }) => {
            Err(Failure::DirTaken { key: "dump_dir", path: dir.to_owned() })
        }
        // A disk that does not take even this will take no events, which the dump tells.
        Err(error) => {
            warn!(dir = %dir.display(), %error, "the directory of the dump cannot be locked");
            Ok(None)
        }
    }
}

fn dump_format(mode: DumpMode) -> Option<DumpFormat> {
    match mode {
        DumpMode::Json => Some(DumpFormat::Json),
        DumpMode::Off => None,
        DumpMode::Xml => Some(DumpFormat::Xml),
    }
}

fn dump_config(settings: &Settings, format: DumpFormat) -> DumpConfig {
    let mut config = DumpConfig::new(settings.dump_dir());
    config.format = format;
    config.max_file_bytes = settings.dump_file_size;
    config.max_file_age = settings.dump_file_age;
    config.max_files = settings.dump_files;
    config.max_total_bytes = settings.dump_total;
    config.compress = settings.dump_compress;
    config
}

fn trouble<E>(what: &'static str, path: &Path) -> impl FnOnce(E) -> Failure
where
    E: std::error::Error + 'static,
{
    let path = path.to_owned();
    move |source| Failure::Storage { what, path, source: Box::new(source) }
}
