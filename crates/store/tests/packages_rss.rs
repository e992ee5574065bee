//! The memory of uploads has a bound: measured in a process of its own.

use std::fs;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use store::packages::{Audience, PackageStore, PackagesConfig, SqlitePackages, Upload};
use tokio::io::{AsyncRead, ReadBuf};

const UPLOAD_BYTES: u64 = 200_000_000;

/// Content that nobody holds in memory.
struct Numbers(u64);

impl AsyncRead for Numbers {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let chunk = [self.0.to_le_bytes(); 8 << 10];
        let left = usize::try_from(self.0).unwrap_or(usize::MAX);
        let len = buf.remaining().min(64 << 10).min(left);
        let (given, _) = chunk.as_flattened().split_at(len);
        buf.put_slice(given);
        self.0 -= len as u64;
        Poll::Ready(Ok(()))
    }
}

/// The most memory this process had. KiB.
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_takes_a_megabyte_whatever_its_size() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = PackagesConfig::default();
    config.min_free_bytes = 0;
    config.ballast_bytes = 0;
    let store = SqlitePackages::open(dir.path(), config).await.unwrap();
    let insert = |bytes| store.insert(Upload::new("a", Audience::Everyone), Numbers(bytes));
    // Threads, and what is allocated once.
    insert(2_000_000).await.unwrap();
    let Some(before) = peak_kib() else {
        println!("skipped: the system does not say how much memory is used");
        return;
    };
    let stored = insert(UPLOAD_BYTES).await.unwrap();
    let grown = peak_kib().unwrap() - before;
    println!("{UPLOAD_BYTES} bytes took {grown} KiB");
    assert_eq!(stored.size, UPLOAD_BYTES);
    assert!(grown < 2048, "{grown} KiB");
}
