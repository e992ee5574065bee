//! What can end a run before its report.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Why a run gave no report.
///
/// Losses, delays and the like are no errors: they are what a report is about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The server ended the connection of a client that reads all it gets.
    #[error(
        "{target} closed the connection of client {client} {after:.1?} into the run; \
         the server's log should say why"
    )]
    Closed {
        /// Number of the client, from 0.
        client: usize,
        /// Time since the run began.
        after: Duration,
        /// The server.
        target: SocketAddr,
    },

    /// A client could not connect.
    #[error(
        "client {client} cannot connect to {target}; check that a server listens there for plain \
         TCP, and that both sides may open that many files"
    )]
    Connect {
        /// Number of the client, from 0.
        client: usize,
        /// The reason that the system gave.
        source: io::Error,
        /// The server.
        target: SocketAddr,
    },

    /// The clients did not all hear each other at the start.
    #[error(
        "client {client} heard {heard} of the {expected} others that it should hear within \
         {waited:.0?}; if the server keeps teams apart, set `isolated`"
    )]
    Deaf {
        /// The first such client, from 0.
        client: usize,
        /// Others that it should hear.
        expected: usize,
        /// Others that it heard.
        heard: usize,
        /// Time that was given.
        waited: Duration,
    },

    /// The plan asks for something that cannot be.
    #[error("`{key}` is {value}, but {rule}")]
    Plan {
        /// The setting.
        key: &'static str,
        /// What must hold.
        rule: &'static str,
        /// Its value.
        value: String,
    },

    /// The sockets cannot be waited for.
    #[error("the sockets cannot be waited for; the system may be out of file descriptors")]
    Poll {
        /// The reason that the system gave.
        source: io::Error,
    },

    /// The server's process cannot be observed.
    #[error("process {pid} cannot be observed in /proc; check the number and whose it is")]
    Process {
        /// The process.
        pid: u32,
        /// The reason that the system gave.
        source: io::Error,
    },

    /// The server sent so much without an event's end that it cannot be a stream of events.
    #[error("{target} sent client {client} {len} bytes without `</event>`; does it speak XML?")]
    TooLong {
        /// Number of the client, from 0.
        client: usize,
        /// Bytes without an end.
        len: usize,
        /// The server.
        target: SocketAddr,
    },

    /// What a publisher reported did not reach the others.
    #[error(
        "{delivered} of {due} deliveries of {uids} things came, and then none for {waited:.0?}; \
         a server that drops them has nothing to replay"
    )]
    Unfilled {
        /// Deliveries that came.
        delivered: u64,
        /// Deliveries that were due.
        due: u64,
        /// Things that were reported.
        uids: u32,
        /// Time without a delivery.
        waited: Duration,
    },
}
