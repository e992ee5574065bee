//! The slow path for events with prefixed names: namespace-aware receivers refuse an event whose
//! prefixes are not bound, so it must not be relayed.

use std::borrow::Cow;

use super::chars::is_name_start;
use crate::header::{Element, Token, Tokens};
use crate::reject::{Reject, RejectCode};

/// Declarations that may be in force at the same time. Every use of a prefix looks through them,
/// so the number bounds the work; real events have at most two.
const MAX_BINDINGS: usize = 32;

const XML_URI: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS_URI: &str = "http://www.w3.org/2000/xmlns/";

/// Checks that every prefix in the event is bound where it is used, and that no element has the
/// same attribute twice under two prefixes.
#[cold]
#[inline(never)]
pub(super) fn check(text: &str) -> Result<(), Reject> {
    let mut scopes = Scopes { bindings: Vec::new(), depth: 0 };
    for token in Tokens::new(text, 0) {
        match token {
            Token::Start { element, empty } => {
                if !scopes.enter(element) {
                    return Err(Reject::new(RejectCode::Namespace, element.start()));
                }
                if empty {
                    scopes.leave();
                }
            }
            Token::End => scopes.leave(),
            _ => {}
        }
    }
    Ok(())
}

struct Binding<'a> {
    prefix: &'a str,
    uri: Cow<'a, str>,
    depth: usize,
}

struct Scopes<'a> {
    bindings: Vec<Binding<'a>>,
    depth: usize,
}

impl<'a> Scopes<'a> {
    /// Takes in an element's declarations and checks its names; `false` when one is wrong.
    fn enter(&mut self, element: Element<'a>) -> bool {
        self.depth += 1;
        for attribute in element.attributes() {
            let Some(prefix) = attribute.name.strip_prefix("xmlns:") else {
                continue;
            };
            let uri = attribute.value().to_cow();
            let is_bindable = match prefix {
                "xml" => uri == XML_URI,
                _ => prefix != "xmlns" && !uri.is_empty() && uri != XML_URI && uri != XMLNS_URI,
            };
            if !is_bindable || self.bindings.len() == MAX_BINDINGS {
                return false;
            }
            self.bindings.push(Binding { prefix, uri, depth: self.depth });
        }
        self.names_are_bound(element)
    }

    fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        while self.bindings.last().is_some_and(|binding| binding.depth > self.depth) {
            self.bindings.pop();
        }
    }

    fn names_are_bound(&self, element: Element<'a>) -> bool {
        match split(element.name()) {
            Some(Some((prefix, _))) if self.uri(prefix).is_none() => return false,
            Some(_) => {}
            None => return false,
        }
        let mut expanded = Vec::new();
        for attribute in element.attributes() {
            match split(attribute.name) {
                Some(Some(("xmlns", name))) if !name.is_empty() => {}
                Some(Some((prefix, name))) => match self.uri(prefix) {
                    Some(uri) => expanded.push((uri, name)),
                    None => return false,
                },
                Some(None) => {}
                None => return false,
            }
        }
        expanded.sort_unstable();
        expanded.windows(2).all(|pair| pair.first() != pair.last())
    }

    fn uri(&self, prefix: &str) -> Option<&str> {
        if prefix == "xml" {
            return Some(XML_URI);
        }
        let binding = self.bindings.iter().rev().find(|binding| binding.prefix == prefix)?;
        Some(&binding.uri)
    }
}

/// Splits a name at its colon: `Some(None)` without one, `None` when it stands where it must not.
#[expect(clippy::option_option, reason = "three outcomes, all local to this file")]
fn split(name: &str) -> Option<Option<(&str, &str)>> {
    let Some((prefix, local)) = name.split_once(':') else {
        return Some(None);
    };
    let is_sound = !prefix.is_empty() && local.starts_with(is_name_start) && !local.contains(':');
    is_sound.then_some(Some((prefix, local)))
}
