//! Who is charged with a place in the table of teams, and which places events still need.

use std::net::{IpAddr, Ipv6Addr};

use super::emergency::Alerts;
use super::log::{Log, Seq};
use super::masks::Mask;
use crate::client::Peer;

/// Least time between two looks at everything that is kept, in milliseconds.
const LOOK_MS: u64 = 1_000;

/// Bits of an IPv6 address that tell networks apart: whoever has one address of a network commonly
/// has all of them.
const NETWORK_BITS: u32 = 64;

/// Who was the first to name a team, and is charged with its place for as long as the place is
/// needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Founder {
    /// The server, and connections without an address: nobody from whom others are protected.
    Unknown,
    /// All who have no connection, together.
    Callers,
    /// An IPv4 address, or an IPv6 network.
    Network(IpAddr),
}

impl Founder {
    pub(crate) fn of(peer: &Peer) -> Self {
        match peer.addr.map(|addr| addr.ip().to_canonical()) {
            Some(IpAddr::V6(ip)) => {
                let host = u128::MAX >> NETWORK_BITS;
                Self::Network(Ipv6Addr::from_bits(ip.to_bits() & !host).into())
            }
            Some(ip) => Self::Network(ip),
            None if peer.viewer.is_some() => Self::Callers,
            None => Self::Unknown,
        }
    }
}

/// The places that events still need. May name one for a moment too long, never too short: each
/// event is looked at when it is new, and what has gone is noticed at the next look at everything.
#[derive(Default)]
pub(crate) struct Pinned {
    mask: Mask,
    /// Everything below this has been looked at.
    to: Seq,
    next_look_ms: u64,
}

impl Pinned {
    /// Asks about every event that was appended since the last time, and every second about all
    /// that is kept: however often that is asked for, nobody can keep others from an answer.
    pub(crate) fn look(&mut self, now_ms: u64, log: &Log, alerts: &Alerts) -> Mask {
        if now_ms >= self.next_look_ms {
            self.next_look_ms = now_ms.saturating_add(LOOK_MS);
            self.mask = alerts.limited_to();
            self.to = 0;
        }
        self.mask = self.mask.or(log.limited_to(self.to));
        self.to = log.head();
        self.mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientId;
    use crate::hub::log::Meta;
    use crate::viewer::Viewer;

    fn founder(ip: &str) -> Founder {
        let ip: IpAddr = ip.parse().expect("an address");
        Founder::of(&Peer::new((ip, 1).into()))
    }

    #[test]
    fn an_address_is_told_apart_and_an_ipv6_network_counts_as_one() {
        assert_ne!(founder("10.0.0.1"), founder("10.0.0.2"));
        assert_eq!(founder("10.0.0.1"), founder("::ffff:10.0.0.1"));
        assert_eq!(founder("2001:db8:0:1::7"), founder("2001:db8:0:1:ffff::8"));
        assert_ne!(founder("2001:db8:0:1::7"), founder("2001:db8:0:2::7"));
        assert_eq!(Founder::of(&Peer::local("memory")), Founder::Unknown);
        let looker = Peer::viewing("web", Viewer::Everything);
        assert_eq!(Founder::of(&looker), Founder::Callers);
    }

    #[test]
    fn what_is_new_is_seen_at_once_and_what_has_gone_within_a_second() {
        let (mut log, alerts, mut pinned) = (Log::new(), Alerts::default(), Pinned::default());
        let meta = |mask| Meta {
            mask: Mask(mask),
            sender: ClientId(1),
            list: None,
            key: None,
            is_critical: false,
        };
        assert_eq!(pinned.look(5_000, &log, &alerts), Mask::NONE);
        log.append(b"one", &[], meta(0b10));
        log.append(b"two", &[], meta(u64::MAX));
        assert_eq!(pinned.look(5_000, &log, &alerts), Mask(0b10));
        log.append(b"three", &[], meta(0b100));
        log.seal();
        log.pop_block(|_, _, _| true);
        assert_eq!(log.first(), log.head(), "all of it is kept, nothing in the tail");
        assert_eq!(pinned.look(5_001, &log, &alerts), Mask(0b110));
        log.drop_kept(1);
        assert_eq!(pinned.look(5_999, &log, &alerts), Mask(0b110));
        assert_eq!(pinned.look(6_000, &log, &alerts), Mask(0b100));
    }
}
