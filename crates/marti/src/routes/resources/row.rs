//! What is known of a package, in the three forms that clients read.

use serde::Serialize;
use store::packages::{Audience, ContentHash, DataPackage};

use crate::routes::groups;
use crate::sight::Sight;
use crate::time;

/// Who uploaded, where users are not known.
const NOBODY: &str = "anonymous";

/// The form of `sync/search` and `sync/upload`: everything is text, and what is not known is not
/// there. ATAK takes a list only as a whole, so a row always has what it needs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::routes) struct Row<'a> {
    #[serde(rename = "UID")]
    uid: &'a str,
    name: &'a str,
    hash: ContentHashText,
    primary_key: String,
    submission_date_time: String,
    submission_user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    creator_uid: Option<&'a str>,
    keywords: &'a [String],
    #[serde(rename = "MIMEType")]
    mime_type: &'a str,
    size: String,
    tool: &'a str,
    #[serde(rename = "EXPIRATION")]
    expiration: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    latitude: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    longitude: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    altitude: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remarks: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    download_path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mission_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contacts: Option<&'a str>,
}

impl<'a> Row<'a> {
    pub(in crate::routes) fn of(package: &'a DataPackage) -> Self {
        let text = |number: Option<f64>| number.map(|number| number.to_string());
        Self {
            uid: &package.uid,
            name: &package.name,
            hash: ContentHashText(package.hash),
            primary_key: package.key.to_string(),
            submission_date_time: time::text(package.submitted_ms),
            submission_user: package.submitter.as_deref().unwrap_or(NOBODY),
            creator_uid: package.creator_uid.as_deref(),
            keywords: &package.keywords,
            mime_type: &package.mime_type,
            size: package.size.to_string(),
            tool: &package.tool,
            expiration: seconds(package.expires_ms).to_string(),
            latitude: text(package.latitude),
            longitude: text(package.longitude),
            altitude: text(package.altitude),
            remarks: package.remarks.as_deref(),
            download_path: package.download_path.as_deref(),
            mission_name: package.mission.as_deref(),
            contacts: package.contacts.as_deref(),
        }
    }
}

/// The form of `api/sync/search`: numbers are numbers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resource<'a> {
    uid: &'a str,
    hash: ContentHashText,
    name: &'a str,
    filename: &'a str,
    /// Bytes.
    size: u64,
    mime_type: &'a str,
    tool: &'a str,
    keywords: &'a [String],
    submission_time: String,
    submitter: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    creator_uid: Option<&'a str>,
    /// Seconds since the Unix epoch, -1 for never.
    expiration: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    latitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    longitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    altitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remarks: Option<&'a str>,
    /// Who sees it, for the operator: without, everyone does.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<&'a str>>,
    /// The number of the entry, for the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_key: Option<i64>,
    /// Whether its content cannot be had, for the operator.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_damaged: bool,
}

impl<'a> Resource<'a> {
    pub(super) fn of(package: &'a DataPackage, is_operator: bool) -> Self {
        let groups = match &package.audience {
            Audience::Groups(groups) if is_operator => {
                Some(groups.iter().map(String::as_str).collect())
            }
            _ => None,
        };
        Self {
            uid: &package.uid,
            hash: ContentHashText(package.hash),
            name: &package.name,
            filename: &package.filename,
            size: package.size,
            mime_type: &package.mime_type,
            tool: &package.tool,
            keywords: &package.keywords,
            submission_time: time::text(package.submitted_ms),
            submitter: package.submitter.as_deref().unwrap_or_default(),
            creator_uid: package.creator_uid.as_deref(),
            expiration: seconds(package.expires_ms),
            latitude: package.latitude,
            longitude: package.longitude,
            altitude: package.altitude,
            remarks: package.remarks.as_deref(),
            groups,
            primary_key: is_operator.then_some(package.key),
            is_damaged: is_operator && package.is_damaged,
        }
    }
}

/// The form of `api/files/metadata`: everything is a text, for people.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct FileRow<'a> {
    name: &'a str,
    user: &'a str,
    creator: &'a str,
    size: String,
    time: String,
    mime_type: &'a str,
    keywords: String,
    expiration: String,
    hash: ContentHashText,
    groups: String,
}

