//! The manifest: what a data package says of itself.

use std::io::{self, Write};
use std::sync::Arc;

use quick_xml::events::{BytesEnd, BytesStart, Event};
use quick_xml::{Reader, Writer, XmlVersion};

use crate::entry_name::{is_hidden, visible};

/// The entry that holds the manifest.
pub const MANIFEST_NAME: &str = "MANIFEST/manifest.xml";

/// Deepest nesting of elements in a manifest; three are needed.
const MAX_DEPTH: usize = 16;

/// What a data package says of itself.
///
/// ```text
/// <MissionPackageManifest version="2">
///  <Configuration>
///   <Parameter name="uid" value="5d3c..."/>
///   <Parameter name="name" value="Recon"/>
///   <Parameter name="onReceiveImport" value="true"/>
///  </Configuration>
///  <Contents>
///   <Content ignore="false" zipEntry="maps/north.kml"/>
///  </Contents>
/// </MissionPackageManifest>
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// The parameters, `uid` and `name` among them.
    pub parameters: Vec<Parameter>,
    /// The entries it names.
    pub contents: Vec<Content>,
}

/// A parameter of a data package, or of one of its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parameter {
    /// Such as `onReceiveDelete`.
    pub name: String,
    /// Such as `true`.
    pub value: String,
}

/// An entry that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Content {
    /// The name of the entry.
    pub zip_entry: Arc<str>,
    /// The receiver is to leave it where it is.
    pub is_ignored: bool,
    /// Such as the `uid` of an event.
    pub parameters: Vec<Parameter>,
}

/// Why a manifest cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Its bytes in the archive are damaged, or compressed in a way that nobody else uses.
    #[error("its bytes are damaged, encrypted or compressed in an unusual way")]
    Damaged,
    /// It has a document type, which no manifest needs and which may be an attack.
    #[error("it has a document type declaration")]
    DocumentType,
    /// It is no manifest.
    #[error("it is no `MissionPackageManifest`")]
    Foreign,
    /// It is larger than [`Limits`](crate::Limits) allow.
    #[error("it has more than {limit} bytes")]
    TooLarge {
        /// The limit. Bytes.
        limit: u64,
    },
    /// It is not well-formed.
    #[error("it is no valid XML near byte {at}")]
    Xml {
        /// Where. Bytes from its beginning.
        at: u64,
    },
}

