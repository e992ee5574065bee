//! As much of HTTP as a client needs that may lose its server at any moment.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use memchr::memmem;

use crate::support::PATIENCE;

/// A client that opens a connection for each request.
#[derive(Debug)]
pub(crate) struct Http {
    server: SocketAddr,
}

/// An answer that has come whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Http {
    pub(crate) fn new(server: SocketAddr) -> Self {
        Self { server }
    }

    /// `None` when the server went before it had answered.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        path: &str,
        mime_type: &str,
        body: &[u8],
    ) -> Option<Answer> {
        let mut conn = TcpStream::connect(self.server).ok()?;
        conn.set_read_timeout(Some(PATIENCE)).ok()?;
        let kind = if mime_type.is_empty() {
            String::new()
        } else {
            format!("Content-Type: {mime_type}\r\n")
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{kind}\
             Content-Length: {}\r\n\r\n",
            self.server,
            body.len()
        );
        // A refusal may come before all has been sent.
        let _ = conn.write_all(&[head.as_bytes(), body].concat());
        let mut answer = Vec::new();
        // What came before a connection broke off may be a whole answer.
        let _ = conn.read_to_end(&mut answer);
        Answer::read(&answer)
    }
}

impl Answer {
    fn read(answer: &[u8]) -> Option<Self> {
        let end = memmem::find(answer, b"\r\n\r\n")?;
        let (head, body) = (String::from_utf8_lossy(&answer[..end]), &answer[end + 4..]);
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut headers = head.lines().filter_map(|line| line.split_once(": "));
        let length = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length: usize = length.map_or(Some(0), |(_, length)| length.parse().ok())?;
        Some(Self { status, body: body.get(..length)?.to_vec() })
    }
}
