//! What came of it all.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::model::{Fault, Violation};
use super::packages::Counts;

/// Counts of one world, or of several.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) cycles: u32,
    /// Cycles in which something was wrong.
    pub(crate) faulty: u32,
    pub(crate) acknowledged: u64,
    pub(crate) violations: Vec<Violation>,
    /// Events found in dumps.
    pub(crate) dumped: u64,
    /// Incomplete last lines found before starts.
    pub(crate) torn: u64,
    /// Unfinished files found before starts.
    pub(crate) swept: u64,
    /// Of data packages.
    pub(crate) packages: Counts,
    /// Time to each start behind an end.
    pub(crate) recovered_in: Vec<Duration>,
    /// By the interval in which changes are made durable, in milliseconds: the longest time before
    /// an end from which on something seen was not there any more.
    pub(crate) longest_loss: BTreeMap<u128, Duration>,
    /// Time that was granted beyond the interval, at each end.
    pub(crate) slack: Vec<Duration>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.cycles += other.cycles;
        self.faulty += other.faulty;
        self.acknowledged += other.acknowledged;
        self.violations.extend(other.violations);
        self.dumped += other.dumped;
        self.torn += other.torn;
        self.swept += other.swept;
        self.packages.add(other.packages);
        self.recovered_in.extend(other.recovered_in);
        for (sync_ms, loss) in other.longest_loss {
            let longest = self.longest_loss.entry(sync_ms).or_default();
            *longest = loss.max(*longest);
        }
        self.slack.extend(other.slack);
    }

    pub(crate) fn count(&self, fault: Fault) -> usize {
        self.violations.iter().filter(|violation| violation.fault == fault).count()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let of = |fault| self.count(fault);
        writeln!(f, "cycles                  {}, {} with faults", self.cycles, self.faulty)?;
        writeln!(f, "acknowledged operations {}", self.acknowledged)?;
        writeln!(f, "lost                    {}", of(Fault::Lost))?;
        writeln!(f, "revived                 {}", of(Fault::Revived))?;
        writeln!(f, "repeated or misplaced   {}", of(Fault::Repeated) + of(Fault::Wrong))?;
        writeln!(f, "unreadable              {}", of(Fault::Unreadable))?;
        writeln!(f, "events in dumps         {}", self.dumped)?;
        let Counts { acknowledged, uploads, removals, compared } = self.packages;
        writeln!(f, "packages                {acknowledged} answers, to {uploads} uploads")?;
        writeln!(f, "                        and {removals} removals; {compared} compared")?;
        writeln!(f, "packages torn           {}", of(Fault::Torn))?;
        writeln!(f, "packages of no content  {}", of(Fault::NoContent))?;
        writeln!(f, "torn tails cut          {}", self.torn)?;
        writeln!(f, "unfinished files swept  {}", self.swept)?;
        for (sync_ms, loss) in &self.longest_loss {
            let loss = ms(*loss);
            writeln!(f, "longest loss            {loss:.0} ms with an interval of {sync_ms} ms")?;
        }
        for (what, times) in
            [("slack granted ", &self.slack), ("start to ready", &self.recovered_in)]
        {
            let (median, longest) = middle_and_end(times);
            let (median, longest) = (ms(median), ms(longest));
            writeln!(f, "{what}          median {median:.1} ms, longest {longest:.1} ms")?;
        }
        for violation in self.violations.iter().take(20) {
            writeln!(f, "{:?}: {}", violation.fault, violation.what)?;
        }
        Ok(())
    }
}

fn middle_and_end(times: &[Duration]) -> (Duration, Duration) {
    let mut times = times.to_vec();
    times.sort_unstable();
    let of = |time: Option<&Duration>| time.copied().unwrap_or_default();
    (of(times.get(times.len() / 2)), of(times.last()))
}
