//! Contents that are read.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{self, JoinHandle, coop};

use super::detached::{blocking, ended};
use super::rows::ContentRow;
use super::{Inner, blobs, search};
use crate::StoreError;
use crate::packages::content::piece_len;
use crate::packages::{ContentHash, DataPackage, Precedence, ReadContent, Viewer};

/// Bytes that are read at a time at most.
const CHUNK_BYTES: usize = 256 << 10;

/// Contents that are read ahead at a time. Each takes the memory of two chunks.
pub(super) const MAX_AHEAD: usize = 8;

/// Bytes from which on it is worth to read ahead.
const AHEAD_FROM: u64 = 1 << 20;

/// The content of a package. It stays readable when the package is removed meanwhile.
///
/// What the system has in memory is read at once, and 256 KiB at a time from the disk where threads
/// may wait for it. It takes that much memory while it is read from the disk, however little is
/// asked for at a time, and nothing otherwise. Eight large contents at a time, of those that are
/// passed on in [pieces](ReadContent::poll_piece), are read by threads ahead of what is asked for,
/// so that one thread may send while another reads.
#[derive(Debug)]
pub struct PackageContent {
    file: Arc<File>,
    size: u64,
    /// Where what is given next is.
    at: u64,
    ahead: Ahead,
    /// Whether the system can say that it would have to wait.
    may_ask: bool,
    precedence: Precedence,
    places: Arc<Semaphore>,
    /// That of one that is read ahead.
    place: Option<OwnedSemaphorePermit>,
}

/// What was read from the disk and not given yet.
#[derive(Debug)]
enum Ahead {
    /// The rest of a chunk, from `given` on.
    Read { chunk: Vec<u8>, given: usize },
    /// The chunk at `from` is being read.
    Reading { from: u64, reading: JoinHandle<io::Result<Vec<u8>>> },
}

impl Ahead {
    const NOTHING: Self = Self::Read { chunk: Vec::new(), given: 0 };
}

impl PackageContent {
    fn new(file: File, size: u64, precedence: Precedence, places: Arc<Semaphore>) -> Self {
        let (file, ahead) = (Arc::new(file), Ahead::NOTHING);
        Self { file, size, at: 0, ahead, may_ask: true, precedence, places, place: None }
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The file, for who reads on threads of their own. It is where the next byte would have been
    /// read from here, or at its end.
    pub async fn into_std(self) -> File {
        let Self { file, size, at, ahead, .. } = self;
        if let Ahead::Reading { reading, .. } = ahead {
            // What it read is read again.
            drop(reading.await);
        }
        let mut file = Arc::into_inner(file).expect("no thread reads it any more");
        file.seek(SeekFrom::Start(at.min(size))).expect("a file can be sought within");
        file
    }

    /// Bytes that are still to be given, and not more than a chunk.
    fn left(&self) -> usize {
        let left = self.size.saturating_sub(self.at);
        usize::try_from(left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES))
    }

    /// Whether nothing that was read is left to be given.
    fn has_given_all(&self) -> bool {
        matches!(&self.ahead, Ahead::Read { chunk, given } if *given == chunk.len())
    }

    /// Gives what the system has in memory; says whether there was any.
    fn give_at_once(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let len = self.left().min(buf.remaining());
        let read = match read_at_once(&self.file, buf.initialize_unfilled_to(len), self.at) {
            Ok(read) => read,
            Err(error) => {
                // Other errors are told by reading where threads may wait.
                self.may_ask = error.kind() == io::ErrorKind::WouldBlock;
                0
            }
        };
        buf.advance(read);
        self.at += read as u64;
        read > 0
    }

    /// Whether this is one of the contents that are read ahead, if so much is wanted of it.
    fn is_read_ahead(&mut self, wanted: u64) -> bool {
        if self.place.is_none() && wanted >= AHEAD_FROM {
            self.place = Arc::clone(&self.places).try_acquire_owned().ok();
        }
        self.place.is_some()
    }

