//! Wakes a poll at an exact time. A poll's own limit is in whole milliseconds.

use std::io;
use std::time::Duration;

use mio::{Registry, Token};

/// The token of the alarm's events, which nothing else has.
const TOKEN: Token = Token(usize::MAX);

/// A timer of the system that ends a poll.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct Alarm(rustix::fd::OwnedFd);

#[cfg(target_os = "linux")]
impl Alarm {
    pub(crate) fn new(registry: &Registry) -> io::Result<Self> {
        use std::os::fd::AsRawFd;

        use mio::Interest;
        use mio::unix::SourceFd;
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};

        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), TOKEN, Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Ends the next poll in so much time; what limit to give the poll besides.
    pub(crate) fn set(&self, wait: Duration) -> io::Result<Option<Duration>> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};

        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let it_value = Timespec::try_from(wait).map_err(io::Error::other)?;
        let once = Itimerspec { it_interval: zero, it_value };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
        Ok(None)
    }
}

/// Stands in where the system has no such timer: the last millisecond is spun.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(crate) struct Alarm;

#[cfg(not(target_os = "linux"))]
impl Alarm {
    pub(crate) fn new(_registry: &Registry) -> io::Result<Self> {
        Ok(Self)
    }

    /// Ends the next poll in so much time; what limit to give the poll besides.
    pub(crate) fn set(&self, wait: Duration) -> io::Result<Option<Duration>> {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Ok(Some(Duration::from_millis(millis)))
    }
}
