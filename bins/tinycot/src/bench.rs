//! `tinycot bench`: a load test for any TAK server that speaks XML over plain TCP.

use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use clap::ArgAction;
use indicatif::{ProgressBar, ProgressStyle};
use loadtest::{LoadError, Phase, Plan, Progress, Report, Scenario};

use crate::error::exit;

/// Steady clients of a run that is about others: they watch, or keep some traffic going.
const FEW: u32 = 10;

/// What `tinycot bench` is asked to do.
#[derive(Debug, clap::Args)]
#[command(
    about = "Load a TAK server with many clients, and report deliveries, latency and losses",
    after_help = "\
Without --rate, --churn, --replay or --idle, each client keeps --window events under way and sends
the next when the oldest has arrived everywhere: the most a server delivers without loss.

Examples:
  tinycot bench --pid $(pidof tinycot)           throughput of 100 clients, and the server's CPU
  tinycot bench --rate 1 --clients 500           latency of 500 clients that report every second
  tinycot bench --rate 20 --clients 60 --stalled 10   what ten dead readers do to the others
  tinycot bench --churn 500                      500 clients come and go per second
  tinycot bench --replay 5000                    time until a newcomer has 5000 things
  tinycot bench --idle 1000 --pid 4711           memory per idle client
  tinycot bench --target tak.example.org:8087 --json

Load only servers that are yours: every other client of the server sees this traffic."
)]
pub(crate) struct BenchArgs {
    /// The server: a name or address, and the port where it speaks XML over plain TCP
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8087")]
    target: String,

    /// Clients that stay for the whole run [default: 100; with --idle 10, with --replay 2]
    #[arg(long, value_name = "N")]
    clients: Option<u32>,

    /// Events that each client has under way
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with_all = ["rate", "churn", "replay", "idle"])]
    window: u32,

    /// Events per second of each client; latency counts from when an event was due
    #[arg(long, value_name = "PER_SECOND", conflicts_with_all = ["churn", "replay", "idle"])]
    rate: Option<f64>,

    /// Clients per second that connect, are seen by all, and leave
    #[arg(long, value_name = "PER_SECOND", conflicts_with_all = ["replay", "idle"])]
    churn: Option<f64>,

    /// Things that a publisher reports before a newcomer is timed until it has all
    #[arg(long, value_name = "N", conflicts_with = "idle")]
    replay: Option<u32>,

    /// Newcomers that are timed, one after the other
    #[arg(long, value_name = "N", default_value_t = 5, requires = "replay")]
    newcomers: u32,

    /// Clients that report once and then only read
    #[arg(long, value_name = "N")]
    idle: Option<u32>,

    /// Teams that the clients are spread over
    #[arg(long, value_name = "N", default_value_t = 1)]
    teams: u32,

    /// Expect a client to hear its own team only, and count what it hears of others as leaks
    #[arg(long, action = ArgAction::SetTrue)]
    isolated: bool,

    /// Clients that stop reading halfway through the warm-up
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with_all = ["churn", "replay", "idle"])]
    stalled: u32,

    /// Only one client sends, and reports so many things in turn, as a gateway does
    #[arg(long, value_name = "N", conflicts_with_all = ["churn", "replay", "idle"])]
    uids: Option<u32>,

    /// Time between two clients that connect at the start, in seconds, for servers that take one
    /// newcomer at a time
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    join_gap: Duration,

    /// Time between the connection of a client and its first report, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    hello_after: Duration,

    /// Time after which clients that some have not heard at the start report themselves again, in
    /// seconds
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = seconds)]
    hello_every: Duration,

    /// Time for which figures are taken, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    seconds: Duration,

    /// Time of the same load before that, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    warmup: Duration,

    /// Time without any delivery after which what is missing is given up, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    patience: Duration,

    /// The server's process on this machine, to report its CPU time and memory (Linux)
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,

    /// Print the report as one JSON object
    #[arg(long, action = ArgAction::SetTrue)]
    json: bool,
}

/// Runs the load test and prints its report.
pub(crate) fn run(args: &BenchArgs) -> ExitCode {
    let Some(target) = resolve(&args.target) else {
        let wanted = "give a name or address and a port, such as 192.168.1.5:8087";
        explain(&format!("--target {}: no such server; {wanted}", args.target));
        return ExitCode::from(exit::USAGE);
    };
    let bar = ProgressBar::no_length();
    let done = loadtest::run(&args.plan(target), &mut |progress| show(&bar, progress));
    bar.finish_and_clear();
    match done {
        Ok(report) => print(&report, args.json),
        Err(error) => {
            explain(&error.to_string());
            if let Some(cause) = std::error::Error::source(&error) {
                explain(&format!("  cause: {cause}"));
            }
            ExitCode::from(code(&error))
        }
    }
}

