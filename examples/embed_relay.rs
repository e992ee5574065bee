//! A relay inside another program: TAK clients connect to it, and the program joins in.
//!
//! ```text
//! cargo run -p examples --example embed_relay -- 127.0.0.1:8087
//! ```
//!
//! Point ATAK at the address: it sees a buoy that moves, and the program prints who is there.
#![expect(clippy::print_stdout, reason = "saying what it does is what the program is for")]

use std::env;
use std::error::Error;
use std::time::{Duration, SystemTime};

use cot_core::Point;
use cot_core::build::{self, Sender};
use relay::server::{self, Relay};
use relay::{HubConfig, Scope, TeamPolicy};
use tokio::net::TcpListener;

/// Reports of the buoy before the program ends by itself.
const REPORTS: u32 = 600;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8087".to_owned());

    let mut config = HubConfig::default();
    config.teams = TeamPolicy::open();
    let (relay, driver) = Relay::new(config);
    tokio::spawn(driver.run());

    let listener = TcpListener::bind(&address).await?;
    println!("listening on {}", listener.local_addr()?);
    tokio::spawn(server::serve(listener, relay.clone(), std::future::pending()));

    for minute in 0..REPORTS {
        let drift = f64::from(minute) * 0.0001;
        let buoy = Sender::new("BUOY-1", "Buoy 1").at(Point::new(60.15 + drift, 24.95));
        let event = build::position(&buoy, "White", "Team Member", now_ms()?);
        relay.publish(event.to_xml().as_bytes(), &Scope::All)?;

        let present: Vec<_> =
            relay.contacts().into_iter().map(|contact| contact.callsign).collect();
        let stats = relay.stats();
        println!("here: {present:?}, {} messages in, {} out", stats.events_in, stats.delivered);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    relay.drain(Duration::from_secs(2)).await;
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
