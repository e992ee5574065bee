//! What every state store must do.

use std::collections::BTreeMap;

use crate::{Change, Loaded, MAX_KEY_BYTES, StateStore, StoreError};

/// Checks that a store does what [`StateStore`] says.
///
/// `open` opens the storage of a name: one that was never opened is empty, and one that was, by a
/// store that is gone, has what that left.
///
/// ```
/// use store::JsonState;
/// use store::testing::{SimFs, state_contract};
///
/// let fs = SimFs::new();
/// state_contract(|name| JsonState::with_fs(fs.clone(), format!("/{name}")).unwrap());
/// ```
///
/// # Panics
///
/// When the store does something else, with a message that says what.
pub fn state_contract<S: StateStore>(mut open: impl FnMut(&str) -> S) {
    let open: &mut dyn FnMut(&str) -> S = &mut open;
    nothing_is_found_in_an_empty_storage(open);
    changes_are_found_before_any_commit(open);
    removed_keys_are_gone(open);
    a_commit_starts_from_its_snapshot(open);
    an_uncommitted_snapshot_is_not_found(open);
    changes_supersede_what_is_put(open);
    the_later_of_two_puts_counts(open);
    after_a_loss_changes_count_from_the_commit(open);
    another_schema_counts_from_the_commit(open);
    history_goes_on_over_generations(open);
    calls_out_of_order_are_refused(open);
    unfit_changes_are_refused_whole(open);
    any_text_is_a_key(open);
    values_are_kept_as_they_are(open);
    a_key_may_change_often(open);
    appended_bytes_are_counted(open);
    a_second_load_ends_the_generation(open);
}

type Open<'a, S> = &'a mut dyn FnMut(&str) -> S;

fn nothing_is_found_in_an_empty_storage<S: StateStore>(open: Open<'_, S>) {
    for _ in 0..2 {
        let loaded = load(&mut open("empty"));
        assert_eq!(loaded, Loaded::default(), "an empty storage holds nothing");
    }
}

fn changes_are_found_before_any_commit<S: StateStore>(open: Open<'_, S>) {
    begin(open, "appended", 1)
        .append(&[Change::put("a", "1"), Change::put("b", "2")])
        .expect(TAKEN);
    let loaded = load(&mut open("appended"));
    assert_eq!(loaded.entries, map(&[("a", "1"), ("b", "2")]), "appended, not committed");
    assert_eq!(loaded.schema, 1, "schema of what was appended");
}

fn removed_keys_are_gone<S: StateStore>(open: Open<'_, S>) {
    let mut store = begin(open, "removed", 1);
    store.append(&[Change::put("a", "1"), Change::put("b", "2")]).expect(TAKEN);
    store.append(&[Change::remove("a"), Change::remove("never there")]).expect(TAKEN);
    store.append(&[Change::put("b", "null")]).expect(TAKEN);
    drop(store);
    expect(open, "removed", &[]);
}

fn a_commit_starts_from_its_snapshot<S: StateStore>(open: Open<'_, S>) {
    let mut store = begin(open, "commit", 1);
    store.append(&[Change::put("old", "1")]).expect(TAKEN);
    store.begin(1, true).expect(TAKEN);
    store.put(&[Change::put("a", "1")]).expect(TAKEN);
    store.put(&[]).expect(TAKEN);
    store.put(&[Change::put("b", "2"), Change::put("c", "3")]).expect(TAKEN);
    store.commit().expect(TAKEN);
    drop(store);
    expect(open, "commit", &[("a", "1"), ("b", "2"), ("c", "3")]);

    let mut store = begin(open, "commit", 1);
    store.commit().expect(TAKEN);
    drop(store);
    expect(open, "commit", &[]);
}

fn an_uncommitted_snapshot_is_not_found<S: StateStore>(open: Open<'_, S>) {
    let mut store = begin(open, "uncommitted", 1);
    store.put(&[Change::put("a", "1")]).expect(TAKEN);
    store.commit().expect(TAKEN);
    store.begin(1, true).expect(TAKEN);
    store.put(&[Change::put("b", "2")]).expect(TAKEN);
    store.append(&[Change::put("c", "3")]).expect(TAKEN);
    drop(store);
    expect(open, "uncommitted", &[("a", "1"), ("c", "3")]);
}

