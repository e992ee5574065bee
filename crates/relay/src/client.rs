//! One connection, as the world outside the hub knows it.

use std::net::SocketAddr;

/// One connection to the relay. Never reused, so a late message for a closed connection is
/// harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub(crate) u64);

impl ClientId {
    /// Its number, for logs and tables: 1 for the first connection. 0 is the server itself.
    pub fn as_u64(self) -> u64 {
        self.0 >> 32
    }

    /// Place in tables of connections that are open now.
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is the slot")]
    pub(crate) fn slot(self) -> usize {
        self.0 as u32 as usize
    }
}

/// Transport facts of a connection.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Peer {
    /// Where it comes from. `None` for transports without addresses.
    pub addr: Option<SocketAddr>,
    /// What carries it, for tables and logs: `tcp` by default.
    pub transport: &'static str,
}

impl Peer {
    /// A peer on plain TCP.
    pub fn new(addr: SocketAddr) -> Self {
        Self { addr: Some(addr), transport: "tcp" }
    }

    /// A peer without an address, carried by `transport`.
    pub fn local(transport: &'static str) -> Self {
        Self { addr: None, transport }
    }
}