impl Manifest {
    /// The value of a parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let parameter = self.parameters.iter().find(|parameter| parameter.name == name)?;
        Some(&parameter.value)
    }

    /// The identity of the data package.
    #[must_use]
    pub fn uid(&self) -> Option<&str> {
        self.parameter("uid")
    }

    /// The name of the data package that users see.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.parameter("name")
    }

    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// What is not XML, or not a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let text = str::from_utf8(bytes)
            .map_err(|error| ManifestError::Xml { at: widen(error.valid_up_to()) })?;
        let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        let mut manifest = Self::default();
        let mut open = Vec::new();
        let mut has_root = false;
        loop {
            let at = reader.buffer_position();
            let bad = ManifestError::Xml { at };
            match reader.read_event() {
                Ok(Event::Start(start)) if open.len() < MAX_DEPTH => {
                    let element = manifest.element(open.last(), &start).ok_or(bad)?;
                    has_root |= matches!(element, Element::Manifest);
                    open.push(element);
                }
                Ok(Event::Empty(start)) => {
                    let element = manifest.element(open.last(), &start).ok_or(bad)?;
                    has_root |= matches!(element, Element::Manifest);
                }
                Ok(Event::End(_)) => drop(open.pop()),
                Ok(Event::DocType(_)) => return Err(ManifestError::DocumentType),
                Ok(Event::Eof) if open.is_empty() && has_root => return Ok(manifest),
                Ok(Event::Eof) if !has_root => return Err(ManifestError::Foreign),
                Ok(Event::Eof | Event::Start(_)) | Err(_) => return Err(bad),
                Ok(_) => {}
            }
            if !has_root && !open.is_empty() {
                return Err(ManifestError::Foreign);
            }
        }
    }

    /// Takes what an element says; `None` when its attributes are broken.
    fn element(&mut self, parent: Option<&Element>, start: &BytesStart<'_>) -> Option<Element> {
        let name = start.local_name();
        let element = match (parent, name.as_ref()) {
            (None, "MissionPackageManifest") => Element::Manifest,
            (Some(Element::Manifest), "Configuration") => Element::Configuration,
            (Some(Element::Manifest), "Contents") => Element::Contents,
            (Some(Element::Contents), "Content") => Element::Content,
            (Some(Element::Configuration | Element::Content), "Parameter") => Element::Parameter,
            _ => Element::Other,
        };
        match (element, parent) {
            (Element::Content, _) => self.contents.push(content(start)?),
            (Element::Parameter, Some(Element::Content)) => {
                self.contents.last_mut()?.parameters.push(parameter(start)?);
            }
            (Element::Parameter, _) => self.parameters.push(parameter(start)?),
            _ => {}
        }
        Some(element)
    }

    /// Makes control characters in all texts visible.
    pub(crate) fn make_visible(&mut self) {
        let show = |parameters: &mut Vec<Parameter>| {
            for Parameter { name, value } in parameters {
                *name = visible(name);
                *value = visible(value);
            }
        };
        show(&mut self.parameters);
        for content in &mut self.contents {
            show(&mut content.parameters);
            if content.zip_entry.contains(is_hidden) {
                content.zip_entry = visible(&content.zip_entry).into();
            }
        }
    }

    /// Writes the manifest as XML. Texts must be without control characters.
    pub(crate) fn write(&self, out: impl Write) -> io::Result<()> {
        let mut xml = Writer::new_with_indent(out, b' ', 1);
        let open = |name: &'static str| Event::Start(BytesStart::new(name));
        let close = |name: &'static str| Event::End(BytesEnd::new(name));
        let root = BytesStart::new("MissionPackageManifest").with_attributes([("version", "2")]);
        xml.write_event(Event::Start(root))?;
        xml.write_event(open("Configuration"))?;
        write_parameters(&mut xml, &self.parameters)?;
        xml.write_event(close("Configuration"))?;
        xml.write_event(open("Contents"))?;
        for content in &self.contents {
            let ignore = if content.is_ignored { "true" } else { "false" };
            let attributes = [("ignore", ignore), ("zipEntry", &content.zip_entry)];
            let start = BytesStart::new("Content").with_attributes(attributes);
            if content.parameters.is_empty() {
                xml.write_event(Event::Empty(start))?;
            } else {
                xml.write_event(Event::Start(start))?;
                write_parameters(&mut xml, &content.parameters)?;
                xml.write_event(close("Content"))?;
            }
        }
        xml.write_event(close("Contents"))?;
        xml.write_event(close("MissionPackageManifest"))?;
        xml.get_mut().write_all(b"\n")
    }
}

