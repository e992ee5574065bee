//! Finds where a document really ends when the first `</event>` is not, or may not be, its end.
//!
//! The walk follows markup only as far as needed to know *inside what* it is: content, a tag, an
//! attribute value, a comment, a CDATA section, an instruction. It is resumable (it keeps its
//! position and never looks at a byte more than twice) and tolerant: what it walks over may be
//! ill-formed in any way, and the scanner judges that afterwards.
//!
//! # Where a broken event ends
//!
//! An end tag of the root, met where markup is possible, ends the document whatever else is still
//! open, so an event with an unclosed element costs only itself. A document that breaks off has
//! no end tag; the next one simply begins. It is dropped, and the next one taken as new, when a
//! new document begins (`<event` or `<?xml`)
//!
//! * inside an unfinished tag or attribute value, or with a declaration, where neither can stand;
//! * as a direct child of the root, where only the sender itself writes.
//!
//! Deeper inside, `<event` may be the start of a whole event that somebody embedded; it is
//! counted and refused along with what it is embedded in.
//!
//! # Why text that a third party supplied cannot become an event
//!
//! Suppose someone controls the content of attribute values, text, comments and CDATA sections
//! that an honest sender writes, and wants part of it taken for an event. A raw `<` is what they
//! need. Senders escape it in values and text, but not in comments and CDATA sections. Claim:
//! while the sender is inside one of these two, so is the walk, unless it has noted that it is
//! [`unsure`](Walk::unsure), and an unsure walk never begins a new event inside a frame.
//! The sender enters them by a `<` that is markup; the walk takes every `<` as markup in content
//! and in tags, and in a value too unless the bytes after it can be read as the rest of that
//! value (below), which makes it unsure. It leaves them at the same first `-->` or `]]>`. The one
//! way to disagree about that is a document that broke off inside a comment, CDATA section or
//! instruction, and having entered any of them makes the walk unsure as well.
//!
//! A sender that fails to escape `<` in values still escapes quotes. Then a raw `<` in a value is
//! followed by the closing quote, and that by a blank, `/`, `>` or `?`: the walk stays in the
//! value. If instead the next quote is followed by anything else, it cannot be the closing one,
//! quotes are what the sender got wrong (or it broke off), and the `<` is markup. If there is no
//! next quote for long, the stream is given up.

use memchr::{memchr, memchr2};

use crate::close::find_close;
use crate::work;

/// How many embedded events a frame may hold before the stream is given up: behind a sender that
/// broke off deep inside an event, every further event looks embedded.
const MAX_EMBEDDED: u32 = 4;

/// Bytes behind a raw `<` in a value in which the value has to end. If it does not, no telling
/// whether it ever does: a sender that broke off and one that does not escape look alike.
const MAX_DOUBT: usize = 8192;

/// What the walk came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Everything was walked over; the end is not among it.
    More,
    /// The document ends before this offset.
    End(usize),
    /// The document broke off; a new one starts at this offset.
    Restart(usize),
    /// An event, or other markup, inside an unfinished one, and no telling which is real.
    Embedded,
    /// A document type declaration.
    Doctype,
}

/// A document's root element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    Auth,
    Event,
}

impl Root {
    const fn end_tag(self) -> &'static [u8] {
        match self {
            Self::Auth => b"</auth",
            Self::Event => b"</event",
        }
    }
}

/// Inside what the walk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Content,
    /// In a start tag; `counts` when it is an embedded event's.
    Tag {
        counts: bool,
    },
    /// In a start tag whose quotes do not pair up, so they are ignored up to its end.
    LooseTag {
        counts: bool,
    },
    Value {
        quote: u8,
        counts: bool,
    },
    /// At a raw `<` in a value, looking for the next quote from `seek` on.
    Doubt {
        quote: u8,
        counts: bool,
        seek: usize,
    },
    EndTag {
        ends: bool,
    },
    Comment,
    Cdata,
    Instruction,
}

/// A walk over one document, from its root's `<` on.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    root: Root,
    place: Place,
    /// Bytes walked over.
    at: usize,
    /// Elements open, as far as start and end tags tell.
    depth: u32,
    /// Embedded events open, and met so far.
    embedded: u32,
    embedded_ever: u32,
    /// Whether the sender may be inside a comment or CDATA section that the walk does not see.
    unsure: bool,
    /// Whether the `<` at `at` stands inside an unfinished tag.
    torn: bool,
}

impl Walk {
    pub(crate) const fn new(root: Root) -> Self {
        Self {
            root,
            place: Place::Content,
            at: 0,
            depth: 0,
            embedded: 0,
            embedded_ever: 0,
            unsure: false,
            torn: false,
        }
    }

    pub(crate) const fn root(&self) -> Root {
        self.root
    }

