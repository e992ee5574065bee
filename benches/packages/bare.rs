//! The least that any server of files does: what the real one is measured against.

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

/// Bytes that are read at a time.
const READ_BYTES: usize = 256 << 10;

/// Takes connections until the process ends. Of each it reads all, hashes it, writes it to a file
/// of its own, and has that on the disk before it answers with the hash.
pub(crate) fn keep(dir: &Path) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    let dir = Arc::new(dir.to_owned());
    thread::spawn(move || {
        for (number, conn) in listener.incoming().flatten().enumerate() {
            let path = dir.join(format!("bare-{number}"));
            // Who does not get an answer says so.
            thread::spawn(move || drop(take(conn, &path)));
        }
    });
    Ok(addr)
}

fn take(mut conn: impl Read + Write, path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; READ_BYTES];
    loop {
        let len = conn.read(&mut chunk)?;
        let Some(read) = chunk.get(..len).filter(|read| !read.is_empty()) else { break };
        hasher.update(read);
        file.write_all(read)?;
    }
    file.sync_all()?;
    conn.write_all(&hasher.finalize())?;
    fs::remove_file(path)
}

/// Sends one file to everybody who asks for anything, until the process ends.
pub(crate) fn serve(path: PathBuf) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let addr = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || runtime.block_on(accept(listener, path)));
    Ok(addr)
}

async fn accept(listener: TcpListener, path: PathBuf) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (conn, _) = listener.accept().await?;
        let path = path.clone();
        let service = service_fn(move |_: Request<Incoming>| {
            let path = path.clone();
            async move { Ok::<_, Infallible>(Response::new(Content::open(path).await)) }
        });
        // A client that hangs up has what it wanted.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(conn), service));
    }
}

/// A file, read ahead by a few chunks.
struct Content {
    chunks: mpsc::Receiver<Bytes>,
    size: u64,
}

impl Content {
    async fn open(path: PathBuf) -> Self {
        let size = tokio::fs::metadata(&path).await.map_or(0, |found| found.len());
        let (sender, chunks) = mpsc::channel(2);
        tokio::spawn(async move {
            let mut file = tokio::fs::File::open(path).await?;
            file.set_max_buf_size(READ_BYTES);
            loop {
                let mut chunk = BytesMut::with_capacity(READ_BYTES);
                if file.read_buf(&mut chunk).await? == 0
                    || sender.send(chunk.freeze()).await.is_err()
                {
                    return Ok::<_, io::Error>(());
                }
            }
        });
        Self { chunks, size }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.chunks.poll_recv(cx).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.size)
    }
}
