//! Memory that answers may hold while they wait for those who asked.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Answers up to this size are not counted: those who ask are, and each holds one. Bytes.
const SMALL: usize = 64 << 10;

/// Bytes of answers that may wait at a time, in all and for one address.
///
/// A larger answer than an address may have waiting counts as that much, so that everyone gets one
/// whatever its size.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    held: Arc<Mutex<Held>>,
    max: usize,
    max_per_addr: usize,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by_addr: HashMap<IpAddr, usize>,
}

impl Budget {
    /// So many bytes.
    pub(crate) fn new(max: usize, max_per_addr: usize) -> Self {
        Self { held: Arc::default(), max, max_per_addr }
    }

    /// The same bytes, which are counted until the last of them is dropped; `None` if too many wait
    /// already. Those without an address are only counted together.
    pub(crate) fn hold(&self, bytes: Bytes, addr: Option<IpAddr>) -> Option<Bytes> {
        if bytes.len() <= SMALL {
            return Some(bytes);
        }
        let addr = addr.map(|addr| addr.to_canonical());
        let len = bytes.len().min(self.max_per_addr);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let own = addr.and_then(|addr| held.by_addr.get(&addr).copied()).unwrap_or_default();
        if held.all + len > self.max || own + len > self.max_per_addr {
            return None;
        }
        held.all += len;
        if let Some(addr) = addr {
            held.by_addr.insert(addr, own + len);
        }
        drop(held);
        Some(Bytes::from_owner(Counted { bytes, len, addr, budget: self.clone() }))
    }
}

/// Bytes that are counted for as long as they are there.
struct Counted {
    bytes: Bytes,
    len: usize,
    addr: Option<IpAddr>,
    budget: Budget,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut held = self.budget.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.all -= self.len;
        let Some(addr) = self.addr else { return };
        if let Some(own) = held.by_addr.get_mut(&addr) {
            *own -= self.len;
            if *own == 0 {
                held.by_addr.remove(&addr);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(len: usize) -> Bytes {
        vec![7; len].into()
    }

    #[test]
    fn bytes_are_counted_by_address_and_in_all_until_they_are_dropped() {
        let budget = Budget::new(3 * SMALL, 2 * SMALL);
        let addr = |text: &str| Some(text.parse().unwrap());
        let mut first = budget.hold(bytes(2 * SMALL), addr("10.0.0.1")).unwrap();
        assert_eq!(first.len(), 2 * SMALL);
        assert!(budget.hold(bytes(SMALL + 1), addr("::ffff:10.0.0.1")).is_none());
        assert!(budget.hold(bytes(2 * SMALL), addr("10.0.0.2")).is_none());
        // What is small is not counted.
        assert!(budget.hold(bytes(SMALL), addr("10.0.0.1")).is_some());
        let rest = first.split_off(10);
        drop(first);
        assert!(budget.hold(bytes(2 * SMALL), None).is_none());
        drop(rest);
        // What is larger than all that is left to an address is as large as that.
        let second = budget.hold(bytes(9 * SMALL), addr("10.0.0.2")).unwrap();
        assert_eq!(second, bytes(9 * SMALL));
        drop(second);
        assert!(budget.held.lock().unwrap().by_addr.is_empty());
    }
}
