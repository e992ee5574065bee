//! How slow the machine is at times, which is not the server's fault.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::now;

/// Time between two looks.
const PERIOD: Duration = Duration::from_millis(25);

/// What is not worth remembering.
const QUICK: Duration = Duration::from_millis(20);

/// Sleeps and writes to a disk again and again, and remembers how long that took when it took long.
#[derive(Debug)]
pub(crate) struct Probe {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// When the write that is under way began.
    since: Option<Instant>,
    /// When slow ones ended, and what they took.
    slow: Vec<(Instant, Duration)>,
}

impl Probe {
    /// Writes to the file system of a directory.
    pub(crate) fn start(dir: &Path) -> Self {
        let mut file = tempfile::tempfile_in(dir).unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let (seen, stop) = (seen.clone(), stop.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    look(&seen, &mut file);
                }
            }
        });
        Self { seen, stop, thread: Some(thread) }
    }

    /// The longest that a write took which went on at or after `since`.
    pub(crate) fn slowest(&self, since: Instant) -> Duration {
        let seen = self.seen.lock().unwrap();
        let slow = seen.slow.iter().filter(|(ended, _)| *ended >= since).map(|&(_, took)| took);
        let now = now();
        let under_way = seen.since.map(|since| now.duration_since(since));
        slow.chain(under_way).max().unwrap_or_default()
    }
}

/// A sleep and a write, each of which should be over soon.
fn look(seen: &Mutex<Seen>, file: &mut File) {
    let begin = now();
    thread::sleep(PERIOD);
    let slept = now();
    let late = slept.duration_since(begin).saturating_sub(PERIOD);
    seen.lock().unwrap().since = Some(slept);
    file.write_all(b".").unwrap();
    file.sync_data().unwrap();
    let ended = now();
    let took = late.max(ended.duration_since(slept));
    let mut seen = seen.lock().unwrap();
    seen.since = None;
    if took > QUICK {
        seen.slow.push((ended, took));
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed.
            let _ = thread.join();
        }
    }
}
