//! Start, serve, and everything that can be in the way of a start.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::thread;

use support::{Server, position, run, stderr, tinycot, wait_until};

#[test]
fn two_clients_see_each_other() {
    let server = Server::start();
    let [mut hope, mut lost] = server.pair();
    hope.send(&position("UID-1", "HOPE-11"));
    lost.expect(&position("UID-1", "HOPE-11"));
    lost.send(&position("UID-2", "LOST-12"));
    hope.expect(&position("UID-2", "LOST-12"));
}

#[test]
fn isolated_teams_are_isolated() {
    let server = Server::with(&["--team-policy", "isolated", "--allow", "Red -> Cyan"]);
    let red = |uid: &str| position(uid, uid).replace("Cyan", "Red");
    let (mut cyan, mut lead) = (server.client(), server.client());
    cyan.send(&position("UID-1", "HOPE-11"));
    wait_until("the first team is known", || server.get("/api/teams").1.contains("Cyan"));
    lead.send(&red("UID-2"));
    cyan.expect("UID-2");
    cyan.send(&position("UID-3", "HOPE-11"));
    // A pong is answered in order, so that what had been sent before it would have come before it.
    lead.send(
        "<event version=\"2.0\" uid=\"x-ping\" type=\"t-x-c-t\" how=\"m-g\" \
         time=\"2026-05-01T12:00:00Z\" start=\"2026-05-01T12:00:00Z\" stale=\"2026-05-01T12:10:00Z\">\
         <point lat=\"0\" lon=\"0\" hae=\"0\" ce=\"0\" le=\"0\"/></event>",
    );
    lead.expect("t-x-c-t-r");
    assert!(!lead.has("UID-3") && !lead.has("UID-1"));
}

#[test]
fn the_start_says_where_it_listens_and_ends_with_ready() {
    let server = Server::start();
    let lines: Vec<_> = server.banner.lines().collect();
    let port = server.cot.port();
    assert_ne!(port, 0);
    assert!(server.banner.contains(&format!("address 127.0.0.1  port {port}  protocol TCP")));
    assert!(lines.iter().any(|line| line.contains("trusted networks only")), "{lines:?}");
    assert!(lines.contains(&format!("listening cot 127.0.0.1:{port}").as_str()), "{lines:?}");
    let admin = server.admin;
    assert!(lines.contains(&format!("listening admin {admin}").as_str()), "{lines:?}");
    assert!(lines.last().unwrap().starts_with("ready in "), "{lines:?}");
}

#[test]
fn several_addresses_are_served() {
    let server = Server::with(&["--cot-listen", "127.0.0.1:0, 127.0.0.1:0"]);
    let listening = server.banner.lines().filter(|line| line.starts_with("listening cot "));
    let addrs: Vec<_> = listening.map(|line| line.split(' ').nth(2).unwrap().to_owned()).collect();
    assert_eq!(addrs.len(), 3, "{addrs:?}");
    for addr in addrs {
        std::net::TcpStream::connect(addr).unwrap();
    }
    wait_until("all arrived", || server.json("/api/stats")["connections_received"] == 3);
}

#[test]
fn a_taken_port_is_named_with_what_to_do() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let free =
        [("--cot-listen", "127.0.0.1:0"), ("--admin-listen", "off"), ("--http-listen", "off")];
    for (key, flag) in [
        ("cot_listen", "--cot-listen"),
        ("admin_listen", "--admin-listen"),
        ("http_listen", "--http-listen"),
    ] {
        let mut args = vec!["serve", "--data-dir", data, flag, &taken];
        let others = free.into_iter().filter(|(other, _)| *other != flag);
        args.extend(others.flat_map(|(other, addr)| [other, addr]));
        let output = run(&args);
        assert_eq!(output.status.code(), Some(69));
        assert!(output.stdout.is_empty(), "nothing is announced before all is bound");
        let text = stderr(&output);
        let start = format!("tinycot: {key}: cannot listen on {taken}: the port is taken; another");
        assert!(text.lines().any(|line| line.starts_with(&start)), "{text}");
        assert!(text.contains(&format!("another port with {flag}")), "{text}");
    }
}

#[test]
fn an_address_of_another_machine_cannot_be_listened_on() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let output = run(&["serve", "--data-dir", data, "--cot-listen", "192.0.2.77:8087"]);
    assert_eq!(output.status.code(), Some(69));
    assert!(stderr(&output).contains("no interface of this machine has this address"));
}

#[test]
fn the_data_directory_is_made_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("a/b");
    let _server = Server::with_data(&data, &[]);
    wait_until("all is made", || data.join("packages/packages.db").exists());
    let mode = fs::metadata(&data).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let mut names: Vec<_> =
        fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["admin.token", "lock", "packages", "state"], "the probe is gone");
}

