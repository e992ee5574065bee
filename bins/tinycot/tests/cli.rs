//! The command line and the configuration of the real binary.

mod support;

use std::fs;

use support::{run, stderr, stdout, tinycot};

#[test]
fn help_shows_the_commands_with_examples() {
    let help = stdout(&run(&["--help"]));
    for word in ["serve", "check", "config", "clients", "Examples:", "tinycot clients --watch"] {
        assert!(help.contains(word), "{word}\n{help}");
    }
    let short = stdout(&run(&["serve", "-h"]));
    assert!(short.contains("--cot-listen <ADDR>") && !short.contains("--max-depth"), "{short}");
    let long = stdout(&run(&["serve", "--help"]));
    assert!(long.contains("--max-depth <COUNT>"), "{long}");
}

#[test]
fn version_is_that_of_the_package() {
    assert_eq!(stdout(&run(&["--version"])), concat!("tinycot ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn the_printed_configuration_is_accepted_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tinycot.toml");
    fs::write(&path, run(&["config"]).stdout).unwrap();
    let checked = run(&["check", "--config", path.to_str().unwrap()]);
    assert!(checked.status.success(), "{}", stderr(&checked));
    let values = |text: &str| -> Vec<String> {
        let value = |line: &str| line.split(" from ").next().unwrap().trim_end().to_owned();
        text.lines().map(value).collect()
    };
    assert_eq!(values(&stdout(&checked)), values(&stdout(&run(&["check"]))));
}

#[test]
fn check_says_what_is_in_force_and_where_it_comes_from() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.toml");
    fs::write(&path, "# comment\nheartbeat = \"10s\"\ngather = \"5ms\"\n").unwrap();
    let output = tinycot()
        .args(["check", "--gather", "7ms", "--config"])
        .arg(&path)
        .env("TINYCOT_MAX_CLIENTS", "5")
        .env("TINYCOT_MAX_CLIENT", "6")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    let line = |name: &str| {
        let found = text.lines().find(|line| line.trim_start().starts_with(name));
        found.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("heartbeat "), format!("heartbeat 10s from {}:2", path.display()));
    assert_eq!(line("gather "), "gather 7ms from --gather");
    assert_eq!(line("max_clients "), "max_clients 5 from TINYCOT_MAX_CLIENTS");
    assert_eq!(line("idle_timeout "), "idle_timeout 5m");
    assert!(text.contains(
        "TINYCOT_MAX_CLIENT: no such variable, ignored; did you mean TINYCOT_MAX_CLIENTS?"
    ));
}

#[test]
fn a_bad_file_variable_and_argument_are_each_named_with_what_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.toml");
    fs::write(&path, "\nteam_policy = \"closed\"\nhartbeat = \"1s\"\n").unwrap();
    let output = tinycot()
        .args(["serve", "--log", "loud", "--config"])
        .arg(&path)
        .env("TINYCOT_COT_LISTEN", "everywhere")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert_eq!(stdout(&output), "");
    let text = stderr(&output);
    let file = path.display();
    for line in [
        format!("tinycot: {file}:2: `team_policy` cannot be `closed`; allowed: `open` (everyone"),
        format!("tinycot: {file}:3: there is no key `hartbeat`; did you mean `heartbeat`?"),
        "tinycot: TINYCOT_COT_LISTEN: `cot_listen` cannot be `everywhere`; allowed: IP:PORT".into(),
        "tinycot: --log: `log` cannot be `loud`; allowed: off, error, warn".into(),
    ] {
        assert!(text.lines().any(|found| found.starts_with(&line)), "{line}\n{text}");
    }
}

#[test]
fn a_file_that_is_not_toml_is_reported_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.toml");
    fs::write(&path, "heartbeat = \"1s\"\n[teams\n").unwrap();
    let output = run(&["check", "--config", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).starts_with(&format!("tinycot: {}:2: ", path.display())));
}

#[test]
fn a_missing_file_is_an_input_output_error() {
    let output = run(&["check", "--config", "/nowhere/tinycot.toml"]);
    assert_eq!(output.status.code(), Some(74));
    assert!(
        stderr(&output).contains("/nowhere/tinycot.toml: the configuration file cannot be read")
    );
}

#[test]
fn wrong_usage_exits_with_64_and_suggests() {
    for (args, hint) in [
        (vec!["serve", "--hartbeat", "1s"], "--heartbeat"),
        (vec!["--cot-lisen", "x"], "--cot-listen"),
        (vec!["clints"], "clients"),
        (vec!["clients", "--admin", "here"], "--admin"),
    ] {
        let output = run(&args);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(stderr(&output).contains(hint), "{args:?}: {}", stderr(&output));
    }
}
