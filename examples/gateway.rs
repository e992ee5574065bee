//! A small gateway: positions in as NMEA sentences or JSON lines, events out to a TAK server.
//!
//! ```text
//! gpspipe -r | cargo run -p examples --example gateway -- 127.0.0.1:8087 BOAT
//! echo '{"uid":"dog-7","callsign":"Rex","lat":60.17,"lon":24.94}' \
//!     | cargo run -p examples --example gateway -- 127.0.0.1:8087
//! ```
//!
//! NMEA: `RMC` sentences with a valid checksum and a fix, shown under the callsign given. JSON: one
//! object a line with `uid`, `lat`, `lon`, and if you like `callsign` and `team`.
//! A line that is neither is named on standard error and skipped.
#![expect(clippy::print_stderr, reason = "saying what was skipped is part of the program")]

use std::env;
use std::error::Error;
use std::io::{BufRead, Write};
use std::net::TcpStream;
use std::time::SystemTime;

use cot_core::build::{self, Sender};
use cot_core::{DEFAULT_TEAM, Point};
use serde::Deserialize;

/// One line of the outside feed, as JSON.
#[derive(Deserialize)]
struct Report {
    uid: String,
    callsign: Option<String>,
    team: Option<String>,
    lat: f64,
    lon: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let address = args.next().ok_or("usage: gateway HOST:PORT [CALLSIGN]")?;
    let callsign = args.next().unwrap_or_else(|| "GATEWAY".to_owned());
    let mut server = TcpStream::connect(&address)?;
    // The server's own events are of no interest here, but must be taken off the wire.
    let mut incoming = server.try_clone()?;
    std::thread::spawn(move || std::io::copy(&mut incoming, &mut std::io::sink()));

    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let report = if line.starts_with('{') {
            serde_json::from_str(&line).map_err(|error| error.to_string())
        } else {
            rmc(&line, &callsign).ok_or_else(|| "not an RMC sentence with a fix".to_owned())
        };
        match report {
            Ok(report) => server.write_all(to_xml(&report)?.as_bytes())?,
            Err(reason) => eprintln!("skipped `{}`: {reason}", line.escape_debug()),
        }
    }
    Ok(())
}

fn to_xml(report: &Report) -> Result<String, Box<dyn Error>> {
    let callsign = report.callsign.as_deref().unwrap_or(&report.uid);
    let sender = Sender::new(&report.uid, callsign).at(Point::new(report.lat, report.lon));
    let team = report.team.as_deref().unwrap_or(DEFAULT_TEAM);
    Ok(build::position(&sender, team, "Team Member", now_ms()?).to_xml())
}

/// Reads `$GPRMC,hhmmss,A,ddmm.mm,N,dddmm.mm,E,...*hh`, from any talker.
fn rmc(line: &str, callsign: &str) -> Option<Report> {
    let (body, checksum) = line.trim().strip_prefix('$')?.split_once('*')?;
    let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
    if u8::from_str_radix(checksum, 16).ok()? != sum {
        return None;
    }
    let mut fields = body.split(',');
    if !fields.next()?.ends_with("RMC") || fields.nth(1)? != "A" {
        return None;
    }
    let lat = degrees(fields.next()?, 2)? * sign(fields.next()?, "N", "S")?;
    let lon = degrees(fields.next()?, 3)? * sign(fields.next()?, "E", "W")?;
    let callsign = callsign.to_owned();
    Some(Report { uid: format!("NMEA-{callsign}"), callsign: Some(callsign), team: None, lat, lon })
}

fn degrees(text: &str, whole: usize) -> Option<f64> {
    let (degrees, minutes) = text.split_at_checked(whole)?;
    Some(degrees.parse::<f64>().ok()? + minutes.parse::<f64>().ok()? / 60.0)
}

fn sign(text: &str, plus: &str, minus: &str) -> Option<f64> {
    (text == plus).then_some(1.0).or_else(|| (text == minus).then_some(-1.0))
}

fn now_ms() -> Result<i64, Box<dyn Error>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a program reads the clock, its library does not"
    )]
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(i64::try_from(since_epoch.as_millis())?)
}
