//! The log: where it goes, in which form, and what gets into it.

mod writer;

use std::fmt;
use std::io::{self, IsTerminal};
use std::str::FromStr;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

pub(crate) use writer::LogWriter;

/// Which levels are logged: one for everything, and others for parts, such as `info,relay=debug`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogFilter {
    everything: LevelFilter,
    /// Prefixes of module paths with their levels.
    parts: Vec<(String, LevelFilter)>,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Json,
    Text,
}

/// A log filter that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LogFilterError;

/// Sends the log of this process to standard error, by way of a queue that never blocks.
///
/// # Errors
///
/// When there is no thread to be had for the writing.
pub(crate) fn init(filter: &LogFilter, format: LogFormat) -> io::Result<LogWriter> {
    let writer = LogWriter::start(io::stderr())?;
    let targets =
        Targets::new().with_default(filter.everything).with_targets(filter.parts.iter().cloned());
    let lines = tracing_subscriber::fmt::layer().with_writer(writer.clone());
    let registry = tracing_subscriber::registry().with(targets);
    // A second subscriber in one process is refused; the first one stays.
    let _ = match format {
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
        LogFormat::Text => registry.with(lines.with_ansi(io::stderr().is_terminal())).try_init(),
    };
    Ok(writer)
}

impl Default for LogFilter {
    fn default() -> Self {
        Self { everything: LevelFilter::INFO, parts: Vec::new() }
    }
}

impl FromStr for LogFilter {
    type Err = LogFilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut filter = Self::default();
        for part in text.split(',').map(str::trim) {
            match part.split_once('=') {
                None => filter.everything = level(part)?,
                Some((name, text)) if is_module(name) => {
                    filter.parts.push((name.to_owned(), level(text)?));
                }
                Some(_) => return Err(LogFilterError),
            }
        }
        Ok(filter)
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.everything)?;
        self.parts.iter().try_for_each(|(name, level)| write!(f, ",{name}={level}"))
    }
}

fn level(text: &str) -> Result<LevelFilter, LogFilterError> {
    match text {
        "off" => Ok(LevelFilter::OFF),
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        "trace" => Ok(LevelFilter::TRACE),
        _ => Err(LogFilterError),
    }
}

fn is_module(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_and_written() {
        for text in
            ["off", "info", "trace", "warn,relay=debug", "info,relay::server=trace,hyper=off"]
        {
            assert_eq!(text.parse::<LogFilter>().unwrap().to_string(), text);
        }
        for bad in ["", "inof", "INFO!", "relay=", "=info", "info,", "relay=loud", "a b=info"] {
            assert_eq!(bad.parse::<LogFilter>(), Err(LogFilterError), "{bad}");
        }
    }
}
