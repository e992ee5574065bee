//! A relay whose picture survives: stop it, kill it, start it again, and clients see the map as it
//! was.
//!
//! ```text
//! cargo run -p examples --example keep_state -- my-data 127.0.0.1:8087
//! ```
//!
//! Point ATAK at the address, draw a marker, end the program with control-C, and start it again.
#![expect(clippy::print_stdout, reason = "saying what it did is what the program is for")]

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use keeper::{Condition, Keeper, StateConfig};
use relay::HubConfig;
use relay::server::{self, Relay};
use store::{DirLock, JsonState};
use tokio::net::TcpListener;
use tokio::time::interval;

/// Time for clients to take what is pending, and then for the disk to take the picture.
const PATIENCE: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let dir = PathBuf::from(args.next().unwrap_or_else(|| "my-data".to_owned()));
    let address = args.next().unwrap_or_else(|| "127.0.0.1:8087".to_owned());

    let _lock = DirLock::acquire(&dir)?; // one process per directory
    let (relay, driver) = Relay::new(HubConfig::default());

    // Before the first client comes: this puts in the picture that is there.
    let keeper = Keeper::builder(relay.clone())
        .state(JsonState::open(dir.join("state"))?, StateConfig::default())
        .start()?;
    if let Some(found) = keeper.restoration() {
        let (items, held) = (found.restored.items, found.restored.held);
        println!("found {items} things on the map, and {held} messages for who is away");
        for (path, why) in &found.load.damaged {
            println!("set aside {}: {why}", path.display());
        }
    }

    tokio::spawn(driver.run());
    let listener = TcpListener::bind(&address).await?;
    println!("listening on {}", listener.local_addr()?);
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    tokio::spawn(watch(keeper.monitor()));
    server::serve(listener, relay.clone(), stop).await?;

    relay.drain(PATIENCE).await;
    // It blocks; the relay's thread has nothing else to do any more.
    let is_stored = keeper.finish(PATIENCE);
    println!("{}", if is_stored { "all is stored" } else { "the disk did not take everything" });
    Ok(())
}

/// Says when the disk gives trouble: the relay goes on, but what happens now may not survive.
async fn watch(monitor: keeper::Monitor) {
    let mut ticks = interval(Duration::from_secs(1));
    let mut was_good = true;
    loop {
        ticks.tick().await;
        let health = monitor.health();
        let is_good = health.state == Condition::Good;
        match health.state {
            Condition::Degraded { why, .. } if was_good => println!("not stored: {why}"),
            Condition::Good if !was_good => println!("stored again"),
            _ => {}
        }
        was_good = is_good;
    }
}
