//! What do data packages cost, and how far is that from the least that it can cost?
//!
//! ```text
//! cargo build --release && cargo bench -p benches --bench packages
//! ```
//!
//! Four questions, each answered by the real server over real sockets: uploads in parallel beside
//! a bare loop that reads a socket, hashes, writes and syncs; downloads beside a bare hyper server
//! of one file; both with the server's memory; what uploads do to the latency of events; and how
//! long a search in many packages takes. Rivals take turns in the same run. Files are in the
//! system's directory for temporary files (`TMPDIR`), which should be on a disk. Shorter and other
//! runs through the environment:
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `PACKAGES_BYTES` | 100000000 | size of an upload or download |
//! | `PACKAGES_ROUNDS` | 5 | times that each is measured; downloads four times as often |
//! | `PACKAGES_SECONDS` | 10 | time of each run of events |
//! | `PACKAGES_ROWS` | 10000 | packages to search |
//! | `PACKAGES_ONLY` | all | questions: `upload,download,relay,search` |
//! | `TINYCOT_BIN` | beside the bench | the server's binary |
#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]
#![expect(clippy::print_stderr, reason = "progress of a bench")]

#[path = "packages/bare.rs"]
mod bare;
#[path = "packages/client.rs"]
mod client;
#[path = "packages/memory.rs"]
mod memory;
#[path = "packages/pace.rs"]
mod pace;
#[path = "packages/relay.rs"]
mod relay;
#[path = "state/server.rs"]
mod server;

use std::error::Error;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use client::{Client, Upload};
use memory::Memory;
use pace::Pace;
use server::{Server, tinycot};

/// Uploads or downloads at a time.
const PARALLEL: usize = 4;

/// Least share of what the bare ones do.
const LEAST_SHARE: f64 = 0.8;

/// Most that the server's memory grows by. Millions of bytes.
const MOST_GROWTH_MB: f64 = 8.0;

/// Longest search. Milliseconds.
const LONGEST_SEARCH_MS: f64 = 10.0;

/// The server on no limits of space, which are not what is measured.
const ARGS: &[&str] = &["--packages-owner-total", "off", "--packages-total", "off"];

/// Prints the answer, and says whether it is good enough.
type Question = fn() -> Result<bool>;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    // Without this flag it is a test run of all targets, which has no time for it.
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("packages: measures only when run by `cargo bench`");
        return ExitCode::SUCCESS;
    }
    if !tinycot().is_file() {
        let path = tinycot();
        eprintln!("{} is missing: `cargo build --release`, or set TINYCOT_BIN", path.display());
        return ExitCode::FAILURE;
    }
    let only: String = env("PACKAGES_ONLY", String::new());
    let is_chosen = |key: &str| only.is_empty() || only.split(',').any(|one| one.trim() == key);
    let questions: [(&str, Question); 4] =
        [("upload", upload), ("download", download), ("relay", relay::relay), ("search", search)];
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

/// Uploads in parallel, into the server and into a bare loop.
fn upload() -> Result<bool> {
    let dir = TempDir::new()?;
    let bare = bare::keep(dir.path())?;
    let mut rival = |number: usize| uploading(number, &|upload: &Upload| upload.to_bare(bare));
    let data = dir.path().join("data");
    let server = Server::start(&data, ARGS)?;
    let mut own = |number: usize| uploading(number, &|upload: &Upload| keep(server.http, upload));
    // What the first upload brings into memory is the program, which is not what is measured.
    keep(server.http, &Upload { name: "first.zip".to_owned(), bytes: 1000, pace: Pace::Full })?;
    let row = Compared::of("upload", rounds(), &server, &mut rival, &mut own)?;
    row.print("a bare loop that reads, hashes, writes and syncs");
    Ok(row.is_good())
}

/// How long it takes to have all uploads of a round kept.
fn uploading(
    number: usize,
    keep: &(dyn Fn(&Upload) -> io::Result<()> + Sync),
) -> io::Result<Duration> {
    let upload = |at: usize| Upload {
        name: format!("round{number}-{at}.zip"),
        bytes: bytes(),
        pace: Pace::Full,
    };
    timed(&|at| keep(&upload(at)))
}

/// Uploads over a connection of its own.
fn keep(server: SocketAddr, upload: &Upload) -> io::Result<()> {
    Client::connect(server)?.upload(upload).map(drop)
}

/// Downloads in parallel, from the server and from a bare one.
fn download() -> Result<bool> {
    let dir = TempDir::new()?;
    let server = Server::start(&dir.path().join("data"), ARGS)?;
    let upload = Upload { name: "content.zip".to_owned(), bytes: bytes(), pace: Pace::Full };
    let hash = Client::connect(server.http)?.upload(&upload)?.hash()?;
    let path = format!("/Marti/sync/content?hash={hash}");
    let file = dir.path().join("bare");
    upload.write(&mut fs::File::create(&file)?)?;
    let bare = bare::serve(file)?;
    let fetch = |from: SocketAddr| -> io::Result<Duration> {
        timed(&|_| match Client::connect(from)?.skim(&path)? {
            len if len == bytes() => Ok(()),
            len => Err(io::Error::other(format!("{len} bytes came"))),
        })
    };
    // They are over soon, so a disturbance hits one of a pair or the other.
    let rounds = 4 * rounds();
    let row = Compared::of("download", rounds, &server, &mut |_| fetch(bare), &mut |_| {
        fetch(server.http)
    })?;
    row.print("a bare hyper server of one file");
    Ok(row.is_good())
}

/// A rival and the server, in turns.
struct Compared {
    what: &'static str,
    rival: f64,
    own: f64,
    share: f64,
    /// Growth of the server's resident memory. Millions of bytes.
    growth_mb: f64,
    memory_mb: f64,
}

