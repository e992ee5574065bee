//! Which bytes may stand where: characters of a document, characters of a name.

use memchr::memchr_iter;

use super::swar::{first_lane, key, load, non_letter_lanes};
use crate::reject::{Reject, RejectCode};

/// What a pass over all bytes found.
pub(super) struct Checked<'a> {
    pub(super) text: &'a str,
    /// Whether there is a tab or a line end.
    pub(super) controls: bool,
}

/// Checks that the bytes are UTF-8 and hold only characters that XML allows.
pub(super) fn check(bytes: &[u8]) -> Result<Checked<'_>, Reject> {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return Err(utf8_fault(bytes));
    };
    let (mut union, mut lowest) = (0_u8, u8::MAX);
    for &byte in bytes {
        union |= byte;
        lowest = lowest.min(byte);
    }
    let controls = lowest < b' ';
    if controls && bytes.iter().any(|&byte| is_bad_control(byte)) {
        return Err(control_fault(bytes));
    }
    if union >= 0x80 {
        non_ascii(bytes)?;
    }
    Ok(Checked { text, controls })
}

#[inline(always)]
const fn is_bad_control(byte: u8) -> bool {
    byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')
}

/// Finds U+FFFE and U+FFFF, which UTF-8 allows and XML does not.
#[cold]
fn non_ascii(bytes: &[u8]) -> Result<(), Reject> {
    for at in memchr_iter(0xEF, bytes) {
        if let Some([0xBF, 0xBE | 0xBF, ..]) = bytes.get(at + 1..) {
            return Err(Reject::new(RejectCode::Character, at));
        }
    }
    Ok(())
}

#[cold]
fn utf8_fault(bytes: &[u8]) -> Reject {
    let at = core::str::from_utf8(bytes).err().map_or(0, |error| error.valid_up_to());
    Reject::new(RejectCode::Utf8, at)
}

#[cold]
fn control_fault(bytes: &[u8]) -> Reject {
    let at = bytes.iter().position(|&byte| is_bad_control(byte));
    Reject::new(RejectCode::Character, at.unwrap_or_default())
}

/// What an ASCII byte may be in a name. The colon is left out of both, so that names with a
/// prefix take the slow path and are noticed.
const NAME: u8 = 1;
const NAME_START: u8 = 2;

#[expect(clippy::indexing_slicing, reason = "runs at compile time")]
static CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        class[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => NAME | NAME_START,
            b'0'..=b'9' | b'-' | b'.' => NAME,
            _ => 0,
        };
        byte += 1;
    }
    class
};

#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "the table has an entry for every byte")]
const fn class(byte: u8) -> u8 {
    CLASS[byte as usize]
}

/// A name: where it ends, its key, and whether it has a colon in it.
#[derive(Clone, Copy)]
pub(super) struct Name {
    pub(super) end: usize,
    pub(super) key: u64,
    pub(super) prefixed: bool,
}

/// Reads the ASCII letters and `_` from `at` on, of which most names are made; `None` if there are
/// none. Whether the name ends there is for the caller to see.
#[inline(always)]
pub(super) fn letters(bytes: &[u8], at: usize) -> Option<Name> {
    let word = load(bytes, at)?;
    let stop = non_letter_lanes(word);
    if stop != 0 {
        let below = (stop & stop.wrapping_neg()) >> 7;
        let end = at + first_lane(stop);
        return (below != 1).then_some(Name { end, key: word & (below - 1), prefixed: false });
    }
    let mut end = at;
    loop {
        end += 8;
        let stop = non_letter_lanes(load(bytes, end)?);
        if stop != 0 {
            return Some(Name { end: end + first_lane(stop), key: word, prefixed: false });
        }
    }
}

/// Reads any name, which starts at `at`.
#[inline(never)]
pub(super) fn name(bytes: &[u8], at: usize) -> Result<Name, Reject> {
    let mut end = at;
    if let Some(&first) = bytes.get(at)
        && class(first) & NAME_START != 0
    {
        end += 1;
        while let Some(&byte) = bytes.get(end) {
            if class(byte) & NAME == 0 {
                if byte == b':' || byte >= 0x80 {
                    break;
                }
                return Ok(Name { end, key: key(bytes, at, end - at), prefixed: false });
            }
            end += 1;
        }
    }
    unusual_name(bytes, at)
}

/// Reads a name with a colon or with characters beyond ASCII.
#[cold]
#[inline(never)]
fn unusual_name(bytes: &[u8], at: usize) -> Result<Name, Reject> {
    let rest = bytes.get(at..).unwrap_or_default();
    let ascii_end = rest.iter().position(|&byte| {
        matches!(byte, b'=' | b'/' | b'>' | b'<' | b' ' | b'\t' | b'\n' | b'\r' | b'?')
    });
    let rest = rest.get(..ascii_end.unwrap_or(rest.len())).unwrap_or_default();
    let Ok(text) = core::str::from_utf8(rest) else {
        return Err(Reject::new(RejectCode::Name, at));
    };
    let mut chars = text.chars();
    if !chars.next().is_some_and(is_name_start) {
        return Err(Reject::new(RejectCode::Name, at));
    }
    let end = text.find(|character| !is_name_char(character)).unwrap_or(text.len());
    let prefixed = text.bytes().take(end).any(|byte| byte == b':');
    Ok(Name { end: at + end, key: key(bytes, at, end), prefixed })
}

/// `NameStartChar` of XML 1.0, fifth edition.
pub(super) const fn is_name_start(character: char) -> bool {
    matches!(character,
        ':' | '_' | 'A'..='Z' | 'a'..='z' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}'
        | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}'
        | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

/// `NameChar` of XML 1.0, fifth edition.
const fn is_name_char(character: char) -> bool {
    is_name_start(character)
        || matches!(character,
            '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}
