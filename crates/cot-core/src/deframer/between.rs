//! What may stand between two events.

use memchr::memchr;

use super::Skip;
use crate::reject::{FrameError, RejectCode};
use crate::walk::starts;

const CDATA: &[u8] = b"<![CDATA[";

/// Looks for the start of the next document.
#[derive(Clone, Debug, Default)]
pub(super) struct Between {
    /// Whether anything was found yet; before that, other protocols are told apart.
    begun: bool,
    /// Whether the bytes just passed were junk, which has been reported.
    in_junk: bool,
}

/// What was found, after the bytes that were passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Auth,
    Doctype,
    Event,
    /// Nothing; the bytes that are left need more to tell.
    Nothing,
    /// Something that is to be reported.
    Rejected(RejectCode),
    Skip(Skip),
}

impl Between {
    /// Finds the next document in `rest`; also returns how many bytes to pass over before it.
    pub(super) fn find(&mut self, rest: &[u8]) -> Result<(usize, Found), FrameError> {
        if !self.begun {
            match other_protocol(rest) {
                Some(Some(error)) => return Err(error),
                Some(None) => self.begun = true,
                None => return Ok((0, Found::Nothing)),
            }
        }
        let mut at = 0;
        loop {
            let rest = rest.get(at..).unwrap_or_default();
            match rest {
                [] | [0xEF] | [0xEF, 0xBB] => return Ok((at, Found::Nothing)),
                [b' ' | b'\t' | b'\n' | b'\r', ..] => at += 1,
                [b'<', ..] => match self.markup(rest) {
                    Some((len, found)) => {
                        self.in_junk = false;
                        return Ok((at + len, found));
                    }
                    None if is_undecided(rest) => return Ok((at, Found::Nothing)),
                    // Junk, but what is inside is text and must not be taken for an event.
                    None if self.in_junk && rest.starts_with(CDATA) => {
                        return Ok((at, Found::Skip(Skip::Cdata)));
                    }
                    None if rest.starts_with(CDATA) => {
                        self.in_junk = true;
                        return Ok((at, Found::Rejected(RejectCode::Junk)));
                    }
                    None => match self.junk(rest) {
                        (len, Some(found)) => return Ok((at + len, found)),
                        (len, None) => at += len,
                    },
                },
                [0xBF, ..] if !self.in_junk => return Err(FrameError::Protobuf),
                [0xEF, 0xBB, 0xBF, ..] => at += 3,
                _ => match self.junk(rest) {
                    (len, Some(found)) => return Ok((at + len, found)),
                    (len, None) => at += len,
                },
            }
        }
    }

    /// What the `<` at the start begins, and where it does; `None` if it is not known markup.
    fn markup(&self, rest: &[u8]) -> Option<(usize, Found)> {
        let yes = |token, is_name| starts(rest, token, is_name) == Some(true);
        if yes(b"<event", true) {
            return Some((0, Found::Event));
        }
        if yes(b"<?xml", true) {
            return Some((0, Found::Skip(Skip::Declaration)));
        }
        if yes(b"<auth", true) {
            return Some((0, Found::Auth));
        }
        if let [b'<', b'?', b'a'..=b'z' | b'A'..=b'Z' | b'_', ..] = rest {
            // `<?x` and `<?xm` may become a declaration.
            let undecided = starts(rest, b"<?xml", true).is_none();
            return (!undecided).then_some((0, Found::Skip(Skip::Instruction)));
        }
        if yes(b"<!--", false) {
            // Not from the `<` on, so that `<!-->` is not taken for a whole comment.
            return Some((4, Found::Skip(Skip::Comment)));
        }
        if yes(b"<!DOCTYPE", false) {
            return Some((0, Found::Doctype));
        }
        yes(b"</event>", false).then_some((8, Found::Rejected(RejectCode::StrayEnd)))
    }

    /// Passes over junk up to the next byte that may begin something, and reports the first of a
    /// run.
    fn junk(&mut self, rest: &[u8]) -> (usize, Option<Found>) {
        let tail = rest.get(1..).unwrap_or_default();
        let len = 1 + memchr(b'<', tail).unwrap_or(tail.len());
        let is_first = !core::mem::replace(&mut self.in_junk, true);
        (len, is_first.then_some(Found::Rejected(RejectCode::Junk)))
    }
}

/// Whether more bytes may turn this into known markup.
fn is_undecided(rest: &[u8]) -> bool {
    let tokens: [(&[u8], bool); 7] = [
        (CDATA, false),
        (b"<event", true),
        (b"<?xml", true),
        (b"<auth", true),
        (b"<!--", false),
        (b"<!DOCTYPE", false),
        (b"</event>", false),
    ];
    tokens.iter().any(|&(token, is_name)| starts(rest, token, is_name).is_none())
}

/// Looks at the first bytes of a stream: `Some(Some(error))` if they are of another protocol,
/// `Some(None)` if not, `None` if it takes more of them to tell.
#[expect(clippy::option_option, reason = "three outcomes, all local to this file")]
fn other_protocol(rest: &[u8]) -> Option<Option<FrameError>> {
    const METHODS: [&[u8]; 10] = [
        b"GET ",
        b"POST ",
        b"PUT ",
        b"HEAD ",
        b"OPTIONS ",
        b"DELETE ",
        b"CONNECT ",
        b"PATCH ",
        b"TRACE ",
        b"PRI ",
    ];
    match rest {
        [] | [0x16] => return None,
        [0x16, 0x03, ..] => return Some(Some(FrameError::Tls)),
        _ => {}
    }
    for method in METHODS {
        match starts(rest, method, false) {
            Some(true) => return Some(Some(FrameError::Http)),
            Some(false) => {}
            None => return None,
        }
    }
    Some(None)
}
