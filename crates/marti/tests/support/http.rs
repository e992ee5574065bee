//! HTTP/1.1 as bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::PATIENCE;

/// A connection. What is sent is what the test wrote.
#[derive(Debug)]
pub struct Http {
    socket: TcpStream,
    /// Received, and not yet part of an answer.
    received: Vec<u8>,
}

/// An answer. Names of headers are in lower case.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The head as it came.
    pub head: String,
}

impl Http {
    /// Connects.
    pub fn connect(addr: SocketAddr) -> Self {
        Self::over(TcpStream::connect(addr).unwrap())
    }

    /// Takes a connection.
    pub fn over(socket: TcpStream) -> Self {
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { socket, received: Vec::new() }
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// Sends bytes to a server that may have had enough; says how many of them it took.
    pub fn try_send(&mut self, bytes: &[u8]) -> usize {
        let mut sent = 0;
        while sent < bytes.len() {
            let end = bytes.len().min(sent + (64 << 10));
            match self.socket.write(&bytes[sent..end]) {
                Ok(len) => sent += len,
                Err(_) => break,
            }
        }
        sent
    }

    /// Sends one chunk of a chunked body; the last one is empty.
    pub fn chunk(&mut self, data: &[u8]) {
        let mut bytes = format!("{:x}\r\n", data.len()).into_bytes();
        bytes.extend_from_slice(data);
        bytes.extend_from_slice(b"\r\n");
        self.send(&bytes);
    }

    /// Breaks off: nothing more will be sent, and nothing is read.
    pub fn cut(self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Reads an answer whole.
    pub fn answer(&mut self) -> Answer {
        self.read_answer(true)
    }

    /// Reads an answer to `HEAD`, which has no body whatever its length says.
    pub fn answer_to_head(&mut self) -> Answer {
        self.read_answer(false)
    }

    /// Reads the head of an answer whose body is read with [`read_some`](Self::read_some).
    pub fn answer_head(&mut self) -> Answer {
        self.read_answer(false)
    }

    /// Reads what there is of a body; empty at its end.
    pub fn read_some(&mut self) -> Vec<u8> {
        if self.received.is_empty() {
            self.fill();
        }
        std::mem::take(&mut self.received)
    }

    /// Whether the server closes the connection, without sending anything more.
    pub fn is_closed(&mut self) -> bool {
        self.received.is_empty() && !self.fill()
    }

    fn read_answer(&mut self, has_body: bool) -> Answer {
        let end = loop {
            if let Some(at) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.fill(), "no answer: {:?}", String::from_utf8_lossy(&self.received));
        };
        let head: Vec<u8> = self.received.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let first = lines.next().unwrap();
        assert!(first.starts_with("HTTP/1.1 "), "{first}");
        let status = first[9..12].parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let headers = lines.map(header).collect();
        let mut answer = Answer { status, headers, body: Vec::new(), head };
        if has_body && status >= 200 && status != 204 && status != 304 {
            answer.body = self.body(&answer);
        }
        answer
    }

    fn body(&mut self, answer: &Answer) -> Vec<u8> {
        if answer.header("transfer-encoding") == Some("chunked") {
            let mut body = Vec::new();
            loop {
                let line = self.line();
                let len = usize::from_str_radix(line.trim_end(), 16).unwrap();
                let data = self.take(len + 2);
                if len == 0 {
                    return body;
                }
                body.extend_from_slice(&data[..len]);
            }
        }
        match answer.header("content-length") {
            Some(len) => self.take(len.parse().unwrap()),
            None => {
                while self.fill() {}
                std::mem::take(&mut self.received)
            }
        }
    }

    fn line(&mut self) -> String {
        let end = loop {
            if let Some(at) = self.received.iter().position(|byte| *byte == b'\n') {
                break at + 1;
            }
            assert!(self.fill(), "broken off in a line");
        };
        String::from_utf8(self.received.drain(..end).collect()).unwrap()
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        while self.received.len() < len {
            assert!(self.fill(), "broken off: {} of {len} bytes", self.received.len());
        }
        self.received.drain(..len).collect()
    }

    /// Reads more; `false` at the end.
    fn fill(&mut self) -> bool {
        let mut chunk = vec![0; 64 << 10];
        match self.socket.read(&mut chunk) {
            Ok(0) => false,
            Ok(len) => {
                self.received.extend_from_slice(&chunk[..len]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing came in time: {error}"),
        }
    }
}

impl Answer {
    /// The only header of this name, if there is one.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice: {}", self.head);
        value
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON, whose type says so exactly; `text/json` is that of one answer alone.
    pub fn json(&self) -> serde_json::Value {
        let kind = self.header("content-type").unwrap_or_default();
        assert!(["application/json", "text/json"].contains(&kind), "{}", self.head);
        let text = self.text();
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The same answer, if it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(300)]);
        assert_eq!(self.status, status, "{}{body}", self.head);
        self
    }
}
