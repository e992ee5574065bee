//! Churn, replay, idle clients, stalled readers and gateways give what they promise.

mod common;

use std::time::Duration;

use common::{Habits, broadcaster, paced, plain, short};
use loadtest::{LoadError, Plan, Report, Scenario};

fn run(plan: &Plan) -> Report {
    loadtest::run(plan, &mut |_| {}).expect("the run ends with a report")
}

#[test]
fn every_join_is_seen_by_all() {
    let target = broadcaster(Habits::default(), plain);
    let report = run(&short(target, Scenario::Churn { joins: 50.0 }));
    let joins = report.latency.expect("measured").count;
    // A busy machine may make fewer of them than 50 per second.
    assert!((20..=40).contains(&joins) && (joins..=50).contains(&report.sent), "{report}");
    assert_eq!((report.deliveries, report.lost), (joins * 8, 0), "{report}");
}

#[test]
fn a_join_that_one_client_does_not_see_is_a_loss() {
    let target = broadcaster(Habits::default(), |delivery| {
        // Hellos are the steady clients'; the one that comes fourth is blind to all others.
        let is_seen = delivery.is_hello || delivery.to != 3;
        if is_seen { plain(delivery) } else { Vec::new() }
    });
    let mut plan = short(target, Scenario::Churn { joins: 20.0 });
    plan.patience = Duration::from_secs(1);
    let report = run(&plan);
    assert!((10..=20).contains(&report.lost) && report.lost == report.sent, "{report}");
    assert!(report.latency.is_none(), "{report}");
}

#[test]
fn a_replay_is_timed_until_the_last_thing() {
    let target = broadcaster(Habits { replays: true, ..Habits::default() }, plain);
    let mut plan = short(target, Scenario::Replay { uids: 300, newcomers: 3 });
    plan.clients = 2;
    let report = run(&plan);
    assert_eq!((report.lost, report.duplicated), (0, 0), "{report}");
    assert_eq!(report.latency.expect("measured").count, 3, "{report}");
}

#[test]
fn a_server_without_replay_loses_the_picture() {
    let target = broadcaster(Habits::default(), plain);
    let mut plan = short(target, Scenario::Replay { uids: 50, newcomers: 2 });
    plan.clients = 2;
    plan.patience = Duration::from_secs(1);
    let report = run(&plan);
    assert_eq!((report.lost, report.latency.is_none()), (100, true), "{report}");
}

#[test]
fn stalled_clients_leave_the_others_whole() {
    let target = broadcaster(Habits::default(), plain);
    let mut plan = paced(target);
    plan.stalled = 3;
    let report = run(&plan);
    assert_eq!((report.stalled, report.lost, report.duplicated), (3, 0, 0), "{report}");
    // Three senders are heard by five, and five by four; a busy machine sends fewer than 240.
    assert!((160..=240).contains(&report.sent) && report.unsent == 0, "{report}");
    assert!(report.deliveries > report.sent / 8 * (3 * 5 + 5 * 4) / 2, "{report}");
    let catch_up = report.catch_up.expect("three stalled");
    assert_eq!((catch_up.clients, catch_up.complete), (3, 3), "{report}");
    // This server keeps everything for them: nearly all events less their own.
    assert!(catch_up.events > 3 * report.sent * 5 / 8, "{report}");
}

#[test]
fn a_gateway_is_the_only_sender() {
    let target = broadcaster(Habits::default(), plain);
    let mut plan = paced(target);
    plan.uids = Some(10);
    let report = run(&plan);
    assert!((20..=31).contains(&report.sent), "{report}");
    assert_eq!((report.lost, report.changed), (0, 0), "{report}");
}

#[cfg(target_os = "linux")]
#[test]
fn memory_per_idle_client_is_reported() {
    let target = broadcaster(Habits::default(), plain);
    let mut plan = short(target, Scenario::Idle { idle: 20 });
    plan.pid = Some(std::process::id());
    let report = run(&plan);
    let server = report.server.expect("the process is this one");
    assert!(server.rss_after > 0 && server.rss_per_idle_client.is_some(), "{report}");
    assert_eq!(report.lost, 0, "{report}");
}

#[test]
fn a_plan_that_cannot_be_is_refused_by_name() {
    let target = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    let refused = |change: &dyn Fn(&mut Plan)| {
        let mut plan = Plan::new(target, Scenario::Open { rate: 1.0 });
        change(&mut plan);
        match loadtest::run(&plan, &mut |_| {}) {
            Err(LoadError::Plan { key, .. }) => key,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&|plan| plan.clients = 1), "clients");
    assert_eq!(refused(&|plan| plan.teams = 0), "teams");
    assert_eq!(refused(&|plan| plan.teams = 51), "teams");
    assert_eq!(refused(&|plan| plan.stalled = 99), "stalled");
    assert_eq!(refused(&|plan| plan.uids = Some(0)), "uids");
    assert_eq!(refused(&|plan| plan.patience = Duration::ZERO), "patience");
    let join = Scenario::Churn { joins: 1.0 };
    assert_eq!(refused(&|plan| (plan.stalled, plan.scenario) = (1, join)), "stalled");
    assert_eq!(refused(&|plan| (plan.uids, plan.scenario) = (Some(1), join)), "uids");
    assert_eq!(refused(&|plan| plan.measure = Duration::ZERO), "seconds");
    assert_eq!(refused(&|plan| plan.scenario = Scenario::Open { rate: f64::NAN }), "rate");
    assert_eq!(refused(&|plan| plan.scenario = Scenario::Closed { window: 0 }), "window");
    assert_eq!(refused(&|plan| plan.scenario = Scenario::Churn { joins: 0.0 }), "churn");
    assert_eq!(refused(&|plan| plan.scenario = Scenario::Idle { idle: 0 }), "idle");
    let nobody = Scenario::Replay { uids: 1, newcomers: 0 };
    assert_eq!(refused(&|plan| plan.scenario = nobody), "newcomers");
}

#[test]
fn a_report_is_text_for_people_and_json_for_machines() {
    let target = broadcaster(Habits::default(), plain);
    let mut phases = Vec::new();
    let plan = paced(target);
    let report = loadtest::run(&plan, &mut |progress| phases.push(progress.phase.name()));
    let report = report.expect("the run ends with a report");
    assert!(phases.contains(&"measuring"), "{phases:?}");
    let text = report.to_string();
    assert!(text.contains("8 clients") && text.contains("p99.9"), "{text}");
    let json = serde_json::to_value(&report).expect("a plain struct");
    assert_eq!(json["deliveries"], report.deliveries, "{json}");
    assert!(json["latency"]["p99_us"].is_f64(), "{json}");
}
