//! Work on packages that makes way for work that must not wait.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Longest wait for one turn. Longer turns are a matter of throughput, of which packages have a
/// share.
const LONGEST: Duration = Duration::from_millis(5);

/// Pieces of work, of all threads, for which the next turn is expected after the latest. At 64 KiB
/// each it is half a second or so of the fastest uploads.
const EXPECTED: u32 = 8_192;

/// Who goes first on the processors: one thread that must answer soon, before threads that read,
/// hash and write packages.
///
/// The urgent thread says when a turn of its work begins and ends. The others stop before each small
/// piece of theirs until the turn is over, for about 5 ms at most. This needs no privilege, and
/// does what priorities do not: however small the share of a thread is, a scheduler lets it use that
/// up in runs of milliseconds.
///
/// Between turns that come often they let go of the processor before each piece all the same, as the
/// urgent thread may be waiting for one.
///
/// Clones are the same. By default nobody is urgent.
///
/// On a Tokio runtime that has the urgent thread to itself:
///
/// ```
/// use store::packages::{PackagesConfig, Precedence};
///
/// let precedence = Precedence::default();
/// let (begin, end) = (precedence.clone(), precedence.clone());
/// let runtime = tokio::runtime::Builder::new_current_thread()
///     .on_thread_unpark(move || begin.begin())
///     .on_thread_park(move || end.end())
///     .build()?;
/// let mut config = PackagesConfig::default();
/// config.precedence = precedence;
/// # drop(runtime);
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Precedence(Arc<Turns>);

#[derive(Debug, Default)]
struct Turns {
    /// Number of the turn, which is odd while the urgent thread works.
    turn: AtomicU64,
    /// The latest turn that took too long to be waited for.
    overlong: AtomicU64,
    waiting: AtomicUsize,
    /// Pieces for which the next turn is still expected.
    expected: AtomicU32,
    lock: Mutex<()>,
    over: Condvar,
}

impl Precedence {
    /// The urgent thread begins a turn, if it is not in one.
    pub fn begin(&self) {
        self.0.turn.fetch_or(1, Ordering::SeqCst);
        self.0.expected.store(EXPECTED, Ordering::Relaxed);
    }

    /// The urgent thread ends its turn, if it is in one. This does not wait.
    pub fn end(&self) {
        let turn = self.0.turn.load(Ordering::SeqCst);
        if turn & 1 == 0 {
            return;
        }
        self.0.turn.store(turn.wrapping_add(1), Ordering::SeqCst);
        if self.0.waiting.load(Ordering::SeqCst) > 0 {
            // Without the lock, which a thread may hold that is not let run. So one that is about
            // to wait may miss this, and waits for as long as it may.
            self.0.over.notify_all();
        }
    }

    /// Whether the urgent thread is in a turn now.
    pub fn is_on(&self) -> bool {
        self.0.turn.load(Ordering::SeqCst) & 1 == 1
    }

    /// Whether a turn is on, or soon to be expected.
    pub(super) fn is_near(&self) -> bool {
        self.0.expected.load(Ordering::Relaxed) > 0
    }

    /// Lets go of the processor, in case the urgent thread waits for it: for asynchronous work,
    /// which looks whether a turn [is on](Self::is_on) rather than wait for its end.
    pub fn let_go(&self) {
        let expected = self.0.expected.load(Ordering::Relaxed);
        if expected == 0 {
            return;
        }
        if !self.is_on() {
            // One that is lost between threads changes little.
            self.0.expected.store(expected - 1, Ordering::Relaxed);
        }
        thread::yield_now();
    }

    /// Lets others go first: before a piece of work of at most 100 µs or so. Blocks the thread until
    /// the turn is over that is on, or 5 ms have passed.
    pub fn make_way(&self) {
        self.let_go();
        self.wait();
    }

