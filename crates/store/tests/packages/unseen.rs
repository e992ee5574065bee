//! What a team has does not show in how another's upload is refused.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use store::StoreError;
use store::packages::{Audience, PackageStore, Upload};
use tokio::io::{AsyncRead, ReadBuf};

use super::support::{bytes, config, open_with, sha256, upload};

/// Content that notes that somebody has begun to read it, and breaks off.
struct Noted(Arc<AtomicBool>);

impl AsyncRead for Noted {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.0.store(true, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn an_announced_hash_tells_nobody_whether_another_team_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config();
    config.max_total_bytes = Some(1_500);
    let store = open_with(dir.path(), config).await;
    let content = bytes(1, 1_000);
    store.insert(upload("cyan.zip"), content.as_slice()).await.unwrap();
    let announced = async |team: &str, of: &[u8]| {
        let mut upload = Upload::new("x.zip", Audience::groups([team]));
        (upload.hash, upload.size) = (Some(sha256(of)), Some(1_000));
        let is_read = Arc::new(AtomicBool::new(false));
        let refused = store.insert(upload, Noted(Arc::clone(&is_read))).await.unwrap_err();
        (matches!(refused, StoreError::QuotaExceeded { .. }), is_read.load(Ordering::Relaxed))
    };
    assert_eq!(announced("Red", &bytes(2, 1_000)).await, (true, false), "nobody has it");
    assert_eq!(announced("Red", &content).await, (true, false), "another team has it");
    assert_eq!(announced("Cyan", &content).await, (false, true), "who has it sends it again");
    // Who sends it and announces nothing has it: it takes no more space.
    let red = Upload::new("red.zip", Audience::groups(["Red"]));
    store.insert(red, content.as_slice()).await.unwrap();
}
