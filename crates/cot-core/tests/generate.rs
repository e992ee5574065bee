//! The generator: repeatable, well-formed, and shaped like real traffic.

use std::collections::HashSet;

use cot_core::generate::{Fleet, Traffic};

fn text(event: &[u8]) -> &str {
    std::str::from_utf8(event).expect("generated events are UTF-8")
}

fn percentiles(mut lens: Vec<usize>) -> (usize, usize, usize, usize) {
    lens.sort_unstable();
    let at = |percent: usize| lens.get((lens.len() - 1) * percent / 100).copied().unwrap_or(0);
    (at(10), at(50), at(90), at(100))
}

#[test]
fn every_event_is_well_formed_and_complete() {
    for event in Traffic::new(3).events().take(2000) {
        let event = text(&event);
        let tree = roxmltree::Document::parse(event).unwrap_or_else(|e| panic!("{e}: {event}"));
        let root = tree.root_element();
        assert_eq!(root.tag_name().name(), "event");
        for name in ["version", "uid", "type", "time", "start", "stale", "how"] {
            assert!(root.has_attribute(name), "{name}: {event}");
        }
        for name in ["time", "start", "stale"] {
            let value = root.attribute(name).expect("present");
            cot_core::CotTime::parse(value).unwrap_or_else(|e| panic!("{e}: {value}"));
        }
        assert!(event.ends_with("</event>"));
        assert_eq!(event.matches("</event>").count(), 1);
    }
}

#[test]
fn position_reports_have_the_lengths_of_real_ones() {
    let reports = Traffic::new(11).sa(5_000);
    let (p10, p50, p90, max) = percentiles(reports.iter().map(Vec::len).collect());
    println!("sa: p10 {p10} p50 {p50} p90 {p90} max {max}");
    assert!(p10.abs_diff(628) <= 25, "p10 {p10}");
    assert!(p50.abs_diff(725) <= 25, "p50 {p50}");
    assert!(p90.abs_diff(812) <= 25, "p90 {p90}");
}

#[test]
fn mixed_traffic_has_the_proportions_of_a_working_server() {
    let events = Traffic::new(5).mix(5_000);
    let (p10, p50, p90, max) = percentiles(events.iter().map(Vec::len).collect());
    let total: usize = events.iter().map(Vec::len).sum();
    println!("mix: p10 {p10} p50 {p50} p90 {p90} max {max} mean {}", total / events.len());
    let share = |wanted: &dyn Fn(&str) -> bool| {
        events.iter().filter(|event| wanted(text(event))).count() * 1000 / events.len()
    };
    let kind = |prefix: &'static str| {
        move |event: &str| {
            event.contains(&format!("type=\"{prefix}\""))
                || event.contains(&format!("type='{prefix}'"))
        }
    };
    let sa = |event: &str| event.contains("<takv") && !event.contains("b-t-f");
    assert!(share(&sa).abs_diff(780) < 15);
    assert!(share(&kind("b-t-f")).abs_diff(70) < 10);
    assert!(share(&kind("t-x-c-t")).abs_diff(50) < 10);
    let directed = |event: &str| kind("b-t-f")(event) && event.contains("<marti>");
    assert!(share(&directed).abs_diff(35) < 7);
    let hard =
        ["&amp;", "&#", "é", "&lt;/event&gt;", "_flow-tags_", "<__chatreceipt", "cancel=", "<?xml"];
    for wanted in hard {
        assert!(share(&|event: &str| event.contains(wanted)) > 0, "{wanted}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_does_not() {
    assert_eq!(Traffic::new(9).mix(500), Traffic::new(9).mix(500));
    assert_ne!(Traffic::new(9).mix(500), Traffic::new(10).mix(500));
}

#[test]
fn a_fleet_has_unique_people_who_move() {
    let mut fleet = Fleet::new(1, 2000);
    let uids: HashSet<_> = fleet.people().iter().map(|person| &person.uid).collect();
    let callsigns: HashSet<_> = fleet.people().iter().map(|person| &person.callsign).collect();
    assert_eq!((uids.len(), callsigns.len()), (2000, 2000));
    let (mut first, mut later) = (Vec::new(), Vec::new());
    let mut moved = 0;
    for index in 0..2000 {
        first.clear();
        later.clear();
        fleet.next_position(index, 1_000_000, &mut first);
        fleet.next_position(index, 1_060_000, &mut later);
        let lat = |event: &[u8]| {
            let tree = roxmltree::Document::parse(text(event)).expect("well-formed");
            let point = tree.descendants().find(|node| node.has_tag_name("point"));
            point.and_then(|point| point.attribute("lat").map(str::to_owned))
        };
        moved += usize::from(lat(&first) != lat(&later));
        assert!(later.ends_with(b"</detail></event>"));
    }
    assert!(moved > 1000, "{moved} of 2000 moved");
}

#[test]
fn a_fleet_member_does_not_depend_on_the_others() {
    let (mut alone, mut crowd) = (Fleet::new(4, 10), Fleet::new(4, 10));
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for index in 0..10 {
        crowd.next_position(index, 5_000, &mut b);
    }
    b.clear();
    alone.next_position(7, 5_000, &mut a);
    a.clear();
    alone.next_position(7, 9_000, &mut a);
    crowd.next_position(7, 9_000, &mut b);
    assert_eq!(text(&a), text(&b));
}

#[test]
fn an_empty_fleet_and_times_at_the_ends_do_no_harm() {
    let mut fleet = Fleet::new(0, 0);
    let mut out = Vec::new();
    for now_ms in [i64::MIN, 0, i64::MAX] {
        fleet.next_position(usize::MAX, now_ms, &mut out);
        fleet.ping(3, now_ms, &mut out);
        fleet.chat_to_all(1, "a", now_ms, &mut out);
        fleet.chat_to(1, 2, "b", now_ms, &mut out);
    }
    assert!(!out.is_empty());
}

#[test]
fn a_warm_buffer_makes_reports_without_allocation() {
    let mut fleet = Fleet::new(2, 100);
    let mut out = Vec::with_capacity(4096);
    let measured = allocation_counter::measure(|| {
        for index in 0..1000 {
            out.clear();
            fleet.next_position(
                index,
                1_000_000 + 10 * i64::try_from(index).unwrap_or(0),
                &mut out,
            );
            fleet.ping(index, 1_000_000, &mut out);
            fleet.chat_to_all(index, "Roger & out", 1_000_000, &mut out);
            fleet.chat_to(index, index + 1, "über", 1_000_000, &mut out);
        }
    });
    assert_eq!(measured.count_total, 0);
}
