//! What is known of a data package.

use std::net::IpAddr;

use super::upload::MAX_KEYWORDS;
use super::{Audience, ContentHash, Owner, PackageChange, Upload};

/// The tool of what is listed for all who see it.
const PUBLIC: &str = "public";

/// The tool of what is for those who are told of it. All others are names of consumers.
const PRIVATE: &str = "private";

/// An entry: a content, and what it is called for one audience.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DataPackage {
    /// Number of the entry: `PrimaryKey`. At least 1.
    pub key: i64,
    /// Name of the content on the wire.
    pub hash: ContentHash,
    /// Size of the content. Bytes.
    pub size: u64,
    /// As the uploader gave it, or the hash. Never empty.
    pub uid: String,
    /// The name that users see. Never empty; any text, which never becomes a path.
    pub name: String,
    /// The file name, often the same. Never empty.
    pub filename: String,
    /// As the uploader gave it; `application/octet-stream` where nothing was said.
    pub mime_type: String,
    /// Who it is listed for: `public`, `private` or the name of a consumer.
    pub tool: String,
    /// Without repetition, in the order they were given.
    pub keywords: Vec<String>,
    /// The user who uploaded it first, where known.
    pub submitter: Option<String>,
    /// The device that uploaded it first, as it named itself.
    pub creator_uid: Option<String>,
    /// When it was uploaded last. Milliseconds since the Unix epoch.
    pub submitted_ms: i64,
    /// When it ceases to exist; `None` is never. Milliseconds since the Unix epoch.
    pub expires_ms: Option<i64>,
    /// Degrees.
    pub latitude: Option<f64>,
    /// Degrees.
    pub longitude: Option<f64>,
    /// Metres.
    pub altitude: Option<f64>,
    /// Free text.
    pub remarks: Option<String>,
    /// Where the uploader wants it to be saved.
    pub download_path: Option<String>,
    /// The mission it belongs to.
    pub mission: Option<String>,
    /// Contacts it belongs to, as the uploader wrote them.
    pub contacts: Option<String>,
    /// The address that its owner uploaded it from last.
    pub origin: Option<IpAddr>,
    /// Who sees it.
    pub audience: Audience,
    /// The content is not what was uploaded any more, and cannot be read. Another upload of it
    /// makes it good again.
    pub is_damaged: bool,
}

impl DataPackage {
    /// The entry that an upload makes.
    pub fn new(key: i64, upload: Upload, hash: ContentHash, size: u64, submitted_ms: i64) -> Self {
        let name = non_empty(Some(upload.name)).unwrap_or_else(|| hash.to_string());
        Self {
            key,
            hash,
            size,
            uid: non_empty(upload.uid).unwrap_or_else(|| hash.to_string()),
            filename: non_empty(upload.filename).unwrap_or_else(|| name.clone()),
            name,
            mime_type: upload.mime_type,
            tool: upload.tool,
            keywords: distinct(upload.keywords),
            submitter: non_empty(upload.submitter),
            creator_uid: non_empty(upload.creator_uid),
            submitted_ms,
            expires_ms: upload.expires_ms,
            latitude: upload.latitude.filter(|degrees| degrees.is_finite()),
            longitude: upload.longitude.filter(|degrees| degrees.is_finite()),
            altitude: upload.altitude.filter(|metres| metres.is_finite()),
            remarks: non_empty(upload.remarks),
            download_path: non_empty(upload.download_path),
            mission: non_empty(upload.mission),
            contacts: non_empty(upload.contacts),
            origin: upload.origin,
            audience: upload.audience,
            is_damaged: false,
        }
    }

