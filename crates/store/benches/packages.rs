//! How much slower is an upload into the store than a bare loop that hashes and writes? And how
//! long does a search over 10,000 packages take?
//!
//! Run with `cargo bench -p store --features sqlite --bench packages [-- DIRECTORY] [PART]`, where a
//! part is `uploads`, `downloads` or `searches`.

#![expect(clippy::disallowed_methods, reason = "time is what is measured")]
#![expect(clippy::print_stdout, reason = "figures are for who runs this")]

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use store::packages::{
    Audience, Owner, PackageFilter, PackageStore, PackagesConfig, SqlitePackages, Upload, Viewer,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Uploads at a time.
const UPLOADS: usize = 4;

/// Bytes of each.
const BYTES: usize = 100_000_000;

/// Bytes that are read at a time.
const READ_BYTES: usize = 256 << 10;

/// Times that each is measured, in turns.
const ROUNDS: usize = 5;

/// Packages to search.
const PACKAGES: usize = 10_000;

/// What can be measured alone.
const PARTS: [&str; 3] = ["uploads", "downloads", "searches"];

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let (parts, dirs): (Vec<_>, Vec<_>) =
        arguments.partition(|argument| PARTS.contains(&argument.as_str()));
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let dir = dirs.first().map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(dir)?;
    let mut config = PackagesConfig::default();
    config.min_free_bytes = 0;
    config.ballast_bytes = 0;
    let store = SqlitePackages::open(dir.path().join("store"), config).await?;
    if is_wanted("uploads") {
        uploads(&store, dir.path()).await?;
    }
    if is_wanted("downloads") {
        downloads(&store, dir.path()).await?;
    }
    if is_wanted("searches") {
        searches(&store).await?;
    }
    Ok(())
}

async fn uploads(store: &SqlitePackages, dir: &Path) -> Result<(), Failure> {
    let (mut bare, mut stored) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let started = Instant::now();
        let tasks: Vec<_> = (0..UPLOADS)
            .map(|at| tokio::spawn(bare_upload(dir.join(format!("bare-{at}")), fill(round, at))))
            .collect();
        for task in tasks {
            task.await??;
        }
        bare.push(started.elapsed());
        let started = Instant::now();
        let tasks: Vec<_> = (0..UPLOADS)
            .map(|at| tokio::spawn(stored_upload(store.clone(), fill(round, at))))
            .collect();
        let mut hashes = Vec::new();
        for task in tasks {
            hashes.push(task.await??);
        }
        stored.push(started.elapsed());
        for hash in hashes {
            store.remove(hash, &Viewer::Everything, &Owner::Anyone).await?;
        }
    }
    let (bare, stored) = (median(bare), median(stored));
    println!("{UPLOADS} uploads of {BYTES} bytes over TCP, median of {ROUNDS}:");
    println!("  bare loop, synced  {:.0} MB/s", rate(bare));
    println!("  store              {:.0} MB/s", rate(stored));
    println!("  ratio              {:.2}", bare.as_secs_f64() / stored.as_secs_f64());
    Ok(())
}

/// A byte that no other upload consists of.
fn fill(round: usize, at: usize) -> u8 {
    u8::try_from(round * UPLOADS + at).unwrap_or(u8::MAX)
}

/// A connection on which the content arrives.
async fn sender(fill: u8) -> io::Result<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut sender = TcpStream::connect(listener.local_addr()?).await?;
    tokio::spawn(async move {
        let chunk = vec![fill; 100_000];
        for _ in 0..BYTES / chunk.len() {
            sender.write_all(&chunk).await?;
        }
        sender.shutdown().await
    });
    Ok(listener.accept().await?.0)
}

/// Reads a socket, hashes and writes, one after the other.
async fn bare_upload(path: PathBuf, fill: u8) -> Result<(), Failure> {
    let mut socket = sender(fill).await?;
    let mut file = File::create(&path)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 256 << 10];
    loop {
        let len = socket.read(&mut chunk).await?;
        let bytes = chunk.get(..len).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        hasher.update(bytes);
        file.write_all(bytes)?;
    }
    let hash = hasher.finalize();
    tokio::task::spawn_blocking(move || file.sync_all()).await??;
    std::fs::remove_file(&path)?;
    if hash.iter().all(|byte| *byte == 0) { Err("no hash".into()) } else { Ok(()) }
}

async fn stored_upload(
    store: SqlitePackages,
    fill: u8,
) -> Result<store::packages::ContentHash, Failure> {
    let socket = sender(fill).await?;
    let upload = Upload::new(format!("upload {fill}"), Audience::Everyone);
    Ok(store.insert(upload, socket).await?.hash)
}