impl Parameter {
    /// A parameter of this name.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

impl Content {
    /// Names an entry.
    #[must_use]
    pub fn new(zip_entry: impl Into<Arc<str>>) -> Self {
        Self { zip_entry: zip_entry.into(), is_ignored: false, parameters: Vec::new() }
    }
}

/// The elements that matter.
#[derive(Clone, Copy)]
enum Element {
    Configuration,
    Content,
    Contents,
    Manifest,
    Other,
    Parameter,
}

fn content(start: &BytesStart<'_>) -> Option<Content> {
    let mut content = Content::new("");
    for (name, value) in attributes(start) {
        let value = value?;
        match name {
            "zipEntry" => content.zip_entry = value.into(),
            "ignore" => content.is_ignored = value.eq_ignore_ascii_case("true"),
            _ => {}
        }
    }
    Some(content)
}

fn parameter(start: &BytesStart<'_>) -> Option<Parameter> {
    let mut parameter = Parameter::new("", "");
    for (name, value) in attributes(start) {
        let value = value?;
        match name {
            "name" => parameter.name = value,
            "value" => parameter.value = value,
            _ => {}
        }
    }
    Some(parameter)
}

/// Names and values; a value is `None`, once and last, when the rest cannot be read.
fn attributes<'a>(
    start: &'a BytesStart<'_>,
) -> impl Iterator<Item = (&'a str, Option<String>)> + 'a {
    start.attributes().map(|attribute| match attribute {
        Ok(attribute) => {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            (attribute.key.local_name().into_inner(), value.ok().map(Into::into))
        }
        Err(_) => ("", None),
    })
}

fn write_parameters<W: Write>(xml: &mut Writer<W>, parameters: &[Parameter]) -> io::Result<()> {
    for Parameter { name, value } in parameters {
        let attributes = [("name", name.as_str()), ("value", value)];
        let start = BytesStart::new("Parameter").with_attributes(attributes);
        xml.write_event(Event::Empty(start))?;
    }
    Ok(())
}

fn widen(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(manifest: &Manifest) -> String {
        let mut xml = Vec::new();
        manifest.write(&mut xml).unwrap();
        String::from_utf8(xml).unwrap()
    }

    #[test]
    fn a_manifest_is_read_as_clients_write_it() {
        let manifest = Manifest::parse(
            br#"<?xml version="1.0"?><!-- x --><MissionPackageManifest version="2"><Configuration>
                <Parameter name="uid" value="5d3c"></Parameter>
                <Parameter name='name' value='A &amp; &#66;'/></Configuration><Contents>
                <Content ignore="false" zipEntry="a/b.cot"><Parameter name="uid" value="X"/></Content>
                <Content zipEntry="c" ignore="TRUE"/><Else><Content zipEntry="d"/></Else>
                </Contents><Role/></MissionPackageManifest>"#,
        )
        .unwrap();
        assert_eq!((manifest.uid(), manifest.name()), (Some("5d3c"), Some("A & B")));
        let mut contents = [Content::new("a/b.cot"), Content::new("c")];
        contents[0].parameters.push(Parameter::new("uid", "X"));
        contents[1].is_ignored = true;
        assert_eq!(manifest.contents, contents);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut manifest = Manifest::default();
        manifest.parameters.push(Parameter::new("name", "<\"Häuser\" & 'Wege'> ☂"));
        manifest.contents.push(Content::new("a&b'c\"d<e>.txt"));
        manifest.contents.push(Content::new("x"));
        manifest.contents[0].parameters.push(Parameter::new("uid", "1"));
        manifest.contents[1].is_ignored = true;
        let xml = written(&manifest);
        assert_eq!(Manifest::parse(xml.as_bytes()), Ok(manifest));
        assert!(roxmltree::Document::parse(&xml).is_ok());
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let parse = |text: &str| Manifest::parse(text.as_bytes()).map(drop);
        for foreign in ["", " ", "text", "<!-- -->", "<kml></kml>", "<kml/>"] {
            assert_eq!(parse(foreign), Err(ManifestError::Foreign), "{foreign}");
        }
        let bomb = r#"<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>
            <MissionPackageManifest>&b;</MissionPackageManifest>"#;
        assert_eq!(parse(bomb), Err(ManifestError::DocumentType));
        let deep = format!("<MissionPackageManifest>{}", "<a>".repeat(100_000));
        for broken in [
            "<MissionPackageManifest>",
            "<MissionPackageManifest></a>",
            "<MissionPackageManifest><Contents><Content zipEntry=\"&e;\"/></Contents></MissionPackageManifest>",
            "<MissionPackageManifest><Contents><Content zipEntry=\"a\" zipEntry=\"b\"/></Contents></MissionPackageManifest>",
            &deep,
        ] {
            assert!(matches!(parse(broken), Err(ManifestError::Xml { .. })), "{broken:.100}");
        }
        assert_eq!(Manifest::parse(b"<a\xff"), Err(ManifestError::Xml { at: 2 }));
    }
}
