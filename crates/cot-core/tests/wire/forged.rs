//! Nobody gets an event accepted that no sender sent, and a bad event costs only itself.

use cot_core::{FrameError, Limits, RejectCode};

use crate::bodies::{self, Outcome, feed};
use crate::mutate::{Rng, mutate, seeds};

/// A good event with this uid and detail.
fn event(uid: &str, detail: &str) -> String {
    format!(
        "<event version=\"2.0\" uid=\"{uid}\" type=\"a-f-G\" how=\"m-g\" \
         time=\"2026-01-01T00:00:00Z\" start=\"2026-01-01T00:00:00Z\" \
         stale=\"2026-01-01T00:05:00Z\"><point lat=\"1\" lon=\"2\" hae=\"0\" ce=\"1\" le=\"1\"/>\
         <detail>{detail}</detail></event>"
    )
}

/// What someone wants to have taken for an event.
fn forged() -> String {
    event("forged", "").replace('"', "'")
}

/// `good, bad, good`, in one piece; that all splits agree is tested on the way.
fn between_good(bad: &str) -> Outcome {
    let stream = format!("{}{bad}{}", event("first", ""), event("last", ""));
    let whole = feed(Limits::default(), [stream.as_bytes()]);
    assert_eq!(feed(Limits::default(), stream.as_bytes().chunks(1)), whole, "{bad}");
    whole.events().into_iter().for_each(bodies::relayable);
    assert!(uids(&whole).iter().all(|uid| *uid != "forged"), "{whole:?}");
    whole
}

fn uids(outcome: &Outcome) -> Vec<&str> {
    let uids = outcome.events().into_iter().map(|event| {
        let value = event.split(" uid=").nth(1).unwrap();
        value[1..].split(value.chars().next().unwrap()).next().unwrap()
    });
    uids.collect()
}

/// The bad event is refused for this reason, and nothing else happens.
#[track_caller]
fn costs_only_itself(bad: &str, code: RejectCode) {
    let outcome = between_good(bad);
    assert_eq!(uids(&outcome), ["first", "last"], "{bad}: {outcome:?}");
    assert_eq!(outcome.rejects(), [code], "{bad}");
    assert_eq!(outcome.error, None, "{bad}");
}

/// The event is delivered, in a form that misleads nobody.
#[track_caller]
fn is_rewritten(odd: &str) -> String {
    let outcome = between_good(odd);
    assert_eq!(uids(&outcome), ["first", "odd", "last"], "{odd}: {outcome:?}");
    assert_eq!((outcome.rejects().len(), outcome.error), (0, None));
    outcome.events()[1].to_owned()
}

#[test]
fn an_event_inside_a_cdata_section_stays_text() {
    let escaped = forged().replace('<', "&lt;").replace('>', "&gt;");
    let odd = event("odd", &format!("<remarks><![CDATA[</event>{}]]></remarks>", forged()));
    let remarks = format!("<remarks>&lt;/event&gt;{escaped}</remarks>");
    assert_eq!(is_rewritten(&odd), event("odd", &remarks));
    let odd = event("odd", &format!("<remarks><![CDATA[{}]]></remarks>", forged()));
    assert_eq!(is_rewritten(&odd), event("odd", &format!("<remarks>{escaped}</remarks>")));
}

#[test]
fn an_event_inside_a_comment_or_an_instruction_is_dropped() {
    for forged in [format!("</event>{}", forged()), forged()] {
        let odd = event("odd", &format!("<!-- {forged} --><?note {forged} ?><a/>"));
        assert_eq!(is_rewritten(&odd), event("odd", "<a/>"));
    }
}

#[test]
fn comments_and_cdata_without_an_end_tag_pass_unchanged() {
    let plain = event("odd", "<!-- a --><remarks><![CDATA[b < c]]></remarks><?d e?>");
    assert_eq!(is_rewritten(&plain), plain);
}

#[test]
fn an_odd_end_tag_is_put_right() {
    for end in ["</event >", "</event\r\n>", &format!("</event{}>", " ".repeat(100))] {
        let odd = event("odd", "").replace("</event>", end);
        assert_eq!(is_rewritten(&odd), event("odd", ""), "{end}");
    }
}

#[test]
fn an_embedded_event_is_refused_with_what_it_is_in() {
    let two = format!("{}{}", forged(), forged());
    costs_only_itself(&event("bad", &two), RejectCode::NestedEvent);
    costs_only_itself(&event("bad", &format!("<a><b>{two}</b></a>")), RejectCode::NestedEvent);
    costs_only_itself(&event("bad", "<event/><event a='1'/>"), RejectCode::NestedEvent);
}

