//! Log lines go through a bounded queue to a thread of their own, so that a standard error that
//! nobody reads (a full pipe, a stopped terminal) never holds up the server. Lines that find the
//! queue full are lost and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait for a slow reader.
const MAX_LINES: usize = 1_024;

/// Stack of the thread, which only copies.
const STACK_BYTES: usize = 64 << 10;

/// The way into the queue. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct LogWriter {
    queue: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    /// Answered when everything before it has been written.
    Flush(SyncSender<()>),
}

impl LogWriter {
    /// Starts the thread that writes to `out`.
    ///
    /// # Errors
    ///
    /// When there is no thread to be had.
    pub(crate) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, messages) = sync_channel(MAX_LINES);
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Self { queue, lost: lost.clone() };
        thread::Builder::new()
            .name("log".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || write_all(&messages, &lost, out))?;
        Ok(writer)
    }

    /// Waits until what was logged so far is written, but not longer than `within`.
    pub(crate) fn flush(&self, within: Duration) {
        let (done, written) = sync_channel(1);
        // A queue that is full is not read, so waiting would be in vain.
        if self.queue.try_send(Message::Flush(done)).is_ok() {
            let _ = written.recv_timeout(within);
        }
    }
}

impl Write for LogWriter {
    /// Takes one whole line, which is how the subscriber writes.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Message::Line(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Writes until the last sender is gone. Errors have nowhere to go.
fn write_all(messages: &Receiver<Message>, lost: &AtomicU64, mut out: impl Write) {
    for message in messages {
        match message {
            Message::Line(line) => {
                let _ = out.write_all(&line);
            }
            Message::Flush(done) => {
                let _ = out.flush();
                let _ = done.send(());
            }
        }
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(out, "({lost} log lines lost: nobody read them in time)");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An output that waits for permission before each write, and hands over its text at the end.
    struct Gate {
        permits: Receiver<()>,
        text: Vec<u8>,
        end: SyncSender<String>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.permits.recv();
            self.text.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Drop for Gate {
        fn drop(&mut self) {
            let text = String::from_utf8_lossy(&self.text).into_owned();
            let _ = self.end.send(text);
        }
    }

    #[test]
    fn a_reader_that_stops_holds_up_nobody_and_learns_what_it_missed() {
        let (permit, permits) = sync_channel(2 * MAX_LINES);
        let (end, ended) = sync_channel(1);
        let mut log = LogWriter::start(Gate { permits, text: Vec::new(), end }).unwrap();
        // One line may already be on its way out beside those in the queue.
        let lines = MAX_LINES + 1 + 500;
        for _ in 0..lines {
            log.write_all(b"line\n").unwrap();
        }
        // The queue is full, so this returns at once.
        log.flush(Duration::from_secs(60));
        drop(permit);
        // The queue is closed and emptied when its last way in is gone.
        drop(log);
        let text = ended.recv().unwrap();
        let written = text.lines().filter(|line| *line == "line").count();
        let lost = text.lines().find_map(|line| line.strip_prefix('(')?.split(' ').next());
        assert_eq!(written + lost.unwrap().parse::<usize>().unwrap(), lines, "{text}");
        assert!(written >= MAX_LINES, "{written}");
    }
}