/// Sends a content and a bare file to a reader over TCP, in turns.
async fn downloads(store: &SqlitePackages, dir: &Path) -> Result<(), Failure> {
    let content: Vec<u8> = (0..251_u8).cycle().take(BYTES).collect();
    let upload = Upload::new("download", Audience::Everyone);
    let hash = store.insert(upload, &content[..]).await?.hash;
    let path = dir.join("bare");
    std::fs::write(&path, &content)?;
    println!("a download of {BYTES} bytes, median of {}:", 4 * ROUNDS);
    for (what, is_sent) in [("read", false), ("sent over TCP", true)] {
        let (mut bare, mut stored, mut opened) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..4 * ROUNDS {
            let started = Instant::now();
            let mut file = tokio::fs::File::open(&path).await?;
            file.set_max_buf_size(READ_BYTES);
            download(file, is_sent).await?;
            bare.push(started.elapsed());
            let started = Instant::now();
            let (_, file) = store.open(hash, &Viewer::Everything).await?;
            opened.push(started.elapsed());
            download(file, is_sent).await?;
            stored.push(started.elapsed());
        }
        let (bare, stored) = (median(bare), median(stored));
        let rate = |time: Duration| BYTES as f64 / 1e6 / time.as_secs_f64();
        println!("  {what}, bare file      {:.0} MB/s", rate(bare));
        println!("  {what}, store          {:.0} MB/s", rate(stored));
        println!("  {what}, ratio          {:.2}", bare.as_secs_f64() / stored.as_secs_f64());
        println!("  to open                {:?}", median(opened));
    }
    std::fs::remove_file(&path)?;
    store.remove(hash, &Viewer::Everything, &Owner::Anyone).await?;
    Ok(())
}

/// Reads to the end, and sends what was read.
async fn download(mut content: impl AsyncReadExt + Unpin, is_sent: bool) -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut receiver = TcpStream::connect(listener.local_addr()?).await?;
    let mut socket = listener.accept().await?.0;
    let receiving = tokio::spawn(async move {
        let mut chunk = vec![0; READ_BYTES];
        while receiver.read(&mut chunk).await? > 0 {}
        Ok::<_, io::Error>(())
    });
    let mut chunk = vec![0; READ_BYTES];
    let mut total = 0;
    loop {
        let len = content.read(&mut chunk).await?;
        if len == 0 {
            break;
        }
        total += len;
        if is_sent {
            socket.write_all(chunk.get(..len).unwrap_or_default()).await?;
        }
    }
    drop(socket);
    receiving.await??;
    if total == BYTES { Ok(()) } else { Err("the content is short".into()) }
}

async fn searches(store: &SqlitePackages) -> Result<(), Failure> {
    let started = Instant::now();
    for at in 0..PACKAGES {
        let audience = Audience::groups([format!("Team {}", at % 10)]);
        let mut upload = Upload::new(format!("Package {at}.zip"), audience);
        upload.keywords = vec!["missionpackage".to_owned(), format!("k{}", at % 1000)];
        store.insert(upload, format!("content {at}").as_bytes()).await?;
    }
    let each = started.elapsed() / u32::try_from(PACKAGES)?;
    println!("{PACKAGES} small uploads, one after the other: {each:?} each");
    let all = PackageFilter::new(Viewer::Everything);
    let mut team = PackageFilter::new(Viewer::groups(["Team 3"]));
    search(store, "all, first 1000", &all).await?;
    search(store, "of a team, all 1000", &team).await?;
    team.limit = 100;
    team.tool = Some("public".to_owned());
    team.keywords = vec!["missionpackage".to_owned()];
    search(store, "as ATAK asks, first 100", &team).await?;
    team.name = Some("package 99".to_owned());
    search(store, "by part of a name", &team).await?;
    team.keywords = vec!["k3".to_owned()];
    team.name = None;
    search(store, "by a rare keyword", &team).await
}

async fn search(store: &SqlitePackages, what: &str, filter: &PackageFilter) -> Result<(), Failure> {
    let (mut times, mut found) = (Vec::new(), 0);
    for _ in 0..101 {
        let started = Instant::now();
        found = store.list(filter).await?.len();
        times.push(started.elapsed());
    }
    println!("  {what:<24} {found:>5} found, median {:?}", median(times));
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Millions of bytes per second.
fn rate(time: Duration) -> f64 {
    let bytes = (UPLOADS * BYTES) as f64;
    bytes / 1e6 / time.as_secs_f64()
}
