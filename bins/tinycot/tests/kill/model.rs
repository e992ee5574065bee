//! What players did, what became known of it, and what a restart may show.
//!
//! Each uid is changed by one player alone, so its history is a list. A restart shows it as it was
//! at some moment: not before the last change that was durable, and not what never was.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::event::{Stamp, name};

/// What newcomers are shown of a uid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Nothing,
    /// The event with this number.
    Event(u32),
    /// That it has been deleted.
    Deletion,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// To the picture, under a uid.
    Shows(Shown),
    /// A message to a player.
    Chat { to: usize },
    /// A player leaves; nothing is sent.
    Leave,
    /// Something that is not checked by itself.
    Other,
}

/// One operation of a player.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) effect: Effect,
    /// When an effect of it, or of a later one of the same player, was seen by another player.
    pub(crate) seen: Option<Instant>,
    /// Whether it was sent back to its player.
    pub(crate) is_returned: bool,
    /// The end of the server that it was sent to.
    pub(crate) end: Option<End>,
    /// Times at which a message was received.
    pub(crate) received: Vec<Instant>,
}

/// When the server ended, and what had to be durable then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) at: Instant,
    /// What was seen until then must be there.
    pub(crate) durable: Instant,
    /// What was delivered from then on may come again.
    pub(crate) delivered: Instant,
    /// What was seen until then must be in the dump.
    pub(crate) dumped: Instant,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Something acknowledged is not there.
    Lost,
    /// Something gone is there again.
    Revived,
    /// Something came more often than it may.
    Repeated,
    /// Something came in the wrong order, or to the wrong one, or was never sent.
    Wrong,
    /// A data package without its content.
    NoContent,
    /// A data package that is not what was uploaded.
    Torn,
    /// The server did not start, or set something aside.
    Unreadable,
}

/// What went wrong, and with what.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) fault: Fault,
    pub(crate) what: String,
}

/// Everything that was done to one server, over all its restarts.
#[derive(Debug)]
pub(crate) struct Model {
    /// By player, in order; the first has the number 1.
    ops: Vec<Vec<Op>>,
    uids: BTreeMap<String, History>,
    /// By player, the numbers of operations that are open: not yet seen, or not yet checked.
    open: Vec<u32>,
    /// Messages that are not checked.
    chats: Vec<Stamp>,
    pub(crate) violations: Vec<Violation>,
    /// Operations that were seen long enough before an end.
    pub(crate) acknowledged: u64,
    /// Longest time before an end from which on something seen was not there any more.
    pub(crate) longest_loss: Duration,
}

/// One uid.
#[derive(Debug)]
struct History {
    owner: usize,
    /// As the last start showed it.
    base: Shown,
    since: Vec<(u32, Shown)>,
}

impl Model {
    pub(crate) fn new(players: usize) -> Self {
        Self {
            ops: vec![Vec::new(); players],
            uids: BTreeMap::new(),
            open: vec![1; players],
            chats: Vec::new(),
            violations: Vec::new(),
            acknowledged: 0,
            longest_loss: Duration::ZERO,
        }
    }

    /// Numbers an operation of a player that is about to be done.
    pub(crate) fn begin(&mut self, by: usize, effect: Effect, uid: Option<&str>) -> Stamp {
        let ops = &mut self.ops[by];
        let op = Op { effect, seen: None, is_returned: false, end: None, received: Vec::new() };
        ops.push(op);
        let stamp = Stamp { by, n: u32::try_from(ops.len()).unwrap() };
        if let Some(uid) = uid {
            let shown = match effect {
                Effect::Shows(Shown::Event(_)) => Shown::Event(stamp.n),
                Effect::Shows(shown) => shown,
                _ => Shown::Nothing,
            };
            let new = || History { owner: by, base: Shown::Nothing, since: Vec::new() };
            self.uids.entry(uid.to_owned()).or_insert_with(new).since.push((stamp.n, shown));
        }
        if matches!(effect, Effect::Chat { .. }) {
            self.chats.push(stamp);
        }
        stamp
    }

    /// What newcomers would be shown of a uid if the server had got everything.
    pub(crate) fn now_shown(&self, uid: &str) -> Shown {
        let Some(history) = self.uids.get(uid) else { return Shown::Nothing };
        history.since.last().map_or(history.base, |&(_, shown)| shown)
    }

    pub(crate) fn op(&mut self, stamp: Stamp) -> Option<&mut Op> {
        self.ops[stamp.by].get_mut(stamp.n as usize - 1)
    }

    /// The newest operation of a player, if it is a departure that nobody has been told of.
    pub(crate) fn unseen_leave(&self, by: usize) -> Option<Stamp> {
        let op = self.ops[by].last().filter(|op| op.effect == Effect::Leave && op.seen.is_none());
        op.map(|_| Stamp { by, n: u32::try_from(self.ops[by].len()).unwrap() })
    }

    /// An effect of an operation was seen, so all before it had been done as well.
    pub(crate) fn seen(&mut self, stamp: Stamp, at: Instant) {
        if stamp.n as usize > self.ops[stamp.by].len() {
            return self.fault(Fault::Wrong, format!("{stamp:?} was never sent"));
        }
        while self.open[stamp.by] <= stamp.n {
            let n = self.open[stamp.by];
            self.ops[stamp.by][n as usize - 1].seen = Some(at);
            self.open[stamp.by] += 1;
        }
    }

