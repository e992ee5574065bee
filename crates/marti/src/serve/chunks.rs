//! Where a chunked body ends.

/// Hexadecimal digits of a size; more are no number of 64 bits.
const MAX_DIGITS: u32 = 15;

/// Bytes of extensions and trailers of one body, which nobody here reads.
const MAX_EXTRA: u32 = 8 << 10;

/// A place in a chunked body.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunks {
    place: Place,
    /// The size of the chunk as far as it was read, then what is left of it.
    size: u64,
    digits: u32,
    extra: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// In the size of a chunk.
    #[default]
    Size,
    /// In the blanks behind it.
    Blank,
    /// In its extensions.
    Extension,
    /// Before the `LF` of its line.
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the start of a line behind the last chunk.
    Line,
    /// In such a line.
    Trailer,
    TrailerLf,
    /// Before the `LF` of the empty line at the end.
    EndLf,
    End,
}

/// The body cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadChunk;

impl Chunks {
    /// Goes on over `bytes`; gives how many of them belong to the body.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<usize, BadChunk> {
        let mut at = 0;
        while self.place != Place::End {
            let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) else { break };
            if self.place == Place::Data {
                let len = usize::try_from(self.size).unwrap_or(usize::MAX).min(rest.len());
                self.skip(len);
                at += len;
            } else if let Some(&byte) = rest.first() {
                self.step(byte)?;
                at += 1;
            }
        }
        Ok(at)
    }

    /// Bytes of data that come before anything else. Zero if something else comes.
    pub(super) fn data_left(&self) -> u64 {
        if self.place == Place::Data { self.size } else { 0 }
    }

    /// Goes on over so many bytes of data.
    pub(super) fn skip(&mut self, len: usize) {
        self.size = self.size.saturating_sub(len as u64);
        if self.size == 0 {
            self.place = Place::DataCr;
        }
    }

    /// Whether this is the end of the body.
    pub(super) fn is_at_end(&self) -> bool {
        self.place == Place::End
    }

    fn step(&mut self, byte: u8) -> Result<(), BadChunk> {
        let is_text = matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
        self.place = match (self.place, byte) {
            (Place::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                self.digits += 1;
                if self.digits > MAX_DIGITS {
                    return Err(BadChunk);
                }
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                self.size = self.size << 4 | u64::from(digit);
                Place::Size
            }
            (Place::Size, _) if self.digits == 0 => return Err(BadChunk),
            (Place::Size | Place::Blank, b' ' | b'\t') => self.count(Place::Blank)?,
            (Place::Size | Place::Blank, b';') => self.count(Place::Extension)?,
            // Blanks are for extensions that follow. Where none do, others read an error.
            (Place::Size | Place::Extension, b'\r') => Place::SizeLf,
            (Place::Extension, _) if is_text => self.count(Place::Extension)?,
            (Place::SizeLf, b'\n') => {
                self.digits = 0;
                if self.size == 0 { Place::Line } else { Place::Data }
            }
            (Place::DataCr, b'\r') => Place::DataLf,
            (Place::DataLf, b'\n') => Place::Size,
            (Place::Line, b'\r') => Place::EndLf,
            (Place::Line, b' ' | b'\t') => return Err(BadChunk),
            (Place::Line | Place::Trailer, _) if is_text => self.count(Place::Trailer)?,
            (Place::Trailer, b'\r') => Place::TrailerLf,
            (Place::TrailerLf, b'\n') => Place::Line,
            (Place::EndLf, b'\n') => Place::End,
            _ => return Err(BadChunk),
        };
        Ok(())
    }

    /// Counts a byte that nobody reads.
    fn count(&mut self, place: Place) -> Result<Place, BadChunk> {
        self.extra += 1;
        if self.extra > MAX_EXTRA { Err(BadChunk) } else { Ok(place) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_ends_where_it_ends_however_it_is_split() {
        let text = b"5\r\nhello\r\n00a ;x=\"y\";z\r\n0123456789\r\n0\r\nA: b\r\n\r\nGET / ";
        let end = text.len() - 6;
        assert_eq!(Chunks::default().advance(text), Ok(end));
        for cut in 0..text.len() {
            let mut chunks = Chunks::default();
            let first = chunks.advance(&text[..cut]).unwrap();
            let second = chunks.advance(&text[first..]).unwrap();
            assert_eq!(first + second, end, "{cut}");
            assert!(chunks.is_at_end());
        }
    }

    #[test]
    fn what_is_not_in_chunks_is_refused() {
        let long = format!("1;{}\r\n", "a".repeat(9 << 10));
        for text in [
            "",
            "5\nhello\r\n0\r\n\r\n",
            "5\r\nhello0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "+5\r\nhello",
            "0x5\r\nhello",
            "-1\r\n",
            "\r\n",
            "g\r\n",
            " 5\r\nhello",
            "5 5\r\n",
            "5 \r\nhello",
            "5\t\r\nhello",
            "5;a\nb\r\nhello",
            "10000000000000005\r\n",
            "0\r\n\n",
            "0\r\nA: b\n\r\n",
            "0\r\n A\r\n\r\n",
            &long,
            "5;\u{0}\r\nhello",
            "0\n\r\n",
            "5\r\r\nhello",
        ] {
            let mut chunks = Chunks::default();
            let done = chunks.advance(text.as_bytes());
            assert!(done.is_err() || !chunks.is_at_end(), "{text:?}");
            assert!(done.is_err() || text.is_empty(), "{text:?}");
        }
    }
}