#[test]
fn many_embedded_events_end_the_stream() {
    let outcome = between_good(&event("bad", &forged().repeat(9)));
    assert_eq!(uids(&outcome), ["first"]);
    assert_eq!(outcome.error, Some(FrameError::NestedEvent));
}

#[test]
fn an_event_inside_a_raw_attribute_value_is_refused_with_it() {
    for value in [forged(), format!("</event>{}", forged()), format!("\"/>{}", forged())] {
        let value = value.replace('"', "&quot;");
        costs_only_itself(
            &event("bad", &format!("<contact callsign=\"{value}\" endpoint=\"x\"/>")),
            RejectCode::RawLessThan,
        );
        costs_only_itself(
            &event("bad", &format!("<contact callsign=\"{value}\"/>")),
            RejectCode::RawLessThan,
        );
    }
}

#[test]
fn ill_formed_events_cost_only_themselves() {
    for (detail, code) in [
        ("<a b='1' b='2'/>", RejectCode::DuplicateAttribute),
        ("<a b='1'c='2'/>", RejectCode::Attribute),
        ("<a b=1/>", RejectCode::Attribute),
        ("<a b/>", RejectCode::Attribute),
        ("<a b='<'/>", RejectCode::RawLessThan),
        ("<a b='&foo;'/>", RejectCode::Reference),
        ("&#0;", RejectCode::Reference),
        ("\u{1}", RejectCode::Character),
        ("\u{FFFF}", RejectCode::Character),
        ("a ]]> b", RejectCode::Markup),
        ("a < b", RejectCode::Name),
        ("<!-- a -- b -->", RejectCode::Comment),
        ("<1a/>", RejectCode::Name),
        ("<a@b/>", RejectCode::Attribute),
        ("<a></b>", RejectCode::MismatchedTag),
        ("</a>", RejectCode::MismatchedTag),
        ("<a>", RejectCode::MismatchedTag),
        ("<a><b><c>", RejectCode::MismatchedTag),
        ("<p:a/>", RejectCode::Namespace),
        ("<a p:b='1'/>", RejectCode::Namespace),
        ("<a / >", RejectCode::Attribute),
        ("<contact callsign=\"A/><x y=\"1\"/>", RejectCode::RawLessThan),
        ("<contact callsign=A\" endpoint=\"x\"/>", RejectCode::Attribute),
        ("<contact callsign=\"A endpoint=\"x\"/>", RejectCode::Attribute),
        ("<contact callsign=\"5\" gun\" endpoint=\"x\"/>", RejectCode::Attribute),
        ("<contact callsign=\"A\" <x/>", RejectCode::Name),
        ("<contact callsign=\"A/>", RejectCode::RawLessThan),
        ("<contact", RejectCode::Attribute),
        ("<![ CDATA[x]]>", RejectCode::Markup),
        ("<!ELEMENT a>", RejectCode::Markup),
    ] {
        costs_only_itself(&event("bad", detail), code);
    }
}

#[test]
fn incomplete_events_cost_only_themselves() {
    let whole = event("bad", "");
    for (from, to, code) in [
        (" uid=\"bad\"", "", RejectCode::MissingUid),
        ("uid=\"bad\"", "uid=\"\"", RejectCode::MissingUid),
        (" type=\"a-f-G\"", "", RejectCode::MissingType),
        (" time=", " tim=", RejectCode::MissingTime),
        (" stale=", " stall=", RejectCode::MissingStale),
        ("<point lat", "<paint lat", RejectCode::MissingPoint),
        (" lat=", " lot=", RejectCode::MissingPoint),
        ("lat=\"1\"", "lat=\"-Infinity\"", RejectCode::Latitude),
        ("lon=\"2\"", "lon=\"180.5\"", RejectCode::Longitude),
        ("</event>", "</evnt>", RejectCode::Truncated),
        ("</event>", "", RejectCode::Truncated),
        ("</detail>", "</dtail>", RejectCode::MismatchedTag),
    ] {
        costs_only_itself(&whole.replace(from, to), code);
    }
    costs_only_itself("<event uid='bad' type='a' time='' stale=''/>", RejectCode::MissingPoint);
    costs_only_itself("<event/>", RejectCode::MissingUid);
    costs_only_itself("\0garbage <eve </even> <", RejectCode::Junk);
    costs_only_itself("</event>", RejectCode::StrayEnd);
}

#[test]
fn what_is_not_utf8_costs_only_itself() {
    let mut stream = event("first", "").into_bytes();
    stream.extend(event("bad", "?").replace('?', "\u{E9}").bytes().filter(|&byte| byte != 0xC3));
    stream.extend(event("last", "").into_bytes());
    let outcome = feed(Limits::default(), [&stream[..]]);
    assert_eq!(uids(&outcome), ["first", "last"]);
    assert_eq!(outcome.rejects(), [RejectCode::Utf8]);
}

