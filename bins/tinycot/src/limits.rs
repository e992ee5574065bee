//! How many files, and with them connections, this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files kept for the log, the admin listener, the state, the dump, timers and the like.
const RESERVED: u64 = 72;

/// Files kept for the database of packages and for uploads, when packages are shared.
const RESERVED_FOR_PACKAGES: u64 = 24;

/// Files of an HTTP connection: its socket, and what is read or written through it.
const PER_HTTP_CONNECTION: u64 = 2;

/// Most of the files that HTTP may have: one of so many.
const HTTP_SHARE: u64 = 8;

/// How many connections of each kind fit into the limit on open files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fit {
    /// Of clients.
    pub(crate) cot: usize,
    /// Of HTTP.
    pub(crate) http: usize,
}

/// Raises the limit on open files as far as the system lets us, and returns how many of the wanted
/// connections fit into it. `http` is `None` when there is no listener for it.
pub(crate) fn connections(cot: usize, http: Option<usize>) -> Fit {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    fit(current, cot, http)
}

fn fit(files: Option<u64>, cot: usize, http: Option<usize>) -> Fit {
    // No limit at all is written as `None`.
    let Some(files) = files else { return Fit { cot, http: http.unwrap_or_default() } };
    let mut left = files.saturating_sub(RESERVED);
    let mut fit = Fit { cot, http: 0 };
    if let Some(wanted) = http {
        left = left.saturating_sub(RESERVED_FOR_PACKAGES);
        let share = left / HTTP_SHARE / PER_HTTP_CONNECTION;
        fit.http = at_most(share.max(1), wanted);
        left = left.saturating_sub(fit.http as u64 * PER_HTTP_CONNECTION);
    }
    fit.cot = at_most(left.max(1), cot);
    fit
}

fn at_most(files: u64, wanted: usize) -> usize {
    usize::try_from(files).unwrap_or(usize::MAX).min(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_of_connections_get_a_share_of_the_files() {
        assert_eq!(fit(None, 10_000, Some(256)), Fit { cot: 10_000, http: 256 });
        assert_eq!(fit(Some(1 << 20), 10_000, Some(256)), Fit { cot: 10_000, http: 256 });
        assert_eq!(fit(Some(1_024), 10_000, Some(256)), Fit { cot: 812, http: 58 });
        assert_eq!(fit(Some(256), 10_000, Some(256)), Fit { cot: 140, http: 10 });
        assert_eq!(fit(Some(256), 10_000, None), Fit { cot: 184, http: 0 });
        assert_eq!(fit(Some(10), 10_000, Some(256)), Fit { cot: 1, http: 1 });
    }
}
