//! What peers can do to the log. It is the only test of its program: whether a line is logged is
//! remembered for all threads, so threads that log nowhere would decide for this one.
#![allow(
    clippy::indexing_slicing,
    clippy::allow_attributes,
    reason = "a test that is out of bounds has failed, and helpers are no test functions"
)]

mod net;

use std::fmt;
use std::sync::{Arc, Mutex};

use net::text::{event, sa};
use net::{Server, hasty, on_current_thread};
use relay::{CloseReason, DropReason};
use tokio::time::Instant;

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log {
    lines: Arc<Mutex<Vec<(tracing::Level, String)>>>,
}

impl Log {
    fn take(&self) -> Vec<(tracing::Level, String)> {
        std::mem::take(&mut *self.lines.lock().expect("not poisoned"))
    }
}

struct Line(String);

impl tracing::field::Visit for Line {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.0 += &format!("{field}={value:?} ");
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        if event.metadata().target().starts_with("relay") {
            let mut line = Line(String::new());
            event.record(&mut line);
            let mut lines = self.lines.lock().expect("not poisoned");
            lines.push((*event.metadata().level(), line.0));
        }
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn t33_peers_cannot_flood_the_log_or_write_into_it() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    on_current_thread(async {
        let server = Server::start(hasty()).await;
        let began = Instant::now();
        let mut alpha = server.dial().await;
        let bad = event("bad", "a-u-G", "<x>").repeat(100);
        for _ in 0..20 {
            alpha.say(&bad).await;
        }
        let evil = "evil&#10;line&#13;\u{85}\u{2028}";
        alpha.say(sa("uid\u{85}", evil, evil).replace("a-f-G-U-C", "a-f-G&#10;")).await;
        alpha.say(event("x", "b-t-f", "<marti><dest callsign='nobody&#10;evil'/></marti>")).await;
        drop(alpha);
        for _ in 0..300 {
            let mut stranger = server.dial().await;
            stranger.send(b"\x16\x03\x01\x02\x00").await;
            stranger.closed().await;
        }
        let seconds = began.elapsed().as_secs() + 1;
        let lines = log.take();
        let loud = lines.iter().filter(|(level, _)| *level < tracing::Level::DEBUG).count();
        assert!(loud > 0 && loud as u64 <= seconds + 1, "{loud} lines in {seconds} s");
        assert!(lines.len() > 2_000, "at debug level each is told: {}", lines.len());
        for (_, line) in &lines {
            assert!(!line.contains(char::is_control) && !line.contains("evil"), "{line}");
        }
        let stats = server.stats();
        assert_eq!(stats.events_rejected.of(DropReason::Invalid), 2_000);
        assert_eq!(stats.connections_closed.of(CloseReason::Tls), 300);
    });
}
