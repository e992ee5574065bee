//! What else the machine did meanwhile, which decides how far figures can be trusted.

use std::fs;
use std::time::Instant;

/// Times so far, at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    at: Instant,
    /// All processors at work for anybody, or taken away by the host. Seconds.
    busy: Option<f64>,
    /// This process. Seconds.
    own: Option<f64>,
}

impl Moment {
    #[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
    pub(crate) fn now() -> Self {
        Self { at: Instant::now(), busy: busy(), own: used("self") }
    }

    /// Cores that others than this process and the server, which began since, have used since;
    /// nothing where the system does not tell.
    pub(crate) fn others(&self, server: u32) -> Option<f64> {
        let now = Self::now();
        let ours = now.own? - self.own? + used(&server.to_string())?;
        let others = now.busy? - self.busy? - ours;
        Some((others / (now.at - self.at).as_secs_f64()).max(0.0))
    }
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal.
fn busy() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<f64> = numbers(stat.lines().next()?.strip_prefix("cpu")?);
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks.as_slice() else {
        return None;
    };
    Some((user + nice + system + irq + softirq + steal) / TICKS)
}

/// User and system time of a process; the 12th and 13th field behind its name.
fn used(process: &str) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = numbers(fields);
    // The state is a letter, so one field less is a number.
    Some((ticks.get(10)? + ticks.get(11)?) / TICKS)
}

/// Ticks per second in `/proc`, on every Linux.
const TICKS: f64 = 100.0;

fn numbers(text: &str) -> Vec<f64> {
    text.split_whitespace().filter_map(|field| field.parse().ok()).collect()
}
