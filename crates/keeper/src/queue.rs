//! What waits for a thread that may be held up by a disk, put there by one that may not.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::clock;

/// What a queue holds. It bounds itself: adding never waits and never fails.
pub(crate) trait Content: Default {
    /// Whether there is nothing to take.
    fn is_empty(&self) -> bool;

    /// Whether it should be taken soon, because its bound is near.
    fn is_urgent(&self) -> bool;
}

/// A place where content waits for one thread.
pub(crate) struct Queue<C> {
    inner: Mutex<Inner<C>>,
    woken: Condvar,
}

struct Inner<C> {
    content: C,
    /// What the thread sleeps for.
    wanted: Wanted,
    /// Set when the thread is to finish: until when.
    finish: Option<Instant>,
}

/// What a thread waits for, apart from a time and from being told to finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Anything at all.
    Any,
    /// Nothing: it is not waiting.
    Nothing,
    /// So much that the bound is near.
    Urgent,
}

impl<C: Content> Queue<C> {
    pub(crate) fn new() -> Self {
        let inner = Inner { content: C::default(), wanted: Wanted::Nothing, finish: None };
        Self { inner: Mutex::new(inner), woken: Condvar::new() }
    }

    /// Changes the content, and wakes the thread only if that is what it waits for: waking costs a
    /// system call.
    pub(crate) fn add(&self, add: impl FnOnce(&mut C)) {
        let mut inner = self.lock();
        add(&mut inner.content);
        if inner.has_wanted() {
            inner.wanted = Wanted::Nothing;
            drop(inner);
            self.woken.notify_one();
        }
    }

    /// Waits until there is what is wanted, at most until a time. Says until when to finish, if the
    /// thread has been told to.
    pub(crate) fn wait(&self, wanted: Wanted, until: Instant) -> Option<Instant> {
        let mut inner = self.lock();
        inner.wanted = wanted;
        loop {
            let now = clock::now();
            if inner.finish.is_some() || inner.has_wanted() || now >= until {
                inner.wanted = Wanted::Nothing;
                return inner.finish;
            }
            let waited = self.woken.wait_timeout(inner, until.duration_since(now));
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
            if inner.wanted == Wanted::Nothing {
                return inner.finish;
            }
        }
    }

    /// Takes everything.
    pub(crate) fn take(&self) -> C {
        std::mem::take(&mut self.lock().content)
    }

    /// Looks at what is there.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&C) -> T) -> T {
        look(&self.lock().content)
    }

    /// Tells the thread to finish until a time.
    pub(crate) fn finish(&self, until: Instant) {
        self.lock().finish = Some(until);
        self.woken.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner<C>> {
        // Content is whole between any two statements that can panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Content> Inner<C> {
    fn has_wanted(&self) -> bool {
        match self.wanted {
            Wanted::Any => !self.content.is_empty(),
            Wanted::Nothing => false,
            Wanted::Urgent => self.content.is_urgent(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[derive(Default)]
    struct Numbers(Vec<u32>);

    impl Content for Numbers {
        fn is_empty(&self) -> bool {
            self.0.is_empty()
        }

        fn is_urgent(&self) -> bool {
            self.0.len() >= 3
        }
    }

    fn soon() -> Instant {
        clock::now() + Duration::from_millis(20)
    }

    fn late() -> Instant {
        clock::now() + Duration::from_secs(60)
    }

    #[test]
    fn a_wait_ends_with_what_is_wanted_or_in_time() {
        let queue = Queue::<Numbers>::new();
        assert_eq!(queue.wait(Wanted::Any, soon()), None);
        queue.add(|numbers| numbers.0.push(1));
        assert_eq!(queue.wait(Wanted::Any, late()), None);
        assert_eq!(queue.wait(Wanted::Urgent, soon()), None);
        queue.add(|numbers| numbers.0.extend([2, 3]));
        assert_eq!(queue.wait(Wanted::Urgent, late()), None);
        assert_eq!(queue.take().0, [1, 2, 3]);
        assert_eq!(queue.wait(Wanted::Any, soon()), None);
        let end = late();
        queue.finish(end);
        assert_eq!(queue.wait(Wanted::Any, late()), Some(end));
    }

    #[test]
    fn a_sleeper_is_woken() {
        for wanted in [Wanted::Any, Wanted::Urgent] {
            let queue = Arc::new(Queue::<Numbers>::new());
            let sleeper = thread::spawn({
                let queue = queue.clone();
                move || queue.wait(wanted, late())
            });
            for i in 0..3 {
                thread::sleep(Duration::from_millis(5));
                queue.add(|numbers| numbers.0.push(i));
            }
            assert_eq!(sleeper.join().unwrap(), None);
        }
        let queue = Arc::new(Queue::<Numbers>::new());
        let sleeper = thread::spawn({
            let queue = queue.clone();
            move || queue.wait(Wanted::Urgent, late())
        });
        let end = late();
        queue.finish(end);
        assert_eq!(sleeper.join().unwrap(), Some(end));
    }
}