    pub(crate) fn fault(&mut self, fault: Fault, what: String) {
        self.violations.push(Violation { fault, what });
    }

    /// The server ended; what was open stays unknown.
    pub(crate) fn ended(&mut self, end: End) {
        for (ops, open) in self.ops.iter_mut().zip(&mut self.open) {
            for op in ops.iter_mut().rev().take_while(|op| op.end.is_none()) {
                op.end = Some(end);
                self.acknowledged += u64::from(op.seen.is_some_and(|seen| seen <= end.durable));
            }
            *open = u32::try_from(ops.len()).unwrap() + 1;
        }
    }

    /// Compares with what a newcomer was shown after a restart, and goes on from that.
    pub(crate) fn check_picture(&mut self, end: End, picture: &BTreeMap<String, Shown>) {
        let mut faults = Vec::new();
        for (uid, history) in &mut self.uids {
            let shown = picture.get(uid).copied().unwrap_or(Shown::Nothing);
            let ops = &self.ops[history.owner];
            let seen = |n: u32| ops[n as usize - 1].seen;
            let is_durable = |&(n, _): &(u32, Shown)| seen(n).is_some_and(|at| at <= end.durable);
            let floor = history.since.iter().rposition(is_durable);
            let required = floor.map_or(history.base, |at| history.since[at].1);
            let behind = floor.map_or(0, |at| at + 1);
            let later = &history.since[behind..];
            if shown != required {
                match later.iter().position(|&(_, later)| later == shown) {
                    Some(_) => {}
                    None => faults.push((fault(required, shown), format!(
                        "{uid}: {shown:?} instead of {required:?}, the history is {:?}, {later:?} \
                         are not durable",
                        history.since
                    ))),
                }
            }
            // Which of those seen are not there, although they need not be?
            let reached = later.iter().rposition(|&(_, later)| later == shown);
            let lost = &later[reached.map_or(0, |at| at + 1)..];
            if let Some(at) = lost.iter().find_map(|&(n, _)| seen(n)) {
                let loss = end.at.saturating_duration_since(at);
                self.longest_loss = self.longest_loss.max(loss);
            }
            history.base = shown;
            history.since.clear();
        }
        for uid in picture.keys().filter(|uid| !self.uids.contains_key(*uid)) {
            faults.push((Fault::Wrong, format!("{uid} was never sent")));
        }
        for (fault, what) in faults {
            self.fault(fault, what);
        }
    }

    /// A message came.
    pub(crate) fn chat_received(&mut self, stamp: Stamp, by: usize, at: Instant, end: Option<End>) {
        let Some(op) = self.op(stamp) else {
            return self.fault(Fault::Wrong, format!("{stamp:?} was never sent"));
        };
        if op.effect != (Effect::Chat { to: by }) {
            return self.fault(Fault::Wrong, format!("{stamp:?} came to {}", name(by)));
        }
        // What had been delivered well before the last end must not come again.
        let last = op.received.last().copied();
        op.received.push(at);
        let may_come_again =
            last.is_none_or(|last| end.is_some_and(|end| last >= end.delivered && last <= end.at));
        if !may_come_again {
            let what = format!("the message {stamp:?} came again: {:?}", self.op(stamp));
            return self.fault(Fault::Repeated, what);
        }
        // Those of one player to another come in order, the first time that they come.
        let is_first = last.is_none();
        let ops = &self.ops[stamp.by];
        let later = self.chats.iter().filter(|other| other.by == stamp.by && other.n > stamp.n);
        let mut later = later.filter(|_| is_first);
        let later = later.find(|other| {
            let op = &ops[other.n as usize - 1];
            op.effect == (Effect::Chat { to: by }) && !op.received.is_empty()
        });
        if let Some(later) = later.copied() {
            self.fault(Fault::Wrong, format!("the message {stamp:?} came behind {later:?}"));
        }
    }

    /// Everybody has been back since the restart and has got all that waited.
    pub(crate) fn check_chats(&mut self, end: End) {
        let mut faults = Vec::new();
        for stamp in std::mem::take(&mut self.chats) {
            let Some(op) = self.op(stamp) else { continue };
            if op.end.is_none() {
                self.chats.push(stamp);
                continue;
            }
            let Some(seen) = op.seen.filter(|_| !op.is_returned && op.received.is_empty()) else {
                continue;
            };
            if seen <= end.durable {
                faults.push(format!("the message {stamp:?}, {op:?}"));
            } else {
                let loss = end.at.saturating_duration_since(seen);
                self.longest_loss = self.longest_loss.max(loss);
            }
        }
        for what in faults {
            self.fault(Fault::Lost, what);
        }
    }

    /// All operations with their stamps.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Stamp, &Op)> {
        self.ops
            .iter()
            .enumerate()
            .flat_map(|(by, ops)| ops.iter().zip(1..).map(move |(op, n)| (Stamp { by, n }, op)))
    }
}

/// What it is to be shown something else than what must be.
fn fault(required: Shown, shown: Shown) -> Fault {
    match (required, shown) {
        (Shown::Event(n), Shown::Event(shown)) if shown > n => Fault::Wrong,
        (Shown::Event(_), _) | (Shown::Deletion, Shown::Nothing) => Fault::Lost,
        (Shown::Nothing, _) | (Shown::Deletion, _) => Fault::Revived,
    }
}