#[test]
fn a_data_directory_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for data in [file.clone(), file.join("below"), "/proc/tinycot".into()] {
        let output =
            run(&["serve", "--cot-listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(74), "{}", stderr(&output));
        let start = format!("tinycot: data_dir: {} cannot be used", data.display());
        assert!(stderr(&output).starts_with(&start), "{}", stderr(&output));
        assert!(stderr(&output).contains("tinycot:   cause: "), "{}", stderr(&output));
    }
}

#[test]
fn two_servers_do_not_record_in_one_directory() {
    let dir = tempfile::tempdir().unwrap();
    let (dump, other) = (dir.path().join("dump"), dir.path().join("other"));
    let args = ["--dump", "json", "--dump-dir", dump.to_str().unwrap()];
    let _server = Server::with_data(&dir.path().join("data"), &args);
    let mut second =
        vec!["serve", "--cot-listen", "127.0.0.1:0", "--data-dir", other.to_str().unwrap()];
    second.extend(args);
    let output = run(&second);
    assert_eq!(output.status.code(), Some(74), "{}", stderr(&output));
    assert!(stderr(&output).contains("dump_dir: "), "{}", stderr(&output));
    assert!(stderr(&output).contains("in use by another"), "{}", stderr(&output));
}

#[test]
fn a_dump_may_be_in_the_data_directory_itself() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["--dump", "json", "--dump-dir", dir.path().to_str().unwrap()];
    let _server = Server::with_data(dir.path(), &args);
}

#[test]
fn a_closed_standard_output_and_error_do_not_stop_the_server() {
    let dir = tempfile::tempdir().unwrap();
    // The port has to be known without reading what the server prints.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let cot = format!("127.0.0.1:{port}");
    let mut child = tinycot()
        .args([
            "serve",
            "--admin-listen",
            "off",
            "--http-listen",
            "127.0.0.1:0",
            "--log",
            "trace",
            "--cot-listen",
            &cot,
            "--data-dir",
        ])
        .arg(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    wait_until("it accepts", || std::net::TcpStream::connect(&cot).is_ok());
    thread::sleep(std::time::Duration::from_millis(100));
    let still_there = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(still_there);
}

#[test]
fn the_log_has_a_line_of_traffic() {
    let mut server = Server::with(&["--stats-interval", "1s", "--log-format", "json"]);
    let [mut hope, mut lost] = server.pair();
    hope.send(&position("UID-1", "HOPE-11"));
    lost.expect("UID-1");
    let (mut log, mut sums) = (String::new(), (0, 0));
    let mut lines = BufReader::new(server.log());
    // A busy machine may have needed more than a second up to here.
    while sums.1 == 0 {
        let from = log.len();
        assert!(lines.read_line(&mut log).unwrap() > 0, "the server ended: {log}");
        let line: serde_json::Value = serde_json::from_str(&log[from..]).unwrap();
        if line["message"] == "traffic" {
            let number = |key: &str| line[key].as_u64().unwrap();
            sums = (sums.0 + number("messages_in"), sums.1 + number("messages_out"));
            assert!(line["level"] == "INFO" && number("clients") <= 2, "{line}");
        }
    }
    assert_eq!(sums, (1, 1), "{log}");
    server.signal(rustix::process::Signal::TERM);
    lines.read_to_string(&mut log).unwrap();
    assert!(!log.contains("HOPE-11") || !log.contains("47.1"), "positions stay out of the log");
}

#[test]
fn a_log_that_nobody_reads_does_not_hold_up_the_server() {
    // Its pipe is never read, and far more than fits into it is logged.
    let server = Server::with(&["--log", "trace"]);
    let mut client = server.client();
    for _ in 0..20_000 {
        client.send("<event version=\"2.0\" uid=\"x\"></event>");
    }
    let [mut hope, mut lost] = server.pair_beside(1);
    hope.send(&position("UID-1", "HOPE-11"));
    lost.expect("UID-1");
    assert_eq!(server.get("/live").0, 200);
    server.signal(rustix::process::Signal::TERM);
    assert!(server.ended_unread().success());
}

#[test]
fn too_few_files_mean_fewer_clients_and_a_working_admin_listener() {
    let server = Server::run_by("ulimit -n 128; exec \"$@\"");
    let clients: Vec<_> = (0..50).map(|_| server.client()).collect();
    wait_until("the last ones are refused", || {
        server.json("/api/stats")["connections_refused"]["full"] == 22
    });
    assert_eq!(server.json("/api/stats")["connections_open"], 28);
    drop(clients);
    wait_until("all have gone", || server.json("/api/stats")["connections_open"] == 0);
    server.signal(rustix::process::Signal::TERM);
    let (status, _, log) = server.ended();
    assert!(status.success());
    assert!(log.contains("fewer clients fit into the limit on open files"), "{log}");
}
