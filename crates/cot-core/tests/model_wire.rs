//! The typed model and the wire layer read the same events in the same way.

#[path = "support/strategy.rs"]
mod strategy;

use cot_core::generate::Traffic;
use cot_core::{Event, Limits, Scanner};
use proptest::prelude::*;

/// What both say about an event that both take.
fn assert_agreement(bytes: &[u8]) -> Result<(), TestCaseError> {
    let mut scanner = Scanner::new(Limits::default());
    let shown = String::from_utf8_lossy(bytes);
    let Ok(header) = scanner.scan(bytes) else { return Ok(()) };
    let event = Event::from_xml(header.bytes()).map_err(|error| {
        TestCaseError::fail(format!("only the scanner takes it: {error}: {shown}"))
    })?;
    let detail = event.detail();
    prop_assert!(header.uid().eq_str(event.uid()));
    // The header gives the type as it stands, the model what it means.
    let is_plain = !header.kind().contains(['&', '\n']);
    prop_assert!(!is_plain || event.kind().as_str() == header.kind(), "{}", shown);
    let how = header.how().map(|how| how.to_cow().into_owned());
    prop_assert_eq!(how.as_deref(), event.how());
    prop_assert_eq!(header.time_ms(), event.time().map(|time| time.as_unix_millis()));
    prop_assert_eq!(header.stale_ms(), event.stale().map(|time| time.as_unix_millis()));
    let contact = header.contact();
    prop_assert_eq!(contact.is_some(), detail.contact().is_some(), "{}", shown);
    let callsign =
        contact.and_then(|contact| contact.callsign).map(|text| text.to_cow().into_owned());
    prop_assert_eq!(callsign.as_deref(), detail.contact().and_then(|contact| contact.callsign));
    let team = header.group().and_then(|group| group.name).map(|text| text.to_cow().into_owned());
    prop_assert_eq!(team.as_deref(), detail.group().and_then(|group| group.team));
    prop_assert_eq!(header.dests().count(), detail.dests().count(), "{}", shown);
    prop_assert_eq!(header.chat().is_some(), detail.chat().is_some(), "{}", shown);
    prop_assert_eq!(header.has_archive(), detail.is_archived());
    let written = event.to_xml();
    let again = scanner.scan(written.as_bytes());
    prop_assert!(again.is_ok(), "what is written is not taken: {:?}: {}", again.err(), written);
    Ok(())
}

#[test]
fn generated_events_mean_the_same_to_both() {
    let mut scanner = Scanner::new(Limits::default());
    for bytes in Traffic::new(21).events().take(3000) {
        assert!(scanner.scan(&bytes).is_ok(), "{}", String::from_utf8_lossy(&bytes));
        assert_agreement(&bytes).unwrap_or_else(|error| panic!("{error}"));
    }
}

proptest! {
    #[test]
    fn any_event_that_the_model_writes_is_taken_by_the_scanner(event in strategy::event()) {
        let xml = event.to_xml();
        let mut scanner = Scanner::new(Limits::default());
        match scanner.scan(xml.as_bytes()) {
            Ok(header) => prop_assert_eq!(header.bytes(), xml.as_bytes()),
            Err(reject) => return Err(TestCaseError::fail(format!("{reject}: {xml}"))),
        }
        assert_agreement(xml.as_bytes())?;
    }

    #[test]
    fn damaged_events_mean_the_same_to_both(
        seed in any::<u64>(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..22_usize), 1..4),
    ) {
        const PIECES: [&str; 22] = [
            "", "<", ">", "<!--x-->", "<![CDATA[y]]>", "&", "&#0;", "&#65;", "\"", "'", " x='1'",
            " callsign=\"Q\"", "\u{FFFF}", "é", "<a b='c'/>", "</detail>", "/", "0", "-", " ", "\n",
            "<marti><dest uid='1'/></marti>",
        ];
        let mut bytes = Vec::new();
        Traffic::new(seed).write_event(&mut bytes);
        for (at, piece) in edits {
            let at = at.index(bytes.len());
            let piece = PIECES.get(piece).copied().unwrap_or_default();
            bytes.splice(at..at + usize::from(piece.is_empty()), piece.bytes());
        }
        assert_agreement(&bytes)?;
    }
}
