//! What does it cost to keep the picture on disk and to record every event?
//!
//! ```text
//! cargo build --release && cargo bench -p benches --bench state
//! ```
//!
//! Three questions, each answered by the real server: how many deliveries it makes with everything
//! kept, as a share of those with nothing kept, in turn in the same run; how soon it is ready when
//! there is much to restore; and what it writes. The data directory is in the system's directory
//! for temporary files (`TMPDIR`), which should be on a disk. Shorter and other runs through the
//! environment:
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `STATE_SECONDS` | 2 | measured time of each run of the fan-out |
//! | `STATE_ROUNDS` | 15 | pairs of runs of the fan-out, and starts |
//! | `STATE_MINUTES` | 1 | measured time of each run of the writing |
//! | `STATE_ONLY` | all | questions: `fanout,start,writes` |
//! | `TINYCOT_BIN` | beside the bench | the server's binary |
#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]
#![expect(clippy::print_stderr, reason = "progress of a bench")]

mod machine;
#[path = "state/server.rs"]
mod server;

use std::error::Error;
use std::process::ExitCode;
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use loadtest::{Plan, Report, Scenario};
use tempfile::TempDir;

use machine::Moment;
use server::{Server, Written, tinycot};

/// Uids of the picture that is restored.
const UIDS: u32 = 10_000;

/// Least share of deliveries with everything kept.
const LEAST_SHARE: f64 = 0.9;

/// Longest time from the start to `ready` with that many uids. Milliseconds.
const LONGEST_START_MS: f64 = 300.0;

/// Cores used by others from which on a run tells more of them.
const LOUD: f64 = 0.25;

const NOTHING: &[&str] = &["--state", "off", "--dump", "off"];
const EVERYTHING: &[&str] = &["--state", "on", "--dump", "json"];

/// Prints the answer, and says whether it is good enough.
type Question = fn() -> Result<bool>;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    // Without this flag it is a test run of all targets, which has no time for it.
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("state: measures only when run by `cargo bench`");
        return ExitCode::SUCCESS;
    }
    if !tinycot().is_file() {
        let path = tinycot();
        eprintln!("{} is missing: `cargo build --release`, or set TINYCOT_BIN", path.display());
        return ExitCode::FAILURE;
    }
    let only: String = env("STATE_ONLY", String::new());
    let is_chosen = |key: &str| only.is_empty() || only.split(',').any(|one| one.trim() == key);
    let questions: [(&str, Question); 3] =
        [("fanout", fanout), ("start", start), ("writes", writes)];
    let mut is_good = true;
    for (key, answer) in questions.into_iter().filter(|(key, _)| is_chosen(key)) {
        match answer() {
            Ok(is_reached) => is_good &= is_reached,
            Err(error) => {
                eprintln!("{key}: {error}");
                is_good = false;
            }
        }
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Deliveries of the closed loop with everything kept and with nothing kept.
fn fanout() -> Result<bool> {
    let rounds: usize = env("STATE_ROUNDS", 15);
    let mut pairs = Vec::new();
    for round in 0..rounds {
        let mut runs = Vec::new();
        // Neither always goes first, into a machine that has cooled or warmed.
        let mut settings = [NOTHING, EVERYTHING];
        settings.rotate_left(round % 2);
        for args in settings {
            let run = Run::of(args)?;
            eprintln!("round {} {args:?}: {run:.3?}", round + 1);
            runs.push(run);
        }
        runs.rotate_left(round % 2);
        if let [nothing, everything] = runs.as_slice() {
            pairs.push((*nothing, *everything));
        }
    }
    let faults: u64 = pairs.iter().map(|(a, b)| a.faults + b.faults).sum();
    // Others on the machine hit one of a pair or the other.
    let is_quiet = |(a, b): &&(Run, Run)| a.others.max(b.others) < LOUD;
    let quiet: Vec<_> = pairs.iter().filter(is_quiet).copied().collect();
    let (count, loud) = (quiet.len(), pairs.len() - quiet.len());
    let pairs = if count >= 3 { quiet } else { pairs };
    let of = |figure: fn(&(Run, Run)) -> f64| median(pairs.iter().map(figure).collect());
    let share = of(|(nothing, everything)| everything.million / nothing.million);
    println!();
    println!("| 100 clients, closed loop | nothing kept | state and dump | ratio | must |");
    println!("|---|---|---|---|---|");
    println!(
        "| deliveries/s, million | {:.2} | {:.2} | {share:.2} | > {LEAST_SHARE} |",
        of(|(nothing, _)| nothing.million),
        of(|(_, everything)| everything.million),
    );
    println!(
        "| CPU per delivery, all threads, µs | {:.3} | {:.3} | {:.2} | |",
        of(|(nothing, _)| nothing.cpu_us),
        of(|(_, everything)| everything.cpu_us),
        of(|(nothing, everything)| everything.cpu_us / nothing.cpu_us),
    );
    println!();
    println!(
        "Medians of {} pairs of runs; in {loud} of {rounds} others used more than {LOUD} cores{}. \
         {faults} faults.",
        pairs.len(),
        if count >= 3 { ", which are left out" } else { "" },
    );
    Ok(share > LEAST_SHARE && faults == 0)
}

/// One run of the closed loop.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Deliveries per second.
    million: f64,
    /// Per delivery, of all threads of the server.
    cpu_us: f64,
    /// Cores that other processes used meanwhile.
    others: f64,
    faults: u64,
}

