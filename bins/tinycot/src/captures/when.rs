//! Points in time as people type them.

use std::str::FromStr;

use capture::Filter;
use cot_core::CotTime;

use super::args::FilterArgs;

const DAY_MS: i64 = 86_400_000;

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Milliseconds since 1970.
    At(i64),
    /// Milliseconds since midnight, of a day that the capture decides.
    OfDay(i64),
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = "give a time such as 2026-11-22T10:15:00Z, '2026-11-22 10:15' or 10:15 (UTC)";
        let at = |text: &str| CotTime::parse(text).map(CotTime::as_unix_millis).ok();
        if let Some(at) = at(text) {
            return Ok(Self::At(at));
        }
        // What is left out is zero; what stands there has to have its place.
        let (date, clock) = match text.split_once([' ', 'T']) {
            Some((date, clock)) => (Some(date), clock),
            None if text.contains(':') => (None, text),
            None => (Some(text), "00:00"),
        };
        let clock = clock.strip_suffix('Z').unwrap_or(clock);
        let clock = if clock.len() == 5 { format!("{clock}:00") } else { clock.to_owned() };
        match date {
            Some(date) => at(&format!("{date}T{clock}Z")).map(Self::At),
            None => at(&format!("1970-01-01T{clock}Z")).map(Self::OfDay),
        }
        .ok_or_else(|| wrong.to_owned())
    }
}

impl FilterArgs {
    /// Whether a time needs [`filter`](Self::filter) to know when the capture begins.
    pub(super) fn needs_begin(&self) -> bool {
        [self.from, self.until].iter().any(|when| matches!(when, Some(When::OfDay(_))))
    }

    /// The filter, for a capture whose first event was received at `begin_ms`.
    ///
    /// A time of day alone is of the day on which the capture begins; as an end it is the first
    /// such time after the start.
    pub(super) fn filter(&self, begin_ms: Option<i64>) -> Filter {
        let begin_ms = begin_ms.unwrap_or_default();
        let midnight = begin_ms - begin_ms.rem_euclid(DAY_MS);
        let from_ms = self.from.map(|when| match when {
            When::At(ms) => ms,
            When::OfDay(ms) => midnight + ms,
        });
        let until_ms = self.until.map(|when| match when {
            When::At(ms) => ms,
            When::OfDay(ms) => {
                let after = from_ms.unwrap_or(begin_ms);
                let same_day = after - after.rem_euclid(DAY_MS) + ms;
                if same_day > after { same_day } else { same_day + DAY_MS }
            }
        });
        let mut filter = Filter::default();
        filter.uids.clone_from(&self.uid);
        filter.types.clone_from(&self.kind);
        filter.teams.clone_from(&self.team);
        (filter.from_ms, filter.until_ms) = (from_ms, until_ms);
        filter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        CotTime::parse(text).expect("a time").as_unix_millis()
    }

    #[test]
    fn times_are_utc_unless_they_say_otherwise() {
        let at = When::At(ms("2026-11-22T10:15:00Z"));
        for text in [
            "2026-11-22T10:15:00Z",
            "2026-11-22T11:15:00+01:00",
            "2026-11-22 10:15",
            "2026-11-22T10:15",
            "2026-11-22 10:15:00",
            "2026-11-22 10:15Z",
        ] {
            assert_eq!(text.parse(), Ok(at), "{text}");
        }
        assert_eq!("2026-11-22".parse(), Ok(When::At(ms("2026-11-22T00:00:00Z"))));
        assert_eq!("10:15".parse(), Ok(When::OfDay(36_900_000)));
        assert_eq!("10:15:30.5".parse(), Ok(When::OfDay(36_930_500)));
        for wrong in ["", "10", "25:00", "now", "2026-13-01", "2026-11-22 ", "10:15:", "1:5"] {
            assert!(wrong.parse::<When>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_of_day_is_of_the_day_on_which_the_capture_begins() {
        let filter = |from: &str, until: &str| {
            let when = |text: &str| (!text.is_empty()).then(|| text.parse().expect("a time"));
            let (uid, kind, team) = Default::default();
            let args = FilterArgs { uid, kind, team, from: when(from), until: when(until) };
            let filter = args.filter(Some(ms("2026-11-22T09:30:00Z")));
            (filter.from_ms, filter.until_ms)
        };
        let day = |clock: &str| Some(ms(&format!("2026-11-22T{clock}Z")));
        let next = |clock: &str| Some(ms(&format!("2026-11-23T{clock}Z")));
        assert_eq!(filter("10:15", "10:30"), (day("10:15:00"), day("10:30:00")));
        assert_eq!(filter("23:00", "01:00"), (day("23:00:00"), next("01:00:00")));
        assert_eq!(filter("", "10:30"), (None, day("10:30:00")));
        assert_eq!(filter("", "09:00"), (None, next("09:00:00")));
        assert_eq!(filter("2026-11-23 08:00", "09:00"), (next("08:00:00"), next("09:00:00")));
    }
}
