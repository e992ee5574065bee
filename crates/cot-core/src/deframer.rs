//! Cuts a byte stream into validated events.

mod between;
#[cfg(test)]
mod budget;

use memchr::{memchr, memchr2};

use self::between::Between;
use crate::close::find_close;
use crate::header::Header;
use crate::mend::mend;
use crate::reject::{FrameError, Reject, RejectCode};
use crate::scan::{Document, END_OVERLAP, Scanner};
use crate::walk::{Root, Step, Walk};
use crate::work;

/// Cuts one connection's byte stream into validated events, however it is split into reads.
///
/// ```text
///                      first `</event>` found
///            `<event`   and the scan agrees
///  Between ───────────► Event ──────────────► Item::Event ──► Between
///     │  │                │ the scan fails, or no end where one could be
///     │  │ `<auth`        ▼
///     │  └────────────► Walk ──► end found: scan, rewrite if need be, Event or Rejected
///     │ `<?` `<!--`
///     └───────────────► Skip ──► Between
/// ```
///
/// Between events, blanks, byte-order marks, declarations, comments and instructions are skipped
/// silently, an `<auth>` document is reported as [`Item::Auth`], and anything else is junk: one
/// [`Item::Rejected`] for each run of it, and for each stray `</event>`. A bad event costs only
/// itself. Where a broken event ends, and why nobody can smuggle an event in inside another one's
/// text, is in the notes of the `walk` module.
///
/// The deframer holds only the bytes of an unfinished event: at most [`Limits::event`] and one
/// read. When there are none it owns no memory.
///
/// [`Limits::event`]: crate::Limits::event
///
/// # Examples
///
/// ```
/// use cot_core::{Deframer, Item, Limits, Scanner};
///
/// let mut scanner = Scanner::new(Limits::default());
/// let mut deframer = Deframer::new();
/// let mut uids = Vec::new();
/// for read in [
///     &b"<event uid='A' type='a-f-G' time='' stale=''><point lat='1' lo"[..],
///     &b"n='2'/></event>\n"[..],
/// ] {
///     deframer.feed(&mut scanner, read, &mut |item| {
///         if let Item::Event(header) = item {
///             uids.push(header.uid().to_cow().into_owned());
///         }
///     })?;
/// }
/// assert_eq!(uids, ["A"]);
/// # Ok::<(), cot_core::FrameError>(())
/// ```
#[derive(Debug, Default)]
pub struct Deframer {
    /// What was not consumed yet: nothing, or the start of a document.
    buf: Vec<u8>,
    mode: Mode,
    between: Between,
    /// Whether the last event did not end where it seemed to. The next one is walked then:
    /// searching far for its end, again and again, would let a peer buy quadratic work.
    careful: bool,
    /// Why the stream ended, if it did.
    failed: Option<FrameError>,
}

/// One thing found in the stream.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Item<'a> {
    /// A login document, which was skipped.
    Auth,
    /// An event that may be relayed.
    Event(Header<'a>),
    /// Something that may not, and why.
    Rejected(Reject),
}

/// What the bytes from the start of the buffer on are.
#[derive(Clone, Debug, Default)]
enum Mode {
    /// Not known yet.
    #[default]
    Between,
    /// An event; no end tag of it begins in its first `searched` bytes.
    Event { searched: usize },
    /// A document whose end has to be found by walking.
    Walk(Walk),
    /// Something to skip, of which `skipped` bytes are gone already.
    Skip { what: Skip, skipped: usize },
}

/// What can be skipped between events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skip {
    Cdata,
    Comment,
    Declaration,
    Instruction,
}

