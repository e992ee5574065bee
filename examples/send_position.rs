//! Sends one position report to a TAK server over plain TCP and says what it did.
//!
//! ```text
//! cargo run -p examples --example send_position -- 127.0.0.1:8087 HOPE 46.8065 9.8421
//! ```
//!
//! Callsign and position may be left out. The server shows the report to everyone else, and tells
//! them that HOPE is gone when the program ends and the connection closes.
#![expect(clippy::print_stdout, reason = "saying what it did is what the program is for")]

use std::env;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, SystemTime};

use cot_core::build::{self, Sender};
use cot_core::detail::Takv;
use cot_core::{DEFAULT_TEAM, Point};

/// Bytes of the server's own events to wait for: more than the picture of a large exercise.
const MAX_ANSWER: u64 = 16 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let address = args.next().ok_or("usage: send_position HOST:PORT [CALLSIGN [LAT LON]]")?;
    let callsign = args.next().unwrap_or_else(|| "HOPE".to_owned());
    let point = match (args.next(), args.next()) {
        (Some(lat), Some(lon)) => Point::new(lat.parse()?, lon.parse()?),
        _ => Point::new(46.8065, 9.8421),
    };

    let uid = format!("EXAMPLE-{callsign}");
    let sender = Sender::new(&uid, &callsign).at(point);
    let mut event = build::position(&sender, DEFAULT_TEAM, "Team Member", now_ms()?);
    event.detail_mut().set(&Takv {
        device: Some("example"),
        platform: Some("send_position"),
        os: Some(env::consts::OS),
        version: Some(env!("CARGO_PKG_VERSION")),
    });
    let xml = event.to_xml();

    let mut stream = TcpStream::connect(&address)?;
    println!("connected to {}", stream.peer_addr()?);
    stream.write_all(xml.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    println!("sent {} bytes: {callsign} at {}, {}", xml.len(), point.lat, point.lon);
    println!("{xml}");

    // Bytes that nobody reads would turn the close into a reset, and the report might be lost.
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut answer = Vec::new();
    match stream.take(MAX_ANSWER).read_to_end(&mut answer) {
        Ok(_) => println!("the server sent {} bytes and closed the connection", answer.len()),
        Err(error) => println!("the server sent {} bytes, then: {error}", answer.len()),
    }
    Ok(())
}

fn now_ms() -> Result<i64, Box<dyn Error>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a program reads the clock, its library does not"
    )]
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(i64::try_from(since_epoch.as_millis())?)
}
