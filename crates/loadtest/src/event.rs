//! The texts that clients send: position reports as ATAK writes them, all of one length.

use jiff::{SignedDuration, Timestamp};

use crate::marker::{self, Marker};

/// Bytes of every position report. Real ones have 530 to 780.
pub(crate) const LEN: usize = 752;

/// Bytes of every uid.
const UID_LEN: usize = 24;

/// How long a report is valid beyond the end of the run, so that none expires within it.
const MARGIN: SignedDuration = SignedDuration::from_secs(300);

/// The team names of ATAK; further teams are called `Team 15` and so on.
const TEAMS: [&str; 14] = [
    "Cyan",
    "Red",
    "Green",
    "Blue",
    "Yellow",
    "Magenta",
    "Orange",
    "White",
    "Purple",
    "Teal",
    "Brown",
    "Maroon",
    "Dark Blue",
    "Dark Green",
];

/// Who a report is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who {
    /// Tells the runs apart in uids, as in the marks.
    pub(crate) run: u16,
    /// Number of the client or of the thing, within `kind`.
    pub(crate) number: u32,
    /// What the number counts.
    pub(crate) kind: Kind,
    /// Team number, from 0.
    pub(crate) team: u32,
}

/// The kinds of things that reports are about; each has uids of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A client of the whole run.
    Client,
    /// A thing that a gateway reports.
    Thing,
    /// A client that comes and goes.
    Visitor,
}

/// A finished report with places for the mark and the uid.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    marker_at: usize,
    uid_at: usize,
    run: u16,
    sender: u16,
}

impl Template {
    /// The report of `who`, marked as `sender`'s, valid until `lasts` from now and a margin.
    pub(crate) fn new(who: Who, sender: u16, lasts: SignedDuration) -> Self {
        let uid = uid(who);
        let now = Timestamp::now();
        let stale = now.saturating_add(lasts).unwrap_or(now);
        let stale = stale.saturating_add(MARGIN).unwrap_or(stale);
        // A spiral around a meadow, so that a map shows where load comes from.
        let step = f64::from(who.number % 10_000);
        let (lat, lon) = (47.0 + step * 0.0001, 11.0 + step.sqrt() * 0.001);
        let detail = detail(who);
        let head = format!(
            "<event version=\"2.0\" uid=\"{uid}\" type=\"a-f-G-U-C\" time=\"{now:.3}\" \
             start=\"{now:.3}\" stale=\"{stale:.3}\" how=\"m-g\" access=\"Undefined\">\
             <point lat=\"{lat:.7}\" lon=\"{lon:.7}\" hae=\"712.301\" ce=\"9.9\" le=\"9999999.0\"/>\
             <detail>{detail}<track course=\"283.37\" speed=\"1.25\"/><remarks>"
        );
        let tail = "</remarks></detail></event>";
        let mut bytes = head.into_bytes();
        bytes.resize(LEN.saturating_sub(tail.len() + marker::LEN).max(bytes.len()), b' ');
        let marker_at = bytes.len();
        bytes.resize(marker_at + marker::LEN, b' ');
        bytes.extend_from_slice(tail.as_bytes());
        let uid_at = memchr::memmem::find(&bytes, uid.as_bytes()).unwrap_or(0);
        Self { bytes, marker_at, uid_at, run: who.run, sender }
    }

    /// The report as number `seq`, sent at `sent_ns`.
    pub(crate) fn stamped(&mut self, seq: u32, sent_ns: u64) -> &[u8] {
        let marker = Marker { run: self.run, sender: self.sender, seq, sent_ns };
        if let Some(place) = self.bytes.get_mut(self.marker_at..self.marker_at + marker::LEN) {
            marker.write(place);
        }
        &self.bytes
    }

    /// Makes it the report of thing `number`, which leaves its length as it is.
    pub(crate) fn rename(&mut self, number: u32) {
        let uid = uid(Who { run: self.run, number, kind: Kind::Thing, team: 0 });
        if let Some(place) = self.bytes.get_mut(self.uid_at..self.uid_at + uid.len()) {
            place.copy_from_slice(uid.as_bytes());
        }
    }