#[test]
fn a_doctype_ends_the_stream() {
    for bad in [
        "<!DOCTYPE a>".to_owned(),
        "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]>".to_owned(),
        "junk <!DOCTYPE a>".to_owned(),
        event("bad", "<!DOCTYPE a>"),
    ] {
        let outcome = between_good(&bad);
        assert_eq!(uids(&outcome), ["first"], "{bad}");
        assert_eq!(outcome.error, Some(FrameError::Doctype), "{bad}");
        assert_eq!(outcome.rejects().last(), Some(&RejectCode::Doctype), "{bad}");
    }
}

#[test]
fn an_event_that_breaks_off_costs_only_itself() {
    let detail = "<contact callsign=\"A B\" phone=\"\"/><remarks>some text</remarks>";
    let whole = event("bad", detail);
    let mut lost = Vec::new();
    for at in 1..whole.len() - 1 {
        let outcome = between_good(&whole[..at]);
        if uids(&outcome) != ["first", "last"] {
            lost.push(at);
        }
        // Behind a declaration the next event is never in doubt.
        let declared = format!("{}<?xml version=\"1.0\"?>\n", &whole[..at]);
        assert_eq!(uids(&between_good(&declared)), ["first", "last"], "{declared}");
    }
    // Nor is it without one, unless the event could be part of what the detail holds.
    let is_in_detail = |at: &usize| open_elements(&whole[..*at]).is_some_and(|open| open >= 2);
    let doubtful: Vec<_> = (1..whole.len() - 1).filter(is_in_detail).collect();
    assert_eq!(lost, doubtful);
}

/// Elements open at the end of the text; `None` inside a tag.
fn open_elements(text: &str) -> Option<usize> {
    let tail = text.rsplit('<').next()?;
    if !tail.contains('>') {
        return None;
    }
    let ends = text.matches("</").count();
    let empty = text.matches("/>").count();
    Some(text.matches('<').count() - 2 * ends - empty)
}

#[test]
fn a_sender_that_breaks_off_deep_inside_is_closed_soon() {
    let broken = event("bad", "<a>").replace("</detail></event>", "");
    let stream = format!("{broken}{}", event("good", "").repeat(6));
    let outcome = feed(Limits::default(), [stream.as_bytes()]);
    assert_eq!(outcome.error, Some(FrameError::NestedEvent));
    assert_eq!(outcome.events().len(), 0);
}

#[test]
fn breaking_off_inside_a_comment_opens_no_way_in() {
    let hostile = format!("--> ]]> ?>{}", forged());
    for open in ["<!-- a", "<![CDATA[ a", "<?a b"] {
        let whole = event("bad", open);
        let cut = &whole[..whole.find(open).unwrap() + open.len()];
        for next in [
            event("next", &format!("<![CDATA[{}]]>", hostile.replace("]]>", ""))),
            event("next", &format!("<!--{}-->", hostile.replace("-->", ""))),
            event("next", &format!("<?p {}?>", hostile.replace("?>", ""))),
        ] {
            between_good(&format!("{cut}{next}"));
        }
    }
}

#[test]
fn a_cdata_section_between_events_hides_what_is_in_it() {
    for junk in ["", "]]></a>"] {
        costs_only_itself(&format!("{junk}<![CDATA[{} ]]>", forged()), RejectCode::Junk);
    }
}

#[test]
fn a_value_that_hides_the_next_event_opens_no_way_in() {
    // The first value begins with a blank, so the quote before it could be a closing one.
    let next = event(" x", &format!("<![CDATA[ \" {} ]]>", forged()));
    let next = next.replace("version=\"2.0\"", "version=\" 2.0\"");
    let outcome = between_good(&format!("<event uid=\"bad{next}"));
    assert!(outcome.events().len() <= 2, "{outcome:?}");
}

/// How a sender writes what third parties gave it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    RawLessThan,
    RawQuotes,
    BreaksOff,
}

/// Text that tries to get out of wherever it is put.
fn hostile(rng: &mut Rng) -> String {
    let forged = forged();
    let other = forged.replace('\'', "\"");
    let pieces = [
        "\"",
        "'",
        "<",
        ">",
        "/>",
        "\">",
        "'/>",
        "</event>",
        "</detail></event>",
        "<event ",
        "&",
        "<?xml version='1.0'?>",
        "<!-- ",
        "-->",
        "<![CDATA[",
        "]]>",
        "?>",
        " ",
        "=",
        "=\"",
        "a",
        &forged,
        &other,
        &forged,
        &other,
    ];
    (0..1 + rng.below(6)).map(|_| *rng.pick(&pieces)).collect()
}

