//! What came of it all.

use std::fmt;
use std::time::Duration;

use crate::model::Fault;

#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) cycles: u32,
    /// Acknowledged uploads.
    pub(crate) uploads: u64,
    /// Acknowledged removals.
    pub(crate) removals: u64,
    /// All that was acknowledged, changes of metadata included.
    pub(crate) acknowledged: u64,
    /// Contents that were compared byte for byte.
    pub(crate) compared: u64,
    /// Bytes of them.
    pub(crate) bytes: u64,
    /// Temporary files that were swept.
    pub(crate) swept: u64,
    /// Contents without a row that were found last.
    pub(crate) orphans: u64,
    /// Time to open the store behind each end.
    pub(crate) opened_in: Vec<Duration>,
    pub(crate) violations: Vec<(Fault, String)>,
}

impl Tally {
    pub(crate) fn count(&self, fault: Fault) -> usize {
        self.violations.iter().filter(|(other, _)| *other == fault).count()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut times = self.opened_in.clone();
        times.sort_unstable();
        let ms = |at: usize| times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3);
        let mib = self.bytes >> 20;
        writeln!(f, "cycles                  {}", self.cycles)?;
        writeln!(f, "acknowledged operations {}", self.acknowledged)?;
        writeln!(f, "acknowledged uploads    {}", self.uploads)?;
        writeln!(f, "acknowledged removals   {}", self.removals)?;
        writeln!(f, "contents compared       {}, {mib} MiB", self.compared)?;
        writeln!(f, "lost                    {}", self.count(Fault::Lost))?;
        writeln!(f, "revived                 {}", self.count(Fault::Revived))?;
        writeln!(f, "torn                    {}", self.count(Fault::Torn))?;
        writeln!(f, "rows without content    {}", self.count(Fault::NoContent))?;
        writeln!(f, "never done, or refused  {}", self.count(Fault::Wrong))?;
        writeln!(f, "unreadable              {}", self.count(Fault::Unreadable))?;
        writeln!(f, "temporary files swept   {}", self.swept)?;
        writeln!(f, "contents without a row  {}", self.orphans)?;
        let longest = times.len().saturating_sub(1);
        writeln!(
            f,
            "time to open            median {:.1} ms, longest {:.1} ms",
            ms(times.len() / 2),
            ms(longest)
        )?;
        for (fault, what) in self.violations.iter().take(20) {
            writeln!(f, "{fault:?}: {what}")?;
        }
        Ok(())
    }
}
