//! What comes with an upload, and what may be changed later.

use std::net::IpAddr;

use super::{Audience, ContentHash};
use crate::StoreError;

/// Longest name, or other text of an entry. Bytes.
pub const MAX_TEXT_BYTES: usize = 4096;

/// Longest texts and keywords of an upload, or of a change, together. Bytes.
pub const MAX_METADATA_BYTES: usize = 8 << 10;

/// Most keywords of an entry.
pub const MAX_KEYWORDS: usize = 64;

/// Longest keyword, and longest name of a group. Bytes.
pub const MAX_KEYWORD_BYTES: usize = 256;

/// Most groups of an [`Audience`].
pub const MAX_GROUPS: usize = 256;

/// What comes with an upload.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Upload {
    /// The name that users see; empty for the hash. At most [`MAX_TEXT_BYTES`], like all texts.
    pub name: String,
    /// The file name; `None` for the same as `name`.
    pub filename: Option<String>,
    /// What the content's hash must be.
    pub hash: Option<ContentHash>,
    /// What the content's size must be, as the header of the request announces it. Bytes.
    pub size: Option<u64>,
    /// `None` for the hash.
    pub uid: Option<String>,
    /// Defaults to `application/octet-stream`.
    pub mime_type: String,
    /// Defaults to `public`.
    pub tool: String,
    /// At most [`MAX_KEYWORDS`] of [`MAX_KEYWORD_BYTES`], without control characters.
    pub keywords: Vec<String>,
    /// The user, where known: who owns the entry.
    pub submitter: Option<String>,
    /// The device, as it names itself.
    pub creator_uid: Option<String>,
    /// When the entry ceases to exist; `None` is never. Milliseconds since the Unix epoch.
    pub expires_ms: Option<i64>,
    /// Degrees.
    pub latitude: Option<f64>,
    /// Degrees.
    pub longitude: Option<f64>,
    /// Metres.
    pub altitude: Option<f64>,
    /// Free text.
    pub remarks: Option<String>,
    /// Where it is to be saved by who downloads it.
    pub download_path: Option<String>,
    /// The mission it belongs to.
    pub mission: Option<String>,
    /// Contacts it belongs to.
    pub contacts: Option<String>,
    /// The address it comes from: where no user is known, who asks from there owns the entry.
    pub origin: Option<IpAddr>,
    /// It is an operator's, who may do what the owner of an entry may.
    pub is_by_operator: bool,
    /// Who sees it. At most [`MAX_GROUPS`].
    pub audience: Audience,
}

impl Upload {
    /// Describes an upload by its name and who will see it.
    pub fn new(name: impl Into<String>, audience: Audience) -> Self {
        Self {
            name: name.into(),
            filename: None,
            hash: None,
            size: None,
            uid: None,
            mime_type: "application/octet-stream".to_owned(),
            tool: "public".to_owned(),
            keywords: Vec::new(),
            submitter: None,
            creator_uid: None,
            expires_ms: None,
            latitude: None,
            longitude: None,
            altitude: None,
            remarks: None,
            download_path: None,
            mission: None,
            contacts: None,
            origin: None,
            is_by_operator: false,
            audience,
        }
    }

    /// Checks that metadata is within bounds.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unfit`] says which is not.
    pub fn check(&self) -> Result<(), StoreError> {
        check_text("name", Some(&self.name))?;
        check_text("mimetype", Some(&self.mime_type))?;
        check_text("tool", Some(&self.tool))?;
        let texts = [
            ("filename", &self.filename),
            ("uid", &self.uid),
            ("submitter", &self.submitter),
            ("creatorUid", &self.creator_uid),
            ("remarks", &self.remarks),
            ("downloadpath", &self.download_path),
            ("missionname", &self.mission),
            ("contacts", &self.contacts),
        ];
        texts.iter().try_for_each(|(key, text)| check_text(key, text.as_ref()))?;
        check_keywords(&self.keywords)?;
        let optional = texts.into_iter().filter_map(|(_, text)| text.as_ref());
        let required = [&self.name, &self.mime_type, &self.tool];
        check_whole(optional.chain(required).chain(&self.keywords))?;
        match &self.audience {
            Audience::Groups(groups) if groups.len() > MAX_GROUPS => {
                Err(unfit("groups", "are too many"))
            }
            Audience::Groups(groups)
                if groups.iter().any(|name| name.len() > MAX_KEYWORD_BYTES) =>
            {
                Err(unfit("groups", "has a name that is too long"))
            }
            _ => Ok(()),
        }
    }
}

/// What is to be changed of an entry; `None` leaves as it is.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PackageChange {
    /// The name that users see.
    pub name: Option<String>,
    /// The file name.
    pub filename: Option<String>,
    /// The type of the content.
    pub mime_type: Option<String>,
    /// Who it is listed for.
    pub tool: Option<String>,
    /// All keywords.
    pub keywords: Option<Vec<String>>,
    /// The user who owns it.
    pub submitter: Option<Option<String>>,
    /// When it ceases to exist. Milliseconds since the Unix epoch.
    pub expires_ms: Option<Option<i64>>,
    /// Free text.
    pub remarks: Option<Option<String>>,
}

impl PackageChange {
    /// Checks that all is within bounds.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unfit`] says what is not.
    pub fn check(&self) -> Result<(), StoreError> {
        check_text("name", self.name.as_ref())?;
        check_text("filename", self.filename.as_ref())?;
        check_text("mimetype", self.mime_type.as_ref())?;
        check_text("tool", self.tool.as_ref())?;
        check_text("submitter", self.submitter.iter().flatten().next())?;
        check_text("remarks", self.remarks.iter().flatten().next())?;
        check_keywords(self.keywords.as_deref().unwrap_or_default())?;
        let texts = [&self.name, &self.filename, &self.mime_type, &self.tool];
        let clearable = [&self.submitter, &self.remarks].into_iter().flatten().flatten();
        let keywords = self.keywords.iter().flatten();
        check_whole(texts.into_iter().flatten().chain(clearable).chain(keywords))
    }
}

fn check_text(key: &str, text: Option<&String>) -> Result<(), StoreError> {
    if text.is_some_and(|text| text.len() > MAX_TEXT_BYTES) {
        return Err(unfit(key, "is too long"));
    }
    Ok(())
}

fn check_whole<'a>(texts: impl Iterator<Item = &'a String>) -> Result<(), StoreError> {
    if texts.map(String::len).sum::<usize>() > MAX_METADATA_BYTES {
        return Err(unfit("metadata", "is too long in all"));
    }
    Ok(())
}

fn check_keywords(keywords: &[String]) -> Result<(), StoreError> {
    if keywords.len() > MAX_KEYWORDS {
        Err(unfit("keywords", "are too many"))
    } else if keywords.iter().any(|keyword| keyword.len() > MAX_KEYWORD_BYTES) {
        Err(unfit("keywords", "has one that is too long"))
    } else if keywords.iter().any(|keyword| keyword.contains(char::is_control)) {
        Err(unfit("keywords", "has one with control characters"))
    } else {
        Ok(())
    }
}

/// Says what is wrong with metadata.
pub(super) fn unfit(key: &str, reason: &'static str) -> StoreError {
    StoreError::Unfit { key: key.to_owned(), reason }
}
