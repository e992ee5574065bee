//! The scanner against other parsers, over valid and damaged events.

use cot_core::{Limits, Scanner};
use proptest::prelude::*;

use crate::bodies;
use crate::mutate::{Rng, mutate, seeds};

/// Damaged events per test. `WIRE_ROUNDS` multiplies them for a longer search.
fn rounds(base: u64) -> u64 {
    let factor = std::env::var("WIRE_ROUNDS").ok().and_then(|text| text.parse().ok());
    base * factor.unwrap_or(1)
}

#[test]
fn every_seed_is_read_as_others_read_it() {
    for event in seeds() {
        let accepted = Scanner::new(Limits::default()).scan(&event).map(drop);
        assert_eq!(accepted, Ok(()), "{}", String::from_utf8_lossy(&event));
        bodies::route_vs_oracle(&event);
    }
}

#[test]
fn damaged_events_are_judged_as_others_judge_them() {
    let seeds = seeds();
    for seed in 0..rounds(40_000) {
        let mut rng = Rng::new(seed);
        let event = rng.pick(&seeds).clone();
        bodies::route_vs_oracle(&mutate(&mut rng, &event));
    }
}

#[test]
fn damaged_streams_give_relayable_events_at_every_split() {
    let seeds = seeds();
    for seed in 0..rounds(3_000) {
        let mut rng = Rng::new(seed);
        let mut stream = rng.next().to_le_bytes().to_vec();
        for _ in 0..3 {
            let event = rng.pick(&seeds).clone();
            stream.extend(if rng.below(2) == 0 { mutate(&mut rng, &event) } else { event });
        }
        bodies::framer(&stream);
    }
}

#[test]
fn rewritten_events_keep_their_meaning() {
    let seeds = seeds();
    for seed in 0..rounds(5_000) {
        let mut rng = Rng::new(seed);
        let mut body = b"<a b='1'>x<![CDATA[</event>&]]><!--y-->z<?p </event>?></a>".to_vec();
        for _ in 0..rng.below(3) {
            body = mutate(&mut rng, &body);
        }
        bodies::mend(&body);
        let event = rng.pick(&seeds).clone();
        bodies::mend(&event);
    }
}

/// Fragments that make up most of what is odd in XML.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        Just("<event uid='u' type='a' time='' stale=''>"),
        Just("<point lat='1' lon='2'/>"),
        Just("</event>"),
        Just("</event\n>"),
        Just("<event/>"),
        Just("<event "),
        Just("<detail>"),
        Just("</detail>"),
        Just("<![CDATA["),
        Just("]]>"),
        Just("<!--"),
        Just("-->"),
        Just("<?xml version='1.0'?>"),
        Just("<?p"),
        Just("?>"),
        Just("<a b='"),
        Just("<a b=\""),
        Just("'"),
        Just("\""),
        Just(">"),
        Just("/>"),
        Just(" "),
        Just("text"),
        Just("&amp;"),
        Just("<auth>"),
        Just("</auth>"),
        Just("é"),
    ];
    prop::collection::vec(fragment, 0..24).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn fragments_are_framed_alike_at_every_split(data in fragments()) {
        bodies::framer(&data);
    }

    #[test]
    fn fragments_are_judged_as_others_judge_them(data in fragments()) {
        bodies::route_vs_oracle(&data);
    }

    #[test]
    fn arbitrary_bytes_harm_nothing(data in prop::collection::vec(any::<u8>(), 0..400)) {
        bodies::framer(&data);
        bodies::route_vs_oracle(&data);
        bodies::mend(&data);
    }
}
