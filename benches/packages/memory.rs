//! How much memory a process has, and had at most.

use std::fs;
use std::io::{self, Error};

/// Resident memory of a process. Bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) now: u64,
    /// At most since [`Memory::forget`].
    pub(crate) peak: u64,
}

impl Memory {
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kib = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.trim().trim_end_matches(" kB").parse::<u64>().ok()
        };
        let bytes = |key| kib(key).map(|kib| kib << 10);
        let found = bytes("VmRSS:").zip(bytes("VmHWM:"));
        let (now, peak) = found.ok_or_else(|| Error::other("the system does not say it"))?;
        Ok(Self { now, peak })
    }

    /// Has the peak count from now on.
    pub(crate) fn forget(pid: u32) -> io::Result<()> {
        fs::write(format!("/proc/{pid}/clear_refs"), "5")
    }
}
