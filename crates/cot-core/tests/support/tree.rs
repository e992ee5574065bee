//! What an XML document says, by an independent parser.

use roxmltree::{Document, Node};

/// An element without its handwriting: name, attributes sorted by name, content.
#[derive(Debug, PartialEq)]
pub(crate) struct Tree {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) content: Vec<Content>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Content {
    Element(Tree),
    Text(String),
}

/// Parses a document. White space around child elements counts as indentation unless there is
/// other text beside it.
pub(crate) fn parse(xml: &str) -> Tree {
    let document = Document::parse(xml).unwrap_or_else(|error| panic!("{error}: {xml}"));
    element(document.root_element())
}

fn element(node: Node<'_, '_>) -> Tree {
    let mut attributes: Vec<_> = node
        .attributes()
        .map(|a| (qualified(a.namespace(), a.name()), a.value().to_owned()))
        .collect();
    attributes.sort();
    let mut content: Vec<Content> = Vec::new();
    for child in node.children() {
        if child.is_element() {
            content.push(Content::Element(element(child)));
        } else if let Some(text) = child.text().filter(|_| child.is_text()) {
            match content.last_mut() {
                Some(Content::Text(last)) => last.push_str(text),
                _ => content.push(Content::Text(text.to_owned())),
            }
        }
    }
    let is_element = |part: &Content| matches!(part, Content::Element(_));
    let is_blank = |part: &Content| match part {
        Content::Element(_) => true,
        Content::Text(text) => text.trim_ascii().is_empty(),
    };
    if content.iter().any(is_element) && content.iter().all(is_blank) {
        content.retain(is_element);
    }
    content.retain(|part| !matches!(part, Content::Text(text) if text.is_empty()));
    Tree {
        name: qualified(node.tag_name().namespace(), node.tag_name().name()),
        attributes,
        content,
    }
}

fn qualified(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(|| name.to_owned(), |namespace| format!("{{{namespace}}}{name}"))
}
