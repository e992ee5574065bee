//! Observes processes through `/proc`: the server's, and this thread's own time.

use std::fs;
use std::io;

use crate::LoadError;

/// Processor time and memory of a process at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Time of all its threads so far, in user code and in the system. Nanoseconds.
    pub(crate) cpu_ns: u64,
    /// Resident memory. Bytes.
    pub(crate) rss: u64,
}

/// A process to observe, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probe {
    pid: Option<u32>,
}

impl Probe {
    pub(crate) fn new(pid: Option<u32>) -> Self {
        Self { pid }
    }

    /// The usage now; nothing without a process.
    pub(crate) fn usage(self) -> Result<Option<Usage>, LoadError> {
        let Some(pid) = self.pid else { return Ok(None) };
        let read = || Ok(Usage { cpu_ns: cpu_ns(pid)?, rss: rss(pid)? });
        read().map(Some).map_err(|source| LoadError::Process { pid, source })
    }
}

/// Processor time of the calling thread. Nanoseconds; nothing where the system does not tell.
pub(crate) fn own_cpu_ns() -> Option<u64> {
    first_number(&fs::read_to_string("/proc/thread-self/schedstat").ok()?)
}

/// Sums the scheduler's figures of all threads, which are exact to the nanosecond.
///
/// Threads that have ended are missed; the coarse total of the process is taken where it is more.
fn cpu_ns(pid: u32) -> io::Result<u64> {
    let mut total = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = thread?.path().join("schedstat");
        // A thread may end between the two reads.
        let Ok(text) = fs::read_to_string(path) else { continue };
        total += first_number(&text).unwrap_or(0);
    }
    Ok(total.max(coarse_cpu_ns(pid)?))
}

/// User and system time in ticks of 10 ms, less one tick that may not have been used up.
fn coarse_cpu_ns(pid: u32) -> io::Result<u64> {
    const TICK_NS: u64 = 10_000_000;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold blanks; times are the 12th and 13th field behind it.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(first_number).sum();
    Ok(ticks.saturating_sub(2) * TICK_NS)
}

fn rss(pid: u32) -> io::Result<u64> {
    // The roll-up is exact; the status may lag by some pages per processor.
    let exact = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
    let (text, key) = match exact {
        Ok(text) => (text, "Rss:"),
        Err(_) => (fs::read_to_string(format!("/proc/{pid}/status"))?, "VmRSS:"),
    };
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let kibibytes = line.and_then(first_number).ok_or(io::ErrorKind::InvalidData)?;
    Ok(kibibytes * 1024)
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn own_process_uses_time_and_memory() {
        let probe = Probe::new(Some(std::process::id()));
        let before = probe.usage().expect("own process").expect("has a number");
        let sum: u64 = (0..50_000_000_u64).map(std::hint::black_box).sum();
        assert!(sum > 0);
        let after = probe.usage().expect("own process").expect("has a number");
        assert!(after.cpu_ns > before.cpu_ns, "{before:?} {after:?}");
        assert!(after.rss > 100_000, "{after:?}");
        assert!(own_cpu_ns().is_some_and(|ns| ns > 0));
    }

    #[test]
    fn a_process_that_is_not_there_is_named() {
        let error = Probe::new(Some(u32::MAX)).usage().expect_err("no such process");
        assert!(error.to_string().contains("4294967295"), "{error}");
    }
}
