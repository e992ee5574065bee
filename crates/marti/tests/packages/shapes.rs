//! What tests of packages say again and again.

use serde_json::Value;
use sha2::{Digest, Sha256};
use store::packages::{PackageStore, PackageUsage, SqlitePackages};

use crate::support::http::Answer;
use crate::support::{Server, until};

/// The type that ATAK gives to packages.
pub(crate) const ZIP: &str = "application/x-zip-compressed";

/// Content that is like no other: noise, from a seed.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&next());
    }
    bytes.truncate(len);
    bytes
}

/// The name of a content on the wire.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A form with one file, as libcurl writes it.
pub(crate) fn form(part: &str, filename: &str, boundary: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"{filename}\"\r\n\
         Content-Type: {ZIP}\r\n\r\n"
    );
    [head.as_bytes(), content, format!("\r\n--{boundary}--\r\n").as_bytes()].concat()
}

/// The header line of such a form.
pub(crate) fn form_type(boundary: &str) -> String {
    format!("Content-Type: multipart/form-data; boundary={boundary}\r\n")
}

/// A request as bytes, and its answer: `head` without the empty line that ends it, lines ended by
/// `\n` alone for legibility.
pub(crate) fn say<P: PackageStore>(server: &Server<P>, head: &str, body: &[u8]) -> Answer {
    let mut connection = server.connect();
    connection.send(head.trim_start().replace('\n', "\r\n").as_bytes());
    connection.send(b"\r\n");
    connection.send(body);
    connection.answer()
}

/// Uploads as ATAK does; gives the URL.
pub(crate) fn publish<P: PackageStore>(
    server: &Server<P>,
    query: &str,
    filename: &str,
    content: &[u8],
) -> String {
    let target = format!("/Marti/sync/missionupload?filename={filename}&{query}");
    let body = form("assetfile", filename, "b0", content);
    let answer = server.ask("POST", &target, &form_type("b0"), &body).expect(200);
    answer.text().to_owned()
}

/// Fetches a content.
pub(crate) fn fetch<P: PackageStore>(server: &Server<P>, hash: &str) -> Answer {
    server.get(&format!("/Marti/sync/content?hash={hash}"))
}

/// What `sync/search` lists.
pub(crate) fn search<P: PackageStore>(server: &Server<P>, query: &str) -> Vec<Value> {
    let answer = server.get(&format!("/Marti/sync/search?{query}")).expect(200);
    assert!(answer.text().contains("resultCount"));
    let json = answer.json();
    assert_no_null(&json);
    let results = json["results"].as_array().unwrap().clone();
    assert_eq!(json["resultCount"], results.len());
    results
}

/// The hashes that `sync/search` lists, in order.
pub(crate) fn listed<P: PackageStore>(server: &Server<P>, query: &str) -> Vec<String> {
    search(server, query).iter().map(|row| row["Hash"].as_str().unwrap().to_owned()).collect()
}

/// How much the store holds.
pub(crate) fn usage<P: PackageStore>(server: &Server<P>) -> PackageUsage {
    server.run(server.packages.usage()).unwrap()
}

/// That the store has so many packages, and soon no more files than these contents.
#[track_caller]
pub(crate) fn assert_holds(server: &Server<SqlitePackages>, packages: u64, contents: usize) {
    assert_eq!(usage(server).packages, packages);
    // Files go behind the answer.
    until("what was given up is gone", || server.blobs().len() <= contents);
    assert_eq!(server.blobs().len(), contents);
}

/// 9: a client may take null for something.
pub(crate) fn assert_no_null(value: &Value) {
    match value {
        Value::Null => panic!("a null"),
        Value::Array(values) => values.iter().for_each(assert_no_null),
        Value::Object(fields) => {
            for (key, value) in fields {
                assert!(!value.is_null(), "{key} is null");
                assert_no_null(value);
            }
        }
        _ => {}
    }
}

/// 9: `2025-05-02T10:11:12.345Z`, exactly.
pub(crate) fn assert_time(value: &Value) {
    let text = value.as_str().unwrap_or_default();
    let form: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(form, "0000-00-00T00:00:00.000Z", "{value}");
}

/// 16: what one entry needs for ATAK not to discard the whole list.
pub(crate) fn assert_row(row: &Value, name: &str, content: &[u8]) {
    assert_eq!(row["Name"], name);
    assert_eq!(row["Hash"], sha256(content));
    assert!(!row["UID"].as_str().unwrap().is_empty());
    assert!(row["PrimaryKey"].as_str().unwrap().parse::<i32>().unwrap() >= 0);
    assert_time(&row["SubmissionDateTime"]);
    assert_eq!(row["Size"], content.len().to_string());
    assert!(row["EXPIRATION"].is_string() && row["Keywords"].is_array());
}

/// The content of an answer that is a download of `content` whole.
pub(crate) fn assert_download(answer: Answer, content: &[u8]) -> Answer {
    let answer = answer.expect(200);
    assert_eq!(answer.header("content-length"), Some(content.len().to_string().as_str()));
    assert_eq!(answer.body.len(), content.len());
    assert!(answer.body == content, "not the content");
    answer
}

/// The value of `filename` in `Content-Disposition`, read as the official load client does.
pub(crate) fn filename_of(answer: &Answer) -> String {
    let disposition = answer.header("content-disposition").expect("a Content-Disposition");
    let (_, rest) = disposition.split_once("filename=").expect("a filename");
    let rest = rest.trim_start_matches('"');
    rest.split(['"', ';']).next().unwrap().to_owned()
}
