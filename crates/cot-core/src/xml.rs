//! A small XML tree: what the typed model is made of.
//!
//! The tree keeps everything an event says: names, attributes in order, text, children in order,
//! duplicates. It does not keep how it was said: quotes, references, comments, processing
//! instructions, CDATA marks, and white space that only indents.

mod names;
mod read;
mod write;

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;

pub(crate) use names::{intern, is_name};
pub(crate) use read::parse;
pub(crate) use write::{start as write_start, text as write_text};

/// One XML element.
///
/// ```
/// use cot_core::xml::Element;
///
/// let contact = Element::new("contact").with("callsign", "HOPE & Co");
/// assert_eq!(contact.attribute("callsign"), Some("HOPE & Co"));
/// assert_eq!(contact.to_string(), r#"<contact callsign="HOPE &amp; Co"/>"#);
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Element {
    name: Cow<'static, str>,
    attributes: Vec<Attribute>,
    nodes: Vec<Node>,
}

/// A name and its value, both as they mean, nothing escaped.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Attribute {
    pub(crate) name: Cow<'static, str>,
    pub(crate) value: String,
}

/// What an element contains.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Node {
    /// A child element.
    Element(Element),
    /// Text, nothing escaped. What XML cannot express is written as U+FFFD.
    Text(String),
}

/// A text that is not the name of an XML element or attribute.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("`{0}` is not an XML name")]
pub struct InvalidName(pub String);

impl Element {
    /// Makes an empty element.
    ///
    /// # Panics
    ///
    /// When `name` is not an XML name. Use [`Element::try_new`] for names that come from outside.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        assert!(is_name(name), "`{name}` is not an XML name");
        Self::from_name(Cow::Borrowed(name))
    }

    /// Makes an empty element whose name was not known beforehand.
    ///
    /// # Errors
    ///
    /// When `name` is not an XML name.
    pub fn try_new(name: &str) -> Result<Self, InvalidName> {
        if is_name(name) {
            Ok(Self::from_name(intern(name)))
        } else {
            Err(InvalidName(name.to_owned()))
        }
    }

    /// Makes an empty element of a name that is known to be one.
    pub(crate) const fn from_name(name: Cow<'static, str>) -> Self {
        Self { name, attributes: Vec::new(), nodes: Vec::new() }
    }

    /// The name, with its prefix if it has one.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether there is neither attribute nor content.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty() && self.nodes.is_empty()
    }

    /// Adds or replaces an attribute, for chains.
    ///
    /// # Panics
    ///
    /// As [`Element::set_attribute`].
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.set_attribute(name, value);
        self
    }

    /// Adds a child element at the end, for chains.
    #[must_use]
    pub fn with_child(mut self, child: Self) -> Self {
        self.push(child);
        self
    }

    /// Replaces the text, for chains.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.set_text(text);
        self
    }
}

// === attributes ===

impl Element {
    /// The value of the attribute `name`.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let attribute = self.attributes.iter().find(|attribute| attribute.name == name)?;
        Some(&attribute.value)
    }

    /// Names and values in document order.
    pub fn attributes(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.attributes.iter().map(|attribute| (&*attribute.name, &*attribute.value))
    }

    /// Replaces the value of an attribute in its place, or adds the attribute at the end.
    ///
    /// # Panics
    ///
    /// When `name` is not an XML name. Use [`Element::try_set_attribute`] for names that come from
    /// outside.
    pub fn set_attribute(&mut self, name: &'static str, value: impl Into<String>) {
        assert!(is_name(name), "`{name}` is not an XML name");
        self.put_attribute(Cow::Borrowed(name), value.into());
    }

    /// [`Element::set_attribute`] for a name that was not known beforehand.
    ///
    /// # Errors
    ///
    /// When `name` is not an XML name.
    pub fn try_set_attribute(
        &mut self,
        name: &str,
        value: impl Into<String>,
    ) -> Result<(), InvalidName> {
        if !is_name(name) {
            return Err(InvalidName(name.to_owned()));
        }
        self.put_attribute(intern(name), value.into());
        Ok(())
    }

    /// Takes an attribute away and gives its value.
    pub fn remove_attribute(&mut self, name: &str) -> Option<String> {
        let at = self.attributes.iter().position(|attribute| attribute.name == name)?;
        Some(self.attributes.remove(at).value)
    }

    fn put_attribute(&mut self, name: Cow<'static, str>, value: String) {
        match self.attributes.iter_mut().find(|attribute| attribute.name == name) {
            Some(attribute) => attribute.value = value,
            None => self.attributes.push(Attribute { name, value }),
        }
    }

    /// Adds an attribute that is known to be new and to have a proper name.
    pub(crate) fn push_attribute(&mut self, name: Cow<'static, str>, value: String) {
        self.attributes.push(Attribute { name, value });
    }
}