impl BenchArgs {
    fn plan(&self, target: SocketAddr) -> Plan {
        let (scenario, clients) = if let Some(rate) = self.rate {
            (Scenario::Open { rate }, 100)
        } else if let Some(joins) = self.churn {
            (Scenario::Churn { joins }, 100)
        } else if let Some(uids) = self.replay {
            (Scenario::Replay { uids, newcomers: self.newcomers }, 2 * self.teams.max(1))
        } else if let Some(idle) = self.idle {
            (Scenario::Idle { idle }, FEW.max(self.teams.saturating_mul(2)))
        } else {
            (Scenario::Closed { window: self.window }, 100)
        };
        let mut plan = Plan::new(target, scenario);
        plan.clients = self.clients.unwrap_or(clients);
        plan.teams = self.teams;
        plan.isolated = self.isolated;
        plan.stalled = self.stalled;
        plan.uids = self.uids;
        plan.join_gap = self.join_gap;
        plan.hello_after = self.hello_after;
        plan.hello_every = self.hello_every;
        plan.measure = self.seconds;
        plan.warmup = self.warmup;
        plan.patience = self.patience;
        plan.pid = self.pid;
        plan
    }
}

/// Reads seconds, which may have a fraction.
fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || "give seconds, such as 10 or 0.5".to_string();
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

fn resolve(target: &str) -> Option<SocketAddr> {
    target.to_socket_addrs().ok()?.next()
}

fn show(bar: &ProgressBar, progress: &Progress) {
    let unit = match progress.phase {
        Phase::WarmingUp | Phase::Measuring | Phase::Draining => "",
        _ => " {pos}/{len}",
    };
    let template = format!("{{msg:>11}} {{wide_bar}}{unit}");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    let deliveries = progress.deliveries;
    bar.set_length(progress.total);
    bar.set_position(progress.done);
    bar.set_message(match deliveries {
        0 => progress.phase.name().to_string(),
        _ => format!("{}, {deliveries} deliveries", progress.phase.name()),
    });
}

fn print(report: &Report, as_json: bool) -> ExitCode {
    let mut stdout = io::stdout().lock();
    let printed = if as_json {
        let json = serde_json::to_string(report).map_err(io::Error::other);
        json.and_then(|json| writeln!(stdout, "{json}"))
    } else {
        write!(stdout, "{report}")
    };
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the report may have gone.
        Err(_) => ExitCode::from(exit::IO),
    }
}

fn explain(line: &str) {
    // When the terminal is gone there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "tinycot: {line}");
}

fn code(error: &LoadError) -> u8 {
    match error {
        LoadError::Plan { .. } => exit::USAGE,
        LoadError::Connect { .. } => exit::UNAVAILABLE,
        _ => exit::OTHER,
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, FromArgMatches};

    use super::*;

    fn plan(line: &str) -> Result<Plan, clap::Error> {
        let command = BenchArgs::augment_args(clap::Command::new("bench"));
        let matches = command.try_get_matches_from(line.split_whitespace())?;
        Ok(BenchArgs::from_arg_matches(&matches)?.plan(SocketAddr::from(([127, 0, 0, 1], 8087))))
    }

    #[test]
    fn each_scenario_has_its_flag() {
        let scenario = |line| plan(line).expect("valid").scenario;
        assert_eq!(scenario("bench"), Scenario::Closed { window: 1 });
        assert_eq!(scenario("bench --rate 0.5"), Scenario::Open { rate: 0.5 });
        assert_eq!(scenario("bench --churn 500"), Scenario::Churn { joins: 500.0 });
        let replay = Scenario::Replay { uids: 9, newcomers: 5 };
        assert_eq!(scenario("bench --replay 9"), replay);
        assert_eq!(scenario("bench --idle 7"), Scenario::Idle { idle: 7 });
    }

    #[test]
    fn scenarios_exclude_each_other_and_seconds_are_numbers() {
        for line in ["bench --rate 1 --churn 1", "bench --idle 1 --stalled 1", "bench --seconds x"]
        {
            assert!(plan(line).is_err(), "{line}");
        }
        let fractions = plan("bench --seconds 0.25").expect("valid");
        assert_eq!(fractions.measure, Duration::from_millis(250));
        assert_eq!((fractions.join_gap, fractions.hello_every.as_millis()), (Duration::ZERO, 500));
        let slow = plan("bench --join-gap 0.2 --hello-after 2 --hello-every 3").expect("valid");
        assert_eq!((slow.join_gap.as_millis(), slow.hello_after.as_secs()), (200, 2));
        assert_eq!(slow.hello_every.as_secs(), 3);
    }
}
