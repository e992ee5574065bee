//! The same items come out however the stream is split into reads.

use cot_core::generate::Traffic;
use cot_core::{FrameError, Limits};

use crate::bodies::{Got, Outcome, feed};
use crate::mutate::{Rng, mutate, seeds};

fn small(uid: &str, inside: &str) -> String {
    format!("<event uid='{uid}' type='a' time='' stale=''><point lat='1' lon='2'/>{inside}</event>")
}

/// Everything that may stand in a stream, once.
fn everything() -> Vec<u8> {
    let parts = [
        "\u{FEFF}".to_owned(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n".to_owned(),
        small("1", "<detail><contact callsign='Zoë 語 🜁'/></detail>"),
        "\r\n\r\n \t".to_owned(),
        small("2", "<detail><!-- </event> --><a><![CDATA[</event>]]></a></detail>"),
        "<!-- between <event> --><?note <event> ?>".to_owned(),
        small("3", "<a b='x > y'/>"),
        "<?xml version='1.0' encoding='utf-16'?>".to_owned(),
        "<auth><cot username='a' password='p&amp;ss&lt;1'/></auth>".to_owned(),
        small("4", "").replace("</event>", "</event >"),
        "<event uid='5' type='a' time='' stale=''/>".to_owned(),
        "junk <eve </even> ".to_owned(),
        small("6", "<a>"),
        "</event></event>".to_owned(),
        small("7", "")[..60].to_owned(),
        small("8", ""),
        small("9", "<event/>"),
        "<auth/>\u{FEFF}\n".to_owned(),
        small("10", ""),
    ];
    parts.concat().into_bytes()
}

#[test]
fn every_place_to_split_gives_the_same() {
    let stream = everything();
    let whole = feed(Limits::default(), [&stream[..]]);
    assert_eq!(whole.events().len(), 6, "{whole:?}");
    assert_eq!(whole.items.iter().filter(|item| **item == Got::Auth).count(), 2);
    assert_eq!(whole.rejects().len(), 9, "{whole:?}");
    assert_eq!(whole.error, None);
    for at in 0..=stream.len() {
        let (head, tail) = stream.split_at(at);
        assert_eq!(feed(Limits::default(), [head, tail]), whole, "split at {at}");
    }
    for size in 1..100 {
        assert_eq!(feed(Limits::default(), stream.chunks(size)), whole, "reads of {size}");
    }
}

#[test]
fn random_splits_of_traffic_give_the_same() {
    let events = Traffic::new(3).mix(40);
    let stream = events.concat();
    let whole = feed(Limits::default(), [&stream[..]]);
    assert_eq!((whole.events().len(), whole.items.len()), (40, 40));
    for (sent, got) in events.iter().zip(whole.events()) {
        assert!(sent.ends_with(got.as_bytes()), "an event passes byte for byte");
    }
    for seed in 0..500 {
        assert_eq!(split_at_random(&stream, seed), whole, "seed {seed}");
    }
}

#[test]
fn random_splits_of_damaged_traffic_give_the_same() {
    let seeds = seeds();
    for seed in 0..500 {
        let mut rng = Rng::new(seed);
        let mut stream = Vec::new();
        for _ in 0..6 {
            let event = rng.pick(&seeds).clone();
            stream.extend(mutate(&mut rng, &event));
        }
        let whole = feed(Limits::default(), [&stream[..]]);
        assert_eq!(split_at_random(&stream, seed), whole, "seed {seed}");
    }
}

fn split_at_random(stream: &[u8], seed: u64) -> Outcome {
    let mut rng = Rng::new(seed);
    let mut rest = stream;
    let reads = std::iter::from_fn(|| {
        let longest = [1, 8, 100, 2000][rng.below(4)];
        let (read, tail) = rest.split_at((1 + rng.below(longest)).min(rest.len()));
        rest = tail;
        (!read.is_empty()).then_some(read)
    });
    feed(Limits::default(), reads)
}

#[test]
fn other_protocols_are_told_by_their_first_bytes() {
    for (stream, error) in [
        (&b"\x16\x03\x01\x02\x00"[..], FrameError::Tls),
        (b"GET / HTTP/1.1\r\n", FrameError::Http),
        (b"POST /Marti HTTP/1.1\r\n", FrameError::Http),
        (b"PRI * HTTP/2.0\r\n", FrameError::Http),
        (b"\xBF\x01\x00", FrameError::Protobuf),
    ] {
        assert_eq!(feed(Limits::default(), [stream]).error, Some(error));
        assert_eq!(feed(Limits::default(), stream.chunks(1)).error, Some(error));
    }
    for stream in [&b"\x16\x02"[..], b"GETTING", b"P", b"\xEF\xBB\xBF<event"] {
        assert_eq!(feed(Limits::default(), [stream]).error, None, "{stream:?}");
    }
}

#[test]
fn protobuf_after_xml_ends_the_stream() {
    let stream = [small("1", "").as_bytes(), b"\xBF\x05hello"].concat();
    let outcome = feed(Limits::default(), [&stream[..]]);
    assert_eq!((outcome.events().len(), outcome.error), (1, Some(FrameError::Protobuf)));
}
