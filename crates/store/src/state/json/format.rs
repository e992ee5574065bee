//! How state is written: the lines of snapshots and journals. `docs/state.md` describes both.

use serde::{Deserialize, Serialize};

use crate::state::Change;

/// The version of the format that is written.
pub(super) const VERSION: u32 = 1;

/// Longest line that is read. Bytes. Every change that is accepted fits: each byte of a key takes at
/// most six.
pub(super) const MAX_LINE_BYTES: usize = 16 << 20;

const SNAPSHOT_START: &str = r#"{"format":"tinycot-state","version":"#;
const SNAPSHOT_START_END: &str = r#","entries":{"#;
/// Between the entries of a snapshot and what changed later.
pub(super) const LATER: &[u8] = br#"},"later":{"#;
const CHANGES: &[u8] = br#"},"changes":"#;
const BLAKE3: &[u8] = br#","blake3":""#;
const SUM_START: &[u8] = br#"{"sum":""#;
const SUM_END: &[u8] = br#"","rec":"#;
const SUM_DIGITS: usize = 16;
const JOURNAL_START: &[u8] = br#"{"n":0,"format":"tinycot-journal","version":"#;

/// What the first line of a file says.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Heading {
    /// Version of the values' schema.
    pub(super) schema: u32,
    pub(super) generation: u64,
    /// Where a journal goes on; `None` in a snapshot, and when a change was lost.
    pub(super) follows: Option<Position>,
}

/// A place in the history: after so many changes of the journal of a generation.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Position {
    pub(super) generation: u64,
    pub(super) changes: u64,
}

/// One change, as a journal has it.
#[derive(Debug)]
pub(super) struct Record<'a> {
    /// Its number in the journal, from 1.
    pub(super) number: u64,
    /// The number of the first change that was written at once with it.
    pub(super) batch: u64,
    pub(super) key: String,
    pub(super) value: Option<&'a str>,
}

/// The version that a file says it has, whatever its format is otherwise: every version starts
/// with these bytes.
pub(super) fn snapshot_version(line: &[u8]) -> Option<u32> {
    number(line.strip_prefix(SNAPSHOT_START.as_bytes())?).map(|(version, _)| version)
}

/// As [`snapshot_version`]. The sum is not looked at.
pub(super) fn journal_version(line: &[u8]) -> Option<u32> {
    let rest = line.strip_prefix(SUM_START)?.get(SUM_DIGITS..)?;
    number(rest.strip_prefix(SUM_END)?.strip_prefix(JOURNAL_START)?).map(|(version, _)| version)
}

/// The first line of a snapshot, without its end.
pub(super) fn snapshot_header(schema: u32, generation: u64) -> String {
    format!(
        r#"{SNAPSHOT_START}{VERSION},"schema":{schema},"generation":{generation}{SNAPSHOT_START_END}"#
    )
}

/// Reads the first line of a snapshot.
pub(super) fn parse_snapshot_header(line: &[u8]) -> Option<Heading> {
    let fields = line.strip_suffix(SNAPSHOT_START_END.as_bytes())?;
    serde_json::from_slice(&[fields, b"}"].concat()).ok()
}

/// Appends an entry of a snapshot: `"key":value`.
pub(super) fn push_entry(buf: &mut Vec<u8>, key: &str, value: Option<&str>) {
    push_key(buf, key);
    buf.push(b':');
    buf.extend_from_slice(value.unwrap_or("null").as_bytes());
}

/// Reads a line with an entry, with or without a comma behind it.
pub(super) fn parse_entry(line: &[u8]) -> Option<(String, Option<String>)> {
    let (key, rest) = split_key(line.strip_suffix(b",").unwrap_or(line))?;
    let value = std::str::from_utf8(rest.strip_prefix(b":")?).ok()?;
    Some((key, kept(value).map(str::to_owned)))
}

/// The last line of a snapshot up to where its checksum comes: every byte of the file before that
/// is summed.
pub(super) fn snapshot_trailer(changes: u64) -> String {
    format!("{}{changes}", String::from_utf8_lossy(CHANGES))
}

/// What follows the [`snapshot_trailer`].
pub(super) fn snapshot_sum(sum: &blake3::Hash) -> String {
    format!("{}{}\"}}", String::from_utf8_lossy(BLAKE3), sum.to_hex())
}

/// Reads the last line: the changes that the snapshot holds, how much of the line is summed, and
/// the sum.
pub(super) fn parse_snapshot_trailer(line: &[u8]) -> Option<(u64, usize, blake3::Hash)> {
    let (changes, rest) = number(line.strip_prefix(CHANGES)?)?;
    let sum = rest.strip_prefix(BLAKE3)?.strip_suffix(b"\"}")?;
    // Only the digits that are written: another case would be another file with the same sum.
    let sum = (!sum.iter().any(u8::is_ascii_uppercase)).then_some(sum)?;
    Some((changes, line.len() - rest.len(), blake3::Hash::from_hex(sum).ok()?))
}

