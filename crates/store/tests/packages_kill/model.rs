//! What was said, and what may therefore be there.

use std::collections::BTreeMap;

/// An entry: whose, and the name of its content.
pub(crate) type Key = (String, String);

/// What there may be of an entry: the number of the upload or change that it is of, or nothing.
pub(crate) type State = Option<u64>;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Something acknowledged is not there, or as it was before.
    Lost,
    /// Something removed is there again.
    Revived,
    /// An entry without its content.
    NoContent,
    /// A content that is not what was uploaded.
    Torn,
    /// Something that was never done, or that was refused and should not have been.
    Wrong,
    /// The store set something aside, left something lying about or did not open.
    Unreadable,
}

/// What one entry was at the last start, and what was said of it since.
#[derive(Clone, Debug, Default)]
struct History {
    /// The last state that was acknowledged.
    known: State,
    /// What was begun since.
    begun: Vec<State>,
}

/// Everything that was said, over all starts.
#[derive(Debug, Default)]
pub(crate) struct Model {
    entries: BTreeMap<Key, History>,
    pub(crate) violations: Vec<(Fault, String)>,
}

impl Model {
    pub(crate) fn fault(&mut self, fault: Fault, what: String) {
        self.violations.push((fault, what));
    }

    pub(crate) fn begun(&mut self, key: Key, state: State) {
        self.entries.entry(key).or_default().begun.push(state);
    }

    pub(crate) fn done(&mut self, key: Key, state: State) {
        let history = self.entries.entry(key).or_default();
        history.known = state;
        history.begun.clear();
    }

    /// Compares with what is there, and goes on from that.
    pub(crate) fn check(&mut self, there: &BTreeMap<Key, u64>) {
        let mut faults = Vec::new();
        for (key, history) in &mut self.entries {
            let state = there.get(key).copied();
            if state != history.known && !history.begun.contains(&state) {
                let fault = if history.known.is_none() { Fault::Revived } else { Fault::Lost };
                faults.push((fault, format!("{key:?} is {state:?}, not as in {history:?}")));
            }
            *history = History { known: state, begun: Vec::new() };
        }
        for key in there.keys().filter(|key| !self.entries.contains_key(*key)) {
            faults.push((Fault::Wrong, format!("{key:?} was never uploaded")));
        }
        self.violations.extend(faults);
        self.entries.retain(|_, history| history.known.is_some());
    }
}
