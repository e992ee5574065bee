//! Replays a capture to a TAK server: every event when it is due, as if it happened now.
//!
//! ```text
//! cargo run -p examples --example replay_capture -- dump.jsonl 127.0.0.1:8087 10
//! ```
//!
//! The capture is a dump of a TinyCoT server or a file of events as XML, also compressed with zstd.
//! The number is how many times as fast as it was recorded; it may be left out.
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "saying what it did is what the program is for"
)]

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use capture::{Replay, ReplayOptions, Source, Speed};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let (Some(file), Some(server)) = (args.next(), args.next()) else {
        return Err("usage: replay_capture FILE HOST:PORT [SPEED]".into());
    };
    let mut options = ReplayOptions::default();
    if let Some(speed) = args.next() {
        options.speed = Speed::Times(speed.parse()?);
    }

    let mut replay = Replay::new(Source::open([file])?, options);
    let mut stream = TcpStream::connect(&server)?;
    // What the server sends is of no interest here, but a reader that stalls is a burden to it.
    let mut incoming = stream.try_clone()?;
    let reader = thread::spawn(move || io::copy(&mut incoming, &mut io::sink()));

    let (began, mut sent, mut event) = (now(), 0, Vec::new());
    for due in replay.by_ref() {
        let due = match due {
            Ok(due) => due,
            Err(bad) => {
                eprintln!("{bad}");
                continue;
            }
        };
        thread::sleep(due.after().saturating_sub(now().duration_since(began)));
        event.clear();
        due.write(now_ms()?, &mut event);
        stream.write_all(&event)?;
        sent += 1;
    }
    println!("sent {sent} events, left out {}", replay.left_out());

    // Wait until the server has taken all: it closes its side then.
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.shutdown(Shutdown::Write)?;
    reader.join().map(drop).map_err(|_| "the reader has failed".into())
}

#[expect(clippy::disallowed_methods, reason = "a program reads the clock, its library does not")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a program reads the clock, its library does not")]
fn now_ms() -> Result<i64, Box<dyn Error>> {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(i64::try_from(since_epoch.as_millis())?)
}