    /// Waits for the turn that is on, unless it is known to be a long one; says whether it did.
    fn wait(&self) -> bool {
        let turns = &*self.0;
        let turn = turns.turn.load(Ordering::SeqCst);
        if turn & 1 == 0 || turn == turns.overlong.load(Ordering::Relaxed) {
            return false;
        }
        turns.waiting.fetch_add(1, Ordering::SeqCst);
        let lock = turns.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let is_on = |_: &mut ()| turns.turn.load(Ordering::SeqCst) == turn;
        let waited = turns.over.wait_timeout_while(lock, LONGEST, is_on);
        let (lock, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(lock);
        turns.waiting.fetch_sub(1, Ordering::SeqCst);
        if timeout.timed_out() {
            turns.overlong.store(turn, Ordering::Relaxed);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_where_nobody_is_urgent() {
        let precedence = Precedence::default();
        assert!(!precedence.wait() && !precedence.is_on());
        precedence.end();
        precedence.begin();
        assert!(precedence.is_on());
        precedence.end();
        assert!(!precedence.wait() && !precedence.is_on());
    }

    #[test]
    fn a_turn_is_expected_for_a_while_after_the_latest() {
        let precedence = Precedence::default();
        let expected = || precedence.0.expected.load(Ordering::Relaxed);
        precedence.let_go();
        assert_eq!(expected(), 0);
        assert!(!precedence.is_near());
        precedence.begin();
        assert!(precedence.is_near());
        // However long the turn takes.
        (0..10).for_each(|_| precedence.let_go());
        assert_eq!(expected(), EXPECTED);
        precedence.end();
        precedence.make_way();
        assert_eq!(expected(), EXPECTED - 1);
        precedence.0.expected.store(2, Ordering::Relaxed);
        (0..3).for_each(|_| precedence.let_go());
        assert_eq!(expected(), 0);
        precedence.begin();
        assert_eq!(expected(), EXPECTED);
    }

    #[test]
    fn a_turn_is_waited_for_once_and_only_so_long() {
        let precedence = Precedence::default();
        for _ in 0..3 {
            precedence.begin();
            precedence.begin();
            assert!(precedence.wait(), "until it is known to be a long one");
            assert!(!precedence.wait());
            precedence.end();
        }
    }

    #[test]
    fn the_end_of_a_turn_lets_all_go_on() {
        let is_good = |precedence: &Precedence| {
            precedence.begin();
            let turn = precedence.0.turn.load(Ordering::SeqCst);
            let is_long = || precedence.0.overlong.load(Ordering::SeqCst) == turn;
            let waited = thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| precedence.wait())).collect();
                while precedence.0.waiting.load(Ordering::SeqCst) < 4 && !is_long() {
                    thread::yield_now();
                }
                precedence.end();
                threads.into_iter().all(|thread| thread.join().unwrap())
            });
            waited && !is_long()
        };
        // The system may be too slow for 5 ms, but not always.
        let precedence = Precedence::default();
        assert!((0..1_000).any(|_| is_good(&precedence)));
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn all_work_on_contents_makes_way_and_goes_on_all_the_same() {
        use tokio::io::AsyncReadExt;

        use crate::packages::{
            Audience, Owner, PackageStore, PackagesConfig, ReadContent, ScrubBudget,
            SqlitePackages, Upload, Viewer,
        };

        let dir = tempfile::tempdir().unwrap();
        let precedence = Precedence::default();
        let mut config = PackagesConfig::default();
        (config.min_free_bytes, config.ballast_bytes) = (0, 0);
        config.precedence = precedence.clone();
        let store = SqlitePackages::open(dir.path(), config).await.unwrap();
        // Whether anybody waited for the turn that is on; the next one begins.
        let waited = || {
            let turn = precedence.0.turn.load(Ordering::SeqCst);
            let has = precedence.0.overlong.load(Ordering::SeqCst) == turn;
            precedence.end();
            precedence.begin();
            has
        };
        precedence.begin();
        let content: Vec<u8> = (0..251_u8).cycle().take(2 << 20).collect();
        let upload = Upload::new("one.zip", Audience::Everyone);
        let package = store.insert(upload, &content[..]).await.unwrap();
        assert!(waited(), "an upload");
        let (_, mut read) = store.open(package.hash, &Viewer::Everything).await.unwrap();
        assert!(!waited(), "only reading does");
        let piece = std::future::poll_fn(|cx| {
            std::pin::Pin::new(&mut read).poll_piece(cx, content.len() as u64)
        });
        let mut whole = piece.await.unwrap();
        assert!(waited(), "reading ahead");
        read.read_to_end(&mut whole).await.unwrap();
        assert!(whole == content);
        waited();
        let mut budget = ScrubBudget::default();
        (budget.min_age, budget.bytes_per_second) = (Duration::ZERO, 0);
        assert_eq!(store.scrub(budget).await.unwrap().contents, 1);
        assert!(waited(), "a scrub");
        store.remove(package.hash, &Viewer::Everything, &Owner::Anyone).await.unwrap();
        assert!(!waited(), "removing, for which others wait");
        assert_eq!(store.usage().await.unwrap().contents, 0);
    }

    #[test]
    fn nobody_who_waits_holds_up_the_urgent_thread() {
        let precedence = Precedence::default();
        let _held = precedence.0.lock.lock().unwrap();
        precedence.0.waiting.fetch_add(1, Ordering::SeqCst);
        precedence.begin();
        precedence.end();
        assert_eq!(precedence.0.turn.load(Ordering::SeqCst), 2);
    }
}
