//! Memory that waits for others: answers for those who asked, bodies for the rest of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Up to this size nothing is counted: those who ask are, and each holds one. Bytes.
const SMALL: usize = 64 << 10;

/// Bytes that may wait at a time, in all and for one address.
///
/// More than an address may have waiting counts as that much, so that everyone gets one answer
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

    /// Room for what is about to be collected; nothing yet. Those without an address are only counted
    /// together.
    pub(crate) fn room(&self, addr: Option<IpAddr>) -> Room {
        let addr = addr.map(|addr| addr.to_canonical());
        Room { len: 0, counted: 0, addr, budget: self.clone() }
    }

    /// The same bytes, which are counted until the last of them is dropped; `None` if too many wait
    /// already.
    pub(crate) fn hold(&self, bytes: Bytes, addr: Option<IpAddr>) -> Option<Bytes> {
        if bytes.len() <= SMALL {
            return Some(bytes);
        }
        let mut room = self.room(addr);
        room.grow(bytes.len()).then(|| share(bytes, Arc::new(room)))
    }
}

/// Room that is counted for as long as it is there.
#[derive(Debug)]
pub(crate) struct Room {
    len: usize,
    /// What of it counts.
    counted: usize,
    addr: Option<IpAddr>,
    budget: Budget,
}

impl Room {
    /// Takes so many bytes more; `false`, and nothing, if too many wait already.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let Budget { held, max, max_per_addr } = &self.budget;
        let len = self.len.saturating_add(bytes);
        let counted = if len <= SMALL { 0 } else { len.min(*max_per_addr) };
        let more = counted - self.counted;
        if more > 0 {
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            let own = self.addr.and_then(|addr| held.by_addr.get(&addr).copied());
            let own = own.unwrap_or_default();
            if held.all + more > *max || own + more > *max_per_addr {
                return false;
            }
            held.all += more;
            if let Some(addr) = self.addr {
                held.by_addr.insert(addr, own + more);
            }
        }
        (self.len, self.counted) = (len, counted);
        true
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut held = self.budget.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.all -= self.counted;
        let Some(addr) = self.addr.filter(|_| self.counted > 0) else { return };
        if let Some(own) = held.by_addr.get_mut(&addr) {
            *own -= self.counted;
            if *own == 0 {
                held.by_addr.remove(&addr);
            }
        }
    }
}

/// The same bytes, which keep their room until the last of them is dropped.
pub(crate) fn share(bytes: Bytes, room: Arc<Room>) -> Bytes {
    Bytes::from_owner(Counted { bytes, _room: room })
}

/// Bytes, and their room.
struct Counted {
    bytes: Bytes,
    _room: Arc<Room>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
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

    #[test]
    fn room_grows_from_where_it_counts_to_all_there_is_for_an_address() {
        let budget = Budget::new(3 * SMALL, 2 * SMALL);
        let addr = Some([10, 0, 0, 1].into());
        let all = || budget.held.lock().unwrap().all;
        let mut first = budget.room(addr);
        assert!(first.grow(SMALL - 1) && first.grow(1) && all() == 0);
        assert!(first.grow(1) && all() == SMALL + 1);
        let mut second = budget.room(addr);
        assert!(second.grow(SMALL) && !second.grow(1) && all() == SMALL + 1);
        assert!(first.grow(SMALL) && first.grow(9 * SMALL) && all() == 2 * SMALL);
        drop(first);
        assert!(second.grow(1) && all() == SMALL + 1);
        drop(second);
        assert!(all() == 0 && budget.held.lock().unwrap().by_addr.is_empty());
    }
}
