//! How does TinyCoT compare with the plainest broadcaster, doing the same work in the same run?
//!
//! ```text
//! cargo build --release && cargo bench -p benches --bench swarm
//! ```
//!
//! Starts both servers anew for every case, in turn, three rounds of it, and prints the table of
//! medians against what is demanded. Ratios are taken within a round, where the machine was in the
//! same mood, and then the median of those. Shorter and other runs through the environment:
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `SWARM_SECONDS` | 10 | measured time of each run |
//! | `SWARM_ROUNDS` | 3 | rounds |
//! | `SWARM_ONLY` | all | cases: `closed,pace,idle,stalled,replay,churn` |
//! | `SWARM_WINDOW` | 1 | events that each client of the closed loop has under way |
//! | `TINYCOT_BIN` | beside the bench | the server's binary |
#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]
#![expect(clippy::print_stderr, reason = "progress of a bench")]

mod cases;
mod machine;
mod servers;

use std::process::ExitCode;
use std::str::FromStr;

use cases::{CASES, Case, Outcome, Row, START, Settings};
use servers::{Kind, tinycot};

fn main() -> ExitCode {
    // Without this flag it is a test run of all targets, which has no time for it.
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("swarm: measures only when run by `cargo bench`");
        return ExitCode::SUCCESS;
    }
    let settings = Settings { seconds: env("SWARM_SECONDS", 10.0), window: env("SWARM_WINDOW", 1) };
    let rounds: usize = env("SWARM_ROUNDS", 3);
    let only: String = env("SWARM_ONLY", String::new());
    let has_tinycot = tinycot().is_file();
    if !has_tinycot {
        let path = tinycot();
        eprintln!("{} is missing: `cargo build --release`, or set TINYCOT_BIN", path.display());
        eprintln!("measuring the baseline alone");
    }
    let chosen: Vec<_> = CASES
        .iter()
        .filter(|case| only.is_empty() || only.split(',').any(|key| key.trim() == case.key))
        .map(|case| (case, Runs::default()))
        .collect();
    let chosen = measure(chosen, rounds, &settings, has_tinycot);
    print(&chosen, rounds, &settings);
    let faults: u64 = chosen.iter().map(|(_, runs)| runs.faults()).sum();
    if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the rounds of a case gave.
#[derive(Default)]
struct Runs {
    baseline: Vec<Option<Outcome>>,
    tinycot: Vec<Option<Outcome>>,
}

fn measure(
    mut chosen: Vec<(&'static Case, Runs)>,
    rounds: usize,
    settings: &Settings,
    has_tinycot: bool,
) -> Vec<(&'static Case, Runs)> {
    for round in 0..rounds {
        for (case, runs) in &mut chosen {
            // Neither always goes first, into a machine that has cooled or warmed.
            let mut kinds = [Kind::Baseline, Kind::TinyCot];
            kinds.rotate_left(round % 2);
            for kind in kinds {
                if kind == Kind::TinyCot && !has_tinycot {
                    continue;
                }
                let outcome = (case.run)(kind, settings);
                let about = format!("round {} {} {}", round + 1, case.key, kind.name());
                match &outcome {
                    Ok(Outcome { figures, faults, generator, others, .. }) => eprintln!(
                        "{about}: {figures:.3?}, {faults} faults, generator {generator:.2} cores, \
                         other processes {others:.2}"
                    ),
                    Err(error) => eprintln!("{about}: {error}"),
                }
                match kind {
                    Kind::Baseline => runs.baseline.push(outcome.ok()),
                    Kind::TinyCot => runs.tinycot.push(outcome.ok()),
                }
            }
        }
    }
    chosen
}

impl Runs {
    fn faults(&self) -> u64 {
        let all = self.baseline.iter().chain(&self.tinycot);
        // A run without an outcome is a fault as well.
        all.map(|run| run.as_ref().map_or(1, |outcome| outcome.faults)).sum()
    }

    /// The figures of a row: TinyCoT's, the baseline's, and the one that counts.
    fn figures(&self, row: &Row, index: usize) -> (f64, f64, f64) {
        let figure = |run: &Option<Outcome>| {
            run.as_ref().and_then(|run| run.figures.get(index).copied()).unwrap_or(f64::NAN)
        };
        let tinycot: Vec<f64> = self.tinycot.iter().map(figure).collect();
        let baseline: Vec<f64> = self.baseline.iter().map(figure).collect();
        let counts = if row.is_ratio {
            median(tinycot.iter().zip(&baseline).map(|(ours, base)| ours / base).collect())
        } else {
            median(tinycot.clone())
        };
        (median(tinycot), median(baseline), counts)
    }
}

fn print(chosen: &[(&'static Case, Runs)], rounds: usize, settings: &Settings) {
    let Settings { seconds, window } = settings;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!();
    println!(
        "Medians of {rounds} rounds, {seconds} s each, {cores} cores shared with the load \
         generator; closed loop with {window} under way."
    );
    println!();
    println!("| what | TinyCoT | baseline | counts | must | aim | reached |");
    println!("|---|---|---|---|---|---|---|");
    for (case, runs) in chosen {
        for (index, row) in case.rows.iter().enumerate() {
            line(row, runs.figures(row, index));
        }
    }
    let start = |pick: fn(&Runs) -> &Vec<Option<Outcome>>| {
        let runs = chosen.iter().flat_map(|(_, runs)| pick(runs).iter().flatten());
        median(runs.map(|outcome| outcome.started_in.as_secs_f64() * 1e3).collect())
    };
    let ours = start(|runs| &runs.tinycot);
    line(&START, (ours, start(|runs| &runs.baseline), ours));
    println!();
    for (case, runs) in chosen {
        let worst = |pick: fn(&Outcome) -> f64| {
            let all = runs.baseline.iter().chain(&runs.tinycot).flatten();
            all.map(pick).fold(0.0, f64::max)
        };
        println!(
            "- `{}`: {} faults; the generator used at most {:.2} cores, other processes {:.2}",
            case.key,
            runs.faults(),
            worst(|outcome| outcome.generator),
            worst(|outcome| outcome.others),
        );
    }
}

fn line(row: &Row, (tinycot, baseline, counts): (f64, f64, f64)) {
    let reached = if row.must.is_infinite() {
        "—"
    } else if counts.is_nan() {
        "not measured"
    } else if row.reaches(counts, row.aim) {
        "aim"
    } else if row.reaches(counts, row.must) {
        "must"
    } else {
        "**missed**"
    };
    let unit = row.unit;
    let number = |value: f64| match value {
        value if !value.is_finite() => "—".to_string(),
        value => format!("{value:.2}"),
    };
    let sign = if row.is_more_better { "≥" } else { "≤" };
    let limit = |value: f64| match value {
        value if value.is_finite() => format!("{sign} {value}"),
        _ => "—".to_string(),
    };
    let counts = if row.is_ratio { format!("{}×", number(counts)) } else { number(counts) };
    println!(
        "| {}, {unit} | {} | {} | {counts} | {} | {} | {reached} |",
        row.what,
        number(tinycot),
        number(baseline),
        limit(row.must),
        limit(row.aim),
    );
}

impl Row {
    fn reaches(&self, figure: f64, limit: f64) -> bool {
        if self.is_more_better { figure >= limit } else { figure <= limit }
    }
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
