//! Just enough of an HTTP client to move packages: a request, a body of known length either way.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Time to reach the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest pause of the server. It writes an upload to its disk before it answers.
const PAUSE: Duration = Duration::from_secs(120);

/// Longest head of an answer. Bytes.
const MAX_HEAD: u64 = 64 << 10;

/// Size of a write. Bytes.
const CHUNK: usize = 64 << 10;

/// A request.
pub(super) struct Request<'a, 'b> {
    pub(super) method: &'a str,
    /// Path and query, encoded.
    pub(super) target: &'a str,
    /// Further headers, each with `\r\n` at its end.
    pub(super) headers: String,
    pub(super) body: Option<Body<'b>>,
}

/// What is sent, and how much of it.
pub(super) struct Body<'a> {
    pub(super) content: &'a mut dyn Read,
    /// Bytes.
    pub(super) len: u64,
}

/// The answer; its body is read from it.
pub(super) struct Answer {
    pub(super) status: u16,
    body: io::Take<BufReader<TcpStream>>,
    /// Whether the end of the body is known by its length.
    is_measured: bool,
}

/// Reaches a server.
///
/// # Errors
///
/// Nobody there.
pub(super) fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let conn = TcpStream::connect_timeout(&addr, CONNECT_TIMEOUT)?;
    conn.set_read_timeout(Some(PAUSE))?;
    conn.set_write_timeout(Some(PAUSE))?;
    conn.set_nodelay(true)?;
    Ok(conn)
}

/// Asks a server.
///
/// # Errors
///
/// A server that goes away, or is none for HTTP; a body that cannot be read to its length.
pub(super) fn ask(mut conn: TcpStream, request: Request<'_, '_>) -> io::Result<Answer> {
    let Request { method, target, headers, body } = request;
    let host = conn.peer_addr()?;
    let len = body.as_ref().map(|body| body.len);
    let length = len.map_or_else(String::new, |len| format!("Content-Length: {len}\r\n"));
    // Version 1.0, so that the answer comes in one piece and ends with the connection.
    let head = format!("{method} {target} HTTP/1.0\r\nHost: {host}\r\n{headers}{length}\r\n");
    conn.write_all(head.as_bytes())?;
    if let Some(body) = body {
        match send(&mut conn, body.content, body.len) {
            // Who refuses may do so before all has been sent, and says why.
            Err(error) if is_hung_up(&error) => return answer(conn).map_err(|_| error),
            sent => sent?,
        }
    }
    answer(conn)
}

fn send(conn: &mut TcpStream, content: &mut dyn Read, len: u64) -> io::Result<()> {
    let mut left = len;
    let mut content = content.take(left);
    let mut buf = vec![0; CHUNK];
    while left > 0 {
        let read = match content.read(&mut buf) {
            Ok(0) => return Err(io::Error::other("the file became shorter meanwhile")),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        conn.write_all(buf.get(..read).unwrap_or_default())?;
        left = left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
    }
    conn.flush()
}

fn is_hung_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

fn answer(conn: TcpStream) -> io::Result<Answer> {
    let foreign = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP");
    let mut reader = BufReader::new(conn).take(MAX_HEAD);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    let status = status.and_then(|status| status.trim().parse().ok()).ok_or_else(foreign)?;
    let mut len = None;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let (name, value) = match line.trim_end() {
            "" if line.ends_with('\n') => break,
            header => header.split_once(':').ok_or_else(foreign)?,
        };
        if name.eq_ignore_ascii_case("content-length") {
            len = Some(value.trim().parse().map_err(|_| foreign())?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(foreign());
        }
    }
    reader.set_limit(len.unwrap_or(u64::MAX));
    Ok(Answer { status, body: reader, is_measured: len.is_some() })
}

impl Answer {
    /// The body as a text of at most so many bytes.
    ///
    /// # Errors
    ///
    /// When it is longer, or does not come.
    pub(super) fn text(mut self, max: u64) -> io::Result<String> {
        let mut bytes = Vec::new();
        (&mut self).take(max.saturating_add(1)).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too long"));
        }
        String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

impl Read for Answer {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.body.read(buf)?;
        if read == 0 && !buf.is_empty() && self.is_measured && self.body.limit() > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(read)
    }
}

/// A text as the value of a parameter.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded += &format!("%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_encoded() {
        assert_eq!(encode("a b&c=d/é+%"), "a%20b%26c%3Dd%2F%C3%A9%2B%25");
        assert_eq!(encode("A-z.0_9~"), "A-z.0_9~");
    }
}