    /// Begins to read the next chunk.
    fn read_ahead(&mut self, mut chunk: Vec<u8>) {
        let (file, from, len) = (Arc::clone(&self.file), self.at, self.left());
        // Here, because each thread would keep memory of its own for this.
        chunk.reserve_exact(len.saturating_sub(chunk.len()));
        let precedence = self.precedence.clone();
        let reading = task::spawn_blocking(move || {
            precedence.make_way();
            chunk.resize(len, 0);
            let len = read_at(&file, &mut chunk, from)?;
            chunk.truncate(len);
            match len {
                // It was as long as it should be when it was opened.
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                _ => Ok(chunk),
            }
        });
        self.ahead = Ahead::Reading { from, reading };
    }

    /// Waits for the chunk that is being read. It is dropped if something else was sought meanwhile.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Ahead::Reading { from, reading } = &mut self.ahead {
            let is_wanted = *from == self.at;
            let read = ready!(Pin::new(reading).poll(cx));
            self.ahead = Ahead::NOTHING;
            let read = read.unwrap_or_else(|error| Err(io::Error::other(ended(error))));
            if is_wanted {
                self.ahead = Ahead::Read { chunk: read?, given: 0 };
            }
        }
        Poll::Ready(Ok(()))
    }

    /// What was read and not given, as a piece.
    fn take_read(&mut self, wanted: u64) -> Option<Vec<u8>> {
        let Ahead::Read { chunk, given } = &mut self.ahead else { return None };
        let mut piece = std::mem::take(chunk);
        piece.drain(..std::mem::take(given));
        if let Some(most) = usize::try_from(wanted).ok().filter(|most| *most < piece.len()) {
            *chunk = piece.split_off(most);
        }
        self.at += piece.len() as u64;
        Some(piece).filter(|piece| !piece.is_empty())
    }

    /// What the system has in memory, as a piece.
    fn take_at_once(&mut self, wanted: u64) -> Option<Vec<u8>> {
        let mut piece = vec![0; piece_len(wanted).min(self.left())];
        let mut buf = ReadBuf::new(&mut piece);
        let is_any = self.give_at_once(&mut buf);
        let len = buf.filled().len();
        piece.truncate(len);
        is_any.then_some(piece)
    }
}

impl ReadContent for PackageContent {
    fn poll_piece(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        wanted: u64,
    ) -> Poll<io::Result<Vec<u8>>> {
        let content = &mut *self;
        // Who reads what is in memory does not wait, and should let others have a turn.
        let budget = ready!(coop::poll_proceed(cx));
        let mut piece = Vec::new();
        while content.left() > 0 && wanted > 0 {
            ready!(content.poll_ahead(cx))?;
            let is_ahead = content.is_read_ahead(wanted);
            if let Some(read) = content.take_read(wanted) {
                piece = read;
                if is_ahead && wanted > piece.len() as u64 && content.has_given_all() {
                    content.read_ahead(Vec::new());
                }
                break;
            }
            if content.may_ask
                && !is_ahead
                && let Some(read) = content.take_at_once(wanted)
            {
                piece = read;
                break;
            }
            content.read_ahead(Vec::new());
        }
        budget.made_progress();
        Poll::Ready(Ok(piece))
    }
}

impl AsyncRead for PackageContent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let content = &mut *self;
        // Who reads what is in memory does not wait, and should let others have a turn.
        let budget = ready!(coop::poll_proceed(context));
        while content.left() > 0 && buf.remaining() > 0 {
            ready!(content.poll_ahead(context))?;
            let Ahead::Read { chunk, given } = &mut content.ahead else { continue };
            let rest = chunk.get(*given..).unwrap_or_default();
            if rest.is_empty() {
                let chunk = std::mem::take(chunk);
                if !content.may_ask || !content.give_at_once(buf) {
                    content.read_ahead(chunk);
                    continue;
                }
            } else {
                let len = rest.len().min(buf.remaining());
                buf.put_slice(rest.get(..len).unwrap_or_default());
                *given += len;
                content.at += len as u64;
            }
            break;
        }
        budget.made_progress();
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for PackageContent {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        let at = match position {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        if let Ahead::Read { chunk, given } = &mut self.ahead {
            *given = chunk.len();
        }
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.at))
    }
}