/// One round of something: how long it took.
type Round<'a> = &'a mut dyn FnMut(usize) -> io::Result<Duration>;

impl Compared {
    fn of(
        what: &'static str,
        rounds: usize,
        server: &Server,
        rival: Round<'_>,
        own: Round<'_>,
    ) -> Result<Self> {
        let before = Memory::of(server.pid())?.now;
        Memory::forget(server.pid())?;
        let (mut rivals, mut owns, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..rounds {
            // Neither always goes first, into a machine that has cooled or warmed.
            let is_first = number % 2 == 0;
            let early = if is_first { Some(rival(number)?) } else { None };
            let taken = own(number)?;
            let rival = early.map_or_else(|| rival(number), Ok)?;
            eprintln!("{what} {}: bare {rival:.2?}, server {taken:.2?}", number + 1);
            shares.push(rival.as_secs_f64() / taken.as_secs_f64());
            rivals.push(rate(rival));
            owns.push(rate(taken));
        }
        let peak = Memory::of(server.pid())?.peak;
        Ok(Self {
            what,
            rival: median(rivals),
            own: median(owns),
            share: median(shares),
            growth_mb: (peak as f64 - before as f64) / 1e6,
            memory_mb: peak as f64 / 1e6,
        })
    }

    fn print(&self, rival: &str) {
        let Self { what, rival: bare, own, share, growth_mb, memory_mb } = self;
        println!();
        println!("| {PARALLEL} {what}s of {:.0} MB at a time | figure | must |", mega(bytes()));
        println!("|---|---:|---:|");
        println!("| server, MB/s | {own:.0} | |");
        println!("| {rival}, MB/s | {bare:.0} | |");
        println!("| share, median of rounds | {share:.2} | >= {LEAST_SHARE} |");
        println!("| growth of the server's memory, MB | {growth_mb:.1} | < {MOST_GROWTH_MB} |");
        println!("| the server's memory at most, MB | {memory_mb:.1} | |");
    }

    fn is_good(&self) -> bool {
        self.share >= LEAST_SHARE && self.growth_mb < MOST_GROWTH_MB
    }
}

/// Searches in many packages, over a connection that stays.
fn search() -> Result<bool> {
    let rows: usize = env("PACKAGES_ROWS", 10_000);
    let dir = TempDir::new_in(memory_or(&std::env::temp_dir()))?;
    let server = Server::start(&dir.path().join("data"), ARGS)?;
    let began = now();
    let threads = 2 * PARALLEL;
    on_threads(threads, &|thread| {
        let mut client = Client::connect(server.http)?;
        for at in (thread..rows).step_by(threads) {
            let path = format!(
                "/Marti/sync/upload?name=package{at}.zip&creatorUid=BENCH{}&keywords=missionpackage\
                 &keywords=k{}",
                at % 100,
                at % 1000
            );
            client.ask("POST", &path, format!("content {at}").as_bytes())?;
        }
        Ok(())
    })?;
    let per_second = rows as f64 / began.elapsed().as_secs_f64();
    println!();
    println!("| search in {rows} packages | median, ms | bytes | must |");
    println!("|---|---:|---:|---:|");
    let queries = [
        ("what ATAK lists", "/Marti/sync/search?keywords=missionpackage&tool=public"),
        ("a page of 100", "/Marti/api/sync/search?keyword=missionpackage&limit=100"),
        ("part of a name", "/Marti/sync/search?name=package99&tool=public"),
        ("a rare keyword", "/Marti/sync/search?keywords=k77"),
        ("nothing", "/Marti/sync/search?keywords=none"),
    ];
    let mut client = Client::connect(server.http)?;
    let mut is_good = true;
    for (what, path) in queries {
        let (mut times, mut len) = (Vec::new(), 0);
        for _ in 0..51 {
            let began = now();
            len = client.skim(path)?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        let time = median(times);
        is_good &= time < LONGEST_SEARCH_MS;
        println!("| {what} | {time:.2} | {len} | < {LONGEST_SEARCH_MS} |");
    }
    println!();
    println!("{per_second:.0} small uploads per second before, {threads} at a time, in memory.");
    Ok(is_good)
}

/// Does something several times at once: the time until the last is done.
fn timed(work: &(dyn Fn(usize) -> io::Result<()> + Sync)) -> io::Result<Duration> {
    let began = now();
    on_threads(PARALLEL, work)?;
    Ok(began.elapsed())
}

fn on_threads(threads: usize, work: &(dyn Fn(usize) -> io::Result<()> + Sync)) -> io::Result<()> {
    thread::scope(|scope| {
        let tasks: Vec<_> = (0..threads).map(|number| scope.spawn(move || work(number))).collect();
        tasks.into_iter().try_for_each(|task| {
            task.join().unwrap_or_else(|_| Err(io::Error::other("a client panicked")))
        })
    })
}

/// A file system in memory, where there is one.
fn memory_or(other: &Path) -> &Path {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory } else { other }
}

fn rounds() -> usize {
    env("PACKAGES_ROUNDS", 5)
}

fn bytes() -> u64 {
    env("PACKAGES_BYTES", 100_000_000)
}

fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Of a round. Millions of bytes per second.
fn rate(time: Duration) -> f64 {
    PARALLEL as f64 * mega(bytes()) / time.as_secs_f64()
}

/// The middle of what was measured; not a number if nothing was.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.retain(|figure| !figure.is_nan());
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Instant {
    Instant::now()
}

/// A setting from the environment, or its default if it is missing or unreadable.
fn env<T: FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}
