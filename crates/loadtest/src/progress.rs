//! How far a run is.

use std::time::Duration;

use crate::clock::nanos;

/// Time between two calls of a progress function.
const EVERY: Duration = Duration::from_millis(200);

/// How far a run is, about five times a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// Of the phase: clients connected, or milliseconds passed, or events received.
    pub done: u64,
    /// What `done` will be when the phase ends.
    pub total: u64,
    /// Deliveries since the run began.
    pub deliveries: u64,
}

/// The parts of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Stalled clients read again. Counts pairs of a client and a sender that are up to date.
    CatchingUp,
    /// Clients connect. Counts clients.
    Connecting,
    /// What is under way arrives. Counts milliseconds of patience used.
    Draining,
    /// Clients make themselves known to each other. Counts pairs that heard each other.
    Meeting,
    /// Figures are taken. Counts milliseconds, or newcomers of a replay.
    Measuring,
    /// A publisher fills the picture. Counts things reported.
    Preparing,
    /// The same load, without figures. Counts milliseconds.
    WarmingUp,
}

impl Phase {
    /// The phase in one lower-case word or two.
    pub fn name(self) -> &'static str {
        match self {
            Self::CatchingUp => "catching up",
            Self::Connecting => "connecting",
            Self::Draining => "draining",
            Self::Measuring => "measuring",
            Self::Meeting => "meeting",
            Self::Preparing => "preparing",
            Self::WarmingUp => "warming up",
        }
    }
}

/// Calls the caller's function at its pace.
pub(crate) struct Watch<'a> {
    report: &'a mut dyn FnMut(&Progress),
    next_ns: u64,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(report: &'a mut dyn FnMut(&Progress)) -> Self {
        Self { report, next_ns: 0 }
    }

    /// Reports if it is time; whether it was.
    pub(crate) fn tick(&mut self, now: u64, progress: impl FnOnce() -> Progress) -> bool {
        if now < self.next_ns {
            return false;
        }
        self.next_ns = now + nanos(EVERY);
        (self.report)(&progress());
        true
    }
}
