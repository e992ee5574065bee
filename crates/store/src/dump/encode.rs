//! Events and gaps to lines.

use super::time::TimeWriter;
use super::{DumpEvent, DumpFormat};

/// Appends lines to a buffer. Allocates nothing when the buffer has room.
#[derive(Debug)]
pub(super) struct Encoder {
    format: DumpFormat,
    time: TimeWriter,
}

impl Encoder {
    pub(super) fn new(format: DumpFormat) -> Self {
        Self { format, time: TimeWriter::default() }
    }

    /// Appends an event and a line feed.
    pub(super) fn event(&mut self, buf: &mut Vec<u8>, event: &DumpEvent<'_>) {
        match self.format {
            DumpFormat::Json => self.json_event(buf, event),
            DumpFormat::Xml => {
                buf.extend_from_slice(event.event.as_bytes());
                buf.push(b'\n');
            }
        }
    }

    /// Appends that `events` were not recorded before this, and a line feed. `why` is a text of ours.
    pub(super) fn gap(&mut self, buf: &mut Vec<u8>, at_ms: i64, events: u64, why: &str) {
        match self.format {
            DumpFormat::Json => {
                let begin = buf.len();
                buf.extend_from_slice(b"{\"t\":\"");
                self.time.append(buf, at_ms);
                buf.extend_from_slice(b"\",\"gap\":");
                buf.extend_from_slice(events.to_string().as_bytes());
                buf.extend_from_slice(b",\"why\":\"");
                escape(buf, why);
                finish(buf, begin);
            }
            DumpFormat::Xml => {
                buf.extend_from_slice(b"<!-- ");
                self.time.append(buf, at_ms);
                let text = format!(" gap: {events} events not recorded before this: {why} -->\n");
                buf.extend_from_slice(text.as_bytes());
            }
        }
    }

    fn json_event(&mut self, buf: &mut Vec<u8>, event: &DumpEvent<'_>) {
        let begin = buf.len();
        buf.extend_from_slice(b"{\"t\":\"");
        self.time.append(buf, event.received_ms);
        buf.extend_from_slice(b"\",\"uid\":\"");
        escape(buf, event.sender);
        buf.extend_from_slice(b"\",\"team\":\"");
        escape(buf, event.team);
        buf.extend_from_slice(b"\",\"event\":\"");
        escape(buf, event.event);
        finish(buf, begin);
    }
}

/// Ends the string that is open, adds the sum of the line that began at `begin`, and ends the line.
fn finish(buf: &mut Vec<u8>, begin: usize) {
    buf.push(b'"');
    let sum = crc32fast::hash(buf.get(begin..).unwrap_or_default());
    buf.extend_from_slice(b",\"sum\":\"");
    buf.extend_from_slice(&sum_text(sum));
    buf.extend_from_slice(b"\"}\n");
}

/// Eight lower-case hexadecimal digits.
pub(super) fn sum_text(sum: u32) -> [u8; 8] {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    std::array::from_fn(|place| {
        let digit = sum >> (28 - 4 * place) & 0xf;
        DIGITS.get(digit as usize).copied().unwrap_or(b'0')
    })
}

/// Each byte of a word set to one, and the top bit of each.
const ONES: u64 = u64::from_le_bytes([1; 8]);
const TOPS: u64 = ONES << 7;

/// Appends the inside of a JSON string.
///
/// Looks at eight bytes at once, because most of them are plain: this takes two thirds of the time
/// of going byte by byte.
fn escape(buf: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    let mut scanned = 0;
    while let Some(window) = rest.get(scanned..) {
        let special = match window.first_chunk::<8>() {
            Some(chunk) => first_special(*chunk),
            None => match window.iter().position(|&byte| is_special(byte)) {
                Some(at) => at,
                None => break,
            },
        };
        scanned += special;
        if special == 8 {
            continue;
        }
        let Some((plain, tail)) = rest.split_at_checked(scanned) else { break };
        buf.extend_from_slice(plain);
        if let Some((&byte, tail)) = tail.split_first() {
            escape_byte(buf, byte);
            rest = tail;
        }
        scanned = 0;
    }
    buf.extend_from_slice(rest);
}

/// Where the first byte stands that needs escaping; 8 when there is none.
fn first_special(chunk: [u8; 8]) -> usize {
    let word = u64::from_le_bytes(chunk);
    let quotes = word ^ (ONES * u64::from(b'"'));
    let backslashes = word ^ (ONES * u64::from(b'\\'));
    // In each term the top bit of a byte is set if the byte is zero (for the first two) or below
    // 0x20 (for the third). A borrow can set it wrongly, but only above a byte where it is right.
    let zeros = (quotes.wrapping_sub(ONES) & !quotes)
        | (backslashes.wrapping_sub(ONES) & !backslashes)
        | (word.wrapping_sub(ONES * 0x20) & !word);
    (zeros & TOPS).trailing_zeros() as usize / 8
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn escape_byte(buf: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            let [.., high, low] = sum_text(u32::from(byte));
            buf.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            return;
        }
    };
    buf.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str) -> String {
        let mut buf = vec![b'"'];
        escape(&mut buf, text);
        buf.push(b'"');
        String::from_utf8(buf).unwrap()
    }

    #[test]
    fn each_byte_at_each_place_is_escaped_when_it_must_be() {
        for byte in 0..0x80_u8 {
            for place in 0..20 {
                let mut text = vec![b'a'; 20];
                text[place] = byte;
                let text = String::from_utf8(text).unwrap();
                let back: String = serde_json::from_str(&escaped(&text)).unwrap();
                assert_eq!(back, text);
                assert_eq!(escaped(&text).len() > 22, is_special(byte), "{byte:#x} at {place}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_reads_back(text in r#"([a-z"\\\n\x00-\x1f\x7f-\u{ff}]|[^a]){0,64}"#) {
            let back: String = serde_json::from_str(&escaped(&text)).unwrap();
            prop_assert_eq!(back, text);
        }
    }

    #[test]
    fn lines_are_as_documented() {
        let mut buf = Vec::new();
        let event = DumpEvent { received_ms: 0, sender: "A", team: "Cyan", event: "<event\n/>" };
        let mut json = Encoder::new(DumpFormat::Json);
        json.event(&mut buf, &event);
        json.gap(&mut buf, 1, 2, "busy");
        let mut xml = Encoder::new(DumpFormat::Xml);
        xml.event(&mut buf, &event);
        xml.gap(&mut buf, 1, 2, "busy");
        let expected = concat!(
            r#"{"t":"1970-01-01T00:00:00.000Z","uid":"A","team":"Cyan","event":"<event\n/>","#,
            "\"sum\":\"d0c6fc9b\"}\n",
            r#"{"t":"1970-01-01T00:00:00.001Z","gap":2,"why":"busy","sum":"677b3558"}"#,
            "\n<event\n/>\n",
            "<!-- 1970-01-01T00:00:00.001Z gap: 2 events not recorded before this: busy -->\n",
        );
        assert_eq!(String::from_utf8(buf).unwrap(), expected);
    }
}
