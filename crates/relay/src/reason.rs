//! Names for every way in which something ends or gets lost.

use std::fmt;

/// A small closed set of reasons that can be counted in an array.
pub trait Reason: Copy + fmt::Debug + 'static {
    /// Every reason, in the order of [`Reason::index`].
    const ALL: &'static [Self];
    /// Place in [`Reason::ALL`].
    fn index(self) -> usize;
    /// Word for logs and metrics: lower case, underscores.
    fn as_str(self) -> &'static str;
}

/// Counters of a [`PerReason`]: at least as many as any set has reasons, which a test checks.
const MOST_REASONS: usize = 13;

macro_rules! reasons {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl Reason for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];
            fn index(self) -> usize { self as usize }
            fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }
    };
}

reasons! {
    /// Why an event, or one client's copy of it, went nowhere.
    DropReason {
        /// Its client was closed before it was written.
        Closed = "closed",
        /// An old copy of something that has been deleted.
        Deleted = "deleted",
        /// Addressed to its own sender only.
        Echo = "echo",
        /// Addressed only to people whom the sender's team does not reach.
        Forbidden = "forbidden",
        /// For somebody who is away, and there was no room to hold it.
        HoldFull = "hold_full",
        /// It carries this server's own flow tag.
        Loop = "loop",
        /// Not a valid event.
        Invalid = "invalid",
        /// A mission, group or publish destination, which this relay does not serve.
        NoSuchService = "no_such_service",
        /// Larger than clients can take.
        Oversize = "oversize",
        /// Its validity ran out before a lagging client could take it.
        Stale = "stale",
        /// The relay's memory for kept events is full.
        StateFull = "state_full",
        /// Its sender's team has no place in the table of teams.
        TeamsFull = "teams_full",
        /// Nobody it was addressed to is known.
        UnknownAddressee = "unknown_addressee",
    }
}

reasons! {
    /// Why a connection ended. An ordinary end is a value, not an error.
    CloseReason {
        /// It speaks HTTP.
        Http = "http",
        /// It pinged before and then sent nothing for [`idle_timeout`](crate::HubConfig::idle_timeout).
        Idle = "idle",
        /// The transport failed.
        Io = "io",
        /// The peer closed it.
        PeerClosed = "peer_closed",
        /// Bytes that cannot be read as a stream of events.
        Protocol = "protocol",
        /// The server is stopping.
        Shutdown = "shutdown",
        /// An event was begun and not completed in time.
        SlowEvent = "slow_event",
        /// Too many critical events behind.
        SlowConsumer = "slow_consumer",
        /// It speaks TLS.
        Tls = "tls",
        /// It took no bytes for [`write_timeout`](crate::HubConfig::write_timeout).
        WriteTimeout = "write_timeout",
    }
}

reasons! {
    /// Why a connection was not admitted.
    RefuseReason {
        /// [`max_clients`](crate::HubConfig::max_clients) are open.
        Full = "full",
        /// [`max_clients_per_address`](crate::HubConfig::max_clients_per_address) are open from this address.
        PerAddress = "per_address",
        /// The relay is shutting down.
        Shutdown = "shutdown",
    }
}

impl std::error::Error for RefuseReason {}

/// One counter per reason.
#[derive(Clone, PartialEq, Eq)]
pub struct PerReason<R> {
    counts: [u64; MOST_REASONS],
    reasons: std::marker::PhantomData<R>,
}

impl<R: Reason> PerReason<R> {
    /// The counter of one reason.
    pub fn of(&self, reason: R) -> u64 {
        self.counts.get(reason.index()).copied().unwrap_or(0)
    }

    /// All reasons together.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Every reason with its counter, zero ones included.
    pub fn iter(&self) -> impl Iterator<Item = (R, u64)> + '_ {
        R::ALL.iter().map(|&reason| (reason, self.of(reason)))
    }

    pub(crate) fn add(&mut self, reason: R, count: u64) {
        if let Some(slot) = self.counts.get_mut(reason.index()) {
            *slot += count;
        }
    }
}

impl<R> Default for PerReason<R> {
    fn default() -> Self {
        Self { counts: [0; MOST_REASONS], reasons: std::marker::PhantomData }
    }
}

impl<R: Reason> fmt::Debug for PerReason<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = self.iter().filter(|&(_, count)| count > 0);
        f.debug_map().entries(counted.map(|(reason, count)| (reason.as_str(), count))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_counter_of_its_own() {
        fn check<R: Reason>() {
            let mut counts = PerReason::<R>::default();
            for &reason in R::ALL {
                counts.add(reason, 1);
            }
            assert!(counts.iter().all(|(_, count)| count == 1), "{counts:?}");
            assert_eq!(counts.total(), R::ALL.len() as u64);
        }
        check::<DropReason>();
        check::<CloseReason>();
        check::<RefuseReason>();
    }
}
