//! `docs/configuration.md` is written from `tinycot.toml`; this test keeps them equal.

use std::fmt::Write;
use std::path::Path;

use super::{DEFAULT_FILE, Key};

const PATH: &str = "../../docs/configuration.md";

/// Set this variable to write the page instead of comparing it.
const UPDATE: &str = "UPDATE_DOCS";

#[test]
fn the_page_is_what_the_default_file_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PATH);
    let page = page();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "run `{UPDATE}=1 cargo test -p tinycot the_page_is` to write {PATH}");
}

/// The page: the head of the file, then a heading per group and per key.
fn page() -> String {
    let mut page = String::from("# Configuration\n\n");
    page += "<!-- Written from bins/tinycot/tinycot.toml by a test of the tinycot package. -->\n";
    let mut comment = String::new();
    for line in DEFAULT_FILE.lines() {
        if let Some(title) = line.strip_prefix("#== ") {
            writeln!(page, "\n## {title}").unwrap();
        } else if let Some(text) = line.strip_prefix("# ") {
            comment.push_str(text);
            comment.push('\n');
        } else if line == "#" {
            comment.push('\n');
        } else if line.is_empty() {
            if !comment.is_empty() {
                write!(page, "\n{}", std::mem::take(&mut comment)).unwrap();
            }
        } else {
            let (name, value) = line.split_once(" = ").unwrap();
            let key = Key::named(name).unwrap();
            assert!(!comment.is_empty(), "{name} is not explained");
            writeln!(page, "\n### {name}\n\n{}", std::mem::take(&mut comment)).unwrap();
            writeln!(page, "- Default: `{value}`").unwrap();
            writeln!(page, "- Allowed: {}", key.allowed()).unwrap();
            writeln!(page, "- Argument `--{}`, variable `{}`", key.flag, key.variable()).unwrap();
        }
    }
    page
}