    /// Walks on. `frame` holds the document from its first byte; at least as much of it as at the
    /// last call.
    pub(crate) fn run(&mut self, frame: &[u8]) -> Step {
        loop {
            let from = self.at;
            let step = match self.place {
                Place::Content => self.content(frame),
                Place::Tag { counts } => self.tag(frame, counts),
                Place::LooseTag { counts } => self.loose_tag(frame, counts),
                Place::Value { quote, counts } => self.value(frame, quote, counts),
                Place::Doubt { quote, counts, seek } => self.doubt(frame, quote, counts, seek),
                Place::EndTag { ends } => self.end_tag(frame, ends),
                Place::Comment => self.until(frame, b"-->"),
                Place::Cdata => self.until(frame, b"]]>"),
                Place::Instruction => self.until(frame, b"?>"),
            };
            work::looked_at(self.at - from + 16);
            if let Some(step) = step {
                return step;
            }
        }
    }

    fn content(&mut self, frame: &[u8]) -> Option<Step> {
        let rest = frame.get(self.at..).unwrap_or_default();
        let Some(skipped) = memchr(b'<', rest) else {
            self.at = frame.len();
            return Some(Step::More);
        };
        self.at += skipped;
        self.markup(frame)
    }

    /// Decides what the `<` at `at` begins.
    fn markup(&mut self, frame: &[u8]) -> Option<Step> {
        let rest = frame.get(self.at..).unwrap_or_default();
        let Some(kind) = classify(rest, self.root) else {
            return Some(Step::More);
        };
        let torn = core::mem::take(&mut self.torn);
        match kind {
            Markup::Doctype => return Some(Step::Doctype),
            Markup::Declaration => return Some(self.restart()),
            Markup::Event if self.at == 0 => self.enter_tag(false),
            Markup::Event if torn || (self.depth <= 1 && self.embedded == 0) => {
                return Some(self.restart());
            }
            Markup::Event => {
                self.embedded += 1;
                self.embedded_ever += 1;
                if self.embedded_ever > MAX_EMBEDDED {
                    return Some(Step::Embedded);
                }
                self.enter_tag(true);
            }
            Markup::Tag => self.enter_tag(false),
            Markup::RootEnd => self.enter(Place::EndTag { ends: true }, 2),
            Markup::End => self.enter(Place::EndTag { ends: false }, 2),
            Markup::Comment => self.enter_opaque(Place::Comment, 4),
            Markup::Cdata => self.enter_opaque(Place::Cdata, 9),
            Markup::Instruction => self.enter_opaque(Place::Instruction, 2),
            Markup::Text => {
                // Two in a row are what a sender leaves that breaks off behind the first.
                self.torn = rest.get(1) == Some(&b'<');
                self.enter(Place::Content, 1);
            }
        }
        None
    }

    const fn restart(&self) -> Step {
        if self.unsure { Step::Embedded } else { Step::Restart(self.at) }
    }

    const fn enter(&mut self, place: Place, skip: usize) {
        self.place = place;
        self.at += skip;
    }

    const fn enter_tag(&mut self, counts: bool) {
        self.enter(Place::Tag { counts }, 1);
    }

    const fn enter_opaque(&mut self, place: Place, skip: usize) {
        self.unsure = true;
        self.enter(place, skip);
    }

    fn tag(&mut self, frame: &[u8], counts: bool) -> Option<Step> {
        while let Some(&byte) = frame.get(self.at) {
            match byte {
                b'>' => return self.close_tag(frame, counts),
                b'<' => {
                    self.place = Place::Content;
                    self.torn = true;
                    return None;
                }
                b'"' | b'\'' => {
                    let before = frame.get(..self.at).unwrap_or_default();
                    self.place = if before.trim_ascii_end().ends_with(b"=") {
                        Place::Value { quote: byte, counts }
                    } else {
                        Place::LooseTag { counts }
                    };
                    self.at += 1;
                    return None;
                }
                _ => self.at += 1,
            }
        }
        Some(Step::More)
    }

    fn loose_tag(&mut self, frame: &[u8], counts: bool) -> Option<Step> {
        let rest = frame.get(self.at..).unwrap_or_default();
        let Some(skipped) = memchr2(b'<', b'>', rest) else {
            self.at = frame.len();
            return Some(Step::More);
        };
        self.at += skipped;
        if rest.get(skipped) == Some(&b'>') {
            return self.close_tag(frame, counts);
        }
        self.place = Place::Content;
        self.torn = true;
        None
    }

    /// Steps over the `>` of a start tag.
    fn close_tag(&mut self, frame: &[u8], counts: bool) -> Option<Step> {
        let is_empty = frame.get(..self.at).is_some_and(|before| before.ends_with(b"/"));
        self.enter(Place::Content, 1);
        if !is_empty {
            self.depth += 1;
        } else if self.depth == 0 {
            return Some(Step::End(self.at));
        } else if counts {
            self.embedded -= 1;
        }
        None
    }

