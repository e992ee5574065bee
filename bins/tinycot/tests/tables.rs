//! `tinycot clients` and its like against a running server.

mod support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use support::{Server, position, run, stderr, stdout, tinycot, wait_until};

/// A server with one client that said who it is.
fn server_with(callsign: &str) -> (Server, [support::Client; 2]) {
    let server = Server::start();
    let [mut hope, mut lost] = server.pair();
    hope.send(&position("UID-1", callsign));
    lost.expect("UID-1");
    (server, [hope, lost])
}

#[test]
fn clients_prints_a_row_for_each() {
    let (server, [hope, _lost]) = server_with("HOPE-11");
    let output = run(&["clients", "--admin", &server.admin.to_string()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    let titles: Vec<_> =
        lines[0].split("  ").map(str::trim).filter(|title| !title.is_empty()).collect();
    assert_eq!(
        titles,
        [
            "CALLSIGN",
            "UID",
            "TEAM",
            "ROLE",
            "ADDRESS",
            "PROTOCOL",
            "LAST IN",
            "LAST OUT",
            "LAG",
            "CONFLATED",
            "DROPPED"
        ]
    );
    let addr = hope.socket.local_addr().unwrap().to_string();
    for word in ["HOPE-11", "UID-1", "Cyan", "Team Lead", &addr, "tcp/xml"] {
        assert!(lines[1].contains(word), "{word}\n{text}");
    }
    assert_eq!(lines[3], "2 clients");
}

#[test]
fn stats_says_what_cannot_be_stored() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::with_data(data.path(), &["--state-sync", "20ms"]);
    std::fs::remove_dir_all(data.path().join("state")).unwrap();
    let [mut hope, mut lost] = server.pair();
    hope.send(&position("UID-1", "HOPE-11"));
    lost.expect("UID-1");
    wait_until("it is told", || {
        let output = run(&["stats", "--admin", &server.admin.to_string()]);
        let text = stdout(&output);
        text.lines().any(|line| line.starts_with("PROBLEM") && line.contains("state: cannot "))
    });
}

#[test]
fn other_tables_are_printed_as_well() {
    let (server, _clients) = server_with("HOPE-11");
    let admin = server.admin.to_string();
    for (command, word) in
        [("contacts", "*:-1:stcp"), ("teams", "RECEIVES FROM"), ("stats", "messages in")]
    {
        let output = run(&[command, "--admin", &admin]);
        assert!(output.status.success(), "{command}: {}", stderr(&output));
        assert!(stdout(&output).contains(word), "{command}\n{}", stdout(&output));
    }
}

#[test]
fn json_is_what_the_server_answers() {
    let (server, _clients) = server_with("HOPE-11");
    let output = tinycot()
        .args(["clients", "--json"])
        .env("TINYCOT_ADMIN_LISTEN", server.admin.to_string())
        .output()
        .unwrap();
    let rows: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(rows[0]["callsign"], "HOPE-11");
}

#[test]
fn a_callsign_cannot_act_on_the_terminal() {
    let (server, _clients) = server_with("A&#x9;&#xA;\u{9b}31m\u{202e}Z");
    let text = stdout(&run(&["clients", "--admin", &server.admin.to_string()]));
    assert!(text.contains("\\u{9b}31m\\u{202e}Z"), "{text}");
    assert_eq!(text.lines().count(), 4, "{text}");
    let json = stdout(&run(&["clients", "--json", "--admin", &server.admin.to_string()]));
    assert!(!json.contains(['\u{9b}', '\u{202e}']), "{json}");
}

#[test]
fn watching_prints_again_and_again() {
    let (server, _clients) = server_with("HOPE-11");
    let mut child = tinycot()
        .args(["clients", "--watch", "--admin", &server.admin.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut titles = 0;
    while titles < 2 {
        titles += usize::from(lines.next().unwrap().unwrap().starts_with("CALLSIGN"));
    }
    // Without a reader there is nothing left to do.
    drop(lines);
    let mut status = None;
    wait_until("it ends", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    assert!(status.unwrap().success());
}

#[test]
fn without_a_server_it_says_what_to_do() {
    let output = run(&["clients", "--admin", "127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(69));
    let text = stderr(&output);
    assert!(
        text.starts_with("tinycot: no TinyCoT server answers on 127.0.0.1:1; start one with"),
        "{text}"
    );
}

#[test]
fn a_stranger_is_not_taken_for_a_server() {
    let server = Server::start();
    // The port for TAK clients does not speak HTTP.
    let output = run(&["clients", "--admin", &server.cot.to_string()]);
    assert!(matches!(output.status.code(), Some(1 | 69)), "{}", stderr(&output));
    assert!(stderr(&output).contains(&server.cot.to_string()), "{}", stderr(&output));
}