/// Appends the first line of a journal.
pub(super) fn push_journal_header(buf: &mut Vec<u8>, heading: Heading) {
    let Heading { schema, generation, follows } = heading;
    push_line(buf, |buf| {
        buf.extend_from_slice(JOURNAL_START);
        let fields = format!(r#"{VERSION},"schema":{schema},"generation":{generation},"follows":"#);
        buf.extend_from_slice(fields.as_bytes());
        serde_json::to_writer(&mut *buf, &follows).expect("numbers can be written to memory");
        buf.push(b'}');
    });
}

/// Reads what [`open_line`] found in the first line of a journal.
pub(super) fn parse_journal_header(record: &[u8]) -> Option<Heading> {
    record.starts_with(JOURNAL_START).then(|| serde_json::from_slice(record).ok())?
}

/// Appends a change to a journal.
pub(super) fn push_change(buf: &mut Vec<u8>, number: u64, batch: u64, change: &Change) {
    push_line(buf, |buf| {
        buf.extend_from_slice(format!(r#"{{"n":{number},"batch":{batch},"key":"#).as_bytes());
        push_key(buf, &change.key);
        buf.extend_from_slice(br#","value":"#);
        buf.extend_from_slice(change.kept().unwrap_or("null").as_bytes());
        buf.push(b'}');
    });
}

/// Reads what [`open_line`] found in a line with a change.
pub(super) fn parse_change(record: &[u8]) -> Option<Record<'_>> {
    let (number_, rest) = number(record.strip_prefix(br#"{"n":"#)?)?;
    let (batch, rest) = number(rest.strip_prefix(br#","batch":"#)?)?;
    let (key, rest) = split_key(rest.strip_prefix(br#","key":"#)?)?;
    let value = rest.strip_prefix(br#","value":"#)?.strip_suffix(b"}")?;
    let value = kept(std::str::from_utf8(value).ok()?);
    Some(Record { number: number_, batch, key, value })
}

/// The record in a line of a journal, if its sum is right.
pub(super) fn open_line(line: &[u8]) -> Option<&[u8]> {
    let (sum, rest) = line.strip_prefix(SUM_START)?.split_at_checked(SUM_DIGITS)?;
    let record = rest.strip_prefix(SUM_END)?.strip_suffix(b"}")?;
    (sum == line_sum(record)).then_some(record)
}

/// Appends a line of a journal with its sum.
fn push_line(buf: &mut Vec<u8>, push_record: impl FnOnce(&mut Vec<u8>)) {
    buf.extend_from_slice(SUM_START);
    let sum_at = buf.len();
    buf.extend_from_slice(&[b'0'; SUM_DIGITS]);
    buf.extend_from_slice(SUM_END);
    let record_at = buf.len();
    push_record(buf);
    let sum = line_sum(buf.get(record_at..).unwrap_or_default());
    if let Some(place) = buf.get_mut(sum_at..sum_at + SUM_DIGITS) {
        place.copy_from_slice(&sum);
    }
    buf.extend_from_slice(b"}\n");
}

/// The sum of a record, in hexadecimal digits.
fn line_sum(record: &[u8]) -> [u8; SUM_DIGITS] {
    let hex = blake3::hash(record).to_hex();
    let mut digits = [b'0'; SUM_DIGITS];
    for (digit, &byte) in digits.iter_mut().zip(hex.as_bytes()) {
        *digit = byte;
    }
    digits
}

fn push_key(buf: &mut Vec<u8>, key: &str) {
    serde_json::to_writer(buf, key).expect("text can be written to memory");
}

/// The JSON string that these bytes start with, and what follows it.
fn split_key(bytes: &[u8]) -> Option<(String, &[u8])> {
    let mut is_escaped = false;
    let len = bytes.strip_prefix(b"\"")?.iter().position(|&byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })?;
    let (key, rest) = bytes.split_at_checked(len + 2)?;
    Some((serde_json::from_slice(key).ok()?, rest))
}

/// A value that a map may hold: the removed have `null`.
fn kept(value: &str) -> Option<&str> {
    Some(value).filter(|value| *value != "null")
}

/// The decimal number that these bytes start with, and what follows it.
fn number<N: std::str::FromStr>(bytes: &[u8]) -> Option<(N, &[u8])> {
    let len = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    let (digits, rest) = bytes.split_at_checked(len)?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}
