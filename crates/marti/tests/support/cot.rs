//! CoT over a socket, as XML.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::PATIENCE;

/// A client of the relay.
#[derive(Debug)]
pub struct Cot {
    socket: TcpStream,
    /// Received, and not yet a whole event.
    received: Vec<u8>,
}

impl Cot {
    /// Connects, and says nothing.
    pub fn connect(addr: SocketAddr) -> Self {
        let socket = TcpStream::connect(addr).unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket, received: Vec::new() }
    }

    /// Sends an event.
    pub fn send(&mut self, event: &str) {
        self.socket.write_all(event.as_bytes()).unwrap();
    }

    /// The next event that contains `needle`; those before it are not looked at.
    pub fn expect(&mut self, needle: &str) -> String {
        self.expect_all(needle).pop().unwrap()
    }

    /// All events up to the one that contains `needle`.
    pub fn expect_all(&mut self, needle: &str) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut events = Vec::new();
        loop {
            match self.next(deadline) {
                Some(event) => events.push(event),
                None => panic!("no event with {needle:?}, only {events:#?}"),
            }
            if events.last().unwrap().contains(needle) {
                return events;
            }
        }
    }

    /// What comes within this time.
    pub fn during(&mut self, time: Duration) -> Vec<String> {
        let deadline = Instant::now() + time;
        std::iter::from_fn(|| self.next(deadline)).collect()
    }

    /// Fails when anything comes within this time.
    pub fn silence(&mut self, time: Duration) {
        assert_eq!(self.during(time), [""; 0]);
    }

    /// The next event, if it comes before the deadline.
    fn next(&mut self, deadline: Instant) -> Option<String> {
        const END: &[u8] = b"</event>";
        loop {
            if let Some(at) = self.received.windows(END.len()).position(|bytes| bytes == END) {
                let event: Vec<u8> = self.received.drain(..at + END.len()).collect();
                let event = String::from_utf8(event).unwrap();
                // Between events there may be XML declarations and white space.
                let start = event.find("<event").unwrap();
                return Some(event[start..].to_owned());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            self.socket.set_read_timeout(Some(left.max(Duration::from_millis(1)))).unwrap();
            let mut chunk = [0; 16 << 10];
            match self.socket.read(&mut chunk) {
                Ok(0) => return None,
                Ok(len) => self.received.extend_from_slice(&chunk[..len]),
                Err(_) => {}
            }
        }
    }
}

/// An event that is valid for years, whatever the clock says.
pub fn event(uid: &str, kind: &str, detail: &str) -> String {
    let times = concat!(
        r#"time="2026-01-01T00:00:00.000Z" start="2026-01-01T00:00:00.000Z" "#,
        r#"stale="2096-01-01T00:00:00.000Z""#
    );
    format!(
        r#"<event version="2.0" uid="{uid}" type="{kind}" how="m-g" {times}><point lat="50.1" lon="8.6" hae="100" ce="10" le="10"/><detail>{detail}</detail></event>"#
    )
}

/// Who somebody is and where; without a team when that is empty.
pub fn sa(uid: &str, callsign: &str, team: &str) -> String {
    let group = match team {
        "" => String::new(),
        team => format!(r#"<__group name="{team}" role="Team Member"/>"#),
    };
    let contact = format!(r#"<contact callsign="{callsign}" endpoint="*:-1:stcp"/>"#);
    event(uid, "a-f-G-U-C", &(contact + &group))
}
