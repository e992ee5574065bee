//! Every kind of fault that a server can have is found, in its exact number.

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Delivery, Habits, broadcaster, paced, plain, short};
use loadtest::{LoadError, Plan, Report, Scenario};

fn run(plan: &Plan) -> Report {
    loadtest::run(plan, &mut |_| {}).expect("the run ends with a report")
}

/// A broadcaster with a fault in every `every`th delivery that counts, and how many there were.
fn faulty(
    every: u64,
    mut fault: impl FnMut(&Delivery<'_>) -> Vec<Vec<u8>> + Send + 'static,
) -> (std::net::SocketAddr, Arc<AtomicU64>) {
    let made = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&made);
    let mut deliveries = 0_u64;
    let addr = broadcaster(Habits::default(), move |delivery| {
        if delivery.is_hello || delivery.from == delivery.to {
            return plain(delivery);
        }
        deliveries += 1;
        if !deliveries.is_multiple_of(every) {
            return plain(delivery);
        }
        counter.fetch_add(1, Ordering::Relaxed);
        fault(delivery)
    });
    (addr, made)
}

#[test]
fn faultless_server_gets_a_faultless_report() {
    let target = broadcaster(Habits::default(), plain);
    for scenario in [Scenario::Closed { window: 4 }, Scenario::Open { rate: 50.0 }] {
        let report = run(&short(target, scenario));
        assert!(report.deliveries > 1000, "{report}");
        assert!(report.compared > 10 && report.changed == 0, "{report}");
        assert!(report.latency.is_some_and(|latency| latency.p50_us > 1.0), "{report}");
        let faults = [report.lost, report.duplicated, report.reordered, report.echoed];
        assert_eq!(faults, [0; 4], "{report}");
        assert_eq!((report.leaked, report.others, report.unsent), (0, 0, 0), "{report}");
    }
}

#[test]
fn each_lost_delivery_is_counted() {
    let (target, made) = faulty(11, |_| Vec::new());
    let report = run(&paced(target));
    assert!(report.lost > 20, "{report}");
    assert_eq!(report.lost, made.load(Ordering::Relaxed), "{report}");
    assert!(report.superseded <= report.lost, "{report}");
    assert_eq!((report.duplicated, report.reordered), (0, 0), "{report}");
}

#[test]
fn closed_loop_goes_on_despite_losses() {
    let (target, made) = faulty(101, |_| Vec::new());
    let mut plan = short(target, Scenario::Closed { window: 4 });
    plan.patience = Duration::from_millis(500);
    let report = run(&plan);
    assert!(report.lost > 0 && report.deliveries > 500, "{report}");
    assert_eq!(report.lost, made.load(Ordering::Relaxed), "{report}");
}

#[test]
fn each_repeated_delivery_is_counted() {
    let (target, made) = faulty(13, |delivery| vec![delivery.event.to_vec(); 2]);
    let report = run(&paced(target));
    assert!(report.duplicated > 20, "{report}");
    assert_eq!(report.duplicated, made.load(Ordering::Relaxed), "{report}");
    assert_eq!((report.lost, report.reordered), (0, 0), "{report}");
}

#[test]
fn each_delivery_out_of_order_is_counted() {
    let mut held: HashMap<(usize, usize), Vec<u8>> = HashMap::new();
    let swapped = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&swapped);
    let mut deliveries = 0_u64;
    // Every 17th delivery waits until the next event of the same sender has overtaken it.
    let target = broadcaster(Habits::default(), move |delivery| {
        if delivery.is_hello || delivery.from == delivery.to {
            return plain(delivery);
        }
        let pair = (delivery.from, delivery.to);
        if let Some(earlier) = held.remove(&pair) {
            counter.fetch_add(1, Ordering::Relaxed);
            return vec![delivery.event.to_vec(), earlier];
        }
        deliveries += 1;
        if deliveries.is_multiple_of(17) {
            held.insert(pair, delivery.event.to_vec());
            return Vec::new();
        }
        plain(delivery)
    });
    let report = run(&paced(target));
    assert!(report.reordered > 20, "{report}");
    assert_eq!(report.reordered, swapped.load(Ordering::Relaxed), "{report}");
    assert_eq!((report.superseded, report.duplicated), (0, 0), "{report}");
}

