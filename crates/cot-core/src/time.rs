//! Points in time as CoT writes them.
//!
//! Clients write `time`, `start` and `stale` with none to six digits of fraction; TinyCoT reads up
//! to nine, with `Z` or a numeric offset, and always writes exactly three and `Z`, the only form
//! that every known client reads.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use thiserror::Error;

/// Milliseconds of one day.
const DAY_MS: i64 = 86_400_000;
/// `0000-01-01T00:00:00.000Z` in Unix milliseconds.
const YEAR_0_MS: i64 = -62_167_219_200_000;
/// `9999-12-31T23:59:59.999Z` in Unix milliseconds.
const YEAR_9999_END_MS: i64 = 253_402_300_799_999;

/// A point in time: milliseconds since the Unix epoch, UTC, leap seconds not counted.
///
/// ```
/// use cot_core::CotTime;
///
/// let time = CotTime::parse("2021-02-27T21:32:24.7+01:00")?;
/// assert_eq!(time.as_unix_millis(), 1_614_457_944_700);
/// assert_eq!(time.to_string(), "2021-02-27T20:32:24.700Z");
/// # Ok::<(), cot_core::TimeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CotTime(i64);

impl CotTime {
    /// The bytes that [`CotTime::write_to`] writes: `YYYY-MM-DDTHH:MM:SS.mmmZ`.
    pub const TEXT_LEN: usize = 24;

    /// Reads `YYYY-MM-DDTHH:MM:SS[.f]Z` or the same with `+HH:MM`, `+HHMM` or `+HH` for `Z`.
    ///
    /// `f` is one to nine digits; what is finer than a millisecond is cut off. Second 60 is the same
    /// instant as the second that follows it, as in POSIX time. Years run from 0000 to 9999; an offset may
    /// carry the result up to a day beyond. Never allocates.
    ///
    /// # Errors
    ///
    /// Everything else is refused: a missing `Z` or offset, lower-case `t` or `z`, blanks around the
    /// text, dates that do not exist.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let (head, rest) = text.as_bytes().split_at_checked(19).ok_or(TimeError::Syntax)?;
        let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if separators.iter().any(|&(at, byte)| head.get(at) != Some(&byte)) {
            return Err(TimeError::Syntax);
        }
        let field = |range: Range<usize>| head.get(range).and_then(digits).ok_or(TimeError::Syntax);
        let (year, month, day) = (field(0..4)?, field(5..7)?, field(8..10)?);
        let (hour, minute, second) = (field(11..13)?, field(14..16)?, field(17..19)?);
        if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
            return Err(TimeError::Date);
        }
        if hour > 23 || minute > 59 || second > 60 {
            return Err(TimeError::Clock);
        }
        let (fraction_ms, zone) = parse_fraction(rest)?;
        let offset_minutes = parse_zone(zone)?;
        let seconds = hour * 3600 + (minute - offset_minutes) * 60 + second;
        Ok(Self(days_since_epoch(year, month, day) * DAY_MS + seconds * 1000 + fraction_ms))
    }

    /// Takes milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Gives milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_unix_millis(self) -> i64 {
        self.0
    }

    /// Moves by `millis`, stopping at the ends of the range of `i64`.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Writes the text that [`Display`](fmt::Display) shows, as ASCII, without the formatter.
    ///
    /// ```
    /// use cot_core::CotTime;
    ///
    /// let mut buf = [0; CotTime::TEXT_LEN];
    /// assert_eq!(CotTime::from_unix_millis(0).write_to(&mut buf), "1970-01-01T00:00:00.000Z");
    /// ```
    pub fn write_to(self, buf: &mut [u8; Self::TEXT_LEN]) -> &str {
        let millis = self.0.clamp(YEAR_0_MS, YEAR_9999_END_MS);
        let (year, month, day) = date_of(millis.div_euclid(DAY_MS));
        let of_day = millis.rem_euclid(DAY_MS);
        *buf = *b"0000-00-00T00:00:00.000Z";
        put(buf, 0..4, year);
        put(buf, 5..7, month);
        put(buf, 8..10, day);
        put(buf, 11..13, of_day / 3_600_000);
        put(buf, 14..16, of_day / 60_000 % 60);
        put(buf, 17..19, of_day / 1000 % 60);
        put(buf, 20..23, of_day % 1000);
        std::str::from_utf8(buf).unwrap_or_default()
    }
}

