//! What `tinycot check` says, and how commands print.

use std::io::{self, Write};

use crate::config::{KEYS, Loaded};
use crate::error::Failure;

/// Writes to standard output, and says whether anyone reads on: a reader that has had enough, such
/// as `head`, is not an error.
///
/// # Errors
///
/// Any other trouble in writing.
pub(crate) fn print(text: &str) -> Result<bool, Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(source) if source.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(source) => Err(Failure::System { doing: "the output cannot be written", source }),
    }
}

/// Every setting in force and where it comes from, then what is probably not meant.
pub(crate) fn check(loaded: &Loaded) -> String {
    let mut text = String::from("the configuration is good; in force:\n");
    let mut group = None;
    for key in KEYS {
        if group != Some(key.group) {
            group = Some(key.group);
            text += &format!("\n{}\n", key.group.title());
        }
        let value = match key.show(&loaded.settings).join(", ") {
            empty if empty.is_empty() => "(none)".to_owned(),
            value => value,
        };
        let line = match loaded.origins.get(key.flag) {
            Some(origin) => format!("  {:<24} {value:<24} from {origin}\n", key.name()),
            None => format!("  {:<24} {value}\n", key.name()),
        };
        text += &line;
    }
    if !loaded.warnings.is_empty() {
        text.push('\n');
    }
    for warning in &loaded.warnings {
        text += &format!("warning: {warning}\n");
    }
    text
}
