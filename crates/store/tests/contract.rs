//! Every implementation passes the suite that embedders can run on theirs.

use std::collections::BTreeMap;

use store::testing::{SimFs, state_contract};
use store::{JsonState, MemoryState};

#[test]
fn json_state_on_real_files_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    state_contract(|name| JsonState::open(dir.path().join(name)).unwrap());
}

#[test]
fn json_state_on_simulated_files_keeps_the_contract() {
    let fs = SimFs::new();
    state_contract(|name| JsonState::with_fs(fs.clone(), format!("/{name}")).unwrap());
}

#[test]
fn json_state_with_one_generation_keeps_the_contract() {
    let fs = SimFs::new();
    state_contract(|name| {
        JsonState::with_fs(fs.clone(), format!("/{name}")).unwrap().keep_generations(0)
    });
}

#[test]
fn memory_state_keeps_the_contract() {
    let mut storages = BTreeMap::<String, MemoryState>::new();
    state_contract(|name| storages.entry(name.to_owned()).or_default().clone());
}