    fn value(&mut self, frame: &[u8], quote: u8, counts: bool) -> Option<Step> {
        let rest = frame.get(self.at..).unwrap_or_default();
        let Some(skipped) = memchr2(quote, b'<', rest) else {
            self.at = frame.len();
            return Some(Step::More);
        };
        if rest.get(skipped) == Some(&b'<') {
            self.at += skipped;
            self.place = Place::Doubt { quote, counts, seek: self.at };
            return None;
        }
        // The byte after a quote tells whether it can be the closing one.
        let Some(&after) = rest.get(skipped + 1) else {
            self.at += skipped;
            return Some(Step::More);
        };
        let place =
            if can_close(after) { Place::Tag { counts } } else { Place::LooseTag { counts } };
        self.enter(place, skipped + 1);
        None
    }

    /// A raw `<` in a value: is it part of the value, or was the value never closed?
    fn doubt(&mut self, frame: &[u8], quote: u8, counts: bool, seek: usize) -> Option<Step> {
        let rest = frame.get(seek..).unwrap_or_default();
        let skipped = memchr(quote, rest).unwrap_or(rest.len());
        work::looked_at(skipped);
        if seek + skipped > self.at + MAX_DOUBT {
            return Some(Step::Embedded);
        }
        let Some(&after) = rest.get(skipped + 1) else {
            self.place = Place::Doubt { quote, counts, seek: seek + skipped };
            return Some(Step::More);
        };
        if can_close(after) {
            self.unsure = true;
            self.at = seek + skipped;
            self.place = Place::Value { quote, counts };
        } else {
            self.torn = true;
            self.place = Place::Content;
        }
        None
    }

    fn end_tag(&mut self, frame: &[u8], ends: bool) -> Option<Step> {
        let rest = frame.get(self.at..).unwrap_or_default();
        let Some(skipped) = memchr2(b'<', b'>', rest) else {
            self.at = frame.len();
            return Some(Step::More);
        };
        self.at += skipped;
        self.place = Place::Content;
        if rest.get(skipped) == Some(&b'<') {
            self.torn = true;
            return None;
        }
        self.at += 1;
        if ends && self.embedded == 0 {
            return Some(Step::End(self.at));
        }
        self.embedded -= u32::from(ends);
        self.depth = self.depth.saturating_sub(1).max(1);
        None
    }

    fn until(&mut self, frame: &[u8], end: &[u8]) -> Option<Step> {
        let rest = frame.get(self.at..).unwrap_or_default();
        let Some(skipped) = find_close(rest, end) else {
            // The first bytes of the end may be there already.
            self.at = self.at.max(frame.len().saturating_sub(end.len() - 1));
            return Some(Step::More);
        };
        self.enter(Place::Content, skipped + end.len());
        None
    }
}

/// Whether a quote that is followed by this byte can end an attribute value.
const fn can_close(after: u8) -> bool {
    matches!(after, b' ' | b'\t' | b'\n' | b'\r' | b'/' | b'>' | b'?')
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Markup {
    Cdata,
    Comment,
    Declaration,
    Doctype,
    End,
    Event,
    Instruction,
    RootEnd,
    Tag,
    /// Not markup at all.
    Text,
}

/// What the bytes, which start with `<`, begin; `None` when too few have arrived to tell.
fn classify(rest: &[u8], root: Root) -> Option<Markup> {
    let long: [(&[u8], Markup, bool); 6] = [
        (b"<event", Markup::Event, true),
        (root.end_tag(), Markup::RootEnd, true),
        (b"<?xml", Markup::Declaration, true),
        (b"<!--", Markup::Comment, false),
        (b"<![CDATA[", Markup::Cdata, false),
        (b"<!DOCTYPE", Markup::Doctype, false),
    ];
    for (token, markup, is_name) in long {
        match starts(rest, token, is_name) {
            Some(true) => return Some(markup),
            Some(false) => {}
            None => return None,
        }
    }
    Some(match rest.get(1)? {
        b'/' => Markup::End,
        b'?' => Markup::Instruction,
        b'a'..=b'z' | b'A'..=b'Z' | b'_' | b':' | b'!' | 0x80.. => Markup::Tag,
        _ => Markup::Text,
    })
}

/// Whether `rest` starts with `token`, as a whole name if asked; `None` when more bytes are
/// needed to tell.
pub(crate) fn starts(rest: &[u8], token: &[u8], is_name: bool) -> Option<bool> {
    match rest.strip_prefix(token) {
        Some(_) if !is_name => Some(true),
        Some([]) => None,
        Some([after, ..]) => {
            Some(matches!(after, b' ' | b'\t' | b'\n' | b'\r' | b'/' | b'>' | b'?'))
        }
        None if token.starts_with(rest) => None,
        None => Some(false),
    }
}
