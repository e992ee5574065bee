//! Reading one attribute: name, `=`, quotes, value.

use super::chars::{Name, letters, name};
use super::content::reference;
use super::swar::{first_lane, load, splat, zero_lanes};
use super::tag::skip_blanks;
use crate::reject::{Reject, RejectCode};

/// An attribute, while it is read.
pub(super) struct Attribute {
    /// Offset of the name.
    pub(super) start: usize,
    pub(super) name: Name,
    pub(super) value: Value,
}

/// An attribute value, while it is read.
pub(super) struct Value {
    /// Offset after the opening quote.
    pub(super) open: usize,
    /// Offset of the closing quote.
    pub(super) end: usize,
    pub(super) escaped: bool,
}

/// Reads an attribute as nearly all of them are: a name of letters, no blanks around the `=`, and
/// no references in the value. `None` if it is not like that.
#[inline(always)]
pub(super) fn usual_attribute(bytes: &[u8], start: usize) -> Option<Attribute> {
    let name = letters(bytes, start)?;
    let (open, end) = match bytes.get(name.end..)? {
        [b'=', b'"', rest @ ..] => (name.end + 2, plain_value::<b'"'>(rest)?),
        [b'=', b'\'', rest @ ..] => (name.end + 2, plain_value::<b'\''>(rest)?),
        _ => return None,
    };
    Some(Attribute { start, name, value: Value { open, end: open + end, escaped: false } })
}

/// Reads any attribute and the blanks before it, or finds the end of the tag there: then `at`
/// is moved to `>` or `/>`.
#[inline(never)]
pub(super) fn any_attribute(bytes: &[u8], at: &mut usize) -> Result<Option<Attribute>, Reject> {
    let malformed = |at| match bytes.get(at) {
        Some(_) => Reject::new(RejectCode::Attribute, at),
        None => Reject::new(RejectCode::Truncated, at),
    };
    let start = skip_blanks(bytes, *at);
    match bytes.get(start..).unwrap_or_default() {
        [b'>', ..] | [b'/', b'>', ..] => {
            *at = start;
            return Ok(None);
        }
        [] | [b'/', ..] => return Err(malformed(start)),
        _ if start == *at => return Err(malformed(start)),
        _ => {}
    }
    let name = name(bytes, start)?;
    let equals = skip_blanks(bytes, name.end);
    if bytes.get(equals) != Some(&b'=') {
        return Err(malformed(equals));
    }
    let quote = skip_blanks(bytes, equals + 1);
    let open = quote + 1;
    let (end, escaped) = match bytes.get(quote) {
        Some(b'"') => any_value::<b'"'>(bytes, open)?,
        Some(b'\'') => any_value::<b'\''>(bytes, open)?,
        _ => return Err(malformed(quote)),
    };
    Ok(Some(Attribute { start, name, value: Value { open, end, escaped } }))
}

/// Sets the top bit of the lane with the first `QUOTE`, `&` or `<`.
#[inline(always)]
const fn value_stops<const QUOTE: u8>(word: u64) -> u64 {
    // Either quote differs from `&` in a single bit, so with that bit set the two are one.
    let bit = QUOTE ^ b'&';
    zero_lanes((word | splat(bit)) ^ splat(QUOTE | bit)) | zero_lanes(word ^ splat(b'<'))
}

/// The length of an attribute value without references, which starts `rest`; `None` if it has
/// any, or is malformed.
#[inline(always)]
fn plain_value<const QUOTE: u8>(mut rest: &[u8]) -> Option<usize> {
    let whole = rest.len();
    while let Some((word, tail)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        let stops = value_stops::<QUOTE>(word);
        if stops != 0 {
            let lane = first_lane(stops);
            let is_quote = (word >> (8 * lane)) & 0xFF == QUOTE as u64;
            return is_quote.then_some(whole - rest.len() + lane);
        }
        rest = tail;
    }
    None
}

/// The end of any attribute value, which starts at `at`, and whether it has references.
fn any_value<const QUOTE: u8>(bytes: &[u8], mut at: usize) -> Result<(usize, bool), Reject> {
    let mut escaped = false;
    loop {
        while let Some(word) = load(bytes, at) {
            let stops = value_stops::<QUOTE>(word);
            if stops != 0 {
                at += first_lane(stops);
                break;
            }
            at += 8;
        }
        match bytes.get(at) {
            Some(&byte) if byte == QUOTE => return Ok((at, escaped)),
            Some(b'&') => {
                escaped = true;
                at = reference(bytes, at)?;
            }
            Some(b'<') => return Err(Reject::new(RejectCode::RawLessThan, at)),
            // Fewer than eight bytes are left.
            Some(_) => at += 1,
            None => return Err(Reject::new(RejectCode::Truncated, at)),
        }
    }
}
