//! What stands between tags: text, references, comments, CDATA sections, instructions; and what
//! may stand before and after the root.

use memchr::memchr_iter;

use super::chars::name;
use super::swar::{first_lane, load, splat, zero_lanes};
use crate::close::find_close;
use crate::reject::{Reject, RejectCode};

/// Reads character data from `at` to the next `<`, whose offset it returns.
pub(super) fn text(bytes: &[u8], start: usize) -> Result<usize, Reject> {
    let mut at = start;
    loop {
        while let Some(word) = load(bytes, at) {
            // `<` and `>` differ in a single bit.
            let angle = zero_lanes((word | splat(0x02)) ^ splat(b'>'));
            let hits = angle | zero_lanes(word ^ splat(b'&'));
            if hits != 0 {
                at += first_lane(hits);
                break;
            }
            at += 8;
        }
        match bytes.get(at) {
            Some(b'<') => return Ok(at),
            Some(b'&') => at = reference(bytes, at)?,
            Some(b'>') if bytes.get(start..at).is_some_and(|text| text.ends_with(b"]]")) => {
                return Err(Reject::new(RejectCode::Markup, at));
            }
            Some(_) => at += 1,
            None => return Err(Reject::new(RejectCode::Truncated, at)),
        }
    }
}

/// Checks the reference at `at`; returns the offset after it.
#[inline]
pub(super) fn reference(bytes: &[u8], at: usize) -> Result<usize, Reject> {
    let rest = bytes.get(at..).unwrap_or_default();
    let len = match rest {
        [b'&', b'a', b'm', b'p', b';', ..] => 5,
        [b'&', b'l' | b'g', b't', b';', ..] => 4,
        [b'&', b'q', b'u', b'o', b't', b';', ..] | [b'&', b'a', b'p', b'o', b's', b';', ..] => 6,
        _ => return numeric_reference(rest, at),
    };
    Ok(at + len)
}

#[cold]
fn numeric_reference(rest: &[u8], at: usize) -> Result<usize, Reject> {
    // The longest with a meaning, `&#x10FFFF;`, has ten bytes; zeros may stand in front.
    let window = rest.get(1..rest.len().min(64)).unwrap_or_default();
    let len = window.iter().position(|&byte| byte == b';').map(|len| len + 1);
    let text = len.and_then(|len| core::str::from_utf8(window.get(..len)?).ok());
    match text.and_then(crate::text::reference) {
        Some((_, "")) => Ok(at + 1 + len.unwrap_or_default()),
        _ => Err(Reject::new(RejectCode::Reference, at)),
    }
}

/// Reads the comment, CDATA section or instruction that starts at `at`.
#[cold]
#[inline(never)]
pub(super) fn opaque(bytes: &[u8], at: usize) -> Result<usize, Reject> {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.starts_with(b"<![CDATA[") {
        return match find(bytes, at + 9, b"]]>") {
            Some(end) => Ok(end + 3),
            None => Err(Reject::new(RejectCode::Cdata, at)),
        };
    }
    comment_or_instruction(bytes, at)
}

fn comment_or_instruction(bytes: &[u8], at: usize) -> Result<usize, Reject> {
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.starts_with(b"<!--") {
        let inside = bytes.get(at + 4..).unwrap_or_default();
        let hyphens = memchr_iter(b'-', inside).find(|&at| inside.get(at + 1) == Some(&b'-'));
        let end = hyphens.map(|hyphens| at + 4 + hyphens);
        return match end {
            Some(end) if bytes.get(end + 2) == Some(&b'>') => Ok(end + 3),
            _ => Err(Reject::new(RejectCode::Comment, end.unwrap_or(at))),
        };
    }
    if rest.starts_with(b"<!DOCTYPE") {
        return Err(Reject::new(RejectCode::Doctype, at));
    }
    if rest.starts_with(b"<?") {
        return instruction(bytes, at);
    }
    Err(Reject::new(RejectCode::Markup, at))
}

fn instruction(bytes: &[u8], at: usize) -> Result<usize, Reject> {
    let bad = Reject::new(RejectCode::ProcessingInstruction, at);
    let start = at + 2;
    let end = name(bytes, start).map_err(|_| bad)?.end;
    if bytes.get(start..end).is_some_and(|target| target.eq_ignore_ascii_case(b"xml")) {
        return Err(bad);
    }
    match bytes.get(end..) {
        Some([b'?', b'>', ..]) => Ok(end + 2),
        Some([b' ' | b'\t' | b'\n' | b'\r', ..]) => {
            find(bytes, end, b"?>").map(|end| end + 2).ok_or(bad)
        }
        _ => Err(bad),
    }
}

fn find(bytes: &[u8], from: usize, close: &[u8]) -> Option<usize> {
    find_close(bytes.get(from..)?, close).map(|at| from + at)
}

/// Skips a byte-order mark, a declaration, blanks, comments and instructions; returns where the
/// root has to start.
pub(super) fn prolog(bytes: &[u8]) -> Result<usize, Reject> {
    let mut at = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    loop {
        match misc(bytes, at) {
            Misc::Blank => at += 1,
            Misc::Declaration => {
                let bad = Reject::new(RejectCode::ProcessingInstruction, at);
                at = find(bytes, at, b"?>").ok_or(bad)? + 2;
            }
            Misc::Markup => at = comment_or_instruction(bytes, at)?,
            Misc::Other => return Ok(at),
        }
    }
}

/// Checks that only blanks, comments and instructions stand from `at` on.
pub(super) fn epilog(bytes: &[u8], mut at: usize) -> Result<(), Reject> {
    while at < bytes.len() {
        match misc(bytes, at) {
            Misc::Blank => at += 1,
            Misc::Markup => at = comment_or_instruction(bytes, at)?,
            Misc::Declaration | Misc::Other => {
                return Err(Reject::new(RejectCode::Trailing, at));
            }
        }
    }
    Ok(())
}

/// What can stand outside the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Misc {
    Blank,
    /// `<?xml` and a blank.
    Declaration,
    /// A comment, an instruction, or something that is refused.
    Markup,
    Other,
}

fn misc(bytes: &[u8], at: usize) -> Misc {
    match bytes.get(at..).unwrap_or_default() {
        [b' ' | b'\t' | b'\n' | b'\r', ..] => Misc::Blank,
        [b'<', b'?', b'x', b'm', b'l', b' ' | b'\t' | b'\n' | b'\r', ..] => Misc::Declaration,
        [b'<', b'?' | b'!', ..] => Misc::Markup,
        _ => Misc::Other,
    }
}
