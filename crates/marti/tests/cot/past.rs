//! Events by time, from what was recorded.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use marti::{History, HistoryError, Marti, Past};
use tokio::net::TcpListener;

use super::support::cot::event;
use super::support::http::Http;
use super::support::{Server, Setup};

/// A server that has a record.
pub(super) fn with_history(setup: Setup, history: impl History) -> Server {
    let config = setup.marti.clone();
    let mut server = setup.in_memory();
    let packages = server.packages.clone();
    let marti = Marti::with_history(config, server.relay.clone(), packages, Arc::new(history));
    let listener = server.run(TcpListener::bind("127.0.0.1:0")).unwrap();
    server.http = listener.local_addr().unwrap();
    server.marti = marti.clone();
    let serving = marti::serve(listener, marti, std::future::pending());
    server.run(async { drop(tokio::spawn(serving)) });
    server
}

/// A record without an end.
struct Endless;

impl History for Endless {
    fn read(
        &self,
        from_ms: i64,
        _: i64,
        each: &mut dyn FnMut(Past<'_>) -> ControlFlow<()>,
    ) -> Result<(), HistoryError> {
        let event = event("A-1", "a-f-G", &format!("<note>{}</note>", "x".repeat(4000)));
        loop {
            if each(Past { received_ms: from_ms, team: Some("Cyan"), event: &event }).is_break() {
                return Ok(());
            }
        }
    }
}

/// A record that cannot be read to its end.
struct Broken;

impl History for Broken {
    fn read(
        &self,
        from_ms: i64,
        _: i64,
        each: &mut dyn FnMut(Past<'_>) -> ControlFlow<()>,
    ) -> Result<(), HistoryError> {
        let event = event("A-1", "a-f-G", "");
        let _ = each(Past { received_ms: from_ms, team: Some(""), event: &event });
        Err("the disk is gone".into())
    }
}

#[test]
fn an_answer_without_an_end_is_cut_and_says_so() {
    let server = with_history(Setup::open(), Endless);
    let answer = server.get("/Marti/api/cot/xml/A-1/all?secago=1000000").expect(200);
    assert!(answer.body.len() > 31 << 20 && answer.body.len() < 33 << 20);
    let text = answer.text();
    let end = "</event></events><!-- there is more: ask for less at a time -->";
    assert!(text.ends_with(end), "{}", &text[text.len() - 100..]);
    let tracks = server.get("/Marti/ExportMissionKML?format=kml").expect(200);
    assert!(tracks.text().ends_with("-->") && tracks.body.len() < 33 << 20);
}

#[test]
fn those_who_leave_make_room_for_others() {
    let server = with_history(Setup::open(), Endless);
    // Nothing is ever written of this uid, so nothing but the connection tells that nobody waits.
    for path in ["/Marti/api/cot/xml/nobody/all", "/Marti/api/cot/xml/A-1/all"] {
        for _ in 0..4 {
            let mut connection = Http::connect(server.http);
            connection.send(&server.head("GET", path, "", None));
            connection.read_some();
            connection.cut();
        }
    }
    let begun = Instant::now();
    server.get("/Marti/api/cot/xml/A-1/all").expect(200);
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_part_is_not_taken_for_the_whole() {
    let server = with_history(Setup::open(), Broken);
    let mut connection = Http::connect(server.http);
    connection.send(&server.head("GET", "/Marti/api/cot/sa", "", None));
    let mut received = Vec::new();
    loop {
        let some = connection.read_some();
        if some.is_empty() {
            break;
        }
        received.extend_from_slice(&some);
    }
    let received = String::from_utf8(received).unwrap();
    assert!(!received.contains("</events>") && !received.ends_with("0\r\n\r\n"), "{received}");
}

#[cfg(feature = "dump")]
pub(super) mod dump {
    use marti::DumpHistory;
    use store::dump::{DumpConfig, DumpEvent, DumpFormat, DumpWriter};
    use store::fs::RealFs;

    use super::*;
    use crate::support::cot::sa;
    use crate::uids;

    /// A day of autumn. Milliseconds since the Unix epoch.
    const DAY: i64 = 1_795_000_000_000;
    const MINUTE: i64 = 60_000;

    fn at(minutes: i64) -> String {
        cot_core::CotTime::from_unix_millis(DAY + minutes * MINUTE).to_string()
    }

    /// Records an hour of two teams, and one private word in each minute.
    pub(crate) fn record(dir: &std::path::Path, format: DumpFormat) {
        let mut config = DumpConfig::new(dir);
        config.format = format;
        config.max_file_bytes = 16 << 10;
        let (mut dump, _) = DumpWriter::open(RealFs, config, DAY).unwrap();
        for minute in 0..60 {
            let received_ms = DAY + minute * MINUTE;
            let place = |event: String| {
                let moved = event.replace("50.1", &format!("50.{:03}", 100 + minute));
                // Without a record of when it came, the event's own time counts.
                moved.replacen("2026-01-01T00:00:00.000Z", &at(minute), 2)
            };
            let private = r#"<marti><dest callsign="ROJO"/></marti>"#;
            for (sender, team, event) in [
                ("R-1", "Red", place(sa("R-1", "ROJO", "Red"))),
                ("B-1", "Blue", place(sa("B-1", "AZUL &lt;&amp;&gt;", "Blue"))),
                ("R-2", "Red", place(event("secret", "b-m-p-s-m", private))),
                ("R-1", "Red", place(event("ping", "t-x-c-t", ""))),
            ] {
                dump.push(&DumpEvent { received_ms, sender, team, event: &event });
            }
            dump.flush(received_ms).unwrap();
        }
        dump.sync().unwrap();
        assert!(store::dump::list(dir).unwrap().len() > 2, "the time goes over several files");
    }

    fn hour() -> String {
        format!("start={}&end={}", at(0), at(59))
    }

    #[test]
    fn what_was_recorded_is_found_by_time() {
        let dir = tempfile::tempdir().unwrap();
        record(dir.path(), DumpFormat::Json);
        let server = with_history(Setup::open(), DumpHistory::new(dir.path()));
        let get = |path: &str| uids(server.get(path).expect(200).text());
        assert_eq!(get(&format!("/Marti/api/cot/xml/R-1/all?{}", hour())).len(), 60);
        let part = format!("start={}&end={}", at(10), at(19));
        assert_eq!(get(&format!("/Marti/api/cot/xml/R-1/all?{part}")), ["R-1"; 10]);
        let list = get(&format!("/Marti/api/cot/sa?{part}"));
        assert_eq!(list, ["R-1", "B-1"].repeat(10), "oldest first, and nothing private");
        let area = "left=8&right=9&bottom=50.1099&top=50.1145";
        assert_eq!(get(&format!("/Marti/api/cot/sa?{}&{area}", hour())), ["R-1", "B-1"].repeat(5));
        assert_eq!(get("/Marti/api/cot/xml/R-1/all?secago=60"), [""; 0]);
        assert_eq!(get(&format!("/Marti/api/cot/xml/nobody/all?{}", hour())), [""; 0]);
        assert_eq!(get(&format!("/Marti/api/cot/xml/secret/all?{}", hour())), [""; 0]);
        let text = server.get(&format!("/Marti/api/cot/xml/R-1/all?{part}"));
        assert!(text.text().contains("50.110") && !text.text().contains("50.109"));
    }

    #[test]
    fn the_past_of_other_teams_is_theirs() {
        let dir = tempfile::tempdir().unwrap();
        record(dir.path(), DumpFormat::Json);
        let server = with_history(Setup::isolated(), DumpHistory::new(dir.path()));
        let path = format!("/Marti/api/cot/sa?{}", hour());
        let team = |team: &str| uids(server.get(&format!("{path}&team={team}")).expect(200).text());
        assert_eq!(team("Red"), ["R-1"; 60]);
        assert_eq!(team("Blue"), ["B-1"; 60]);
        assert_eq!(team("Cyan"), [""; 0]);
        let tracks =
            format!("/Marti/ExportMissionKML?format=kml&startTime={}&endTime={}", at(0), at(59));
        let drawn = server.get(&format!("{tracks}&team=Blue")).expect(200);
        assert!(drawn.text().contains("AZUL") && !drawn.text().contains("ROJO"));
    }

    #[test]
    fn a_record_without_teams_is_for_those_who_see_all() {
        let dir = tempfile::tempdir().unwrap();
        record(dir.path(), DumpFormat::Xml);
        let path = format!("/Marti/api/cot/sa?{}", hour());
        let server = with_history(Setup::open(), DumpHistory::new(dir.path()));
        assert_eq!(uids(server.get(&path).expect(200).text()).len(), 120);
        let mut setup = Setup::isolated();
        setup.hub.teams.allow("* -> HQ".parse().unwrap());
        let server = with_history(setup, DumpHistory::new(dir.path()));
        assert_eq!(uids(server.get(&format!("{path}&team=Red")).expect(200).text()), [""; 0]);
        assert_eq!(uids(server.get(&format!("{path}&team=HQ")).expect(200).text()).len(), 120);
    }

    #[test]
    fn a_record_that_is_not_there_or_damaged_is_no_failure() {
        let dir = tempfile::tempdir().unwrap();
        let server = with_history(Setup::open(), DumpHistory::new(dir.path().join("none")));
        assert_eq!(uids(server.get("/Marti/api/cot/sa").expect(200).text()), [""; 0]);
        record(dir.path(), DumpFormat::Json);
        let files = store::dump::list(dir.path()).unwrap();
        let mut bytes = std::fs::read(&files[0].path).unwrap();
        let at = bytes.iter().position(|byte| *byte == b'5').unwrap();
        bytes[at] = 0xff;
        std::fs::write(&files[0].path, bytes).unwrap();
        let server = with_history(Setup::open(), DumpHistory::new(dir.path()));
        let whole = format!("/Marti/api/cot/sa?{}", hour());
        let count = uids(server.get(&whole).expect(200).text()).len();
        assert!((100..120).contains(&count), "{count} of 120");
    }
}
