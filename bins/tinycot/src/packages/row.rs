//! What is known of a package, as the API tells it.

use std::collections::{BTreeSet, HashSet};

use cot_core::CotTime;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use store::packages::{Audience, DataPackage};

use crate::view::text::cell;

/// Digits of a hash that are shown where there is little room.
const SHORT_DIGITS: usize = 12;

/// What is said of a content that is not what was uploaded any more.
pub(super) const DAMAGED: &str =
    "the content is damaged; add the same file again to mend it, or remove the package";

/// What is known of a package: a row of `GET /Marti/api/sync/search`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Row {
    /// 64 hexadecimal digits.
    pub(super) hash: String,
    pub(super) uid: String,
    pub(super) name: String,
    pub(super) filename: String,
    pub(super) mime_type: String,
    /// Bytes.
    pub(super) size: u64,
    pub(super) tool: String,
    pub(super) keywords: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) submitter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) creator_uid: Option<String>,
    pub(super) submission_time: String,
    /// Seconds since the Unix epoch; -1 for never.
    #[serde(deserialize_with = "expiration")]
    pub(super) expiration: i64,
    /// Teams that see it; without, everyone does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) groups: Option<Vec<String>>,
    /// The number of the entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) primary_key: Option<i64>,
    /// Whether its content is not what was uploaded any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_damaged: bool,
}

impl Row {
    /// Enough digits to tell it from others.
    pub(super) fn short_hash(&self) -> &str {
        self.hash.get(..SHORT_DIGITS).unwrap_or(&self.hash)
    }

    /// Who sees it.
    pub(super) fn audience(&self) -> String {
        match self.groups.as_deref() {
            None => "everyone".to_owned(),
            Some([]) => "nobody".to_owned(),
            Some(teams) => listed(teams),
        }
    }

    /// Whether it is for exactly these teams; none are everyone.
    pub(super) fn is_for(&self, teams: &[String]) -> bool {
        let set = |teams: &[String]| teams.iter().cloned().collect::<BTreeSet<_>>();
        match &self.groups {
            None => teams.is_empty(),
            Some(groups) => !teams.is_empty() && set(groups) == set(teams),
        }
    }

    /// Who uploaded it.
    pub(super) fn uploader(&self) -> &str {
        let known = [&self.submitter, &self.creator_uid].into_iter().flatten();
        known.map(String::as_str).find(|name| !name.is_empty()).unwrap_or_default()
    }

    /// When it ceases to exist.
    pub(super) fn expires(&self) -> String {
        match self.expiration.checked_mul(1000) {
            Some(expires_ms) if expires_ms >= 0 => minute(&time(expires_ms)),
            _ => "never".to_owned(),
        }
    }
}

impl From<DataPackage> for Row {
    fn from(package: DataPackage) -> Self {
        let groups = match package.audience {
            Audience::Groups(teams) => Some(teams.into_iter().collect()),
            _ => None,
        };
        Self {
            hash: package.hash.to_string(),
            uid: package.uid,
            name: package.name,
            filename: package.filename,
            mime_type: package.mime_type,
            size: package.size,
            tool: package.tool,
            keywords: package.keywords,
            submitter: package.submitter,
            creator_uid: package.creator_uid,
            submission_time: time(package.submitted_ms),
            expiration: package.expires_ms.map_or(-1, |expires_ms| expires_ms / 1000),
            groups,
            primary_key: Some(package.key),
            is_damaged: package.is_damaged,
        }
    }
}

/// The newest entry of each content, as rows come with the newest first.
pub(super) fn newest<'a>(rows: impl IntoIterator<Item = &'a Row>) -> impl Iterator<Item = &'a Row> {
    let mut seen = HashSet::new();
    rows.into_iter().filter(move |row| seen.insert(&row.hash))
}

/// `1 package`, `2 packages`.
pub(super) fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// Names of teams for people. The team without a name is of those who are in none.
pub(super) fn listed(teams: &[String]) -> String {
    let name = |team: &String| match team.as_str() {
        "" => "(no team)".to_owned(),
        team => cell(team),
    };
    teams.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// `2026-11-22 10:15` of a time as the API writes it.
pub(super) fn minute(time: &str) -> String {
    cell(&time.get(..16).unwrap_or(time).replace('T', " "))
}

/// Bytes for people: `820 B`, `48.2 kB`.
pub(super) fn size(bytes: u64) -> String {
    let mut unit = 1;
    for name in ["B", "kB", "MB", "GB"] {
        if bytes / unit < 1000 || name == "GB" {
            let tenths = bytes % unit * 10 / unit;
            return if unit == 1 {
                format!("{bytes} B")
            } else {
                format!("{}.{tenths} {name}", bytes / unit)
            };
        }
        unit *= 1000;
    }
    format!("{bytes} B")
}

fn time(unix_ms: i64) -> String {
    CotTime::from_unix_millis(unix_ms).to_string()
}

/// A number, also as a text; nothing is never.
fn expiration<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Number(i64),
        Text(String),
    }
    match Option::deserialize(from)? {
        None => Ok(-1),
        Some(Form::Number(seconds)) => Ok(seconds),
        Some(Form::Text(text)) => text.trim().parse().map_err(D::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let sizes = [0, 999, 1000, 48_211, 999_999, 1_000_000, 12_345_678_900, u64::MAX].map(size);
        let expected = [
            "0 B",
            "999 B",
            "1.0 kB",
            "48.2 kB",
            "999.9 kB",
            "1.0 MB",
            "12.3 GB",
            "18446744073.7 GB",
        ];
        assert_eq!(sizes, expected);
    }

    #[test]
    fn a_row_is_read_as_the_api_writes_it() {
        let row: Row = serde_json::from_str(
            r#"{"hash":"ab","name":"x.zip","size":7,"submissionTime":"2026-11-22T10:15:00.000Z",
            "keywords":["missionpackage"],"expiration":"-1","submitter":null,"groups":["Red"],"more":1}"#,
        )
        .unwrap();
        assert_eq!((row.size, row.expires(), row.audience()), (7, "never".into(), "Red".into()));
        assert_eq!(minute(&row.submission_time), "2026-11-22 10:15");
        let row: Row = serde_json::from_str(r#"{"groups":["","Cyan"]}"#).unwrap();
        assert_eq!(row.audience(), "(no team), Cyan");
        let row: Row = serde_json::from_str(r#"{"expiration":1795341600}"#).unwrap();
        assert_eq!((row.expires(), row.audience()), ("2026-11-22 10:00".into(), "everyone".into()));
    }
}
