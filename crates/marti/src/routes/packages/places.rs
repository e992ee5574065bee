//! How many uploads there are at a time, by address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::ApiError;

/// Counts uploads, so that one address does not take all the places of a store.
#[derive(Debug)]
pub(super) struct Places {
    by_addr: Arc<Mutex<HashMap<IpAddr, usize>>>,
    max: usize,
}

/// The place of an upload, left when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    by_addr: Arc<Mutex<HashMap<IpAddr, usize>>>,
    addr: Option<IpAddr>,
}

impl Places {
    /// At most `max` uploads from each address.
    pub(super) fn new(max: usize) -> Self {
        Self { by_addr: Arc::default(), max }
    }

    /// A place for an upload from here. Who has no address is the operator or an application, and
    /// is not counted.
    ///
    /// # Errors
    ///
    /// There are as many as there may be.
    pub(super) fn enter(&self, addr: Option<IpAddr>) -> Result<Place, ApiError> {
        if let Some(addr) = addr {
            let mut by_addr = self.by_addr.lock().unwrap_or_else(PoisonError::into_inner);
            let own = by_addr.get(&addr).copied().unwrap_or_default();
            if own >= self.max {
                let text = "there are too many uploads from this address";
                return Err(ApiError::Unavailable(text.to_owned()));
            }
            by_addr.insert(addr, own + 1);
        }
        Ok(Place { by_addr: Arc::clone(&self.by_addr), addr })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(addr) = self.addr else { return };
        let mut by_addr = self.by_addr.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = by_addr.get_mut(&addr) {
            *own -= 1;
            if *own == 0 {
                by_addr.remove(&addr);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_no_more() {
        let places = Places::new(2);
        let [near, far] = [1, 2].map(|last| Some(IpAddr::from(Ipv4Addr::new(10, 0, 0, last))));
        let first = places.enter(near).unwrap();
        let _second = places.enter(near).unwrap();
        assert!(matches!(places.enter(near), Err(ApiError::Unavailable(_))));
        let _other = places.enter(far).unwrap();
        drop(first);
        let _again = places.enter(near).unwrap();
        let _uncounted = [None; 5].map(|addr| places.enter(addr).unwrap());
    }

    #[test]
    fn nothing_is_kept_of_who_has_left() {
        let places = Places::new(2);
        drop(places.enter(Some(Ipv4Addr::LOCALHOST.into())));
        assert!(places.by_addr.lock().unwrap().is_empty());
    }
}