#[test]
fn echoes_and_leaks_are_told_from_deliveries() {
    let target = broadcaster(Habits::default(), |delivery| vec![delivery.event.to_vec()]);
    let mut plan = paced(target);
    plan.teams = 2;
    plan.isolated = true;
    let report = run(&plan);
    assert_eq!(report.echoed, report.sent, "{report}");
    assert_eq!(report.leaked, report.sent * 4, "{report}");
    assert_eq!((report.lost, report.duplicated), (0, 0), "{report}");
}

#[test]
fn rewritten_events_are_followed_and_told() {
    let target = broadcaster(Habits::default(), |delivery| {
        let text = String::from_utf8_lossy(delivery.event);
        let text = text.replace('"', "'").replace("access='Undefined'", "");
        let pong = "<event uid='pong' type='t-x-c-t-r'></event>";
        let text = format!("<?xml version='1.0'?>\n{text}\n{pong}");
        if delivery.from == delivery.to { Vec::new() } else { vec![text.into_bytes()] }
    });
    let report = run(&paced(target));
    assert_eq!((report.lost, report.duplicated, report.reordered), (0, 0, 0), "{report}");
    assert!(report.compared > 5 && report.changed == report.compared, "{report}");
    assert!(report.others > report.deliveries / 2, "{report}");
}

#[test]
fn events_in_pieces_are_put_together() {
    let target = broadcaster(Habits { piece: 97, ..Habits::default() }, plain);
    let report = run(&paced(target));
    assert_eq!((report.lost, report.others, report.changed), (0, 0, 0), "{report}");
}

#[test]
fn a_pause_of_the_server_counts_for_every_event_that_was_due() {
    let mut deliveries = 0;
    // One pause of 400 ms in about a second. A generator that waits for the server would see one
    // slow event; seen from the timetable it is hundreds.
    let target = broadcaster(Habits::default(), move |delivery| {
        deliveries += u64::from(!delivery.is_hello);
        if deliveries == 900 {
            thread::sleep(Duration::from_millis(400));
        }
        plain(delivery)
    });
    let report = run(&paced(target));
    let latency = report.latency.expect("measured");
    assert!(latency.max_us > 350_000.0, "{report}");
    assert!(latency.p99_us > 300_000.0, "{report}");
    assert!(latency.p50_us < 200_000.0, "{report}");
    assert_eq!(report.lost, 0, "{report}");
}

#[test]
fn a_server_that_closes_is_named() {
    let target = broadcaster(Habits { closes_after: Some(5), ..Habits::default() }, plain);
    let error = loadtest::run(&paced(target), &mut |_| {}).expect_err("closed");
    assert!(matches!(error, LoadError::Closed { .. }), "{error}");
}

#[test]
fn a_silent_server_is_named() {
    let target = broadcaster(Habits::default(), |_| Vec::new());
    let mut plan = paced(target);
    plan.patience = Duration::from_secs(1);
    let error = loadtest::run(&plan, &mut |_| {}).expect_err("silent");
    assert!(matches!(error, LoadError::Deaf { client: 0, heard: 0, expected: 7, .. }), "{error}");
}

#[test]
fn a_client_reports_itself_when_it_is_connected_and_again_only_after_the_pause() {
    let target = broadcaster(Habits::default(), plain);
    let mut plan = paced(target);
    plan.join_gap = Duration::from_millis(5);
    plan.hello_every = Duration::from_secs(60);
    // Whoever came first has heard all the others, the next one all but the first.
    let error = loadtest::run(&plan, &mut |_| {}).expect_err("nobody repeats a report");
    assert!(matches!(error, LoadError::Deaf { client: 1, heard: 6, expected: 7, .. }), "{error}");
    plan.hello_every = Duration::from_millis(50);
    assert_eq!(run(&plan).lost, 0);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a span of real time is what is tested")]
fn a_client_is_silent_for_as_long_as_the_plan_says() {
    let (sender, heard) = std::sync::mpsc::channel();
    let target = broadcaster(Habits::default(), move |delivery| {
        let _unheard = sender.send(Instant::now());
        plain(delivery)
    });
    let mut plan = paced(target);
    plan.hello_after = Duration::from_millis(300);
    let start = Instant::now();
    assert_eq!(run(&plan).lost, 0);
    let first = heard.recv().expect("a report came");
    assert!(first.duration_since(start) >= plan.hello_after);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let target = listener.local_addr().expect("bound");
    drop(listener);
    let error = loadtest::run(&paced(target), &mut |_| {}).expect_err("nobody listens");
    assert!(matches!(error, LoadError::Connect { .. }), "{error}");
    assert!(error.to_string().contains(&target.to_string()), "{error}");
}
