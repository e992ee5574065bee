//! What is taken over from a relay, on the relay's thread.

use std::sync::Arc;

use relay::server::Observer;
use relay::{Accepted, Observe, Observed, PictureChange};

use crate::dump::CompressionDone;
use crate::queue::{Content, Queue};

/// Memory that may wait for one thread, in bytes.
pub(crate) const BUDGET: usize = 8 << 20;

/// Changes of the picture that wait.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) list: Vec<PictureChange>,
    pub(crate) bytes: usize,
    /// Changes that are missing before those in the list.
    pub(crate) lost: u64,
}

/// Events that wait to be dumped.
#[derive(Default)]
pub(crate) struct Events {
    pub(crate) list: Vec<Entry>,
    pub(crate) bytes: usize,
    /// Files that have been compressed meanwhile, or could not be.
    pub(crate) compressed: Vec<CompressionDone>,
}

/// One of them, or a place where some are missing.
pub(crate) enum Entry {
    Event(Accepted),
    Gap(u64),
}

/// The observer: hands over to the threads.
pub(crate) struct Feed {
    pub(crate) changes: Option<Arc<Queue<Changes>>>,
    pub(crate) events: Option<Arc<Queue<Events>>>,
}

impl Feed {
    pub(crate) fn what(&self) -> Observe {
        Observe::new(self.events.is_some(), self.changes.is_some())
    }
}

impl Observer for Feed {
    fn observe(&mut self, observed: &mut Observed) {
        if let Some(queue) = &self.changes
            && (!observed.changes.is_empty() || observed.missed_changes > 0)
        {
            queue.add(|changes| changes.add(observed));
        }
        if let Some(queue) = &self.events
            && (!observed.events.is_empty() || observed.missed_events > 0)
        {
            queue.add(|events| events.add(observed));
        }
    }
}

impl Changes {
    /// Beyond the budget everything goes: the picture has to be exported anew, whatever is kept.
    fn add(&mut self, observed: &mut Observed) {
        self.lost += observed.missed_changes;
        self.bytes += observed.held_bytes + size_of_val(observed.changes.as_slice());
        self.list.append(&mut observed.changes);
        if self.bytes > BUDGET {
            self.lost += self.list.len() as u64;
            self.list = Vec::new();
            self.bytes = 0;
        }
    }
}

impl Content for Changes {
    fn is_empty(&self) -> bool {
        self.list.is_empty() && self.lost == 0
    }

    fn is_urgent(&self) -> bool {
        self.bytes > BUDGET / 4 || self.lost > 0
    }
}

impl Events {
    /// Beyond the budget the newest go, and the place is marked.
    fn add(&mut self, observed: &mut Observed) {
        let bytes = observed.held_bytes + size_of::<Entry>() * observed.events.len();
        if self.bytes + bytes > BUDGET {
            self.gap(observed.events.len() as u64 + observed.missed_events);
            return;
        }
        self.bytes += bytes;
        self.list.extend(observed.events.drain(..).map(Entry::Event));
        if observed.missed_events > 0 {
            self.gap(observed.missed_events);
        }
    }

    fn gap(&mut self, events: u64) {
        match self.list.last_mut() {
            Some(Entry::Gap(gap)) => *gap += events,
            _ => self.list.push(Entry::Gap(events)),
        }
    }
}

impl Content for Events {
    fn is_empty(&self) -> bool {
        self.list.is_empty() && self.compressed.is_empty()
    }

    fn is_urgent(&self) -> bool {
        self.bytes > BUDGET / 4
    }
}

#[cfg(test)]
mod tests {
    use relay::RecordKey;

    use super::*;

    fn turn(changes: usize, events: usize, held_bytes: usize) -> Observed {
        let mut observed = Observed::default();
        let key = RecordKey::Contact { uid: "A".into() };
        observed.changes = (0..changes).map(|_| PictureChange::Remove(key.clone())).collect();
        let mut hub = relay::Hub::new(relay::HubConfig::default());
        hub.observe(Observe::new(true, false));
        for _ in 0..events {
            let event = br#"<event version="2.0" uid="A" type="a-f-G" how="m-g" time="2026-01-01T00:00:00Z" start="2026-01-01T00:00:00Z" stale="2026-01-01T00:06:15Z"><point lat="1" lon="2" hae="0" ce="9" le="9"/></event>"#;
            let mut scanner = cot_core::Scanner::new(cot_core::Limits::default());
            let header = scanner.scan(event).unwrap();
            hub.publish(relay::Now::default(), &header, &relay::Scope::All).unwrap();
        }
        let mut taken = Observed::default();
        hub.take_observed(&mut taken);
        observed.events = taken.events;
        assert_eq!(observed.events.len(), events);
        observed.held_bytes = held_bytes;
        observed
    }

    #[test]
    fn changes_beyond_the_budget_are_all_lost_and_counted() {
        let mut changes = Changes::default();
        changes.add(&mut turn(2, 0, 100));
        assert!(!changes.is_urgent() && !changes.is_empty());
        changes.add(&mut turn(1, 0, BUDGET / 4));
        assert!(changes.is_urgent());
        assert_eq!((changes.list.len(), changes.lost), (3, 0));
        changes.add(&mut turn(1, 0, BUDGET));
        assert_eq!((changes.list.len(), changes.lost, changes.bytes), (0, 4, 0));
        changes.add(&mut turn(1, 0, 100));
        assert_eq!((changes.list.len(), changes.lost), (1, 4));
        assert!(changes.is_urgent());
        let mut missed = turn(0, 0, 0);
        missed.missed_changes = 6;
        changes.add(&mut missed);
        assert_eq!(changes.lost, 10);
    }

    #[test]
    fn events_beyond_the_budget_leave_a_gap_where_they_were() {
        let mut events = Events::default();
        events.add(&mut turn(0, 2, BUDGET / 2));
        assert!(events.is_urgent());
        events.add(&mut turn(0, 3, BUDGET / 2));
        events.add(&mut turn(0, 4, BUDGET / 2));
        events.add(&mut turn(0, 1, 100));
        let mut missed = turn(0, 1, 100);
        missed.missed_events = 5;
        events.add(&mut missed);
        let entry = |entry: &Entry| match entry {
            Entry::Event(_) => "event".to_owned(),
            Entry::Gap(gap) => gap.to_string(),
        };
        let list: Vec<_> = events.list.iter().map(entry).collect();
        assert_eq!(list, ["event", "event", "7", "event", "event", "5"]);
    }
}