/// `YYYY-MM-DDTHH:MM:SS.mmmZ`; times outside the years 0000 to 9999 show as the nearest end.
impl fmt::Display for CotTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.write_to(&mut [0; Self::TEXT_LEN]))
    }
}

impl FromStr for CotTime {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        Self::parse(text)
    }
}

/// Why a text is not a time.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum TimeError {
    /// Hour above 23, minute above 59, second above 60, or an offset of 24 hours or more.
    #[error("the time of day or the offset does not exist")]
    Clock,
    /// Month or day that the calendar does not have.
    #[error("the date does not exist")]
    Date,
    /// Not of the form at all.
    #[error("not of the form YYYY-MM-DDTHH:MM:SS.mmmZ")]
    Syntax,
}

/// Reads a whole slice as a decimal number. At most nine digits are ever passed.
fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |value: i64, byte| {
        byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
    })
}

/// Splits `.123Z` into milliseconds and what follows the fraction.
fn parse_fraction(rest: &[u8]) -> Result<(i64, &[u8]), TimeError> {
    let Some((b'.', tail)) = rest.split_first() else { return Ok((0, rest)) };
    let len = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&len) {
        return Err(TimeError::Syntax);
    }
    let (fraction, zone) = tail.split_at(len);
    let digit = |at: usize| fraction.get(at).map_or(0, |byte| i64::from(byte - b'0'));
    Ok((digit(0) * 100 + digit(1) * 10 + digit(2), zone))
}

/// Reads `Z`, `+HH:MM`, `-HHMM` or `+HH` as minutes east of UTC.
fn parse_zone(zone: &[u8]) -> Result<i64, TimeError> {
    let (sign, hours, minutes) = match *zone {
        [b'Z'] => return Ok(0),
        [sign @ (b'+' | b'-'), h1, h2] => (sign, [h1, h2], [b'0', b'0']),
        [sign @ (b'+' | b'-'), h1, h2, m1, m2] | [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            (sign, [h1, h2], [m1, m2])
        }
        _ => return Err(TimeError::Syntax),
    };
    let hours = digits(&hours).ok_or(TimeError::Syntax)?;
    let minutes = digits(&minutes).ok_or(TimeError::Syntax)?;
    if hours > 23 || minutes > 59 {
        return Err(TimeError::Clock);
    }
    let east = hours * 60 + minutes;
    Ok(if sign == b'-' { -east } else { east })
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days before the first of March 0000 in the proleptic Gregorian calendar, seen from 1970-01-01.
const MARCH_0: i64 = 719_468;
/// Days of 400 years, after which the calendar repeats.
const CYCLE: i64 = 146_097;

/// Counts years from March, so that a leap day is the last day of its year and month lengths follow
/// the line `(153 m + 2) / 5`.
const fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let cycle = year.div_euclid(400);
    let of_cycle = year.rem_euclid(400);
    let leap_days = of_cycle / 4 - of_cycle / 100;
    cycle * CYCLE + of_cycle * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - MARCH_0
}

/// The inverse of [`days_since_epoch`]: year, month, day.
const fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + MARCH_0;
    let cycle = days.div_euclid(CYCLE);
    let of_cycle = days.rem_euclid(CYCLE);
    // 1460, 36524 and 146096 are the last days of 4, 100 and 400 years counted from a March.
    let year = (of_cycle - of_cycle / 1460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let year = year + cycle * 400;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

/// Overwrites the digits of `range` with the lowest digits of `value`.
fn put(buf: &mut [u8; CotTime::TEXT_LEN], range: Range<usize>, mut value: i64) {
    for byte in buf.get_mut(range).into_iter().flatten().rev() {
        *byte = b'0' + u8::try_from(value.rem_euclid(10)).unwrap_or_default();
        value /= 10;
    }
}
