//! Reads one event from a file, or from standard input, and shows what it says: a summary for people,
//! then the JSON form.
//!
//! ```text
//! cargo run -p examples --example parse_event -- event.cot
//! ```
#![expect(clippy::print_stdout, reason = "showing is what the program is for")]

use std::error::Error;
use std::io::{self, Read};
use std::{env, fs};

use cot_core::Event;

fn main() -> Result<(), Box<dyn Error>> {
    let bytes = match env::args_os().nth(1) {
        Some(path) => fs::read(path)?,
        None => {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes)?;
            bytes
        }
    };
    let event = Event::from_xml(&bytes)?;
    summarize(&event);
    println!("\n{}", serde_json::to_string_pretty(&event)?);
    Ok(())
}

fn summarize(event: &Event) {
    println!("uid       {}", event.uid());
    println!("type      {} ({})", event.kind(), event.kind().describe());
    if let Some(callsign) = event.callsign() {
        println!("callsign  {callsign}");
    }
    if let Some(group) = event.detail().group() {
        let (team, role) = (group.team.unwrap_or("no team"), group.role.unwrap_or("no role"));
        println!("team      {team}, {role}");
    }
    if let Some(point) = event.point() {
        println!("position  {:.6}, {:.6}", point.lat, point.lon);
        if let Some(hae) = point.hae {
            println!("height    {hae:.1} m above the ellipsoid");
        }
    }
    if let (Some(time), Some(stale)) = (event.time(), event.stale()) {
        let valid_ms = stale.as_unix_millis() - time.as_unix_millis();
        println!("time      {time}, valid for {} s", valid_ms / 1000);
    }
    if let Some(text) = event.detail().remarks().and_then(|remarks| remarks.text) {
        println!("remarks   {text}");
    }
    for dest in event.detail().dests() {
        println!("to        {dest:?}");
    }
    let names: Vec<_> = event.detail().element().elements().map(|child| child.name()).collect();
    println!("detail    {}", names.join(", "));
}
