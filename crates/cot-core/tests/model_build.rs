//! The builders: exact forms, and events that the wire layer takes.

use cot_core::build::{self, Alert, Member, Receipt, Room, Sender};
use cot_core::detail::FileShare;
use cot_core::{Event, Limits, Point, Scanner};

/// 2026-01-01T00:00:00Z.
const NOW: i64 = 1_767_225_600_000;
const HOPE: Sender<'static> = Sender::new("ANDROID-1", "HOPE & \"Co\"");
const BRAVO: Member<'static> = Member { uid: "ANDROID-2", callsign: "BRAVO" };
const CHARLIE: Member<'static> = Member { uid: "ANDROID-3", callsign: "Zoë" };

/// The XML, after the wire layer has seen the same uid and type in it.
fn scanned(event: &Event) -> String {
    let xml = event.to_xml();
    let mut scanner = Scanner::new(Limits::default());
    let header = scanner.scan(xml.as_bytes()).unwrap_or_else(|reject| panic!("{reject}: {xml}"));
    assert_eq!(header.bytes(), xml.as_bytes());
    assert!(header.uid().eq_str(event.uid()));
    assert_eq!(header.kind(), event.kind().as_str());
    assert_eq!(header.stale_ms(), event.stale().map(|time| time.as_unix_millis()));
    xml
}

fn head(uid: &str, kind: &str, stale: &str, how: &str) -> String {
    let now = "2026-01-01T00:00:00.000Z";
    format!(
        r#"<event version="2.0" uid="{uid}" type="{kind}" time="{now}" start="{now}" stale="{stale}" how="{how}">"#
    )
}

const NOWHERE: &str = r#"<point lat="0.0" lon="0.0" hae="0.0" ce="9999999.0" le="9999999.0"/>"#;
const UNKNOWN: &str =
    r#"<point lat="0.0" lon="0.0" hae="9999999.0" ce="9999999.0" le="9999999.0"/>"#;

