//! Writing much, to somebody who may have had enough.

use std::io::{self, IsTerminal, StdoutLock, Write};

use crate::error::Failure;
use crate::view::text;

/// Bytes that are collected before they are written.
const BLOCK_BYTES: usize = 64 << 10;

/// Standard output, written in blocks. On a terminal nothing in a text can act on it; elsewhere it
/// is written as it is.
#[derive(Debug)]
pub(super) struct Output {
    stdout: StdoutLock<'static>,
    /// What a text means when its characters are escaped; `None` when they need not be.
    safe: Option<Syntax>,
    /// What was not written yet: whole texts.
    buf: Vec<u8>,
}

/// What is printed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Syntax {
    Json,
    Xml,
}

impl Output {
    pub(super) fn new(syntax: Syntax) -> Self {
        let stdout = io::stdout().lock();
        let safe = stdout.is_terminal().then_some(syntax);
        Self { stdout, safe, buf: Vec::with_capacity(BLOCK_BYTES + 4096) }
    }

    /// Where to append the next text.
    pub(super) const fn buf(&mut self) -> &mut Vec<u8> {
        &mut self.buf
    }

    /// Writes what was appended, once it is much; a terminal does not wait. Says whether anyone
    /// reads on.
    pub(super) fn ready(&mut self) -> Result<bool, Failure> {
        if self.buf.len() >= BLOCK_BYTES || self.safe.is_some() { self.finish() } else { Ok(true) }
    }

    /// Writes what was appended, and says whether anyone reads on.
    pub(super) fn finish(&mut self) -> Result<bool, Failure> {
        read_on(self.flush())
    }
}

/// For a document of any size; [`read_on`] tells from the result whether anyone reads it.
impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buf.extend_from_slice(bytes);
        // What is to be made safe has to be whole characters.
        if self.safe.is_none() && self.buf.len() >= BLOCK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let bytes = match self.safe {
            None => std::mem::take(&mut self.buf),
            Some(syntax) => {
                let text = String::from_utf8_lossy(&self.buf);
                match syntax {
                    Syntax::Json => text::json(&text) + "\n",
                    Syntax::Xml => text::xml(&text),
                }
                .into_bytes()
            }
        };
        let written = self.stdout.write_all(&bytes).and_then(|()| self.stdout.flush());
        self.buf = bytes;
        self.buf.clear();
        written
    }
}

/// Whether anyone reads on: a reader that has had enough, such as `head`, is not an error.
pub(super) fn read_on(written: io::Result<()>) -> Result<bool, Failure> {
    match written {
        Ok(()) => Ok(true),
        Err(source) if source.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(source) => Err(Failure::System { doing: "the output cannot be written", source }),
    }
}
