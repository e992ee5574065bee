//! Parts of a content: `offset`, `length` and the header `Range` (marti-api A.6).

use http::{StatusCode, header};

use crate::ask::Ask;
use crate::error::ApiError;

/// The part of a content that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) status: StatusCode,
    /// Where it begins. Bytes.
    pub(super) from: u64,
    /// Bytes.
    pub(super) len: u64,
}

impl Part {
    /// The part of a content of `size` bytes that a request asks for.
    ///
    /// A client that goes on with `offset` wants the status of success all the same; one that asks
    /// for a `Range` wants to be told that it is one. A range that cannot be read, or of another
    /// content, is all of it.
    ///
    /// # Errors
    ///
    /// It begins behind the end; it is no number.
    pub(super) fn of(ask: &Ask, size: u64, etag: &str) -> Result<Self, ApiError> {
        let number = |key: &str| {
            let read = ask.query.read::<u64>(key);
            read.map_err(|text| {
                ApiError::BadRequest(format!("{key}: {text} is no number of bytes"))
            })
        };
        let (offset, length) = (number("offset")?, number("length")?);
        if offset.is_some() || length.is_some() {
            return Self::from_parameters(offset.unwrap_or(0), length, size);
        }
        let is_same = ask.header(header::IF_RANGE).is_none_or(|wanted| wanted.trim() == etag);
        match ask.header(header::RANGE).filter(|_| is_same) {
            Some(range) => Self::from_range(range, size),
            None => Ok(Self::whole(size)),
        }
    }

    /// `bytes 0-9/100`, where it is said that it is a part.
    pub(super) fn content_range(&self, size: u64) -> Option<String> {
        let last = (self.from + self.len).checked_sub(1)?;
        (self.status == StatusCode::PARTIAL_CONTENT)
            .then(|| format!("bytes {}-{last}/{size}", self.from))
    }

    fn whole(size: u64) -> Self {
        Self { status: StatusCode::OK, from: 0, len: size }
    }

    fn from_parameters(from: u64, length: Option<u64>, size: u64) -> Result<Self, ApiError> {
        let left = size.checked_sub(from).ok_or(ApiError::Unsatisfiable { size })?;
        let len = length.map_or(left, |length| length.min(left));
        let status = if len < left { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        Ok(Self { status, from, len })
    }

    fn from_range(range: &str, size: u64) -> Result<Self, ApiError> {
        match bounds(range, size) {
            None => Ok(Self::whole(size)),
            Some((from, _)) if from >= size => Err(ApiError::Unsatisfiable { size }),
            Some((from, end)) => {
                Ok(Self { status: StatusCode::PARTIAL_CONTENT, from, len: end.min(size) - from })
            }
        }
    }
}

/// Begin and end of the one range that a header names, if it can be read. The end may lie behind
/// the end of the content.
fn bounds(range: &str, size: u64) -> Option<(u64, u64)> {
    let (unit, spec) = range.split_once('=')?;
    let (first, last) = spec.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // One that is too large for us is larger than any content.
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (first, last) = (first.trim_end(), last.trim_start());
    if first.is_empty() {
        let len = number(last)?;
        // Of nothing at the end, nothing can be given.
        return Some((if len == 0 { size } else { size.saturating_sub(len) }, size));
    }
    let first = number(first)?;
    if last.is_empty() {
        return Some((first, size.max(first)));
    }
    let last = number(last)?;
    (first <= last).then_some((first, last.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Option<(u16, u64, u64)> {
        let part = Part::from_range(text, 100).ok()?;
        Some((part.status.as_u16(), part.from, part.len))
    }

    #[test]
    fn ranges_are_read() {
        for (text, expected) in [
            ("bytes=0-9", (206, 0, 10)),
            ("Bytes = 10-10", (206, 10, 1)),
            ("bytes=99-", (206, 99, 1)),
            ("bytes=0-", (206, 0, 100)),
            ("bytes=90-99999999999999999999999", (206, 90, 10)),
            ("bytes=-1", (206, 99, 1)),
            ("bytes=-1000", (206, 0, 100)),
        ] {
            assert_eq!(range(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_begins_behind_the_end_cannot_be_given() {
        for text in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=18446744073709551616-"] {
            assert_eq!(range(text), None, "{text}");
        }
        assert!(Part::from_parameters(101, None, 100).is_err());
    }

    #[test]
    fn what_is_no_single_range_is_the_whole() {
        for text in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-4",
            "bytes=0-1,5-6",
            "bytes=+1-2",
        ] {
            assert_eq!(range(text), Some((200, 0, 100)), "{text}");
        }
        assert_eq!(range("lines=0-1"), Some((200, 0, 100)));
    }

    #[test]
    fn an_offset_is_a_success_and_a_length_that_cuts_is_a_part() {
        let part = |from, length| {
            let part = Part::from_parameters(from, length, 100).unwrap();
            (part.status.as_u16(), part.from, part.len, part.content_range(100))
        };
        assert_eq!(part(20, None), (200, 20, 80, None));
        assert_eq!(part(100, None), (200, 100, 0, None));
        assert_eq!(part(20, Some(500)), (200, 20, 80, None));
        assert_eq!(part(20, Some(5)), (206, 20, 5, Some("bytes 20-24/100".to_owned())));
        assert_eq!(part(0, Some(0)), (206, 0, 0, None));
    }
}