#[test]
fn control_events_have_the_forms_that_clients_know() {
    let pong = head("takPong", "t-x-c-t-r", "2026-01-01T00:00:20.000Z", "h-g-i-g-o");
    assert_eq!(scanned(&build::pong(NOW)), format!("{pong}{NOWHERE}</event>"));

    let ping = head("A-ping", "t-x-c-t", "2026-01-01T00:00:10.000Z", "m-g");
    assert_eq!(scanned(&build::ping("A", NOW)), format!("{ping}{NOWHERE}<detail/></event>"));

    let gone = head("N-1", "t-x-d-d", "2026-01-01T00:00:20.000Z", "h-g-i-g-o");
    assert_eq!(
        scanned(&build::disconnect_notice("N-1", "A&B", "a-f-G-U-C-I", NOW)),
        format!(
            r#"{gone}{NOWHERE}<detail><link uid="A&amp;B" type="a-f-G-U-C-I" relation="p-p"/></detail></event>"#
        )
    );

    let answer = head("Q", "t-x-takp-r", "2026-01-01T00:01:00.000Z", "m-g");
    assert_eq!(
        scanned(&build::takp_response("Q", true, NOW)),
        format!(
            r#"{answer}{NOWHERE}<detail><TakControl><TakResponse status="true"/></TakControl></detail></event>"#
        )
    );
    assert!(scanned(&build::takp_response("Q", false, NOW)).contains(r#"status="false""#));
}

#[test]
fn a_disconnect_notice_always_names_a_type() {
    let event = build::disconnect_notice("N-1", "A", "", NOW);
    assert_eq!(event.detail().link().and_then(|link| link.kind), Some("a-f-G-U-C"));
}

#[test]
fn a_position_makes_a_contact() {
    let hope = HOPE.at(Point::new(1.5, -2.25).with_ce(4.0)).with_kind("a-f-G-E-V-C");
    let xml = scanned(&build::position(&hope, "Dark Blue", "HQ", NOW));
    let head = head("ANDROID-1", "a-f-G-E-V-C", "2026-01-01T00:01:15.000Z", "m-g");
    let name = "HOPE &amp; &quot;Co&quot;";
    assert_eq!(
        xml,
        format!(
            r#"{head}<point lat="1.5" lon="-2.25" hae="9999999.0" ce="4.0" le="9999999.0"/><detail><contact callsign="{name}" endpoint="*:-1:stcp"/><uid Droid="{name}"/><__group name="Dark Blue" role="HQ"/></detail></event>"#
        )
    );
}

#[test]
fn a_marker_is_kept_and_names_its_maker() {
    let event = build::marker("M", "a-h-G", "Truck", Point::new(1.0, 2.0), &HOPE, NOW);
    assert!(event.detail().is_archived());
    let xml = scanned(&event);
    assert!(xml.contains(r#"iconsetpath="COT_MAPPING_2525C/a-h/a-h-G""#), "{xml}");
    assert!(xml.contains(r#"production_time="2026-01-01T00:00:00.000Z""#), "{xml}");
    let spot = build::marker("M", "b-m-p-s-m", "Spot", Point::new(1.0, 2.0), &HOPE, NOW);
    assert!(!scanned(&spot).contains("usericon"));
}

#[test]
fn direct_chat_is_addressed_to_its_receiver() {
    let event = build::geochat(&HOPE, Room::Direct(BRAVO), "MSG", "one\ntwo", NOW);
    let head =
        head("GeoChat.ANDROID-1.ANDROID-2.MSG", "b-t-f", "2026-01-02T00:00:00.000Z", "h-g-i-g-o");
    assert_eq!(
        scanned(&event),
        format!(
            concat!(
                r#"{}{}<detail><__chat parent="RootContactGroup" groupOwner="false" messageId="MSG" chatroom="BRAVO" "#,
                r#"id="ANDROID-2" senderCallsign="HOPE &amp; &quot;Co&quot;"><chatgrp uid0="ANDROID-1" uid1="ANDROID-2" "#,
                r#"id="ANDROID-2"/></__chat><link uid="ANDROID-1" type="a-f-G-U-C" relation="p-p"/>"#,
                r#"<remarks source="BAO.F.ATAK.ANDROID-1" to="ANDROID-2" time="2026-01-01T00:00:00.000Z">one{}two</remarks>"#,
                r#"<marti><dest callsign="BRAVO"/></marti></detail></event>"#,
            ),
            head, UNKNOWN, "\n"
        )
    );
}

#[test]
fn rooms_are_addressed_as_clients_expect() {
    let members = [BRAVO, CHARLIE];
    let dests = |room| {
        let event = build::geochat(&HOPE, room, "MSG", "hi", NOW);
        scanned(&event);
        let dests: Vec<String> = event.detail().dests().map(|dest| format!("{dest:?}")).collect();
        let chat = event.detail().chat().expect("a chat");
        let words =
            [chat.id, chat.chatroom, chat.parent].map(|word| word.unwrap_or_default().to_owned());
        (dests.join(","), words.join("/"), chat.members.join(","))
    };
    let expect =
        |dests: &str, words: &str, members: &str| (dests.into(), words.into(), members.into());
    let both = r#"Callsign("BRAVO"),Callsign("Zoë")"#;
    assert_eq!(
        dests(Room::All),
        expect("", "All Chat Rooms/All Chat Rooms/RootContactGroup", "ANDROID-1,All Chat Rooms")
    );
    assert_eq!(
        dests(Room::Team { name: "Red", members: &members }),
        expect(both, "Red/Red/TeamGroups", "ANDROID-1,ANDROID-2,ANDROID-3")
    );
    let group = Room::Group { id: "G", name: "Crew", members: &members, owned: true };
    assert_eq!(dests(group), expect(both, "G/Crew/UserGroups", "ANDROID-1,ANDROID-2,ANDROID-3"));
    let xml = build::geochat(&HOPE, group, "MSG", "hi", NOW).to_xml();
    assert!(
        xml.contains(r#"groupOwner="true""#)
            && xml.contains(r#"<contact uid="ANDROID-3" name="Zoë"/>"#)
    );
    // Without members it must not become a broadcast.
    let (alone, ..) = dests(Room::Team { name: "Red", members: &[] });
    assert_eq!(alone, r#"Callsign("HOPE & \"Co\"")"#);
}

#[test]
fn receipts_are_directed_to_the_author() {
    let bravo = Sender::new("ANDROID-2", "BRAVO");
    let author = Member { uid: "ANDROID-1", callsign: "HOPE" };
    let event = build::receipt(&bravo, author, "MSG", Receipt::Delivered, NOW);
    let head = head("MSG", "b-t-f-d", "2026-01-02T00:00:00.000Z", "h-g-i-g-o");
    assert_eq!(
        scanned(&event),
        format!(
            concat!(
                r#"{}{}<detail><__chatreceipt parent="RootContactGroup" groupOwner="false" messageId="MSG" chatroom="HOPE" "#,
                r#"id="ANDROID-1" senderCallsign="BRAVO"><chatgrp uid0="ANDROID-2" uid1="ANDROID-1" id="ANDROID-1"/>"#,
                r#"</__chatreceipt><link uid="ANDROID-2" type="a-f-G-U-C" relation="p-p"/>"#,
                r#"<marti><dest callsign="HOPE"/></marti></detail></event>"#,
            ),
            head, UNKNOWN
        )
    );
    let read = build::receipt(&bravo, author, "MSG", Receipt::Read, NOW);
    assert_eq!(read.kind().as_str(), "b-t-f-r");
}

#[test]
fn files_are_offered_to_those_named_or_to_all() {
    let file = FileShare {
        filename: Some("a.zip"),
        name: Some("a"),
        sender_url: Some("https://h:8443/Marti/sync/content?hash=00&x=1"),
        size: Some(1814),
        sha256: Some("00"),
        ..FileShare::default()
    };
    let event = build::file_share("F", &HOPE, &file, "ACK", &[BRAVO], NOW);
    let xml = scanned(&event);
    assert!(
        xml.contains(
            r#"sizeInBytes="1814" sha256="00" senderUid="ANDROID-1" senderCallsign="HOPE"#
        ),
        "{xml}"
    );
    assert!(
        xml.contains(
            r#"<ackrequest uid="ACK" ackrequested="true" tag="a"/><marti><dest callsign="BRAVO"/>"#
        ),
        "{xml}"
    );
    assert!(xml.contains(r#"stale="2026-01-01T00:00:10.000Z" how="h-e""#), "{xml}");
    assert!(!build::file_share("F", &HOPE, &file, "ACK", &[], NOW).to_xml().contains("marti"));
}

#[test]
fn a_cancel_has_the_uid_of_its_alert() {
    let cases = [
        (Alert::Emergency, "b-a-o-tbl", "911 Alert"),
        (Alert::RingTheBell, "b-a-o-pan", "Ring The Bell"),
        (Alert::InContact, "b-a-o-opn", "In Contact"),
        (Alert::Geofence, "b-a-g", "Geo-fence Breached"),
        (Alert::Custom("Flood <2>"), "b-a-o-c", "Flood <2>"),
    ];
    let cancel = build::emergency_cancel(&HOPE, NOW);
    scanned(&cancel);
    assert_eq!(cancel.kind().as_str(), "b-a-o-can");
    assert_eq!(cancel.detail().emergency().and_then(|it| it.cancel), Some(true));
    for (alert, kind, label) in cases {
        let event = build::emergency(&HOPE, alert, NOW);
        scanned(&event);
        assert_eq!(event.uid(), cancel.uid());
        assert_eq!(event.kind().as_str(), kind);
        let emergency = event.detail().emergency().expect("an alert");
        assert_eq!((emergency.kind, emergency.callsign), (Some(label), Some(HOPE.callsign)));
        assert_eq!(event.callsign(), Some("HOPE & \"Co\"-Alert"));
        assert!(event.detail().contact().is_some_and(|contact| contact.endpoint.is_none()));
    }
}