/// Reads what can be read without waiting for the disk.
#[cfg(target_os = "linux")]
fn read_at_once(file: &File, buf: &mut [u8], at: u64) -> io::Result<usize> {
    use rustix::io::ReadWriteFlags;

    let buf = &mut [io::IoSliceMut::new(buf)];
    Ok(rustix::io::preadv2(file, buf, at, ReadWriteFlags::NOWAIT)?)
}

/// Reads what can be read without waiting for the disk.
#[cfg(not(target_os = "linux"))]
fn read_at_once(_file: &File, _buf: &mut [u8], _at: u64) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Reads a part of a file until the buffer is full or the file ends.
fn read_at(file: &File, buf: &mut [u8], at: u64) -> io::Result<usize> {
    let mut len = 0;
    while let Some(rest) = buf.get_mut(len..).filter(|rest| !rest.is_empty()) {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(file, rest, at + len as u64);
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(file, rest, at + len as u64);
        match read {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

pub(super) async fn open(
    inner: &Arc<Inner>,
    hash: ContentHash,
    viewer: &Viewer,
) -> Result<(DataPackage, PackageContent), StoreError> {
    // A second look, because the package may go between the look and the opening.
    for _ in 0..2 {
        let entry = search::find(inner, hash, viewer).await?;
        let entry = entry.ok_or(StoreError::NotFound { hash })?;
        if entry.package.is_damaged {
            return Err(StoreError::Damaged { hash });
        }
        let path = inner.blobs.path(&entry.checksum);
        let opened = blocking(move || {
            let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
            match opened {
                Err(error) if blobs::is_missing(&error) => Ok(None),
                opened => opened.map(Some).map_err(StoreError::io("cannot open", &path)),
            }
        })
        .await?;
        let size = entry.package.size;
        if let Some((_, file)) = opened.filter(|(len, _)| *len == size) {
            inner.status.count(|stats| stats.downloads_opened += 1);
            let precedence = inner.config.precedence.clone();
            let places = Arc::clone(&inner.read_ahead);
            return Ok((entry.package, PackageContent::new(file, size, precedence, places)));
        }
        let content =
            ContentRow { id: entry.content, checksum: entry.checksum, size, is_damaged: false };
        if inner.quarantine(&content).await?.is_some() {
            tracing::error!(%hash, "the content of a package is missing or has another size");
        }
    }
    Err(StoreError::Damaged { hash })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncSeekExt};

    use super::*;

    const LEN: usize = 700_001;

    fn bytes() -> Vec<u8> {
        (0..251_u8).cycle().take(LEN).collect()
    }

    fn content(may_ask: bool) -> (tempfile::TempDir, PackageContent) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("content");
        std::fs::write(&path, bytes()).unwrap();
        let places = Arc::new(Semaphore::new(1));
        let file = File::open(&path).unwrap();
        let content = PackageContent::new(file, LEN as u64, Precedence::default(), places);
        (dir, PackageContent { may_ask, ..content })
    }

    /// The next piece for who wants so much.
    async fn piece(content: &mut PackageContent, wanted: u64) -> io::Result<Vec<u8>> {
        std::future::poll_fn(|cx| Pin::new(&mut *content).poll_piece(cx, wanted)).await
    }

    #[tokio::test]
    async fn it_is_read_alike_with_and_without_threads() {
        for may_ask in [true, false] {
            let (_dir, mut content) = content(may_ask);
            let mut whole = Vec::new();
            content.read_to_end(&mut whole).await.unwrap();
            assert!(whole == bytes(), "{may_ask}");
            for (at, step) in [(0, 1000), (LEN - 5, 100), (262_143, 2), (400_000, 300_000)] {
                content.seek(SeekFrom::Start(at as u64)).await.unwrap();
                let mut part = vec![0; step];
                let read = content.read(&mut part).await.unwrap();
                assert!(read > 0 && part[..read] == bytes()[at..at + read], "{may_ask}, {at}");
            }
            content.seek(SeekFrom::End(3)).await.unwrap();
            assert_eq!(content.read(&mut [0; 10]).await.unwrap(), 0);
            assert!(content.seek(SeekFrom::Current(-700_005)).await.is_err());
            assert_eq!(content.read(&mut []).await.unwrap(), 0);
        }
    }

    #[tokio::test]
    async fn pieces_are_as_large_as_is_wanted_and_follow_what_was_read() {
        for (may_ask, is_ahead) in [(true, false), (false, false), (true, true), (false, true)] {
            let (_dir, mut content) = content(may_ask);
            let wanted = if is_ahead { AHEAD_FROM } else { AHEAD_FROM - 1 };
            let mut whole = vec![0; 10];
            content.read_exact(&mut whole).await.unwrap();
            whole.extend(piece(&mut content, 7).await.unwrap());
            assert_eq!(whole.len(), 17);
            loop {
                let next = piece(&mut content, wanted).await.unwrap();
                if next.is_empty() {
                    break;
                }
                assert_eq!(content.place.is_some(), is_ahead);
                assert!(next.len() <= if is_ahead || !may_ask { CHUNK_BYTES } else { 64 << 10 });
                whole.extend(next);
                whole.extend(piece(&mut content, 100).await.unwrap());
            }
            assert!(whole == bytes(), "{may_ask}, {is_ahead}");
            content.seek(SeekFrom::Start(400_000)).await.unwrap();
            let next = piece(&mut content, wanted).await.unwrap();
            assert!(!next.is_empty() && bytes()[400_000..].starts_with(&next));
            content.seek(SeekFrom::Start(5)).await.unwrap();
            let next = piece(&mut content, wanted).await.unwrap();
            assert!(!next.is_empty() && bytes()[5..].starts_with(&next));
        }
    }

    #[tokio::test]
    async fn only_so_many_are_read_ahead() {
        let (_dir, mut first) = content(true);
        let (_other, second) = content(true);
        let mut second = PackageContent { places: Arc::clone(&first.places), ..second };
        piece(&mut first, AHEAD_FROM).await.unwrap();
        piece(&mut second, AHEAD_FROM).await.unwrap();
        assert!(first.place.is_some() && second.place.is_none());
        drop(first);
        assert_eq!(piece(&mut second, AHEAD_FROM).await.unwrap().len(), CHUNK_BYTES);
        assert!(second.place.is_some());
    }

    #[tokio::test]
    async fn little_is_asked_of_threads_at_a_time_and_much_is_read() {
        let (_dir, mut content) = content(false);
        let mut hops = 0;
        for at in 0..LEN {
            hops += usize::from(matches!(&content.ahead, Ahead::Read { chunk, given }
                if *given == chunk.len()));
            assert_eq!(content.read_u8().await.unwrap(), bytes_at(at));
        }
        assert_eq!(hops, 3);
    }

    fn bytes_at(at: usize) -> u8 {
        u8::try_from(at % 251).unwrap()
    }

    #[tokio::test]
    async fn what_was_sought_counts_not_what_is_being_read() {
        let (_dir, mut content) = content(false);
        std::future::poll_fn(|context| {
            let mut byte = [0];
            // Mostly pending; a thread may also be done at once.
            let _ = Pin::new(&mut content).poll_read(context, &mut ReadBuf::new(&mut byte));
            Poll::Ready(())
        })
        .await;
        content.seek(SeekFrom::Start(500_000)).await.unwrap();
        assert_eq!(content.read_u8().await.unwrap(), bytes_at(500_000));
        content.seek(SeekFrom::Current(10)).await.unwrap();
        assert_eq!(content.read_u8().await.unwrap(), bytes_at(500_011));
        let mut file = content.into_std().await;
        assert_eq!(file.stream_position().unwrap(), 500_012);
    }

    #[tokio::test]
    async fn a_file_that_got_shorter_is_an_error_and_not_an_end() {
        for may_ask in [true, false] {
            let (dir, mut content) = content(may_ask);
            let file = File::options().write(true).open(dir.path().join("content")).unwrap();
            file.set_len(300_000).unwrap();
            let mut read = Vec::new();
            let error = content.read_to_end(&mut read).await.unwrap_err();
            assert_eq!((error.kind(), read.len()), (io::ErrorKind::UnexpectedEof, 300_000));
            let error = piece(&mut content, AHEAD_FROM).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
