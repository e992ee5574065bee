//! One connection, as the world outside the hub knows it.

use std::net::SocketAddr;

use crate::viewer::Viewer;

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
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Peer {
    /// Where it comes from. `None` for transports without addresses; what is limited for each
    /// address is not limited for them.
    pub addr: Option<SocketAddr>,
    /// The address of this host that it came to, if that is known.
    pub local_addr: Option<SocketAddr>,
    /// What carries it, for tables and logs: `tcp` by default.
    pub transport: &'static str,
    /// Set for a connection of the application that only looks on, such as a stream for a web page.
    /// It is sent what this viewer may see, the picture first and at once, but nothing that is for
    /// somebody by name. It never makes anybody present, so nobody learns that it came or went, and
    /// gets no pongs that it did not ask for. Should it send something, that is of the first of its
    /// teams.
    pub viewer: Option<Viewer>,
}

impl Peer {
    /// A peer on plain TCP.
    pub fn new(addr: SocketAddr) -> Self {
        Self { addr: Some(addr), ..Self::local("tcp") }
    }

    /// A peer without an address, carried by `transport`.
    pub fn local(transport: &'static str) -> Self {
        Self { addr: None, local_addr: None, transport, viewer: None }
    }

    /// A connection of the application that only looks on, carried by `transport`. See
    /// [`viewer`](Self::viewer).
    pub fn viewing(transport: &'static str, viewer: Viewer) -> Self {
        Self { viewer: Some(viewer), ..Self::local(transport) }
    }
}
