//! Just enough of an HTTP client to ask an admin listener.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::Failure;

/// Time to reach the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest pause in its answer.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest answer, in bytes: 10,000 clients are 5 MB.
const MAX_ANSWER: u64 = 256 << 20;

/// The body of the answer to `GET path`.
///
/// # Errors
///
/// Nobody there, or somebody who does not answer with 200 and text.
pub(super) fn get(addr: SocketAddr, path: &str) -> Result<String, Failure> {
    let answer = ask(addr, path).map_err(|source| Failure::NoServer { addr, source })?;
    let stranger =
        || Failure::Server(format!("{addr} is not the admin address of a TinyCoT server"));
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(stranger)?;
    match head.split(' ').nth(1) {
        Some("200") if head.starts_with("HTTP/1.") => Ok(body.to_owned()),
        _ => Err(stranger()),
    }
}

fn ask(addr: SocketAddr, path: &str) -> io::Result<String> {
    let mut conn = TcpStream::connect_timeout(&addr, CONNECT_TIMEOUT)?;
    conn.set_read_timeout(Some(READ_TIMEOUT))?;
    conn.set_write_timeout(Some(READ_TIMEOUT))?;
    // Version 1.0, so that the answer comes in one piece and ends with the connection.
    write!(conn, "GET {path} HTTP/1.0\r\nHost: {addr}\r\nAccept: application/json\r\n\r\n")?;
    let mut answer = Vec::new();
    conn.take(MAX_ANSWER).read_to_end(&mut answer)?;
    String::from_utf8(answer).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
