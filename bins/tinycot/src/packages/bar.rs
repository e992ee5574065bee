//! How far a transfer is.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

use crate::view::text::cell;

/// A bar on the terminal for so many bytes of what has this name; nothing when standard error is no
/// terminal.
pub(super) fn transfer(doing: &str, name: &str, bytes: u64) -> ProgressBar {
    let template = "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}";
    bar(ProgressBar::new(bytes), template, doing, name)
}

/// The same where nobody knows how many bytes there will be.
pub(super) fn packing(name: &str) -> ProgressBar {
    bar(
        ProgressBar::no_length(),
        "{msg} {spinner} {decimal_bytes} {decimal_bytes_per_sec}",
        "packing",
        name,
    )
}

fn bar(bar: ProgressBar, template: &str, doing: &str, name: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(format!("{doing} {}", cell(name)));
    bar
}
