//! Times against known values and against an independent calendar.

use cot_core::{CotTime, TimeError};
use jiff::Timestamp;
use jiff::tz::Offset;
use proptest::prelude::*;

fn millis(text: &str) -> i64 {
    CotTime::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).as_unix_millis()
}

#[test]
fn known_instants_are_read() {
    for (text, expected) in [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("2000-02-29T12:00:00.000Z", 951_825_600_000),
        ("2021-02-27T20:32:24.771Z", 1_614_457_944_771),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ("0000-02-29T00:00:00Z", -62_162_121_600_000),
        ("9999-12-31T23:59:59.999999999Z", 253_402_300_799_999),
    ] {
        assert_eq!(millis(text), expected, "{text}");
    }
}

#[test]
fn zero_to_nine_fraction_digits_are_read_and_cut_to_milliseconds() {
    let base = millis("2020-08-19T08:01:32Z");
    for (fraction, expected) in [
        (".4", 400),
        (".94", 940),
        (".00", 0),
        (".157", 157),
        (".1579", 157),
        (".999999", 999),
        (".000999999", 0),
        (".123456789", 123),
    ] {
        assert_eq!(millis(&format!("2020-08-19T08:01:32{fraction}Z")) - base, expected);
    }
}

#[test]
fn offsets_are_converted_to_utc() {
    let noon = millis("2024-03-01T12:00:00Z");
    for text in [
        "2024-03-01T12:00:00+00:00",
        "2024-03-01T12:00:00-00:00",
        "2024-03-01T14:00:00+02:00",
        "2024-03-01T17:45:00+0545",
        "2024-03-01T04:00:00.000-08",
        "2024-02-29T12:01:00-23:59",
        "2024-03-02T11:59:00+23:59",
    ] {
        assert_eq!(millis(text), noon, "{text}");
    }
}

#[test]
fn a_leap_second_is_the_second_after_it() {
    assert_eq!(millis("2016-12-31T23:59:60Z"), millis("2017-01-01T00:00:00Z"));
    assert_eq!(millis("2016-12-31T23:59:60.500Z"), millis("2017-01-01T00:00:00.5Z"));
    assert_eq!(millis("2017-01-01T00:59:60+01:00"), millis("2017-01-01T00:00:00Z"));
}

#[test]
fn what_the_calendar_or_the_clock_lacks_is_refused() {
    for text in [
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "2024-04-31T00:00:00Z",
        "2024-00-10T00:00:00Z",
        "2024-13-10T00:00:00Z",
        "2024-01-00T00:00:00Z",
        "2024-01-32T00:00:00Z",
    ] {
        assert_eq!(CotTime::parse(text), Err(TimeError::Date), "{text}");
    }
    for text in [
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:61Z",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00:00+00:60",
    ] {
        assert_eq!(CotTime::parse(text), Err(TimeError::Clock), "{text}");
    }
}

#[test]
fn other_forms_are_refused() {
    for text in [
        "",
        "Z",
        "2024-01-01",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00.1234567890Z",
        "2024-01-01T00:00:00.12 Z",
        "2024-01-01T00:00:00z",
        "2024-01-01t00:00:00Z",
        "2024-01-01 00:00:00Z",
        "2024-01-01T08:13:25:00Z",
        " 2024-01-01T00:00:00Z",
        "2024-01-01T00:00:00Z ",
        "2024-01-01T00:00:00+1:00",
        "2024-01-01T00:00:00+010:0",
        "+2024-01-01T00:00:00Z",
        "-024-01-01T00:00:00Z",
        "2024-01-01T00:00:0éZ",
        "２024-01-01T00:00:00Z",
    ] {
        assert_eq!(CotTime::parse(text), Err(TimeError::Syntax), "{text:?}");
    }
}

#[test]
fn display_clamps_to_four_digit_years() {
    let text = |ms| CotTime::from_unix_millis(ms).to_string();
    assert_eq!(text(i64::MIN), "0000-01-01T00:00:00.000Z");
    assert_eq!(text(i64::MAX), "9999-12-31T23:59:59.999Z");
    assert_eq!(text(1_614_457_944_700), "2021-02-27T20:32:24.700Z");
    assert_eq!(text(-1), "1969-12-31T23:59:59.999Z");
}

/// What an independent calendar prints for the same instant.
fn oracle(ms: i64) -> String {
    format!("{:.3}", Timestamp::from_millisecond(ms).expect("in range"))
}

#[test]
fn every_day_of_eight_centuries_agrees_with_the_oracle() {
    let mut ms = millis("1600-01-01T23:59:59.999Z");
    while ms < millis("2401-01-02T00:00:00Z") {
        let text = CotTime::from_unix_millis(ms).to_string();
        assert_eq!(text, oracle(ms));
        assert_eq!(millis(&text), ms);
        ms += 86_400_000;
    }
}

proptest! {
    #[test]
    fn display_and_parse_agree_with_the_oracle(ms in -62_167_219_200_000_i64..=253_402_207_200_000) {
        let text = CotTime::from_unix_millis(ms).to_string();
        prop_assert_eq!(&text, &oracle(ms));
        prop_assert_eq!(millis(&text), ms);
    }

    #[test]
    fn offsets_agree_with_the_oracle(
        ms in -62_000_000_000_000_i64..=253_000_000_000_000,
        minutes in -1439_i64..=1439,
    ) {
        let offset = Offset::from_seconds(i32::try_from(minutes * 60).expect("small")).expect("valid");
        let civil = offset.to_datetime(Timestamp::from_millisecond(ms).expect("in range"));
        let shown = minutes.unsigned_abs();
        let sign = if minutes < 0 { '-' } else { '+' };
        let text = format!("{civil:.3}{sign}{:02}:{:02}", shown / 60, shown % 60);
        prop_assert_eq!(millis(&text), ms);
    }

    #[test]
    fn any_text_is_read_or_refused_without_panic(text in "\\PC{0,40}|[0-9TZ:.+-]{15,32}") {
        let _ = CotTime::parse(&text);
    }
}
