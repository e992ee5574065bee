//! Hostile peers: requests that two readers could cut differently (T24), and peers who are slow, who
//! are many, or who take nothing (T08).
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test that is out of bounds has failed"
)]

#[path = "threats/crowds.rs"]
mod crowds;
#[path = "threats/heads.rs"]
mod heads;
#[path = "threats/slow.rs"]
mod slow;
mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use support::{Server, Setup};

/// What only the answer to the hidden request says.
const MARK: &str = "answered-what-was-hidden";

/// The request that is hidden in others.
const HIDDEN: &str = "GET /Marti/api/node/id HTTP/1.1\r\nHost: x\r\n\r\n";

/// The same as an honest second request, and the last one.
const SECOND: &str = "GET /Marti/api/node/id HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// A server that tells when the hidden request was carried out, and is quick to lose patience.
fn server() -> Server {
    let mut setup = Setup::open();
    setup.marti.node_id = MARK.to_owned();
    setup.marti.head_timeout = Duration::from_millis(800);
    setup.marti.body_patience = Duration::from_millis(800);
    setup.marti.reader_patience = Duration::from_millis(800);
    setup.in_memory()
}

/// What came back on a connection until the server closed it.
#[derive(Debug)]
struct Reply {
    statuses: Vec<u16>,
    /// How often the hidden request was answered, or the honest one like it.
    marks: usize,
}

/// Sends bytes, and reads until the server closes the connection.
fn talk(server: &Server, bytes: &[u8]) -> Reply {
    let mut socket = TcpStream::connect(server.http).unwrap();
    socket.set_read_timeout(Some(support::PATIENCE)).unwrap();
    // A server that has seen enough may close before it was told all.
    let _ = socket.write_all(bytes);
    let reply = Reply::of(&read_to_end(&mut socket));
    let _ = socket.shutdown(Shutdown::Both);
    reply
}

impl Reply {
    fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let status = |part: &str| part.get(2..5).and_then(|status| status.parse().ok());
        let statuses = text.split("HTTP/1.").skip(1).filter_map(status).collect();
        Self { statuses, marks: text.matches(MARK).count() }
    }
}

fn read_to_end(socket: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut part = [0; 16 << 10];
    loop {
        match socket.read(&mut part) {
            Ok(0) => return all,
            Ok(len) => all.extend_from_slice(&part[..len]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return all,
            Err(error) => panic!("not closed: {error}; {:?}", String::from_utf8_lossy(&all)),
        }
    }
}
