//! What uploads do to the latency of events.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use loadtest::{Plan, Scenario};
use tempfile::TempDir;

use super::client::{Client, Upload};
use super::pace::Pace;
use super::server::Server;
use super::{ARGS, PARALLEL, Result, bare, bytes, env, median, mega, now, rounds};

/// Most that the p99 may rise to, as a multiple.
const MOST: f64 = 1.2;

/// Width of the lines that some upload over: 100 Mbit/s. Bytes per second.
const LINE: u64 = 12_500_000;

/// What else goes on during a run of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Nothing,
    Uploads(Pace),
    /// Into a bare loop in this process: what any upload does to this machine.
    Bare(Pace),
}

const RUNS: [(&str, Beside); 5] = [
    ("nothing", Beside::Nothing),
    ("uploads over 4 lines of 100 Mbit/s", Beside::Uploads(Pace::Line(LINE))),
    ("the same into a bare loop, not the server", Beside::Bare(Pace::Line(LINE))),
    ("4 uploads as fast as it goes", Beside::Uploads(Pace::Full)),
    ("the same into a bare loop, not the server", Beside::Bare(Pace::Full)),
];

/// The p99 of 100 clients, with uploads and without.
pub(crate) fn relay() -> Result<bool> {
    let rounds = rounds();
    let mut found = [const { Vec::new() }; RUNS.len()];
    for round in 0..rounds {
        for at in 0..RUNS.len() {
            // Nobody always goes first, into a machine that has cooled or warmed.
            let at = (at + round) % RUNS.len();
            let Some(((_, beside), found)) = RUNS.get(at).zip(found.get_mut(at)) else { continue };
            let run = Run::of(*beside)?;
            eprintln!("relay {} {beside:?}: {run:.2?}", round + 1);
            found.push(run);
        }
    }
    let of = |runs: &[Run], figure: fn(&Run) -> f64| median(runs.iter().map(figure).collect());
    let alone = found.first().map_or(f64::NAN, |runs| of(runs, |run| run.p99_ms));
    println!();
    println!("| beside 100 clients at 1 event/s | MB/s | p50, ms | p99, ms | to alone | must |");
    println!("|---|---:|---:|---:|---:|---:|");
    let (mut is_good, mut faults) = (true, 0);
    for ((what, beside), runs) in RUNS.iter().zip(&found) {
        let p99 = of(runs, |run| run.p99_ms);
        let ratio = p99 / alone;
        let is_ours = matches!(beside, Beside::Uploads(_));
        is_good &= !is_ours || ratio < MOST;
        let must = if is_ours { format!("< {MOST}") } else { String::new() };
        let (rate, p50) = (of(runs, |run| run.mb_per_second), of(runs, |run| run.p50_ms));
        println!("| {what} | {rate:.0} | {p50:.2} | {p99:.2} | {ratio:.2} | {must} |");
        faults += runs.iter().map(|run| run.faults).sum::<u64>();
    }
    println!();
    println!("Medians of {rounds} rounds. {faults} faults.");
    Ok(is_good && faults == 0)
}

/// Has this thread make way for the clients whose events are measured: who uploads would do so
/// on another machine.
fn make_way() {
    // In Linux this is of a thread, elsewhere of the whole process.
    #[cfg(target_os = "linux")]
    rustix::process::nice(10).expect("everyone may be less urgent");
}

/// One run of events.
#[derive(Clone, Copy, Debug)]
struct Run {
    p50_ms: f64,
    p99_ms: f64,
    /// What was uploaded meanwhile.
    mb_per_second: f64,
    faults: u64,
}

impl Run {
    fn of(beside: Beside) -> Result<Self> {
        let dir = TempDir::new()?;
        let server = Server::start(&dir.path().join("data"), ARGS)?;
        let bare = bare::keep(dir.path())?;
        let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
        let upload = |thread: usize, at: usize, pace: Pace| -> io::Result<()> {
            let name = format!("beside{thread}-{at}.zip");
            let upload = Upload { name, bytes: bytes(), pace };
            if matches!(beside, Beside::Bare(_)) {
                return upload.to_bare(bare);
            }
            let mut client = Client::connect(server.http)?;
            let hash = client.upload(&upload)?.hash()?;
            let path = format!("/Marti/sync/delete?hash={hash}&creatorUid=BENCH");
            client.ask("DELETE", &path, &[]).map(drop)
        };
        let (upload, stop, done) = (&upload, &stop, &done);
        let began = now();
        let report = thread::scope(|scope| {
            let mut uploaders = Vec::new();
            if let Beside::Uploads(pace) | Beside::Bare(pace) = beside {
                uploaders.extend((0..PARALLEL).map(|thread| {
                    scope.spawn(move || -> io::Result<()> {
                        make_way();
                        for at in 0.. {
                            if stop.load(Ordering::Relaxed) {
                                break;
                            }
                            upload(thread, at, pace)?;
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(())
                    })
                }));
            }
            let mut plan = Plan::new(server.addr, Scenario::Open { rate: 1.0 });
            plan.clients = 100;
            plan.measure = Duration::from_secs_f64(env("PACKAGES_SECONDS", 10.0));
            let report = loadtest::run(&plan, &mut |_| {});
            stop.store(true, Ordering::Relaxed);
            for uploader in uploaders {
                uploader.join().map_err(|_| "an uploader panicked")??;
            }
            Ok::<_, Box<dyn std::error::Error>>(report?)
        })?;
        let uploaded = done.load(Ordering::Relaxed) as f64 * mega(bytes());
        let latency = report.latency.as_ref().ok_or("no latency was measured")?;
        let lost = report.lost.saturating_sub(report.superseded);
        Ok(Self {
            p50_ms: latency.p50_us / 1e3,
            p99_ms: latency.p99_us / 1e3,
            mb_per_second: uploaded / began.elapsed().as_secs_f64(),
            faults: lost + report.duplicated + report.reordered + report.changed,
        })
    }
}
