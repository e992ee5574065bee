//! Writes XML the way a given client writes it: its quotes, blanks, references and declaration.

use std::fmt::{self, Write as _};

use crate::CotTime;

/// The handwriting of one client program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hand {
    /// What stands before `<event`.
    pub(super) declaration: &'static str,
    /// `"` or `'`.
    pub(super) quote: char,
    /// A blank before `/>`.
    pub(super) blank: bool,
    /// Characters above 0x7F as numeric references.
    pub(super) references: bool,
    /// Digits of the fraction of a second, at most three.
    pub(super) fraction: usize,
    /// `access="Undefined"` in `event`.
    pub(super) access: bool,
}

/// Appends elements to a buffer. Never allocates beyond the growth of the buffer.
pub(super) struct Pen<'a> {
    out: &'a mut Vec<u8>,
    hand: Hand,
}

impl<'a> Pen<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, hand: Hand) -> Self {
        Self { out, hand }
    }

    pub(super) fn declaration(&mut self) -> &mut Self {
        self.raw(self.hand.declaration)
    }

    pub(super) fn has_access(&self) -> bool {
        self.hand.access
    }

    pub(super) fn raw(&mut self, text: &str) -> &mut Self {
        self.out.extend_from_slice(text.as_bytes());
        self
    }

    pub(super) fn open(&mut self, name: &str) -> &mut Self {
        self.raw("<").raw(name)
    }

    /// Ends a start tag.
    pub(super) fn body(&mut self) -> &mut Self {
        self.raw(">")
    }

    /// Ends an empty element.
    pub(super) fn empty(&mut self) -> &mut Self {
        self.raw(if self.hand.blank { " />" } else { "/>" })
    }

    pub(super) fn close(&mut self, name: &str) -> &mut Self {
        self.raw("</").raw(name).raw(">")
    }

    pub(super) fn attr(&mut self, name: &str, value: impl fmt::Display) -> &mut Self {
        self.begin_attr(name);
        // Writing into memory cannot fail, and no value here fails to format.
        let _ = write!(Escape { out: self.out, hand: self.hand }, "{value}");
        self.end_attr()
    }

    /// An attribute whose value needs no escaping: the fast path for constants and numbers.
    pub(super) fn plain(&mut self, name: &str, value: &str) -> &mut Self {
        self.begin_attr(name);
        self.out.extend_from_slice(value.as_bytes());
        self.end_attr()
    }

    pub(super) fn time(&mut self, name: &str, ms: i64) -> &mut Self {
        let mut buf = [0; CotTime::TEXT_LEN];
        let (seconds, millis) = CotTime::from_unix_millis(ms).write_to(&mut buf).split_at(19);
        self.begin_attr(name).raw(seconds);
        if self.hand.fraction > 0 {
            self.raw(millis.get(..=self.hand.fraction).unwrap_or_default());
        }
        self.raw("Z").end_attr()
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        let _ = Escape { out: self.out, hand: self.hand }.write_str(text);
        self
    }

    fn begin_attr(&mut self, name: &str) -> &mut Self {
        self.raw(" ").raw(name).raw("=").quote()
    }

    fn end_attr(&mut self) -> &mut Self {
        self.quote()
    }

    fn quote(&mut self) -> &mut Self {
        self.raw(if self.hand.quote == '\'' { "'" } else { "\"" })
    }
}

/// Escapes what is formatted through it.
struct Escape<'a> {
    out: &'a mut Vec<u8>,
    hand: Hand,
}

impl fmt::Write for Escape<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().all(is_plain) {
            self.out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        for character in text.chars() {
            let reference = match character {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\'' => "&apos;",
                '\n' => "&#10;",
                _ if character.is_ascii() || !self.hand.references => {
                    self.out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    continue;
                }
                _ => {
                    use std::io::Write as _;
                    let _ = write!(self.out, "&#{};", u32::from(character));
                    continue;
                }
            };
            self.out.extend_from_slice(reference.as_bytes());
        }
        Ok(())
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii() && !matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'' | b'\n')
}
