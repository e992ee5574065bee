//! A client of the scripted world: one connection that never waits.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::event::{self, Got};

/// A player's connection.
#[derive(Debug, Default)]
pub(crate) struct Player {
    socket: Option<TcpStream>,
    /// It has said its last, and the server has not yet closed.
    is_leaving: bool,
    received: Vec<u8>,
    unsent: Vec<u8>,
}

impl Player {
    pub(crate) fn connect(&mut self, server: SocketAddr) -> std::io::Result<()> {
        let socket = TcpStream::connect(server)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        *self = Self { socket: Some(socket), ..Self::default() };
        Ok(())
    }

    /// Whether it takes part.
    pub(crate) fn is_here(&self) -> bool {
        self.socket.is_some() && !self.is_leaving
    }

    /// Whether it has no connection at all.
    pub(crate) fn is_away(&self) -> bool {
        self.socket.is_none()
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.unsent.extend_from_slice(text.as_bytes());
        self.flush();
    }

    /// Says no more, and goes on reading until the server has closed, so that it is known what came.
    pub(crate) fn leave(&mut self) {
        self.is_leaving = true;
        self.flush();
    }

    /// Takes what has come. A connection that ended makes it be away.
    pub(crate) fn read(&mut self) -> Vec<Got> {
        self.flush();
        let mut buf = [0; 16 << 10];
        while let Some(socket) = &mut self.socket {
            match socket.read(&mut buf) {
                Ok(read @ 1..) => self.received.extend_from_slice(&buf[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Ok(0) | Err(_) => self.socket = None,
            }
        }
        event::take(&mut self.received)
    }

    fn flush(&mut self) {
        let Some(socket) = &mut self.socket else { return };
        while !self.unsent.is_empty() {
            match socket.write(&self.unsent) {
                Ok(written) => drop(self.unsent.drain(..written)),
                // Reading finds out what else it may be.
                Err(_) => return,
            }
        }
        if self.is_leaving {
            // It may have been closed from the other side.
            let _ = socket.shutdown(Shutdown::Write);
        }
    }
}