    /// Takes what another upload of the same content for the same audience says.
    ///
    /// Whoever made it, keywords are added up, the later expiration counts, and what was `private`
    /// and is uploaded as `public` is public. All else is the owner's: who uploaded first goes on
    /// owning the entry, and only their uploads, or an operator's, give it another name, type, tool
    /// and place; what these do not say stays. So nobody takes a package away from others by
    /// uploading it. An entry that nobody owns takes what comes, and one that has expired is as if
    /// it were new.
    pub fn renew(&mut self, newer: Upload, submitted_ms: i64) {
        let has_uid = newer.uid.as_ref().is_some_and(|uid| !uid.is_empty());
        let is_by_operator = newer.is_by_operator;
        let newer = Self::new(self.key, newer, self.hash, self.size, submitted_ms);
        if self.is_expired(submitted_ms) {
            *self = newer;
            return;
        }
        let is_nobodys = self.is_of(&Owner::Nobody);
        let is_owners = is_nobodys || self.is_of(&newer.owner());
        let is_for_consumer = ![PUBLIC, PRIVATE].contains(&self.tool.as_str());
        let may_set_tool = is_by_operator || (is_owners && !(is_nobodys && is_for_consumer));
        if may_set_tool || (self.tool == PRIVATE && newer.tool == PUBLIC) {
            self.tool = newer.tool;
        }
        self.submitted_ms = submitted_ms;
        self.keywords.extend(newer.keywords);
        self.keywords = distinct(std::mem::take(&mut self.keywords));
        self.expires_ms = self.expires_ms.zip(newer.expires_ms).map(|(old, new)| old.max(new));
        self.is_damaged = false;
        if is_owners {
            self.origin = newer.origin.or(self.origin);
        } else if !is_by_operator {
            return;
        }
        if has_uid {
            self.uid = newer.uid;
        }
        self.name = newer.name;
        self.filename = newer.filename;
        self.mime_type = newer.mime_type;
        self.latitude = newer.latitude.or(self.latitude);
        self.longitude = newer.longitude.or(self.longitude);
        self.altitude = newer.altitude.or(self.altitude);
        self.remarks = newer.remarks.or_else(|| self.remarks.take());
        self.download_path = newer.download_path.or_else(|| self.download_path.take());
        self.mission = newer.mission.or_else(|| self.mission.take());
        self.contacts = newer.contacts.or_else(|| self.contacts.take());
    }

    /// Takes a change, of which what must not be empty and is so has no effect.
    pub fn change(&mut self, change: PackageChange) {
        let texts = [
            (&mut self.name, change.name),
            (&mut self.filename, change.filename),
            (&mut self.mime_type, change.mime_type),
            (&mut self.tool, change.tool),
        ];
        for (text, new) in texts {
            if let Some(new) = non_empty(new) {
                *text = new;
            }
        }
        if let Some(keywords) = change.keywords {
            self.keywords = distinct(keywords);
        }
        if let Some(submitter) = change.submitter {
            self.submitter = non_empty(submitter);
        }
        if let Some(expires_ms) = change.expires_ms {
            self.expires_ms = expires_ms;
        }
        if let Some(remarks) = change.remarks {
            self.remarks = non_empty(remarks);
        }
    }

    /// Whether it belongs to `owner`.
    pub fn is_of(&self, owner: &Owner) -> bool {
        match owner {
            Owner::Anyone => true,
            Owner::Address(addr) => self.submitter.is_none() && self.origin == Some(*addr),
            Owner::Device(uid) => {
                self.submitter.is_none() && self.creator_uid.as_ref() == Some(uid)
            }
            Owner::Entry(key) => self.key == *key,
            Owner::Nobody => self.submitter.is_none() && self.creator_uid.is_none(),
            Owner::User(user) => self.submitter.as_ref() == Some(user),
        }
    }

    /// Whose it is.
    fn owner(&self) -> Owner {
        match (&self.submitter, &self.creator_uid, self.origin) {
            (Some(user), ..) => Owner::User(user.clone()),
            (None, Some(uid), _) => Owner::Device(uid.clone()),
            (None, None, Some(addr)) => Owner::Address(addr),
            (None, None, None) => Owner::Nobody,
        }
    }

    /// Whether it has ceased to exist.
    pub fn is_expired(&self, now_ms: i64) -> bool {
        self.expires_ms.is_some_and(|expires_ms| expires_ms <= now_ms)
    }
}

fn non_empty(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// Without repetition and what is empty, and not more than an entry may have.
fn distinct(keywords: Vec<String>) -> Vec<String> {
    let mut distinct = Vec::with_capacity(keywords.len().min(MAX_KEYWORDS));
    for keyword in keywords {
        if distinct.len() == MAX_KEYWORDS {
            break;
        }
        if !keyword.is_empty() && !distinct.contains(&keyword) {
            distinct.push(keyword);
        }
    }
    distinct
}
