//! A writer that can be shut.

use std::cell::Cell;
use std::io::{self, Seek, SeekFrom, Write};
use std::rc::Rc;

/// Passes everything on until it is shut, or fails; then nothing.
///
/// An archive that is dropped half-way completes itself. Behind a shut valve it only believes to, so
/// that what was written is nothing that anybody takes for an archive.
pub(crate) struct Valve<W> {
    out: W,
    position: u64,
    is_shut: Rc<Cell<bool>>,
}

/// Shuts its valve when it is dropped.
pub(crate) struct Shutter(Rc<Cell<bool>>);

impl Drop for Shutter {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

impl<W> Valve<W> {
    pub(crate) fn new(out: W) -> (Self, Shutter) {
        let is_shut = Rc::new(Cell::new(false));
        (Self { out, position: 0, is_shut: Rc::clone(&is_shut) }, Shutter(is_shut))
    }

    fn open(&mut self) -> Option<&mut W> {
        (!self.is_shut.get()).then_some(&mut self.out)
    }

    fn judge<T>(&self, result: io::Result<T>) -> io::Result<T> {
        let is_interrupted =
            matches!(&result, Err(error) if error.kind() == io::ErrorKind::Interrupted);
        if result.is_err() && !is_interrupted {
            self.is_shut.set(true);
        }
        result
    }
}

impl<W: Write> Write for Valve<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let len = match self.open() {
            Some(out) => out.write(buf),
            None => Ok(buf.len()),
        };
        let len = self.judge(len)?;
        self.position = self.position.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.open().map_or(Ok(()), Write::flush);
        self.judge(flushed)
    }
}

impl<W: Seek> Seek for Valve<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let sought = match (self.open(), to) {
            (Some(out), _) => out.seek(to),
            (None, SeekFrom::Start(position)) => Ok(position),
            (None, SeekFrom::Current(_) | SeekFrom::End(_)) => Ok(self.position),
        };
        self.position = self.judge(sought)?;
        Ok(self.position)
    }
}