fn changes_supersede_what_is_put<S: StateStore>(open: Open<'_, S>) {
    let mut store = begin(open, "superseded", 1);
    store.put(&[Change::put("a", "1"), Change::put("b", "1"), Change::put("c", "1")]).expect(TAKEN);
    store
        .append(&[Change::put("a", "2"), Change::remove("b"), Change::put("d", "2")])
        .expect(TAKEN);
    store.append(&[Change::remove("e")]).expect(TAKEN);
    store.put(&[Change::put("d", "1"), Change::put("e", "1")]).expect(TAKEN);
    store.commit().expect(TAKEN);
    let now = [("a", "2"), ("c", "1"), ("d", "2")];
    drop(store);
    expect(open, "superseded", &now);
    // Once more, with changes after the commit.
    let mut store = begin(open, "superseded", 1);
    store.put(&now.map(|(key, value)| Change::put(key, value))).expect(TAKEN);
    store.append(&[Change::put("a", "3")]).expect(TAKEN);
    store.commit().expect(TAKEN);
    store.append(&[Change::put("a", "4"), Change::remove("c")]).expect(TAKEN);
    drop(store);
    expect(open, "superseded", &[("a", "4"), ("d", "2")]);
}

fn the_later_of_two_puts_counts<S: StateStore>(open: Open<'_, S>) {
    let mut store = begin(open, "puts", 1);
    store.put(&[Change::put("a", "1"), Change::put("b", "1"), Change::put("a", "2")]).expect(TAKEN);
    store
        .put(&[Change::remove("a"), Change::put("b", "2"), Change::put("c", "null")])
        .expect(TAKEN);
    store.commit().expect(TAKEN);
    drop(store);
    expect(open, "puts", &[("a", "2"), ("b", "2")]);
}

fn after_a_loss_changes_count_from_the_commit<S: StateStore>(open: Open<'_, S>) {
    let mut store = begin(open, "loss", 1);
    store.append(&[Change::put("a", "1")]).expect(TAKEN);
    store.begin(1, false).expect(TAKEN);
    store.append(&[Change::put("b", "2")]).expect(TAKEN);
    drop(store);
    expect(open, "loss", &[("a", "1")]);

    let mut store = begin(open, "loss", 1);
    store.begin(1, false).expect(TAKEN);
    store.append(&[Change::put("c", "3")]).expect(TAKEN);
    store.begin(1, true).expect(TAKEN);
    store.append(&[Change::put("d", "4")]).expect(TAKEN);
    store.put(&[Change::put("b", "2"), Change::put("c", "3")]).expect(TAKEN);
    store.commit().expect(TAKEN);
    store.append(&[Change::put("e", "5")]).expect(TAKEN);
    store.begin(1, true).expect(TAKEN);
    store.append(&[Change::put("f", "6")]).expect(TAKEN);
    drop(store);
    expect(open, "loss", &[("b", "2"), ("c", "3"), ("d", "4"), ("e", "5"), ("f", "6")]);
}