// === content ===

impl Element {
    /// Text and child elements in document order.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Text and child elements, to change at will.
    pub const fn nodes_mut(&mut self) -> &mut Vec<Node> {
        &mut self.nodes
    }

    /// The child elements in document order.
    pub fn elements(&self) -> impl DoubleEndedIterator<Item = &Self> {
        self.nodes.iter().filter_map(Node::as_element)
    }

    /// The child elements, to change in place.
    pub fn elements_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Self> {
        self.nodes.iter_mut().filter_map(Node::as_element_mut)
    }

    /// The child elements of one name, in document order.
    pub fn children<'a>(&'a self, name: &'a str) -> impl DoubleEndedIterator<Item = &'a Self> {
        self.elements().filter(move |element| element.name == name)
    }

    /// The first child element of that name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.elements().find(|element| element.name == name)
    }

    /// The first child element of that name, to change.
    pub fn child_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.elements_mut().find(|element| element.name == name)
    }

    /// Adds a child element at the end.
    pub fn push(&mut self, child: Self) {
        self.nodes.push(Node::Element(child));
    }

    /// Takes away every child element of that name and says how many there were.
    pub fn remove_children(&mut self, name: &str) -> usize {
        let before = self.nodes.len();
        self.nodes.retain(|node| node.as_element().is_none_or(|element| element.name != name));
        before - self.nodes.len()
    }

    /// The element's own text, without that of its children. Borrows unless children divide it.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        let mut texts = self.nodes.iter().filter_map(Node::as_text);
        let first = texts.next().unwrap_or_default();
        texts.fold(Cow::Borrowed(first), |text, more| text + more)
    }

    /// Replaces the element's own text; child elements stay, behind it.
    pub fn set_text(&mut self, text: impl Into<String>) {
        let text = text.into();
        self.nodes.retain(|node| node.as_text().is_none());
        if !text.is_empty() {
            self.nodes.insert(0, Node::Text(text));
        }
    }

    /// Adds text at the end, joined to text that stands there already.
    pub(crate) fn push_text(&mut self, text: &str) {
        match self.nodes.last_mut() {
            Some(Node::Text(last)) => last.push_str(text),
            _ if text.is_empty() => {}
            _ => self.nodes.push(Node::Text(text.to_owned())),
        }
    }

    /// Drops the text of an element that has children and nothing but white space around them.
    pub(crate) fn drop_indentation(&mut self) {
        let is_blank = |text: &str| text.bytes().all(|byte| byte.is_ascii_whitespace());
        let texts_are_blank = self.nodes.iter().filter_map(Node::as_text).all(is_blank);
        if texts_are_blank && self.elements().next().is_some() {
            self.nodes.retain(|node| node.as_element().is_some());
        }
    }
}

impl Node {
    /// The element, when this is one.
    #[must_use]
    pub const fn as_element(&self) -> Option<&Element> {
        match self {
            Self::Element(element) => Some(element),
            Self::Text(_) => None,
        }
    }

    /// The element, to change, when this is one.
    pub const fn as_element_mut(&mut self) -> Option<&mut Element> {
        match self {
            Self::Element(element) => Some(element),
            Self::Text(_) => None,
        }
    }

    /// The text, when this is text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Element(_) => None,
            Self::Text(text) => Some(text),
        }
    }
}

/// XML without declaration, in one line.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write::element(self, f)
    }
}
