//! The broadcaster that everything is measured against makes no mistakes itself.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use loadtest::{Plan, Report, Scenario};

struct Baseline(Child, SocketAddr);

impl Baseline {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_baseline"));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary was built");
        let stdout = child.stdout.take().expect("piped");
        let line = BufReader::new(stdout).lines().next().expect("a line").expect("text");
        let addr = line.strip_prefix("listening cot ").and_then(|addr| addr.parse().ok());
        Self(child, addr.expect("an address"))
    }

    fn run(&self, scenario: Scenario, change: impl FnOnce(&mut Plan)) -> Report {
        let mut plan = Plan::new(self.1, scenario);
        plan.clients = 20;
        plan.warmup = Duration::from_millis(300);
        plan.measure = Duration::from_millis(700);
        change(&mut plan);
        loadtest::run(&plan, &mut |_| {}).expect("the run ends with a report")
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn assert_faultless(report: &Report) {
    let faults = [report.lost, report.duplicated, report.reordered, report.echoed, report.changed];
    assert_eq!(faults, [0; 5], "{report}");
    assert!(report.deliveries > 0, "{report}");
}

#[test]
fn every_delivery_arrives_once_in_order_and_unchanged() {
    let baseline = Baseline::start();
    for window in [1, 7, 64] {
        assert_faultless(&baseline.run(Scenario::Closed { window }, |_| {}));
    }
    assert_faultless(&baseline.run(Scenario::Open { rate: 50.0 }, |_| {}));
}

#[test]
fn what_a_socket_does_not_take_is_resumed_in_order() {
    let baseline = Baseline::start();
    // About 4 MB per stalled client, more than the buffers between take.
    let report = baseline.run(Scenario::Open { rate: 300.0 }, |plan| plan.stalled = 3);
    assert_faultless(&report);
    let catch_up = report.catch_up.expect("three stalled");
    assert_eq!((catch_up.clients, catch_up.complete), (3, 3), "{report}");
    assert!(catch_up.events > 3 * 19 * 150, "{report}");
}
