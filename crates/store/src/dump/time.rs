//! Times as text: RFC 3339 in UTC with milliseconds, and the short form in file names.

use jiff::Timestamp;
use jiff::tz::Offset;

/// The years 0 to 9998: four digits, and a time that any zone can say.
const RANGE_MS: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_370_764_799_999;

/// Writes times, and remembers the text of the last second: the next event is mostly of the same.
#[derive(Debug, Default)]
pub(super) struct TimeWriter {
    second: Option<i64>,
    /// `2026-11-22T10:15:00.`
    text: String,
}

impl TimeWriter {
    /// Appends `2026-11-22T10:15:00.123Z`. A time outside the years 0 to 9998 becomes the nearest.
    pub(super) fn append(&mut self, buf: &mut Vec<u8>, ms: i64) {
        let ms = clamp(ms);
        let second = ms.div_euclid(1000);
        if self.second != Some(second) {
            self.text = format!("{}.", date_time(second).strftime("%Y-%m-%dT%H:%M:%S"));
            self.second = Some(second);
        }
        buf.extend_from_slice(self.text.as_bytes());
        let rest = u16::try_from(ms.rem_euclid(1000)).unwrap_or(0);
        buf.extend([rest / 100, rest / 10 % 10, rest % 10].map(digit));
        buf.push(b'Z');
    }
}

/// Milliseconds since 1970-01-01 UTC of an RFC 3339 time in any zone.
pub(super) fn parse(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// The form in file names: `20261122T101500Z`.
pub(super) fn file_name_form(ms: i64) -> String {
    date_time(clamp(ms).div_euclid(1000)).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Milliseconds since 1970-01-01 UTC of the form in file names.
pub(super) fn parse_file_name_form(text: &str) -> Option<i64> {
    let date_time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    Some(Offset::UTC.to_timestamp(date_time).ok()?.as_millisecond())
}

fn clamp(ms: i64) -> i64 {
    ms.clamp(*RANGE_MS.start(), *RANGE_MS.end())
}

fn date_time(second: i64) -> jiff::civil::DateTime {
    Offset::UTC.to_datetime(Timestamp::from_second(second).unwrap_or_default())
}

/// The ASCII digit of a number below ten.
fn digit(number: u16) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ms: i64) -> String {
        let mut buf = Vec::new();
        TimeWriter::default().append(&mut buf, ms);
        String::from_utf8(buf).unwrap()
    }

    #[test]
    fn times_have_milliseconds_and_a_zone() {
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(1_795_342_500_123), "2026-11-22T10:15:00.123Z");
        assert_eq!(text(-1), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn times_out_of_range_become_the_nearest() {
        assert_eq!(text(i64::MIN), "0000-01-01T00:00:00.000Z");
        assert_eq!(text(i64::MAX), "9998-12-31T23:59:59.999Z");
    }

    #[test]
    fn the_remembered_second_is_not_used_for_another() {
        let mut buf = Vec::new();
        let mut writer = TimeWriter::default();
        for ms in [999, 1000, 1001, 0] {
            writer.append(&mut buf, ms);
        }
        let expected = "1970-01-01T00:00:00.999Z1970-01-01T00:00:01.000Z\
                        1970-01-01T00:00:01.001Z1970-01-01T00:00:00.000Z";
        assert_eq!(buf, expected.as_bytes());
    }

    #[test]
    fn what_is_written_is_read_back() {
        for ms in [0, -1, 1_795_342_500_123, *RANGE_MS.start(), *RANGE_MS.end()] {
            assert_eq!(parse(&text(ms)), Some(ms));
        }
        assert_eq!(parse("2026-11-22T11:15:00.123+01:00"), Some(1_795_342_500_123));
        assert_eq!(parse("yesterday"), None);
    }

    #[test]
    fn file_names_hold_seconds() {
        assert_eq!(file_name_form(1_795_342_500_999), "20261122T101500Z");
        assert_eq!(parse_file_name_form("20261122T101500Z"), Some(1_795_342_500_000));
        assert_eq!(parse_file_name_form("20261322T101500Z"), None);
        assert_eq!(parse_file_name_form("x"), None);
    }
}
