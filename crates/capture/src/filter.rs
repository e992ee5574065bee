//! Which events of a capture are wanted.

use cot_core::{EventType, Header};

use crate::record::Record;

/// Which events of a capture are wanted: all conditions together. An empty list, or a time that is
/// not set, is no condition.
///
/// ```
/// use capture::{Filter, Record};
///
/// let event = "<event uid='A' type='a-f-G-U-C' time='' stale=''><point lat='1' lon='2'/></event>";
/// let mut scanner = capture::scanner();
/// let record = Record::new(5_000, "A", "Cyan", event.to_owned(), &mut scanner)?;
///
/// let mut filter = Filter::default();
/// filter.types.push("a-f".to_owned());
/// filter.from_ms = Some(5_000);
/// assert!(filter.admits(&record, &record.header(&mut scanner)?));
/// filter.until_ms = Some(5_000);
/// assert!(!filter.admits(&record, &record.header(&mut scanner)?));
/// # Ok::<(), cot_core::Reject>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Uids: an event is wanted when it is about one of them, or was sent by one of them.
    pub uids: Vec<String>,
    /// Types with all their special cases: `a-f` wants `a-f-G-U-C`, but not `a-fr`.
    pub types: Vec<String>,
    /// Teams, by the event's own `<__group>` or by the team of who sent it. Upper and lower case
    /// are the same.
    pub teams: Vec<String>,
    /// Events received at this time or later, in milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// Events received before this time, in milliseconds since 1970.
    pub until_ms: Option<i64>,
}

impl Filter {
    /// Whether the event is wanted. `header` is that of `record`.
    #[must_use]
    pub fn admits(&self, record: &Record, header: &Header<'_>) -> bool {
        self.admits_time(record.received_ms())
            && self.admits_kind(header.kind())
            && self.admits_uid(record, header)
            && self.admits_team(record, header)
    }

    /// Whether the time is within the bounds.
    #[must_use]
    pub fn admits_time(&self, received_ms: i64) -> bool {
        self.from_ms.is_none_or(|from| received_ms >= from)
            && self.until_ms.is_none_or(|until| received_ms < until)
    }

    fn admits_kind(&self, kind: &str) -> bool {
        let kind = EventType::new(kind);
        self.types.is_empty() || self.types.iter().any(|general| kind.is_within(general))
    }

    fn admits_uid(&self, record: &Record, header: &Header<'_>) -> bool {
        let is_it = |uid: &String| header.uid().eq_str(uid) || record.sender() == uid;
        self.uids.is_empty() || self.uids.iter().any(is_it)
    }

    fn admits_team(&self, record: &Record, header: &Header<'_>) -> bool {
        if self.teams.is_empty() {
            return true;
        }
        let own = header.group().and_then(|group| group.name);
        let own = own.map(|name| name.to_cow()).unwrap_or_default();
        self.teams
            .iter()
            .any(|team| team.eq_ignore_ascii_case(record.team()) || team.eq_ignore_ascii_case(&own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(change: impl FnOnce(&mut Filter)) -> bool {
        let event = "<event uid='A&amp;B' type='a-f-G-U-C' time='' stale=''>\
                     <point lat='1' lon='2'/>\
                     <detail><__group name='Dark Blue' role='HQ'/></detail></event>";
        let mut scanner = crate::scanner();
        let record = Record::new(1_000, "SENDER", "Cyan", event.to_owned(), &mut scanner)
            .expect("a valid event");
        let mut filter = Filter::default();
        change(&mut filter);
        filter.admits(&record, &record.header(&mut scanner).expect("scanned before"))
    }

    #[test]
    fn no_condition_wants_all() {
        assert!(admits(|_| {}));
    }

    #[test]
    fn a_type_wants_its_special_cases_by_whole_atoms() {
        for (kind, wanted) in
            [("a", true), ("a-f-G-U-C", true), ("a-f-G-U-C-I", false), ("a-f-G-U-", false)]
        {
            assert_eq!(admits(|filter| filter.types = vec![kind.to_owned()]), wanted, "{kind}");
        }
        assert!(admits(|filter| filter.types = vec!["b".to_owned(), "a-f".to_owned()]));
    }

    #[test]
    fn a_uid_wants_what_is_about_it_and_what_it_sent() {
        for (uid, wanted) in [("A&B", true), ("SENDER", true), ("A&amp;B", false), ("a&b", false)] {
            assert_eq!(admits(|filter| filter.uids = vec![uid.to_owned()]), wanted, "{uid}");
        }
    }

    #[test]
    fn a_team_is_that_of_the_event_or_of_its_sender() {
        for (team, wanted) in [("cyan", true), ("dark blue", true), ("Blue", false), ("", false)] {
            assert_eq!(admits(|filter| filter.teams = vec![team.to_owned()]), wanted, "{team}");
        }
    }

    #[test]
    fn conditions_add_up() {
        assert!(!admits(|filter| {
            filter.uids = vec!["SENDER".to_owned()];
            filter.types = vec!["b".to_owned()];
        }));
        assert!(admits(|filter| filter.from_ms = Some(1_000)));
        assert!(!admits(|filter| filter.from_ms = Some(1_001)));
        assert!(admits(|filter| filter.until_ms = Some(1_001)));
        assert!(!admits(|filter| filter.until_ms = Some(1_000)));
    }
}
