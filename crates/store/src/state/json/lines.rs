//! Lines of a file of any size, in bounded memory.

use std::io::{self, Read};

/// How much is asked of the system at once. Bytes.
const CHUNK_BYTES: usize = 256 << 10;

/// Reads a file line by line.
pub(super) struct Lines {
    reader: Box<dyn Read + Send>,
    /// What was read: lines that were given out, then `start..` what was not.
    buf: Vec<u8>,
    /// `start <= scanned <= end <= buf.len()`.
    start: usize,
    /// There is no end of line in `start..scanned`.
    scanned: usize,
    end: usize,
    is_over: bool,
    max_line_bytes: usize,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A whole line, without its end.
    Whole(&'a [u8]),
    /// The last line, which has no end.
    Cut(&'a [u8]),
    /// A line that is longer than any of ours, which was skipped up to and with its end, and how
    /// many bytes that were.
    TooLong(u64),
}

impl Line<'_> {
    /// How much of the file it takes. Bytes.
    pub(super) fn file_bytes(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64 + 1,
            Self::Cut(bytes) => bytes.len() as u64,
            Self::TooLong(len) => *len,
        }
    }
}

impl Lines {
    /// Reads lines of up to `max_line_bytes`.
    pub(super) fn new(reader: Box<dyn Read + Send>, max_line_bytes: usize) -> Self {
        let buf = Vec::new();
        Self { reader, buf, start: 0, scanned: 0, end: 0, is_over: false, max_line_bytes }
    }

    /// The next line, `None` at the end of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let mut skipped = 0;
        loop {
            if let Some(len) = self.find_end() {
                let line = self.start..self.start + len;
                self.start = line.end + 1;
                self.scanned = self.start;
                return Ok(Some(match skipped {
                    0 => Line::Whole(self.buf.get(line).unwrap_or_default()),
                    skipped => Line::TooLong(skipped + len as u64 + 1),
                }));
            }
            if self.is_over {
                let line = self.start..self.end;
                self.start = self.end;
                return Ok(match (skipped, line.len()) {
                    (0, 0) => None,
                    (0, _) => Some(Line::Cut(self.buf.get(line).unwrap_or_default())),
                    (skipped, len) => Some(Line::TooLong(skipped + len as u64)),
                });
            }
            if skipped > 0 || self.end - self.start > self.max_line_bytes {
                skipped += (self.end - self.start) as u64;
                self.start = self.end;
            }
            self.fill()?;
        }
    }

    /// The length of the first line that was read, if its end was.
    fn find_end(&mut self) -> Option<usize> {
        let unseen = self.buf.get(self.scanned..self.end).unwrap_or_default();
        let found = unseen.iter().position(|&byte| byte == b'\n');
        match found {
            Some(at) => Some(self.scanned + at - self.start),
            None => {
                self.scanned = self.end;
                None
            }
        }
    }

    /// Reads more behind what is there.
    fn fill(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.buf.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.scanned -= self.start;
            self.start = 0;
        }
        if self.buf.len() - self.end < CHUNK_BYTES / 2 {
            self.buf.resize(self.end + CHUNK_BYTES.max(self.end), 0);
        }
        let space = self.buf.get_mut(self.end..).unwrap_or_default();
        match self.reader.read(space) {
            Ok(0) => self.is_over = true,
            Ok(len) => self.end += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives out at most so many bytes at once.
    struct Slow(Vec<u8>, usize);

    impl Read for Slow {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let len = self.1.min(self.0.len()).min(buf.len());
            buf[..len].copy_from_slice(&self.0[..len]);
            self.0.drain(..len);
            Ok(len)
        }
    }

    fn lines(text: &str, step: usize, max: usize) -> Vec<String> {
        let mut lines = Lines::new(Box::new(Slow(text.as_bytes().to_vec(), step)), max);
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push(match line {
                Line::Whole(bytes) => format!("{}$", String::from_utf8_lossy(bytes)),
                Line::Cut(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Line::TooLong(len) => format!("<{len}>"),
            });
        }
        found
    }

    #[test]
    fn lines_do_not_depend_on_how_the_file_is_read() {
        for step in 1..20 {
            assert_eq!(lines("one\n\nthree\nfour", step, 100), ["one$", "$", "three$", "four"]);
            assert_eq!(lines("one\n", step, 100), ["one$"]);
            assert_eq!(lines("", step, 100), [""; 0]);
        }
    }

    #[test]
    fn a_line_without_bound_is_skipped_and_what_follows_is_found() {
        let text = format!("a\n{}\nb\n{}", "x".repeat(3_000_000), "y".repeat(2_000_000));
        assert_eq!(lines(&text, 1 << 20, 1000), ["a$", "<3000001>", "b$", "<2000000>"]);
    }
}