impl Run {
    fn of(args: &[&str]) -> Result<Self> {
        let dir = TempDir::new()?;
        let server = Server::start(dir.path(), args)?;
        let began = Moment::now();
        let seconds = env("STATE_SECONDS", 2.0);
        let report = load(&server, Scenario::Closed { window: 1 }, 100, seconds)?;
        Ok(Self {
            million: report.deliveries_per_second / 1e6,
            cpu_us: report.server.map_or(f64::NAN, |server| server.cpu_us_per_delivery),
            others: began.others(server.pid()).unwrap_or(f64::NAN),
            faults: faults_of(&report),
        })
    }
}

/// Time to `ready` with a large picture: out of a snapshot, and out of a journal.
fn start() -> Result<bool> {
    let rounds: usize = env("STATE_ROUNDS", 15);
    println!();
    println!("| start to `ready`, {UIDS} uids, ms | median | longest | must |");
    println!("|---|---|---|---|");
    let mut is_good = true;
    for (what, is_killed) in [("a snapshot, behind a stop", false), ("behind a kill", true)] {
        let dir = TempDir::new()?;
        // The journal is not to be followed by another snapshot.
        let args = ["--journal-size", "1GiB"];
        let server = Server::start(dir.path(), &args)?;
        load(&server, Scenario::Replay { uids: UIDS, newcomers: 1 }, 2, 1.0)?;
        thread::sleep(Duration::from_secs(3));
        if is_killed {
            server.kill()?;
        } else {
            server.stop()?;
        };
        let mut times = Vec::new();
        for _ in 0..rounds {
            let server = Server::start(dir.path(), &args)?;
            let restored = server.metric("tinycot_state_events")?;
            if restored < f64::from(UIDS) {
                return Err(format!("only {restored} uids were restored").into());
            }
            times.push(server.started_in.as_secs_f64() * 1e3);
            // Nothing has changed, so the next start finds the same.
            server.kill()?;
        }
        let longest = times.iter().copied().fold(0.0, f64::max);
        let median = median(times);
        is_good &= median < LONGEST_START_MS;
        println!("| {what} | {median:.1} | {longest:.1} | < {LONGEST_START_MS} |");
    }
    Ok(is_good)
}

/// Bytes written while 100 clients report once a second, and while nothing happens.
fn writes() -> Result<bool> {
    let time = Duration::from_secs_f64(60.0 * env("STATE_MINUTES", 1.0));
    println!();
    println!("| bytes/s written, 100 clients, 1 event/s each | to the disk | state | dump |");
    println!("|---|---|---|---|");
    let settings: [(&str, &[&str]); 4] = [
        ("as it is", &[]),
        ("`--state-sync 5s`", &["--state-sync", "5s"]),
        ("`--dump json`", &["--dump", "json"]),
        ("`--state-sync 5s --dump json`", &["--state-sync", "5s", "--dump", "json"]),
    ];
    for (what, args) in settings {
        let dir = TempDir::new()?;
        let server = Server::start(dir.path(), args)?;
        let seconds = time.as_secs_f64() + 2.0;
        let written = thread::scope(|scope| {
            let clients = scope.spawn(|| {
                load(&server, Scenario::Open { rate: 1.0 }, 100, seconds)
                    .map_err(|error| error.to_string())
            });
            thread::sleep(Duration::from_secs(3));
            let written = Written::within(&server, time);
            let report = clients.join().map_err(|_| "the load panicked")??;
            if faults_of(&report) > 0 { Err(report.to_string().into()) } else { written }
        })?;
        row(what, &written, time);
    }
    let dir = TempDir::new()?;
    let server = Server::start(dir.path(), EVERYTHING)?;
    load(&server, Scenario::Open { rate: 1.0 }, 100, 2.0)?;
    // What happened last is durable by then, and the last alert and position told.
    thread::sleep(Duration::from_secs(10));
    let written = Written::within(&server, time)?;
    row("idle, with `--dump json`", &written, time);
    Ok(written.disk == 0.0)
}

fn row(what: &str, written: &Written, time: Duration) {
    let seconds = time.as_secs_f64();
    let [disk, state, dump] = [written.disk, written.state, written.dump].map(|all| all / seconds);
    println!("| {what} | {disk:.0} | {state:.0} | {dump:.0} |");
}

fn load(server: &Server, scenario: Scenario, clients: u32, seconds: f64) -> Result<Report> {
    let mut plan = Plan::new(server.addr, scenario);
    plan.clients = clients;
    plan.warmup = Duration::from_secs(1);
    plan.measure = Duration::from_secs_f64(seconds);
    plan.pid = Some(server.pid());
    Ok(loadtest::run(&plan, &mut |_| {})?)
}

fn faults_of(report: &Report) -> u64 {
    let lost = report.lost.saturating_sub(report.superseded);
    lost + report.duplicated + report.reordered + report.echoed + report.changed
}

/// The middle of what was measured; not a number if nothing was.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.retain(|figure| !figure.is_nan());
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A setting from the environment, or its default if it is missing or unreadable.
fn env<T: FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}
