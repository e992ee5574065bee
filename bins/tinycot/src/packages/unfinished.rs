//! Files that are not to be left behind when somebody ends a command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;

use tokio::runtime::Builder;

use super::complain;
use crate::signals::Signals;

/// The file that is being written.
static FILE: Mutex<Option<PathBuf>> = Mutex::new(None);

static WATCH: Once = Once::new();

/// As long as this is there, a signal that ends the process has the file removed.
pub(super) struct Unfinished;

impl Unfinished {
    /// Watches for signals from now on. Call it before the file is there, and [`name`](Self::name)
    /// it when it is.
    pub(super) fn begin() -> Self {
        WATCH.call_once(watch);
        Self
    }

    /// The file is this one.
    pub(super) fn name(&self, path: &Path) {
        *file() = Some(path.to_owned());
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        *file() = None;
    }
}

fn file() -> MutexGuard<'static, Option<PathBuf>> {
    FILE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the system does not let us, a signal ends the process as it always does.
fn watch() {
    let Ok(runtime) = Builder::new_current_thread().enable_io().build() else { return };
    let context = runtime.enter();
    let Ok(mut signals) = Signals::new() else { return };
    drop(context);
    let watcher = thread::Builder::new().name("signals".to_owned());
    let watched = watcher.spawn(move || {
        let (_, code) = runtime.block_on(signals.next());
        // Held to the end, so that the file does not get its name meanwhile.
        let unfinished = file();
        if let Some(path) = unfinished.as_deref() {
            // It may have its name by now.
            let _ = fs::remove_file(path);
        }
        complain("interrupted");
        process::exit(code.into());
    });
    drop(watched);
}
