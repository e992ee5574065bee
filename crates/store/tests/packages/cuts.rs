use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use store::packages::{PackageStore, SqlitePackages};
use tokio::io::{AsyncRead, ReadBuf};

use crate::support::{
    ALL, blobs, bytes, config, files, open, open_with, read, sha256, until, upload,
};

/// Gives a little at each read, and is not always ready.
struct Slow<'a> {
    rest: &'a [u8],
    step: usize,
    is_ready: bool,
    /// What happens at the end.
    is_cut: bool,
}

impl<'a> Slow<'a> {
    fn new(rest: &'a [u8], step: usize) -> Self {
        Self { rest, step, is_ready: false, is_cut: false }
    }
}

impl AsyncRead for Slow<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.is_ready = !self.is_ready;
        if !self.is_ready {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.rest.is_empty() && self.is_cut {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let len = self.step.min(self.rest.len()).min(buf.remaining());
        let (given, rest) = self.rest.split_at(len);
        buf.put_slice(given);
        self.rest = rest;
        Poll::Ready(Ok(()))
    }
}

/// Waits until nothing is under way: no temporary file, and no content without a row.
async fn settle(store: &SqlitePackages, dir: &Path) {
    until(async || {
        let contents = store.usage().await.unwrap().contents;
        let is_settled = files(&dir.join("tmp")).is_empty() && blobs(dir).len() as u64 == contents;
        is_settled.then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_upload_dropped_at_any_moment_leaves_all_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let content = bytes(1, 1_500_000);
    let hash = sha256(&content);
    let (mut nothing, mut everything) = (0, 0);
    for polls in 0.. {
        let mut left = polls;
        let ended = {
            let mut insert = pin!(store.insert(upload("a"), Slow::new(&content, 100_000)));
            let poll = |context: &mut Context<'_>| {
                if left == 0 {
                    return Poll::Ready(None);
                }
                left -= 1;
                insert.as_mut().poll(context).map(Some)
            };
            poll_fn(poll).await
        };
        settle(&store, dir.path()).await;
        match store.find(hash, &ALL).await.unwrap() {
            Some(_) => {
                assert_eq!(read(&store, hash).await.unwrap(), content);
                store.remove(hash, &ALL, &store::packages::Owner::Anyone).await.unwrap();
                everything += 1;
            }
            None => {
                assert!(ended.is_none(), "acknowledged and not there");
                nothing += 1;
            }
        }
        assert!(blobs(dir.path()).is_empty());
        if let Some(ended) = ended {
            ended.unwrap();
            break;
        }
    }
    assert!(nothing > 20 && everything >= 1, "{nothing} times nothing, {everything} times all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t17_parallel_uploads_half_of_them_cut_are_one_file_and_one_row() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let content: Arc<[u8]> = bytes(3, 900_001).into();
    let hash = sha256(&content);
    let uploads: Vec<_> = (0..32)
        .map(|at| {
            let (store, content) = (store.clone(), Arc::clone(&content));
            tokio::spawn(async move {
                let cut_at = at * 7919 * 113 % content.len();
                let is_cut = at % 2 == 1;
                let len = if is_cut { cut_at } else { content.len() };
                let slow = Slow { is_cut, ..Slow::new(&content[..len], 10_000 + at) };
                (is_cut, store.insert(upload("same"), slow).await)
            })
        })
        .collect();
    for upload in uploads {
        let (is_cut, stored) = upload.await.unwrap();
        assert_eq!(stored.is_err(), is_cut, "{stored:?}");
    }
    settle(&store, dir.path()).await;
    let usage = store.usage().await.unwrap();
    assert_eq!((usage.packages, usage.contents), (1, 1));
    assert_eq!(blobs(dir.path()).len(), 1);
    assert_eq!(read(&store, hash).await.unwrap(), *content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn uploads_and_removals_of_the_same_content_never_leave_half() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let content: Arc<[u8]> = bytes(5, 50_000).into();
    let hash = sha256(&content);
    let tasks: Vec<_> = (0..16)
        .map(|at| {
            let (store, content) = (store.clone(), Arc::clone(&content));
            tokio::spawn(async move {
                for _ in 0..10 {
                    if at % 4 == 0 {
                        let _ = store.remove(hash, &ALL, &store::packages::Owner::Anyone).await;
                    } else if at % 4 == 1 {
                        match read(&store, hash).await {
                            Ok(read) => assert_eq!(read, *content),
                            Err(store::StoreError::NotFound { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                    } else {
                        store.insert(upload("same"), &content[..]).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    store.insert(upload("same"), &content[..]).await.unwrap();
    settle(&store, dir.path()).await;
    assert_eq!(read(&store, hash).await.unwrap(), *content);
    assert!(files(&dir.path().join("damaged")).is_empty());
}

#[tokio::test]
async fn more_uploads_than_allowed_are_refused_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config();
    config.max_uploads = 2;
    let store = open_with(dir.path(), config).await;
    let (mut first, first_end) = tokio::io::duplex(100);
    let (mut second, second_end) = tokio::io::duplex(100);
    let slow = [first_end, second_end].map(|end| {
        let store = store.clone();
        tokio::spawn(async move { store.insert(upload("slow"), end).await })
    });
    until(async || (files(&dir.path().join("tmp")).len() == 2).then_some(())).await;
    let busy = store.insert(upload("c"), &b"c"[..]).await.unwrap_err();
    assert!(matches!(busy, store::StoreError::Busy), "{busy}");
    tokio::io::AsyncWriteExt::write_all(&mut first, b"a").await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut second, b"b").await.unwrap();
    drop((first, second));
    for upload in slow {
        upload.await.unwrap().unwrap();
    }
    store.insert(upload("c"), &b"c"[..]).await.unwrap();
    assert_eq!(files(&dir.path().join("blobs")).len(), 3);
}

#[tokio::test]
async fn t15_hostile_names_never_become_paths() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("packages");
    let store = open(&dir).await;
    for name in ["../../x", "/tmp/x", "..\\x", "a\0b", "CON", ".", "\u{ff0e}\u{ff0e}/x"] {
        let mut upload = upload(name);
        upload.filename = Some(name.to_owned());
        upload.uid = Some(name.to_owned());
        upload.download_path = Some(name.to_owned());
        assert_eq!(store.insert(upload, name.as_bytes()).await.unwrap().name, name);
    }
    let outside: Vec<_> =
        files(outer.path()).into_iter().filter(|path| !path.starts_with(&dir)).collect();
    assert!(outside.is_empty(), "{outside:?}");
    for path in blobs(&dir) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let fan_out = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
        assert!(name.len() == 64 && name.starts_with(fan_out) && fan_out.len() == 2, "{path:?}");
    }
}
