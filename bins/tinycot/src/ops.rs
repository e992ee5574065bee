//! The second thread: signals, the traffic line in the log, and the admin listener.

use std::process;
use std::thread;
use std::time::{Duration, Instant};

use keeper::Monitor;
use relay::server::Relay;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval_at, sleep};
use tracing::{error, info, warn};

use crate::admin::{self, Admin, Token};
use crate::app::{LOG_PATIENCE, Probe, asked, runtime};
use crate::error::{Failure, exit};
use crate::http::{self, Packages};
use crate::logging::LogWriter;
use crate::signals::Signals;
use crate::storage::FINISH_WITHIN;

/// Stack of the thread. The deepest thing on it is the writing of a JSON table.
const STACK_BYTES: usize = 512 << 10;

/// Time beyond the drain and the storing after which a process that has not ended is ended.
const GRACE: Duration = Duration::from_millis(400);

/// Everything the second thread works with.
#[derive(Debug)]
pub(crate) struct Ops {
    pub(crate) relay: Relay,
    /// How storing goes.
    pub(crate) monitor: Monitor,
    pub(crate) packages: Packages,
    /// What the operator's requests bear.
    pub(crate) token: Token,
    pub(crate) admin: Option<std::net::TcpListener>,
    /// Zero is off.
    pub(crate) stats_interval: Duration,
    pub(crate) drain_timeout: Duration,
    /// Asks the relay's thread whether it is alive.
    pub(crate) probe: mpsc::Sender<Probe>,
    /// Tells everyone to stop.
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) started: Instant,
    pub(crate) log: LogWriter,
}

impl Ops {
    /// Starts the thread. Whatever can be refused by the system is refused here.
    ///
    /// # Errors
    ///
    /// No runtime, no signals, no listener or no thread to be had.
    pub(crate) fn start(self) -> Result<(), Failure> {
        let runtime = runtime("the second runtime cannot be made")?;
        let context = runtime.enter();
        let trouble = |doing| move |source| Failure::System { doing, source };
        let signals = Signals::new().map_err(trouble("signals cannot be watched"))?;
        let admin = self.admin.map(TcpListener::from_std).transpose();
        let admin = admin.map_err(trouble("the admin listener cannot be watched"))?;
        drop(context);

        if let Some(listener) = admin {
            let stopped = self.stop.subscribe();
            let state = Admin::new(admin::Parts {
                relay: self.relay.clone(),
                monitor: self.monitor,
                packages: self.packages,
                token: self.token,
                probe: self.probe,
                stopped,
                started: self.started,
            });
            runtime.spawn(admin::serve(listener, state));
        }
        if !self.stats_interval.is_zero() {
            runtime.spawn(traffic(self.relay, self.stats_interval, self.stop.subscribe()));
        }
        let patience = (self.drain_timeout + FINISH_WITHIN).max(http::END_WITHIN) + GRACE;
        let run = watch_signals(signals, self.stop, patience, self.log);
        thread::Builder::new()
            .name("ops".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || runtime.block_on(run))
            .map_err(trouble("the second thread cannot be started"))?;
        Ok(())
    }
}

/// Turns the first signal into a request to stop and the second into an end at once. The process
/// ends under us when the relay's thread is done.
async fn watch_signals(
    mut signals: Signals,
    stop: watch::Sender<bool>,
    patience: Duration,
    log: LogWriter,
) {
    let (name, _) = signals.next().await;
    info!(signal = name, "stopping");
    stop.send_replace(true);
    let code = tokio::select! {
        (name, code) = signals.next() => {
            warn!(signal = name, "ending at once");
            code
        }
        () = sleep(patience) => {
            error!("the relay did not stop in time");
            exit::OTHER
        }
    };
    log.flush(LOG_PATIENCE);
    process::exit(code.into());
}

/// Logs what went in and out since the last line, and how many clients there are.
async fn traffic(relay: Relay, period: Duration, stopped: watch::Receiver<bool>) {
    let first = tokio::time::Instant::now() + period;
    let mut ticks = interval_at(first, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stopped = asked(stopped);
    tokio::pin!(stopped);
    let mut last = relay.stats();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = &mut stopped => return,
        }
        let now = relay.stats();
        info!(
            messages_in = now.events_in - last.events_in,
            messages_out = now.delivered + now.replayed - last.delivered - last.replayed,
            clients = now.connections_open,
            "traffic"
        );
        last = now;
    }
}
