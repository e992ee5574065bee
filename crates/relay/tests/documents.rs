//! The Markdown files of the repository: links lead somewhere, and lists that have to be complete
//! are.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use relay::{CloseReason, DropReason, Reason, RefuseReason};

/// Items of the conformance checklist in `docs/protocol.md`.
const CHECKLIST: std::ops::RangeInclusive<usize> = 1..=73;

#[test]
fn every_relative_link_leads_somewhere() {
    let root = root();
    let pages = pages(&root);
    assert!(pages.len() > 15, "only {} pages found", pages.len());
    let mut broken = Vec::new();
    for page in &pages {
        let text = read(page);
        for target in links(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            if let Err(why) = follow(page, &target) {
                broken.push(format!("{}: {target}: {why}", shown(&root, page)));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn every_reference_is_defined() {
    let root = root();
    let mut missing = Vec::new();
    for page in &pages(&root) {
        let text = read(page);
        let defined: BTreeSet<_> = definitions(&text).map(|(label, _)| label).collect();
        for label in references(&text) {
            if !defined.contains(&label) {
                missing.push(format!("{}: [{label}]", shown(&root, page)));
            }
        }
    }
    assert!(missing.is_empty(), "references without a definition:\n{}", missing.join("\n"));
}

#[test]
fn the_checklist_has_each_item_once_and_in_order() {
    let text = read(&root().join("docs/protocol.md"));
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<_> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let number = cells.first()?.parse::<usize>().ok()?;
        assert_eq!(cells.len(), 4, "item, name, what TinyCoT does, where tested: {line}");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "{line}");
        Some(number)
    });
    assert_eq!(rows.collect::<Vec<_>>(), CHECKLIST.collect::<Vec<_>>());
}

#[test]
fn operators_are_told_what_every_reason_means() {
    fn check<R: Reason>(text: &str) {
        for reason in R::ALL {
            let name = format!("| `{}` |", reason.as_str());
            assert!(text.contains(&name), "docs/operations.md has no row for {name}");
        }
    }
    let text = read(&root().join("docs/operations.md"));
    check::<DropReason>(&text);
    check::<CloseReason>(&text);
    check::<RefuseReason>(&text);
}

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the repository is there")
}

/// Every Markdown file that belongs to the repository.
fn pages(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder").flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let is_ours = !name.to_string_lossy().starts_with('.') && name != "target";
            if path.is_dir() && is_ours {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(page: &Path) -> String {
    fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()))
}

fn shown(root: &Path, page: &Path) -> String {
    page.strip_prefix(root).unwrap_or(page).display().to_string()
}

/// Whether a link from `page` leads to a file, and to a heading in it if it names one.
fn follow(page: &Path, target: &str) -> Result<(), String> {
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => page.to_path_buf(),
        file => page.parent().expect("a page is in a folder").join(file.replace("%20", " ")),
    };
    if !path.exists() {
        return Err("no such file".to_owned());
    }
    if heading.is_empty() || headings(&read(&path)).contains(heading) {
        return Ok(());
    }
    Err("no such heading".to_owned())
}

/// Targets of inline links and of definitions.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let inline = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let inline = inline.filter_map(|link| link.split_whitespace().next()).map(str::to_owned);
    inline.chain(definitions(text).map(|(_, target)| target)).collect()
}

/// `[label]: target` lines.
fn definitions(text: &str) -> impl Iterator<Item = (String, String)> + '_ {
    text.lines().filter_map(|line| {
        let (label, target) = line.strip_prefix('[')?.split_once("]: ")?;
        Some((label.to_owned(), target.trim().to_owned()))
    })
}

/// Labels of `[label]` that are neither inline links nor definitions.
fn references(text: &str) -> Vec<String> {
    let prose = prose(text);
    let mut labels = Vec::new();
    for line in prose.lines() {
        for part in line.split('[').skip(1) {
            let Some((label, rest)) = part.split_once(']') else { continue };
            let is_link = rest.starts_with(['(', ':']);
            if !is_link && !label.is_empty() {
                labels.push(label.to_owned());
            }
        }
    }
    labels
}

/// The text without fenced code and without code spans.
fn prose(text: &str) -> String {
    let mut out = String::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            out.extend(line.split('`').step_by(2));
        }
        out.push('\n');
    }
    out
}

/// Names by which headings are linked to.
fn headings(text: &str) -> BTreeSet<String> {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        is_code ^= line.starts_with("```");
        !is_code && line.starts_with('#')
    });
    lines.map(|line| slug(line.trim_start_matches('#').trim())).collect()
}

fn slug(heading: &str) -> String {
    let lower = heading.to_lowercase();
    let kept = lower.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
