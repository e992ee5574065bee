//! What is wrong with a configuration.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::key::Wrong;
use super::raw::{Origin, RawSetting};

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// At least one; displays as one line each.
    #[error("{}", lines(.0))]
    Problems(Vec<Problem>),
    #[error("{}: the configuration file cannot be read", path.display())]
    Read { path: PathBuf, source: io::Error },
}

/// One thing that is wrong: where, what, and what is allowed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    origin: String,
    what: String,
}

impl ConfigError {
    pub(super) fn from_problems(problems: Vec<Problem>) -> Option<Self> {
        if problems.is_empty() { None } else { Some(Self::Problems(problems)) }
    }
}

impl Problem {
    pub(super) fn new(origin: &Origin, what: String) -> Self {
        Self { origin: origin.to_string(), what }
    }

    /// A value that its key does not allow.
    pub(super) fn value(setting: &RawSetting, wrong: &Wrong) -> Self {
        let (name, value) = (setting.key.name(), wrong.value.escape_debug());
        let what = format!("`{name}` cannot be `{value}`; allowed: {}", wrong.allowed);
        Self::new(&setting.origin, what)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.what)
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