fn another_schema_counts_from_the_commit<S: StateStore>(open: Open<'_, S>) {
    begin(open, "schema", 1).append(&[Change::put("a", "1")]).expect(TAKEN);
    let mut store = begin(open, "schema", 2);
    store.append(&[Change::put("b", r#"{"two":2}"#)]).expect(TAKEN);
    drop(store);
    let loaded = load(&mut open("schema"));
    assert_eq!(loaded.entries, map(&[("a", "1")]), "values of two schemas");
    assert_eq!(loaded.schema, 1, "schema of what is found");

    let mut store = begin(open, "schema", 2);
    store.put(&[Change::put("a", r#"{"one":1}"#)]).expect(TAKEN);
    store.append(&[Change::put("b", r#"{"two":2}"#)]).expect(TAKEN);
    store.commit().expect(TAKEN);
    drop(store);
    let loaded = load(&mut open("schema"));
    assert_eq!(loaded.entries, map(&[("a", r#"{"one":1}"#), ("b", r#"{"two":2}"#)]));
    assert_eq!(loaded.schema, 2, "schema of what was committed");
}

fn history_goes_on_over_generations<S: StateStore>(open: Open<'_, S>) {
    let mut now = BTreeMap::new();
    let mut generation = 0;
    for round in 0..12 {
        let mut store = open("generations");
        let loaded = load(&mut store);
        assert_eq!(loaded.entries, now, "round {round}");
        assert!(loaded.report.generation >= generation, "generations count up");
        generation = loaded.report.generation;
        for step in 0..3 {
            store.begin(1, true).expect(TAKEN);
            let key = format!("{}", (round * 3 + step) % 5);
            now.insert(key.clone(), format!("{round}"));
            store.append(&[Change::put(key, format!("{round}"))]).expect(TAKEN);
            // Every other round commits nothing, every fourth commits all generations.
            if round % 2 == 0 && (step == 1 || round % 4 == 0) {
                let entries: Vec<_> =
                    now.iter().map(|(key, value)| Change::put(key, value)).collect();
                store.put(&entries).expect(TAKEN);
                store.commit().expect(TAKEN);
            }
        }
    }
    assert!(generation > 0, "a committed generation has a number");
}

fn calls_out_of_order_are_refused<S: StateStore>(open: Open<'_, S>) {
    let changes = [Change::put("a", "1")];
    let mut store = open("order");
    expect_misuse(&store.begin(1, true), "a generation before a load");
    expect_misuse(&store.append(&changes), "changes before a generation");
    load(&mut store);
    expect_misuse(&store.append(&changes), "changes before a generation");
    expect_misuse(&store.put(&changes), "an entry before a generation");
    expect_misuse(&store.commit(), "a commit before a generation");
    store.begin(1, true).expect(TAKEN);
    store.commit().expect(TAKEN);
    expect_misuse(&store.put(&changes), "an entry after the commit");
    expect_misuse(&store.commit(), "a second commit");
    store.append(&changes).expect(TAKEN);
    drop(store);
    expect(open, "order", &[("a", "1")]);
}

fn unfit_changes_are_refused_whole<S: StateStore>(open: Open<'_, S>) {
    let mut store = begin(open, "unfit", 1);
    let long = "k".repeat(MAX_KEY_BYTES + 1);
    let unfit = [
        Change::put(long, "1"),
        Change::put("a", ""),
        Change::put("a", " "),
        Change::put("a", "[1,\n2]"),
    ];
    for change in unfit {
        let changes = [Change::put("good", "1"), change];
        let appended = store.append(&changes);
        assert!(matches!(appended, Err(StoreError::Unfit { .. })), "appending {changes:?}");
        let put = store.put(&changes);
        assert!(matches!(put, Err(StoreError::Unfit { .. })), "putting {changes:?}");
    }
    store.append(&[Change::put("a", "1")]).expect("an unfit change ends nothing");
    store.put(&[Change::put("b", "2")]).expect("an unfit entry ends nothing");
    store.commit().expect("an unfit entry ends nothing");
    drop(store);
    expect(open, "unfit", &[("a", "1"), ("b", "2")]);
}

fn any_text_is_a_key<S: StateStore>(open: Open<'_, S>) {
    let longest = "\u{1}".repeat(MAX_KEY_BYTES);
    let keys = [
        "",
        " ",
        "a",
        "A",
        "\"",
        "\\",
        "\\\"",
        "\",\"",
        "a/b",
        "../a",
        "{}",
        "}",
        "},\"later\":{",
        "null",
        "\n",
        "\r\n",
        "\t",
        "\0",
        "\u{7f}",
        "\u{2028}",
        "é",
        "e\u{301}",
        "ß",
        "日本",
        "🧭",
        "\u{feff}",
        "\u{10ffff}",
        "%s",
        "<uid>&amp;",
        longest.as_str(),
    ];
    let changes = |value: &str| keys.map(|key| Change::put(key, value));
    let entries = |value| keys.map(|key| (key, value));
    let mut store = begin(open, "keys", 1);
    store.append(&changes("1")).expect(TAKEN);
    drop(store);
    expect(open, "keys", &entries("1"));
    let mut store = begin(open, "keys", 1);
    store.put(&changes("2")).expect(TAKEN);
    store.commit().expect(TAKEN);
    drop(store);
    expect(open, "keys", &entries("2"));
    begin(open, "keys", 1).append(&keys.map(Change::remove)).expect(TAKEN);
    expect(open, "keys", &[]);
}

fn values_are_kept_as_they_are<S: StateStore>(open: Open<'_, S>) {
    let long = format!("\"{}\"", "<event uid='x'/>\\n".repeat(60_000));
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    let values = [
        "0",
        "-0.0",
        "1e400",
        "123456789012345678901234567890",
        "true",
        "\"\"",
        "\"null\"",
        "[]",
        "{}",
        "[null]",
        r#"{"b":1,"a":2,"b":3}"#,
        r#"{ "spaced" : [ 1 , 2 ] }"#,
        "\"\\u0000\\ud83e\\udded\"",
        "\"\u{2028}é日🧭\"",
        r#""},\"later\":{""#,
        "[\"\\\"\",\"}\",\",\"]",
        deep.as_str(),
        long.as_str(),
    ];
    let named: Vec<_> =
        values.iter().enumerate().map(|(at, value)| (at.to_string(), *value)).collect();
    let changes: Vec<_> = named.iter().map(|(key, value)| Change::put(key, *value)).collect();
    let now: Vec<_> = named.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    begin(open, "values", 1).append(&changes).expect(TAKEN);
    expect(open, "values", &now);
    let mut store = begin(open, "values", 1);
    store.put(&changes).expect(TAKEN);
    store.commit().expect(TAKEN);
    drop(store);
    expect(open, "values", &now);
}

fn a_key_may_change_often<S: StateStore>(open: Open<'_, S>) {
    let mut store = begin(open, "often", 1);
    for batch in 0..10 {
        let values = (0..100).map(|step| Change::put("a", format!("{}", batch * 100 + step)));
        store.append(&values.collect::<Vec<_>>()).expect(TAKEN);
    }
    store.append(&[]).expect(TAKEN);
    store
        .append(&[Change::put("b", "1"), Change::remove("b"), Change::put("b", "2")])
        .expect(TAKEN);
    drop(store);
    expect(open, "often", &[("a", "999"), ("b", "2")]);
}

fn appended_bytes_are_counted<S: StateStore>(open: Open<'_, S>) {
    let mut store = begin(open, "bytes", 1);
    assert_eq!(store.appended_bytes(), 0, "nothing was appended");
    store.put(&[Change::put("a", "1")]).expect(TAKEN);
    assert_eq!(store.appended_bytes(), 0, "what is put is not appended");
    store.append(&[Change::put("key", "12345")]).expect(TAKEN);
    let first = store.appended_bytes();
    assert!(first >= 8, "a change takes its key and its value: {first}");
    store.append(&[Change::put("key", "12345"), Change::put("key", "12345")]).expect(TAKEN);
    assert!(store.appended_bytes() >= first + 16, "the bytes add up");
    store.begin(1, true).expect(TAKEN);
    assert_eq!(store.appended_bytes(), 0, "a generation begins at 0");
}

fn a_second_load_ends_the_generation<S: StateStore>(open: Open<'_, S>) {
    let mut store = begin(open, "again", 1);
    store.append(&[Change::put("a", "1")]).expect(TAKEN);
    store.put(&[Change::put("b", "2")]).expect(TAKEN);
    assert_eq!(load(&mut store).entries, map(&[("a", "1")]), "loaded again");
    expect_misuse(&store.append(&[Change::put("c", "3")]), "changes after a load");
    expect_misuse(&store.commit(), "a commit after a load");
    store.begin(1, true).expect(TAKEN);
    store.append(&[Change::put("d", "4")]).expect(TAKEN);
    drop(store);
    expect(open, "again", &[("a", "1"), ("d", "4")]);
}

const TAKEN: &str = "a good storage takes it";

/// Opens a storage, loads what is there and begins a generation.
fn begin<S: StateStore>(open: Open<'_, S>, name: &str, schema: u32) -> S {
    let mut store = open(name);
    load(&mut store);
    store.begin(schema, true).expect(TAKEN);
    store
}

/// Loads what must be undamaged.
fn load<S: StateStore>(store: &mut S) -> Loaded {
    let loaded = store.load().expect("a good storage can be read");
    assert_eq!(loaded.report.damaged, [], "nothing is damaged");
    assert_eq!(loaded.report.torn_bytes, 0, "nothing is torn");
    loaded
}

fn expect<S: StateStore>(open: Open<'_, S>, name: &str, entries: &[(&str, &str)]) {
    assert_eq!(load(&mut open(name)).entries, map(entries), "what is found in `{name}`");
}

fn expect_misuse(outcome: &Result<(), StoreError>, what: &str) {
    assert!(matches!(outcome, Err(StoreError::Misused(_))), "{what} must be refused: {outcome:?}");
}

fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
