//! The corpus of real events that may lie beside the workspace.

use std::fs;
use std::path::{Path, PathBuf};

/// Calls `check` with the name and the bytes of every event of the corpus outside `invalid`, and
/// says in one line when there is no corpus.
#[expect(clippy::print_stdout, reason = "tests say what they skip")]
pub(crate) fn each_event(mut check: impl FnMut(&str, &[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let Ok(folders) = fs::read_dir(&root) else {
        println!("skipped: no corpus at {}", root.display());
        return;
    };
    let mut files: Vec<PathBuf> = folders
        .flatten()
        .filter(|folder| folder.file_name() != "invalid")
        .filter_map(|folder| fs::read_dir(folder.path()).ok())
        .flat_map(|files| files.flatten().map(|file| file.path()))
        .filter(|file| file.extension().is_some_and(|extension| extension == "cot"))
        .collect();
    files.sort();
    assert!(files.len() > 100, "the corpus is damaged: {} events", files.len());
    for file in files {
        let bytes = fs::read(&file).expect("listed files are readable");
        check(&file.display().to_string(), &bytes);
    }
}