    /// Whether `event` says the same as this report, but for the mark and the uid.
    pub(crate) fn is_same_but_for_mark(&self, event: &[u8]) -> bool {
        let head = ..self.uid_at;
        let body = self.uid_at + UID_LEN..self.marker_at;
        let tail = self.marker_at + marker::LEN..;
        event.get(head) == self.bytes.get(head)
            && event.get(body.clone()) == self.bytes.get(body)
            && event.get(tail.clone()) == self.bytes.get(tail)
    }
}

/// A ping as ATAK sends it after a quiet time.
pub(crate) fn ping(who: Who) -> Vec<u8> {
    let now = Timestamp::now();
    let stale = now.saturating_add(SignedDuration::from_secs(10)).unwrap_or(now);
    format!(
        "<event version=\"2.0\" uid=\"{}-ping\" type=\"t-x-c-t\" access=\"Undefined\" \
         time=\"{now:.3}\" start=\"{now:.3}\" stale=\"{stale:.3}\" how=\"m-g\">\
         <point lat=\"0.00000000\" lon=\"0.00000000\" hae=\"0.00000000\" ce=\"9999999\" \
         le=\"9999999\"/><detail/></event>",
        uid(who)
    )
    .into_bytes()
}

/// `ANDROID-` and sixteen digits, as phones have it.
fn uid(who: Who) -> String {
    let kind = match who.kind {
        Kind::Client => 0xC,
        Kind::Thing => 0xE,
        Kind::Visitor => 0xF,
    };
    format!("ANDROID-{:04x}{kind:x}{:011x}", who.run, who.number)
}

/// What tells who it is. Things have no endpoint, as nobody can write to them.
fn detail(who: Who) -> String {
    let Who { number, .. } = who;
    let callsign = match who.kind {
        Kind::Client => format!("LOAD-{number}"),
        Kind::Thing => return format!("<contact callsign=\"THING-{number}\"/>"),
        Kind::Visitor => format!("VISIT-{number}"),
    };
    let team = team_name(who.team);
    format!(
        "<takv os=\"34\" version=\"5.4.0.11\" device=\"GENERATOR\" platform=\"ATAK-CIV\"/>\
         <contact endpoint=\"*:-1:stcp\" callsign=\"{callsign}\"/><uid Droid=\"{callsign}\"/>\
         <precisionlocation altsrc=\"GPS\" geopointsrc=\"GPS\"/>\
         <__group role=\"Team Member\" name=\"{team}\"/><status battery=\"87\"/>"
    )
}

fn team_name(team: u32) -> String {
    let index = usize::try_from(team).unwrap_or(usize::MAX);
    TEAMS
        .get(index)
        .map_or_else(|| format!("Team {}", index.saturating_add(1)), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(number: u32, team: u32) -> Template {
        let who = Who { run: 7, number, kind: Kind::Client, team };
        Template::new(who, 3, SignedDuration::from_secs(60))
    }

    #[test]
    fn every_report_has_the_same_length() {
        for (number, team) in [(0, 0), (9, 13), (10_000, 99), (65_534, 4_000_000_000)] {
            assert_eq!(template(number, team).stamped(1, 2).len(), LEN);
        }
        let thing = Who { run: 7, number: 999_999, kind: Kind::Thing, team: 0 };
        assert_eq!(Template::new(thing, 0, SignedDuration::ZERO).stamped(1, 2).len(), LEN);
    }

    #[test]
    fn a_stamped_report_differs_in_nothing_else() {
        let mut first = template(5, 1);
        let event = first.stamped(9, 10).to_vec();
        first.stamped(11, 12);
        assert!(first.is_same_but_for_mark(&event));
        first.rename(77);
        assert!(first.is_same_but_for_mark(&event));
        assert_eq!(first.stamped(1, 1).len(), LEN);
        let mut second = template(6, 1);
        assert!(!second.is_same_but_for_mark(&event));
        assert!(!first.is_same_but_for_mark(&second.stamped(1, 1)[1..]));
    }
}
