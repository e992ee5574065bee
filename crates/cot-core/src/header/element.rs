//! Reads elements out of text that the scanner has validated.
//!
//! Because the text is known to be well-formed there are no errors here: a piece of markup that
//! cannot be followed ends the iteration.

use core::ops::Range;

use memchr::memchr;

use crate::close::find_close;
use crate::text::Text;

/// An element of a validated event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    text: &'a str,
    /// Offset of the start tag's `<`.
    start: usize,
}

impl<'a> Element<'a> {
    pub(crate) const fn new(text: &'a str, start: usize) -> Self {
        Self { text, start }
    }

    pub(crate) const fn start(self) -> usize {
        self.start
    }

    pub(crate) fn name(self) -> &'a str {
        name_at(self.text, self.start + 1)
    }

    pub(crate) fn attributes(self) -> Attributes<'a> {
        Attributes { text: self.text, at: self.start + 1 + self.name().len() }
    }

    pub(crate) fn attribute(self, name: &str) -> Option<Text<'a>> {
        self.attributes().find(|attribute| attribute.name == name).map(Attribute::value)
    }

    /// The elements directly inside this one, in order.
    pub(crate) fn children(self) -> Siblings<'a> {
        let mut tokens = Tokens::new(self.text, self.start);
        let empty = matches!(tokens.next(), Some(Token::Start { empty: true, .. }) | None);
        Siblings { tokens, over: empty }
    }

    /// This element and the ones after it inside the same parent.
    pub(crate) fn with_siblings(self) -> Siblings<'a> {
        Siblings { tokens: Tokens::new(self.text, self.start), over: false }
    }

    /// Offset after the end of the start tag.
    pub(crate) fn tag_end(self) -> usize {
        let mut attributes = self.attributes();
        attributes.by_ref().for_each(drop);
        attributes.tag_end().1
    }

    /// Offset after the end of the whole element.
    pub(crate) fn end(self) -> usize {
        let mut tokens = Tokens::new(self.text, self.start);
        let mut depth = 0_usize;
        for token in tokens.by_ref() {
            match token {
                Token::Start { empty: false, .. } => depth += 1,
                Token::Start { empty: true, .. } => {}
                Token::End => depth = depth.saturating_sub(1),
                _ => continue,
            }
            if depth == 0 {
                break;
            }
        }
        tokens.at
    }
}

/// An attribute of a validated event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute<'a> {
    pub(crate) name: &'a str,
    raw: &'a str,
}

impl<'a> Attribute<'a> {
    pub(crate) fn value(self) -> Text<'a> {
        Text::new(self.raw)
    }
}

/// The attributes of one start tag.
#[derive(Clone, Debug)]
pub(crate) struct Attributes<'a> {
    text: &'a str,
    /// After the element's name, or after the last attribute that was read.
    at: usize,
}

impl Attributes<'_> {
    /// Once all attributes are read: whether the tag is self-closing, and the offset after it.
    fn tag_end(&self) -> (bool, usize) {
        let at = skip_blanks(self.text, self.at);
        let empty = self.text.as_bytes().get(at) == Some(&b'/');
        (empty, at + 1 + usize::from(empty))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let start = skip_blanks(self.text, self.at);
        let name = name_at(self.text, start);
        if name.is_empty() {
            return None;
        }
        let equals = skip_blanks(self.text, start + name.len());
        let open = skip_blanks(self.text, equals + 1);
        let quote = *self.text.as_bytes().get(open)?;
        let rest = self.text.get(open + 1..)?;
        let raw = rest.get(..memchr(quote, rest.as_bytes())?)?;
        self.at = open + 1 + raw.len() + 1;
        Some(Attribute { name, raw })
    }
}

/// The elements inside one parent, in order.
#[derive(Clone, Debug)]
pub(crate) struct Siblings<'a> {
    tokens: Tokens<'a>,
    over: bool,
}

impl<'a> Iterator for Siblings<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        if self.over {
            return None;
        }
        for token in self.tokens.by_ref() {
            match token {
                Token::Start { element, empty } => {
                    if !empty {
                        self.tokens.at = element.end();
                    }
                    return Some(element);
                }
                Token::End => break,
                _ => {}
            }
        }
        self.over = true;
        None
    }
}

/// One piece of markup or text.
#[derive(Clone, Debug)]
pub(crate) enum Token<'a> {
    /// A start tag.
    Start { element: Element<'a>, empty: bool },
    /// An end tag.
    End,
    /// Character data.
    Text,
    /// The content of a CDATA section, where it lies.
    Cdata(Range<usize>),
    /// A comment or a processing instruction.
    Other,
}

/// All pieces of a validated event from some point on.
#[derive(Clone, Debug)]
pub(crate) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) const fn new(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    /// Offset after the last piece that was read.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// The range from `skip` bytes on to the next `end`, which is stepped over.
    fn until(&mut self, skip: usize, end: &str) -> Option<Range<usize>> {
        let from = self.at + skip;
        let len = find_close(self.text.get(from..)?.as_bytes(), end.as_bytes())?;
        self.at = from + len + end.len();
        Some(from..from + len)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.text.get(self.at..)?;
        match rest.as_bytes().get(..2)? {
            b"</" => {
                self.until(2, ">")?;
                Some(Token::End)
            }
            b"<?" => self.until(2, "?>").map(|_| Token::Other),
            b"<!" if rest.starts_with("<![") => self.until(9, "]]>").map(Token::Cdata),
            b"<!" => self.until(4, "-->").map(|_| Token::Other),
            [b'<', _] => {
                let element = Element::new(self.text, self.at);
                let mut attributes = element.attributes();
                attributes.by_ref().for_each(drop);
                let (empty, at) = attributes.tag_end();
                self.at = at;
                Some(Token::Start { element, empty })
            }
            _ => {
                self.at += memchr(b'<', rest.as_bytes())?;
                Some(Token::Text)
            }
        }
    }
}

/// The name that starts at `at`: everything up to what cannot be in one.
fn name_at(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    let end = rest
        .bytes()
        .position(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'/' | b'>' | b'=' | b'<'));
    rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
}

fn skip_blanks(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}