impl<'a> FileRow<'a> {
    pub(super) fn of(package: &'a DataPackage, sight: &Sight) -> Self {
        let groups = match &package.audience {
            Audience::Groups(groups) => {
                // Of other groups a caller is not told.
                let own = groups.iter().filter(|group| sight.is_in(group));
                own.map(|group| name_of(group)).collect::<Vec<_>>().join(",")
            }
            _ => groups::EVERYONE.to_owned(),
        };
        Self {
            name: &package.name,
            user: package.submitter.as_deref().unwrap_or(NOBODY),
            creator: package.creator_uid.as_deref().unwrap_or_default(),
            size: short_size(package.size),
            time: for_people(package.submitted_ms),
            mime_type: &package.mime_type,
            keywords: package.keywords.join(","),
            expiration: package.expires_ms.map_or_else(|| "none".to_owned(), for_people),
            hash: ContentHashText(package.hash),
            groups,
        }
    }
}

/// A hash, which is written as its digits.
#[derive(Debug)]
struct ContentHashText(ContentHash);

impl Serialize for ContentHashText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The group of those without a team has a name for clients.
fn name_of(group: &str) -> &str {
    if group.is_empty() { groups::EVERYONE } else { group }
}

/// Seconds since the Unix epoch, -1 for never.
fn seconds(expires_ms: Option<i64>) -> i64 {
    expires_ms.map_or(-1, |expires_ms| expires_ms.div_euclid(1000))
}

/// `2025-05-02 11:30:12.545`.
fn for_people(unix_ms: i64) -> String {
    time::text(unix_ms).replace('T', " ").trim_end_matches('Z').to_owned()
}

/// `47kB`: rounded to the unit that is not too large.
fn short_size(bytes: u64) -> String {
    let mut unit = 1;
    for name in ["B", "kB", "MB"] {
        if bytes < 1000 * unit {
            return format!("{}{name}", (bytes + unit / 2) / unit);
        }
        unit *= 1000;
    }
    format!("{}GB", (bytes + unit / 2) / unit)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use store::packages::Upload;

    use super::*;

    fn package() -> DataPackage {
        let mut upload = Upload::new("recon.zip", Audience::groups(["Blue", "Red"]));
        upload.keywords = vec!["missionpackage".to_owned(), "x".to_owned()];
        upload.creator_uid = Some("ANDROID-0123".to_owned());
        upload.mime_type = "application/zip".to_owned();
        DataPackage::new(17, upload, ContentHash::from_bytes([0xab; 32]), 48_211, 1_746_180_672_345)
    }

    #[test]
    fn a_row_of_a_search_is_all_text_and_without_nulls() {
        let row = serde_json::to_value(Row::of(&package())).unwrap();
        let hash = "ab".repeat(32);
        let expected = json!({
            "UID": hash, "Name": "recon.zip", "Hash": hash, "PrimaryKey": "17",
            "SubmissionDateTime": "2025-05-02T10:11:12.345Z", "SubmissionUser": "anonymous",
            "CreatorUid": "ANDROID-0123", "Keywords": ["missionpackage", "x"],
            "MIMEType": "application/zip", "Size": "48211", "Tool": "public", "EXPIRATION": "-1",
        });
        assert_eq!(row, expected);
    }

    #[test]
    fn groups_are_for_the_operator() {
        let package = package();
        let row = |is_operator| serde_json::to_value(Resource::of(&package, is_operator)).unwrap();
        assert_eq!(row(true)["groups"], json!(["Blue", "Red"]));
        assert_eq!(row(false).get("groups"), None);
        assert_eq!(row(false)["size"], json!(48_211));
        assert_eq!(row(false)["expiration"], json!(-1));
        assert!(row(false).as_object().unwrap().values().all(|value| !value.is_null()));
    }

    #[test]
    fn a_file_is_all_text_and_tells_of_own_groups_only() {
        let mut package = package();
        package.expires_ms = Some(1_746_180_672_345);
        let sight = Sight::Teams(["Red".to_owned()].into());
        let row = serde_json::to_value(FileRow::of(&package, &sight)).unwrap();
        assert!(row.as_object().unwrap().values().all(Value::is_string));
        assert_eq!(row["Size"], "48kB");
        assert_eq!(row["Time"], "2025-05-02 10:11:12.345");
        assert_eq!(row["Expiration"], "2025-05-02 10:11:12.345");
        assert_eq!(row["Groups"], "Red");
        assert_eq!(row["Keywords"], "missionpackage,x");
    }

    #[test]
    fn sizes_are_short() {
        let sizes = [0, 999, 1000, 47_499, 999_999, 2_500_000, 12_000_000_000].map(short_size);
        assert_eq!(sizes, ["0B", "999B", "1kB", "47kB", "1000kB", "3MB", "12GB"]);
    }
}
