//! How many files, and with them connections, this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files kept for the log, the admin listener, the state, the dump, timers and the like.
const RESERVED: u64 = 72;

/// Raises the limit on open files as far as the system lets us, and returns how many of `wanted`
/// connections fit into it.
pub(crate) fn connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    // No limit at all is written as `None`.
    let fit = current.map_or(wanted as u64, |files| files.saturating_sub(RESERVED).max(1));
    usize::try_from(fit).unwrap_or(usize::MAX).min(wanted)
}