impl Deframer {
    /// A deframer at the start of a stream. Allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one read and calls `sink` for each item that it completes, in order.
    ///
    /// Events that lie whole in `read` are not copied; of an event that was begun earlier only
    /// the missing part is.
    ///
    /// # Errors
    ///
    /// When the stream cannot go on; items before that have been given to `sink`. The connection
    /// is to be closed. Every further call returns the same error.
    pub fn feed<F>(
        &mut self,
        scanner: &mut Scanner,
        read: &[u8],
        sink: &mut F,
    ) -> Result<(), FrameError>
    where
        F: FnMut(Item<'_>) + ?Sized,
    {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.take_in(scanner, read, sink);
        if let Err(error) = result {
            self.failed = Some(error);
            self.buf = Vec::new();
        }
        result
    }

    /// Bytes held of an unfinished event. Zero between events.
    pub fn pending(&self) -> usize {
        self.buf.len()
    }

    fn take_in<F>(
        &mut self,
        scanner: &mut Scanner,
        mut read: &[u8],
        sink: &mut F,
    ) -> Result<(), FrameError>
    where
        F: FnMut(Item<'_>) + ?Sized,
    {
        while !self.buf.is_empty() && !read.is_empty() {
            let (part, rest) = read.split_at(self.wanted(scanner, read));
            read = rest;
            let mut buf = core::mem::take(&mut self.buf);
            append(&mut buf, part, scanner.limits().event_bytes());
            let used = self.cut(scanner, &buf, sink)?;
            buf.drain(..used);
            work::looked_at(buf.len() * usize::from(used > 0));
            if buf.is_empty() {
                scanner.keep_spare(buf);
            } else {
                self.buf = buf;
            }
        }
        if !read.is_empty() {
            let used = self.cut(scanner, read, sink)?;
            let rest = read.get(used..).unwrap_or_default();
            if !rest.is_empty() {
                self.buf = scanner.take_spare();
                append(&mut self.buf, rest, scanner.limits().event_bytes());
            }
        }
        Ok(())
    }

    /// How much of `read` to put behind the kept bytes: as little as may complete the event, so
    /// that the rest need not be copied.
    fn wanted(&self, scanner: &Scanner, read: &[u8]) -> usize {
        match self.mode {
            Mode::Event { .. } => {}
            Mode::Between | Mode::Skip { .. } => return read.len().min(64),
            Mode::Walk(_) => return read.len().min(4096),
        }
        // An end tag may be split between the kept bytes and the read.
        let kept = self.buf.get(self.buf.len().saturating_sub(END_OVERLAP)..).unwrap_or_default();
        let head = read.get(..END_OVERLAP.min(read.len())).unwrap_or_default();
        let mut seam = [0; 2 * END_OVERLAP];
        for (slot, &byte) in seam.iter_mut().zip(kept.iter().chain(head)) {
            *slot = byte;
        }
        let seam = seam.get(..kept.len() + head.len()).unwrap_or_default();
        let in_seam = scanner.find_end(seam).and_then(|end| end.checked_sub(kept.len()));
        // At least one byte: an end tag that lies in the kept bytes is no news.
        in_seam.or_else(|| scanner.find_end(read)).unwrap_or(read.len()).max(1)
    }

    /// Gives out every item that is complete in `window`; returns how much of it is used up.
    fn cut<F>(
        &mut self,
        scanner: &mut Scanner,
        window: &[u8],
        sink: &mut F,
    ) -> Result<usize, FrameError>
    where
        F: FnMut(Item<'_>) + ?Sized,
    {
        let mut at = 0;
        loop {
            let rest = window.get(at..).unwrap_or_default();
            let used = match &mut self.mode {
                Mode::Between => self.between(rest, sink)?,
                Mode::Event { searched } => {
                    let searched = *searched;
                    self.event(scanner, rest, searched, sink)
                }
                Mode::Walk(_) => self.walk(scanner, rest, sink)?,
                Mode::Skip { what, skipped } => {
                    let (what, skipped) = (*what, *skipped);
                    self.skip(scanner, rest, what, skipped, sink)?
                }
            };
            match used {
                Used::Go(used) => at += used,
                Used::Wait(used) => return Ok(at + used),
            }
        }
    }

    fn between<F>(&mut self, rest: &[u8], sink: &mut F) -> Result<Used, FrameError>
    where
        F: FnMut(Item<'_>) + ?Sized,
    {
        let (used, found) = self.between.find(rest)?;
        work::looked_at(used + 16);
        match found {
            between::Found::Nothing => return Ok(Used::Wait(used)),
            between::Found::Event if self.careful => self.mode = Mode::Walk(Walk::new(Root::Event)),
            between::Found::Event => self.mode = Mode::Event { searched: 0 },
            between::Found::Auth => self.mode = Mode::Walk(Walk::new(Root::Auth)),
            between::Found::Skip(what) => self.mode = Mode::Skip { what, skipped: 0 },
            between::Found::Rejected(code) => sink(Item::Rejected(Reject::new(code, 0))),
            between::Found::Doctype => {
                sink(Item::Rejected(Reject::new(RejectCode::Doctype, 0)));
                return Err(FrameError::Doctype);
            }
        }
        Ok(Used::Go(used))
    }

    /// The fast way: the first `</event>` is the end, and the scan agrees.
    fn event<F>(
        &mut self,
        scanner: &mut Scanner,
        rest: &[u8],
        searched: usize,
        sink: &mut F,
    ) -> Used
    where
        F: FnMut(Item<'_>) + ?Sized,
    {
        /// With this much at hand the event is probably complete, and scanning it finds its end
        /// as well as searching for that would.
        const ENOUGH: usize = 1024;
        let limit = scanner.limits().event_bytes();
        let within = rest.get(..limit).unwrap_or(rest);
        let at_once = searched == 0 && within.len() >= ENOUGH;
        if at_once && let Ok(document) = scanner.document(within) {
            self.mode = Mode::Between;
            return Used::Go(self.emit(scanner, document, sink));
        }
        let end = scanner.find_end(within.get(searched..).unwrap_or_default());
        let end = match end {
            Some(end) => searched + end,
            None => match closed_root(rest, searched) {
                Some(end) if end <= limit => end,
                _ if rest.len() > limit => return self.walk_from_here(),
                _ => {
                    self.mode = Mode::Event { searched: rest.len().saturating_sub(END_OVERLAP) };
                    return Used::Wait(0);
                }
            },
        };
        if at_once {
            // What could not be scanned with more at hand cannot be scanned up to there.
            return self.walk_from_here();
        }
        match scanner.document(within.get(..end).unwrap_or_default()) {
            Ok(document) => {
                self.mode = Mode::Between;
                Used::Go(self.emit(scanner, document, sink))
            }
            Err(_) => self.walk_from_here(),
        }
    }

    #[cold]
    fn walk_from_here(&mut self) -> Used {
        self.careful = true;
        self.mode = Mode::Walk(Walk::new(Root::Event));
        Used::Go(0)
    }

    /// The slow way: walk to where the document really ends, then scan that.
    fn walk<F>(
        &mut self,
        scanner: &mut Scanner,
        rest: &[u8],
        sink: &mut F,
    ) -> Result<Used, FrameError>
    where
        F: FnMut(Item<'_>) + ?Sized,
    {
        let Mode::Walk(walk) = &mut self.mode else {
            return Ok(Used::Go(0));
        };
        let limit = scanner.limits().event_bytes();
        let root = walk.root();
        let step = walk.run(rest.get(..limit).unwrap_or(rest));
        let used = match step {
            Step::More if rest.len() > limit => return Err(FrameError::TooLong { limit }),
            Step::More => return Ok(Used::Wait(0)),
            Step::Doctype => {
                sink(Item::Rejected(Reject::new(RejectCode::Doctype, 0)));
                return Err(FrameError::Doctype);
            }
            Step::Embedded => {
                sink(Item::Rejected(Reject::new(RejectCode::NestedEvent, 0)));
                return Err(FrameError::NestedEvent);
            }
            Step::Restart(at) => {
                sink(Item::Rejected(Reject::new(RejectCode::Truncated, at)));
                at
            }
            Step::End(end) if root == Root::Auth => {
                sink(Item::Auth);
                end
            }
            Step::End(end) => match scanner.document(rest.get(..end).unwrap_or_default()) {
                Ok(document) => self.emit(scanner, document, sink),
                Err(reject) => {
                    sink(Item::Rejected(reject));
                    end
                }
            },
        };
        self.mode = Mode::Between;
        Ok(Used::Go(used))
    }

    /// Skips a declaration, a comment and the like without keeping it.
    fn skip<F>(
        &mut self,
        scanner: &Scanner,
        rest: &[u8],
        what: Skip,
        skipped: usize,
        sink: &mut F,
    ) -> Result<Used, FrameError>
    where
        F: FnMut(Item<'_>) + ?Sized,
    {
        let found = match what {
            Skip::Cdata => find_close(rest, b"]]>").map(|at| at + 3),
            Skip::Comment => find_close(rest, b"-->").map(|at| at + 3),
            Skip::Instruction => find_close(rest, b"?>").map(|at| at + 2),
            Skip::Declaration => match declaration_end(rest) {
                Ok(found) => found,
                Err(at) => {
                    // A declaration has no `<`: this one broke off.
                    sink(Item::Rejected(Reject::new(RejectCode::Junk, 0)));
                    self.mode = Mode::Between;
                    return Ok(Used::Go(at));
                }
            },
        };
        work::looked_at(found.unwrap_or(rest.len()));
        if let Some(end) = found {
            self.mode = Mode::Between;
            return Ok(Used::Go(end));
        }
        // The first two bytes of an end may be there already.
        let gone = rest.len().saturating_sub(2);
        let limit = scanner.limits().event_bytes();
        if skipped + gone > limit {
            return Err(FrameError::TooLong { limit });
        }
        self.mode = Mode::Skip { what, skipped: skipped + gone };
        Ok(Used::Wait(gone))
    }

    /// Gives out a validated event, rewritten if other readers would misread it. Returns how many
    /// bytes of the stream it took.
    fn emit<F>(&mut self, scanner: &mut Scanner, document: Document<'_>, sink: &mut F) -> usize
    where
        F: FnMut(Item<'_>) + ?Sized,
    {
        let len = document.len();
        self.careful = !document.has_end_tag();
        if scanner.is_ambiguous(&document) {
            emit_mended(scanner, document.header.as_str(), sink);
        } else {
            sink(Item::Event(document.header));
        }
        len
    }
}

/// How much of the window a step has used up.
enum Used {
    /// Go on behind it.
    Go(usize),
    /// The rest needs more bytes.
    Wait(usize),
}

#[cold]
#[inline(never)]
fn emit_mended<F>(scanner: &mut Scanner, text: &str, sink: &mut F)
where
    F: FnMut(Item<'_>) + ?Sized,
{
    let limit = scanner.limits().event_bytes();
    let mut buf = scanner.take_mended();
    if mend(text, limit, &mut buf) {
        match scanner.document(&buf) {
            Ok(document) => sink(Item::Event(document.header)),
            Err(reject) => sink(Item::Rejected(reject)),
        }
    } else {
        sink(Item::Rejected(Reject::new(RejectCode::TooLong, limit)));
    }
    scanner.keep_mended(buf);
}

/// The offset after the root's start tag if that is self-closing: then the event is complete and
/// must not have to wait for the end tag of the next one.
///
/// `None` too when the tag is longer than what it takes to find that out again at each read;
/// such an event does have to wait.
fn closed_root(rest: &[u8], searched: usize) -> Option<usize> {
    const LONGEST: usize = 1024;
    if searched >= LONGEST || memchr(b'>', rest.get(searched..)?).is_none() {
        return None;
    }
    let head = rest.get(..LONGEST).unwrap_or(rest);
    work::looked_at(head.len());
    let tail = head.get(1..)?;
    let tag = tail.get(..memchr(b'<', tail).unwrap_or(tail.len()))?;
    // Next to no other root has this anywhere in its tag.
    find_close(tag, b"/>")?;
    let mut quote = None;
    for (at, &byte) in tag.iter().enumerate() {
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'>') => return tag.get(..at)?.ends_with(b"/").then_some(at + 2),
            _ => {}
        }
    }
    None
}

/// The offset after a declaration's `?>`, if it has arrived; as an error the offset of a `<`
/// before that.
fn declaration_end(rest: &[u8]) -> Result<Option<usize>, usize> {
    let mut from = 1;
    while let Some(skipped) = memchr2(b'<', b'>', rest.get(from..).unwrap_or_default()) {
        let at = from + skipped;
        if rest.get(at) == Some(&b'<') {
            return Err(at);
        }
        if rest.get(at - 1) == Some(&b'?') {
            return Ok(Some(at + 1));
        }
        from = at + 1;
    }
    Ok(None)
}

/// Appends without letting the buffer grow to twice of what an event may need.
fn append(buf: &mut Vec<u8>, part: &[u8], limit: usize) {
    work::looked_at(part.len());
    let needed = buf.len() + part.len();
    if needed > buf.capacity() {
        let doubled = (2 * buf.capacity()).min(limit + 1);
        buf.reserve_exact(needed.max(doubled) - buf.len());
    }
    buf.extend_from_slice(part);
}
