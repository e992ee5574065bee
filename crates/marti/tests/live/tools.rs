//! What a browser would be: a reader of server-sent events, and a WebSocket.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocket, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::PATIENCE;
use crate::support::http::Http;

/// A reader of server-sent events.
pub(crate) struct Sse {
    http: Http,
    text: String,
}

impl Sse {
    /// Asks for the stream with these parameters.
    pub(crate) fn open(addr: SocketAddr, query: &str) -> Self {
        let mut http = Http::connect(addr);
        http.send(format!("GET /api/events{query} HTTP/1.1\r\nHost: {addr}\r\n\r\n").as_bytes());
        let head = http.answer_head().expect(200);
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
        assert_eq!(head.header("cache-control"), Some("no-store"));
        Self { http, text: String::new() }
    }

    /// The next event of this uid; those before it are not looked at.
    pub(crate) fn expect(&mut self, uid: &str) -> Value {
        self.until(uid).pop().unwrap()
    }

    /// All events up to the next of this uid.
    pub(crate) fn until(&mut self, uid: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.next().expect("ended");
            let is_last = event["uid"] == uid;
            events.push(event);
            if is_last {
                return events;
            }
        }
    }

    /// The next event; `None` at the end of the stream.
    pub(crate) fn next(&mut self) -> Option<Value> {
        loop {
            while let Some(end) = self.text.find('\n') {
                let line: String = self.text.drain(..=end).collect();
                if let Some(data) = line.strip_prefix("data: ") {
                    return Some(serde_json::from_str(data.trim_end()).unwrap());
                }
            }
            let bytes = self.http.read_some();
            if bytes.is_empty() {
                return None;
            }
            self.text += std::str::from_utf8(&bytes).unwrap();
        }
    }
}

/// A WebSocket.
pub(crate) struct Ws(WebSocket<TcpStream>);

impl Ws {
    /// Asks for one with these parameters and header lines.
    pub(crate) fn open(addr: SocketAddr, query: &str) -> Self {
        let socket = ask(addr, query, "Origin: http://HOST\r\n");
        let (head, socket) = read_head(socket);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        let config = WebSocketConfig::default();
        Self(WebSocket::from_raw_socket(socket, Role::Client, Some(config)))
    }

    /// The next text of events.
    pub(crate) fn expect(&mut self, uid: &str) -> Value {
        self.find(|value| value["uid"] == uid)
    }

    /// The next answer to what was sent.
    pub(crate) fn result(&mut self) -> Value {
        self.find(|value| value.get("uid").is_none())
    }

    fn find(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            match self.0.read().unwrap() {
                Message::Text(text) => {
                    let value = serde_json::from_str(&text).unwrap();
                    if is_it(&value) {
                        return value;
                    }
                }
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// All texts within this time.
    pub(crate) fn during(&mut self, time: Duration) -> Vec<String> {
        let deadline = Instant::now() + time;
        let mut texts = Vec::new();
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            let left = left.max(Duration::from_millis(1));
            self.0.get_ref().set_read_timeout(Some(left)).unwrap();
            if let Ok(Message::Text(text)) = self.0.read() {
                texts.push(text.to_string());
            }
        }
        self.0.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
        texts
    }

    pub(crate) fn send(&mut self, message: Message) {
        self.0.send(message).unwrap();
    }

    /// Sends what no library would.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        std::io::Write::write_all(self.0.get_mut(), bytes).unwrap();
    }

    /// The next pong.
    pub(crate) fn pong(&mut self) -> Vec<u8> {
        loop {
            if let Message::Pong(bytes) = self.0.read().unwrap() {
                return bytes.to_vec();
            }
        }
    }

    pub(crate) fn close(&mut self) {
        self.0.close(None).unwrap();
    }

    /// How the server ends it; `None` without a word.
    pub(crate) fn goodbye(&mut self) -> Option<u16> {
        let mut code = None;
        loop {
            match self.0.read() {
                Ok(Message::Close(Some(CloseFrame { code: given, .. }))) => {
                    code = Some(given.into());
                }
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("not closed");
                }
                Err(_) => return code,
            }
        }
    }
}

/// Asks for a WebSocket, with more header lines in which `HOST` stands for that of the server.
pub(crate) fn ask(addr: SocketAddr, query: &str, lines: &str) -> TcpStream {
    let host = addr.to_string();
    let lines = lines.replace("HOST", &host);
    let head = format!(
        "GET /api/events/ws{query} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n\
         Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n"
    );
    let mut socket = TcpStream::connect(addr).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    std::io::Write::write_all(&mut socket, head.as_bytes()).unwrap();
    socket
}

/// Reads the head of an answer and not a byte more.
pub(crate) fn read_head(mut socket: TcpStream) -> (String, TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        std::io::Read::read_exact(&mut socket, &mut byte).unwrap();
        head.push(byte[0]);
    }
    (String::from_utf8(head).unwrap(), socket)
}
