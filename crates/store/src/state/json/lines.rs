//! Lines of a file of any size, in bounded memory.

use std::io::{self, BufRead, BufReader, Read};

/// How much is asked of the system at once. Bytes.
const CHUNK_BYTES: usize = 64 << 10;

/// Reads a file line by line.
pub(super) struct Lines {
    reader: BufReader<Box<dyn Read + Send>>,
    line: Vec<u8>,
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
        let reader = BufReader::with_capacity(CHUNK_BYTES, reader);
        Self { reader, line: Vec::new(), max_line_bytes }
    }

    /// The next line, `None` at the end of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let limit = self.max_line_bytes as u64 + 1;
        let len = Read::take(&mut self.reader, limit).read_until(b'\n', &mut self.line)?;
        Ok(match self.line.strip_suffix(b"\n") {
            Some(line) => Some(Line::Whole(line)),
            None if len == 0 => None,
            None if len <= self.max_line_bytes => Some(Line::Cut(&self.line)),
            None => Some(Line::TooLong((len + self.reader.skip_until(b'\n')?) as u64)),
        })
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
        assert_eq!(lines("1234\n123\n1234", 3, 4), ["1234$", "123$", "1234"]);
        assert_eq!(lines("1234\n123\n1234", 3, 3), ["<5>", "123$", "<4>"]);
    }
}
