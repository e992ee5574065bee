//! How many there are of something, in all and by address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// How many there are, in all and by address.
#[derive(Clone, Debug)]
pub(crate) struct Crowd {
    inner: Arc<Mutex<Inside>>,
    max: usize,
    max_per_addr: usize,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    by_addr: HashMap<IpAddr, usize>,
}

impl Crowd {
    pub(crate) fn new(max: usize, max_per_addr: usize) -> Self {
        Self { inner: Arc::default(), max, max_per_addr }
    }

    /// A place, if there is one. Those without an address are only counted together.
    pub(crate) fn enter(&self, addr: Option<IpAddr>) -> Option<Place> {
        let addr = addr.map(|addr| addr.to_canonical());
        let mut inside = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let own = addr.and_then(|addr| inside.by_addr.get(&addr).copied()).unwrap_or_default();
        if inside.all >= self.max || own >= self.max_per_addr {
            return None;
        }
        inside.all += 1;
        if let Some(addr) = addr {
            inside.by_addr.insert(addr, own + 1);
        }
        Some(Place { crowd: self.clone(), addr })
    }
}

/// A place, left when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    crowd: Crowd,
    addr: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.crowd.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inside.all -= 1;
        let Some(addr) = self.addr else { return };
        if let Some(own) = inside.by_addr.get_mut(&addr) {
            *own -= 1;
            if *own == 0 {
                inside.by_addr.remove(&addr);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_address_and_in_all() {
        let crowd = Crowd::new(3, 2);
        let addr = |text: &str| Some(text.parse().unwrap());
        let first = crowd.enter(addr("10.0.0.1")).unwrap();
        let _second = crowd.enter(addr("::ffff:10.0.0.1")).unwrap();
        assert!(crowd.enter(addr("10.0.0.1")).is_none());
        let third = crowd.enter(None).unwrap();
        assert!(crowd.enter(addr("10.0.0.2")).is_none());
        drop((first, third));
        let _fourth = crowd.enter(addr("10.0.0.1")).unwrap();
        assert!(crowd.enter(addr("10.0.0.1")).is_none());
        assert_eq!(crowd.inner.lock().unwrap().by_addr.len(), 1);
    }
}
