//! The one task that hands out what the hub wants done.

use std::fmt;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::Shared;
use crate::{ClientId, CloseReason, Hub, Now, Output};

/// The hub and what the shell keeps beside it, under one lock.
pub(super) struct Shell {
    pub(super) hub: Hub,
    /// By slot of the client.
    connections: Vec<Option<Slot>>,
    pub(super) is_turn_due: bool,
    pub(super) has_ended: bool,
    /// Whether somebody is told of what happens.
    pub(super) is_observed: bool,
    /// When a peer's mistake was last logged above debug level.
    logged_ms: Option<u64>,
}

/// Least time between two lines about peers' mistakes, in milliseconds: they must not flood the
/// log. All of them are counted.
const LOG_REST_MS: u64 = 1_000;

/// What a connection's task must learn.
struct Slot {
    client: ClientId,
    waker: Option<Waker>,
    notice: Notice,
}

/// News for a connection's task.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Notice {
    pub(super) is_readable: bool,
    pub(super) close: Option<CloseReason>,
}

impl Shell {
    pub(super) fn new(hub: Hub) -> Self {
        Self {
            hub,
            connections: Vec::new(),
            is_turn_due: false,
            has_ended: false,
            is_observed: false,
            logged_ms: None,
        }
    }

    /// Whether a peer's mistake may be logged for the operator now.
    pub(super) fn may_log(&mut self, now: Now) -> bool {
        let may = self.logged_ms.is_none_or(|at| now.mono_ms >= at + LOG_REST_MS);
        if may {
            self.logged_ms = Some(now.mono_ms);
        }
        may
    }

    /// Takes the news for a connection and remembers whom to wake for the next.
    pub(super) fn listen(&mut self, client: ClientId, waker: &Waker) -> Notice {
        let slot = self.slot(client);
        match &mut slot.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        std::mem::take(&mut slot.notice)
    }

    pub(super) fn forget(&mut self, client: ClientId) {
        let at = client.slot();
        if let Some(slot) = self.connections.get_mut(at)
            && slot.as_ref().is_some_and(|slot| slot.client == client)
        {
            *slot = None;
        }
    }

    #[expect(clippy::indexing_slicing, reason = "the table was just made long enough")]
    fn slot(&mut self, client: ClientId) -> &mut Slot {
        let at = client.slot();
        if self.connections.len() <= at {
            self.connections.resize_with(at + 1, || None);
        }
        let fresh = || Slot { client, waker: None, notice: Notice::default() };
        let slot = self.connections[at].get_or_insert_with(fresh);
        if slot.client != client {
            *slot = fresh();
        }
        slot
    }

    fn hand_out(&mut self, wake: &mut Vec<Waker>) {
        self.is_turn_due = false;
        while let Some(output) = self.hub.poll_output() {
            let slot = match output {
                Output::Readable { client } => {
                    let slot = self.slot(client);
                    slot.notice.is_readable = true;
                    slot
                }
                Output::Close { client, reason } => {
                    let slot = self.slot(client);
                    slot.notice.close = Some(reason);
                    slot
                }
            };
            wake.extend(slot.waker.take());
        }
    }
}

impl fmt::Debug for Shell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shell").field("hub", &self.hub).finish_non_exhaustive()
    }
}

/// The relay's own task: wakes connections and keeps time.
#[derive(Debug)]
#[must_use = "the relay does nothing until its driver is run"]
pub struct Driver {
    shared: Arc<Shared>,
    gather: Duration,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, gather: Duration) -> Self {
        Self { shared, gather }
    }

    /// Runs until the last [`Relay`](super::Relay) handle is dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the relay.
    pub async fn run(self) {
        let mut wake = Vec::new();
        let timer = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(timer);
        loop {
            let is_timed = tokio::select! {
                () = self.shared.turn.notified() => false,
                () = &mut timer => true,
            };
            if !is_timed && !self.gather.is_zero() {
                tokio::time::sleep(self.gather).await;
            }
            let now = self.shared.clock.now();
            let (next_ms, is_observed) = {
                let mut shell = self.shared.shell();
                if shell.has_ended {
                    return;
                }
                if shell.hub.poll_timeout().is_some_and(|at| at <= now.mono_ms) {
                    shell.hub.handle_timeout(now);
                }
                shell.hand_out(&mut wake);
                (shell.hub.poll_timeout(), shell.is_observed)
            };
            if is_observed {
                self.shared.report();
            }
            wake.drain(..).for_each(Waker::wake);
            let wait_ms = next_ms.map_or(60_000, |at| at.saturating_sub(now.mono_ms));
            let deadline = Instant::now() + Duration::from_millis(wait_ms);
            if is_timed || deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
        }
    }
}