/// An event of an honest sender around text that others supplied.
fn honest(rng: &mut Rng, fault: Fault, uid: &str) -> String {
    let mut detail = String::new();
    for _ in 0..rng.below(4) {
        let text = hostile(rng);
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
        match rng.below(4) {
            0 => {
                let value = match fault {
                    Fault::RawLessThan => text.replace('&', "&amp;").replace('"', "&quot;"),
                    Fault::RawQuotes => escaped,
                    _ => escaped.replace('"', "&quot;"),
                };
                detail += &format!("<contact callsign=\"{value}\" endpoint=\"x\"/>");
            }
            1 => detail += &format!("<remarks>{}</remarks>", escaped.replace("]]>", "]]&gt;")),
            2 => detail += &format!("<a><![CDATA[{}]]></a>", text.replace("]]>", "]] >")),
            _ => detail += &format!("<!--{} -->", text.replace("--", "")),
        }
    }
    let whole = event(uid, &detail);
    if fault != Fault::BreaksOff || rng.below(2) == 0 {
        return whole;
    }
    let cut =
        &whole[..(0..=rng.below(whole.len())).rfind(|at| whole.is_char_boundary(*at)).unwrap()];
    // One that breaks off inside a comment or CDATA section may, together with what follows, be
    // a whole event to any reader; the tests above have the cases that are not.
    let inside = |open: &str, close: &str| {
        cut.rfind(open).is_some_and(|at| !cut[at + open.len()..].contains(close))
    };
    if inside("<!--", "-->") || inside("<![CDATA[", "]]>") { whole } else { cut.to_owned() }
}

#[test]
fn third_parties_forge_nothing() {
    let rounds = std::env::var("WIRE_ROUNDS").ok().and_then(|text| text.parse::<u64>().ok());
    let mut delivered = [0; 4];
    for seed in 0..20_000 * rounds.unwrap_or(1) {
        let mut rng = Rng::new(seed);
        let faults = [Fault::None, Fault::RawLessThan, Fault::RawQuotes, Fault::BreaksOff];
        let which = rng.below(4);
        let stream: String =
            (0..4).map(|n| honest(&mut rng, faults[which], &format!("u{n}"))).collect();
        let outcome = feed(Limits::default(), [stream.as_bytes()]);
        let uids = uids(&outcome);
        assert!(uids.iter().all(|uid| *uid != "forged"), "{:?}: {stream}", faults[which]);
        delivered[which] += uids.len();
        if faults[which] == Fault::None {
            assert_eq!(uids, ["u0", "u1", "u2", "u3"], "{stream}");
        }
    }
    println!("delivered, by fault: {delivered:?}");
}

#[test]
fn good_events_survive_between_damaged_ones() {
    let damaged_from = seeds();
    let mut lost = Vec::new();
    for seed in 0..5_000 {
        let mut rng = Rng::new(seed);
        let original = rng.pick(&damaged_from).clone();
        let bad = mutate(&mut rng, &original);
        // A sender writes all of its events with the same quotes.
        let is_single = original.windows(2).any(|pair| pair == b"='");
        let quote = |text: String| if is_single { text.replace('"', "'") } else { text };
        let (first, last) = (quote(event("first", "")), quote(event("last", "")));
        let stream = [first.as_bytes(), &bad, last.as_bytes()].concat();
        let outcome = feed(Limits::default(), [&stream[..]]);
        let delivered = |text: &str| outcome.events().contains(&text);
        assert!(delivered(&first));
        if !delivered(&last) {
            lost.push(String::from_utf8_lossy(&bad).into_owned());
        }
    }
    // Those that got the start of a comment, a CDATA section or a DTD may swallow what follows.
    // Of the rest it is nearly always one that broke off inside its detail, without a declaration
    // behind it.
    let is_plain = |bad: &&String| !["<!", "<?p"].iter().any(|start| bad.contains(start));
    assert!(lost.len() < 350, "{} of 5000", lost.len());
    assert!(lost.iter().filter(is_plain).count() < 125, "{lost:#?}");
}

#[test]
fn a_value_that_never_ends_is_given_up_soon() {
    let cut = "<event uid='bad' type='a";
    let stream = format!("{cut}{}", event("next", "").repeat(100));
    let outcome = feed(Limits::default(), [stream.as_bytes()]);
    assert_eq!((uids(&outcome).len(), outcome.error), (0, Some(FrameError::NestedEvent)));
    assert_eq!(feed(Limits::default(), stream.as_bytes().chunks(1)), outcome);
}
