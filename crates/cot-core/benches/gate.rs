//! Holds the wire layer to its speed: ratios to other parsers in the same run, so that the
//! machine does not matter. Prints a table and fails below the floors.
//!
//! Every contender runs once in every round, so slow spells of the machine hit all alike; time is
//! the thread's CPU time; a ratio is taken within each round, and the median of those is shown.
//!
//! ```text
//! taskset -c 1 cargo bench -p cot-core --bench gate
//! ```

#![expect(clippy::print_stdout, reason = "the table is the purpose")]

mod support;

use std::hint::black_box;
use std::process::ExitCode;

use cot_core::{Limits, Scanner};
use rustix::time::{ClockId, clock_gettime};
use support::{Corpus, worst_cases};

/// Rounds, when measuring; odd, so that there is a median.
const ROUNDS: usize = 41;
/// CPU time of one sample at least, in nanoseconds.
const SAMPLE_NS: f64 = 2_000_000.0;

struct Contender<'a> {
    name: String,
    bytes: usize,
    run: Box<dyn FnMut() -> usize + 'a>,
    /// Passes in one sample.
    passes: u64,
    /// Nanoseconds of one pass, one for each round.
    samples: Vec<f64>,
}

impl<'a> Contender<'a> {
    fn new(name: impl Into<String>, bytes: usize, run: impl FnMut() -> usize + 'a) -> Self {
        Self { name: name.into(), bytes, run: Box::new(run), passes: 1, samples: Vec::new() }
    }

    fn sample(&mut self) -> f64 {
        let start = cpu_ns();
        for _ in 0..self.passes {
            black_box((self.run)());
        }
        (cpu_ns() - start) as f64 / self.passes as f64
    }

    fn warm_up(&mut self) {
        while self.sample() * (self.passes as f64) < SAMPLE_NS {
            self.passes += 1;
        }
    }

    /// MB/s in the median round.
    fn speed(&self) -> f64 {
        self.bytes as f64 * 1000.0 / median(self.samples.clone())
    }
}

fn cpu_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(now.tv_sec * 1_000_000_000 + now.tv_nsec).unwrap_or_default()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// How many times faster per byte the first is than the second: the median over all rounds.
fn ratio(fast: &Contender<'_>, slow: &Contender<'_>) -> f64 {
    let per_byte = slow.bytes as f64 / fast.bytes as f64;
    let rounds = fast.samples.iter().zip(&slow.samples);
    median(rounds.map(|(fast, slow)| slow / fast / per_byte).collect())
}

fn main() -> ExitCode {
    // Without `--bench` this is a test run: one round shows that everything works.
    let rounds = if std::env::args().any(|arg| arg == "--bench") { ROUNDS } else { 1 };
    let mix = Corpus::mix();
    let bytes = mix.stream.len();
    let worst = worst_cases();
    let scanner = || Scanner::new(Limits::default());
    let (mut whole, mut read_16k, mut read_64) = (scanner(), scanner(), scanner());
    let mut ready = scanner();
    let mut contenders = vec![
        Contender::new("frame + validate + route", bytes, || {
            support::tinycot(&mut whole, &mix.stream, usize::MAX)
        }),
        Contender::new("... in reads of 16 KiB", bytes, || {
            support::tinycot(&mut read_16k, &mix.stream, 16 << 10)
        }),
        Contender::new("... in reads of 64 bytes", bytes, || {
            support::tinycot(&mut read_64, &mix.stream, 64)
        }),
        Contender::new("validate + route, framed before", bytes, || {
            support::scan(&mut ready, &mix.events)
        }),
        Contender::new("quick-xml, events + attributes", bytes, || {
            support::quick_xml(&mix.events, true)
        }),
        Contender::new("quick-xml, events", bytes, || support::quick_xml(&mix.events, false)),
        Contender::new("roxmltree", bytes, || support::roxmltree(&mix.events)),
        Contender::new("memmem for </event>", bytes, || support::bare_memmem(&mix.stream)),
    ];
    let first_worst = contenders.len();
    for (name, stream) in &worst {
        let mut scanner = support::lenient();
        contenders.push(Contender::new(*name, stream.len(), move || {
            support::tinycot(&mut scanner, stream, 16 << 10)
        }));
    }
    contenders.iter_mut().for_each(Contender::warm_up);
    for _ in 0..rounds {
        for contender in &mut contenders {
            let sample = contender.sample();
            contender.samples.push(sample);
        }
    }

    println!("{} events, {bytes} bytes, {rounds} rounds\n", mix.events.len());
    for contender in &contenders {
        println!("{:<34} {:>9.0} MB/s", contender.name, contender.speed());
    }
    println!("\n{:<4}{:<58}{:>7}{:>8}", "", "", "ratio", "floor");
    let (common, hard) = contenders.split_at(first_worst);
    let [route, in_16k, in_64, framed, attributes, events, tree, memmem] = common else {
        return ExitCode::FAILURE;
    };
    let mut all_hold = true;
    let mut row = |id: &str, what: &str, ratio: f64, floor: f64| {
        println!("{id:<4}{what:<58}{ratio:>7.2}{floor:>8.2}");
        all_hold &= ratio >= floor;
    };
    row("T1", "with framing / framed before", ratio(route, framed), 0.8);
    row("T1", "memmem for </event> / all of it", ratio(memmem, route), 0.0);
    row("T2", "all of it / quick-xml events + attributes", ratio(route, attributes), 2.5);
    row("T3", "all of it / quick-xml events", ratio(route, events), 1.25);
    row("T4", "all of it / roxmltree", ratio(route, tree), 3.5);
    for case in hard {
        row("T5", &format!("{} / mix", case.name), ratio(case, route), 0.1);
    }
    row("T13", "reads of 16 KiB / one read", ratio(in_16k, route), 0.7);
    row("T13", "reads of 64 bytes / reads of 16 KiB", ratio(in_64, in_16k), 0.2);

    // Counting them here would slow down the parsers that do allocate.
    println!("T11 allocations: none, which `cargo test -p cot-core --test alloc` proves");
    if rounds == 1 || all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
