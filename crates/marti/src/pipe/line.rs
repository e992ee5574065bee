//! Waiting for one's turn: first behind those of one's own address, then behind one of each other.
//!
//! So however many somebody sends, the others wait behind one of them only.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places of which an address has one at a time. Those without an address wait in one line only.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    by_addr: Arc<Mutex<HashMap<IpAddr, Arc<Line>>>>,
    all: Arc<Line>,
}

/// Places, and how many wait for one; whoever came first is first.
#[derive(Debug)]
struct Line {
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Lines {
    /// So many places in all.
    pub(super) fn new(places: usize) -> Self {
        Self { by_addr: Arc::default(), all: Arc::new(Line::new(places)) }
    }

    /// A place, as soon as there is one.
    pub(super) async fn enter(&self, addr: Option<IpAddr>) -> Place {
        let own = addr.map(|addr| OwnLine::new(self, addr.to_canonical()));
        let first = match &own {
            Some(own) => own.line.enter().await,
            None => None,
        };
        let second = self.all.enter().await;
        Place { _permits: [first, second], own, all: self.all.clone() }
    }
}

impl Line {
    fn new(places: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(places)), waiting: AtomicUsize::new(0) }
    }

    async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        let _waiting = Waiting::new(&self.waiting);
        self.free.clone().acquire_owned().await.ok()
    }

    fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

/// One more, until this is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(all: &'a AtomicUsize) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(all)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The line of an address, which is forgotten with the last who uses it.
#[derive(Debug)]
struct OwnLine {
    lines: Lines,
    addr: IpAddr,
    line: Arc<Line>,
}

impl OwnLine {
    fn new(lines: &Lines, addr: IpAddr) -> Self {
        let mut by_addr = lines.by_addr.lock().unwrap_or_else(PoisonError::into_inner);
        let line = by_addr.entry(addr).or_insert_with(|| Arc::new(Line::new(1))).clone();
        drop(by_addr);
        Self { lines: lines.clone(), addr, line }
    }
}

impl Drop for OwnLine {
    fn drop(&mut self) {
        let mut by_addr = self.lines.by_addr.lock().unwrap_or_else(PoisonError::into_inner);
        // Ours and that of the map: nobody gets another without the lock.
        if Arc::strong_count(&self.line) == 2 {
            by_addr.remove(&self.addr);
        }
    }
}

/// A place, left when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _permits: [Option<OwnedSemaphorePermit>; 2],
    own: Option<OwnLine>,
    all: Arc<Line>,
}

impl Place {
    /// Whether somebody waits for this very place or one like it.
    pub(super) fn is_waited_for(&self) -> bool {
        self.all.is_waited_for() || self.own.as_ref().is_some_and(|own| own.line.is_waited_for())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    fn addr(last: u8) -> Option<IpAddr> {
        Some([10, 0, 0, last].into())
    }

    #[tokio::test]
    async fn an_address_waits_behind_itself() {
        let lines = Lines::new(2);
        let first = lines.enter(addr(1)).await;
        assert!(!first.is_waited_for());
        let behind = tokio::spawn({
            let lines = lines.clone();
            async move { lines.enter(addr(1)).await }
        });
        timeout(SOON, async { lines.enter(Some("::ffff:10.0.0.1".parse().unwrap())).await })
            .await
            .unwrap_err();
        assert!(first.is_waited_for());
        let other = timeout(SOON, lines.enter(addr(2))).await.unwrap();
        assert!(!other.is_waited_for(), "who waits behind another does not wait for this one");
        let third = tokio::spawn({
            let lines = lines.clone();
            async move { lines.enter(addr(3)).await }
        });
        tokio::time::sleep(SOON).await;
        assert!(other.is_waited_for());
        drop(first);
        // Who waits for a place of all was there before the one behind the first.
        let third = timeout(SOON, third).await.unwrap().unwrap();
        assert!(!behind.is_finished());
        drop((third, other));
        let behind = timeout(SOON, behind).await.unwrap().unwrap();
        assert_eq!(lines.by_addr.lock().unwrap().len(), 1);
        drop(behind);
        assert!(lines.by_addr.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn those_without_an_address_are_counted_together() {
        let lines = Lines::new(2);
        let _places = (lines.enter(None).await, lines.enter(None).await);
        timeout(SOON, lines.enter(None)).await.unwrap_err();
        timeout(SOON, lines.enter(addr(1))).await.unwrap_err();
        assert!(lines.by_addr.lock().unwrap().is_empty());
    }
}
