//! Data packages at the real server while others do it no good: the same content from all sides,
//! connections that are slow or do nothing, and files that run out.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here fails the test")]

#[path = "kill/http.rs"]
mod http;
mod support;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use http::{Answer, Http};
use loadtest::{Plan, Scenario};
use socket2::{Domain, Socket, Type};
use support::{Server, now, wait_until};
use tempfile::TempDir;

/// Where clients come from who have nothing to do with the others.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Time in which the head of a request has to come, and that a body has beside what its size needs.
const DEADLINE: Duration = Duration::from_secs(10);

/// What a busy machine may need beside that.
const GRACE: Duration = Duration::from_secs(10);

#[test]
fn t17_the_same_content_from_all_sides_is_kept_once() {
    let dir = TempDir::new().unwrap();
    let server = Server::with_data(dir.path(), &[]);
    let is_shared = || search(&server, "keywords=missionpackage").is_some();
    wait_until("packages are shared", is_shared);
    let content: Vec<u8> = (0..700_000_u32).map(|at| (at % 251) as u8).collect();
    let request = form("/Marti/sync/missionupload?filename=same.zip&creatorUid=A", &content);
    let uploads: Vec<_> = (0..32_usize)
        .map(|number| {
            let (http, mut request) = (server.http, request.clone());
            // Every second one breaks off somewhere behind the head.
            let is_cut = number % 2 == 1;
            if is_cut {
                request.truncate(400 + number * 20_011);
            }
            thread::spawn(move || {
                let mut conn = TcpStream::connect(http).unwrap();
                conn.write_all(&request).unwrap();
                if is_cut {
                    conn.shutdown(Shutdown::Write).unwrap();
                }
                let mut answer = String::new();
                // Who broke off may find that the server has done so, too.
                let _ = conn.read_to_string(&mut answer);
                (is_cut, answer)
            })
        })
        .collect();
    for upload in uploads {
        let (is_cut, answer) = upload.join().unwrap();
        assert_eq!(answer.starts_with("HTTP/1.1 200 "), !is_cut, "cut: {is_cut}\n{answer}");
    }
    let found = search(&server, "keywords=missionpackage").unwrap();
    assert_eq!(found["resultCount"], 1, "{found}");
    let packages = dir.path().join("packages");
    assert_eq!(files(&packages.join("blobs")), 1);
    wait_until("what was broken off is gone", || files(&packages.join("tmp")) == 0);
    let path =
        format!("/Marti/sync/content?hash={}", found["results"][0]["Hash"].as_str().unwrap());
    let answer = Http::new(server.http).ask("GET", &path, "", &[]).unwrap();
    assert!(answer.status == 200 && answer.body == content);
}

#[test]
fn t08_slow_connections_are_let_go_of_and_touch_nobody() {
    let server = Server::start();
    wait_until("packages are shared", || search(&server, "keywords=x").is_some());
    let load = thread::spawn({
        let mut plan = Plan::new(server.cot, Scenario::Open { rate: 1.0 });
        plan.warmup = Duration::from_millis(500);
        plan.measure = DEADLINE + Duration::from_secs(3);
        move || loadtest::run(&plan, &mut |_| {}).unwrap()
    });
    let began = now();
    // Some say nothing, some a byte per second of a head, and some of a body.
    let begins = [
        String::new(),
        "GET /Marti/sync/search HTTP/1.1\r\nHost: x\r\nX-Slow: ".to_owned(),
        "POST /Marti/sync/upload?name=slow HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n"
            .to_owned(),
    ];
    let mut slow: Vec<_> = (0..300)
        .map(|number| {
            let mut conn = TcpStream::connect(server.http).unwrap();
            // Those beyond what one address may have are closed at once.
            let _ = conn.write_all(begins[number % begins.len()].as_bytes());
            conn.set_nonblocking(true).unwrap();
            (number, conn)
        })
        .collect();
    // The others are served meanwhile.
    let uploaded = elsewhere(server.http, &form("/Marti/sync/missionupload?filename=a", b"PK"));
    assert!(uploaded.starts_with("HTTP/1.1 200 "), "{uploaded}");
    println!("an upload of another took {:?} beside them", now().duration_since(began));
    let mut most_open = 0;
    while !slow.is_empty() {
        slow.retain_mut(|(number, conn)| {
            if *number % begins.len() != 0 {
                let _ = conn.write(b"x");
            }
            match conn.read(&mut [0; 1024]) {
                // An answer, such as that it took too long; the end is behind it.
                Ok(len) => len > 0,
                Err(error) => error.kind() == ErrorKind::WouldBlock,
            }
        });
        let took = now().duration_since(began);
        if took > Duration::from_secs(2) {
            most_open = most_open.max(slow.len());
        }
        let late = DEADLINE + GRACE;
        assert!(slow.is_empty() || took < late, "{} are still open", slow.len());
        thread::sleep(Duration::from_secs(1).min(late.saturating_sub(took)));
    }
    println!("{most_open} were open, and all closed after {:?}", now().duration_since(began));
    assert!(most_open > 100, "only {most_open} were let in");
    let report = load.join().unwrap();
    println!("{report}");
    let faults = [report.lost, report.duplicated, report.reordered, report.changed];
    assert_eq!((faults, report.unsent), ([0; 4], 0));
    assert!(report.latency.unwrap().max_us < 4e6, "a gap of more than four seconds");
    assert!(search(&server, "keywords=x").is_some());
}

#[test]
fn t32_when_files_run_out_packages_and_operators_are_served() {
    let server = Server::run_by("ulimit -n 256; exec \"$@\"");
    wait_until("packages are shared", || search(&server, "keywords=x").is_some());
    let crowd: Vec<_> = (0..1_000)
        .filter_map(|number| {
            let addr = if number % 2 == 0 { server.cot } else { server.http };
            TcpStream::connect_timeout(&addr, Duration::from_secs(5)).ok()
        })
        .collect();
    assert_eq!(crowd.len(), 1_000);
    thread::sleep(Duration::from_millis(500));
    let (before, begin) = (cpu(server.id()), now());
    let content = vec![7; 1_000_000];
    let uploaded = elsewhere(server.http, &form("/Marti/sync/missionupload?filename=a", &content));
    assert!(uploaded.starts_with("HTTP/1.1 200 "), "{uploaded}");
    assert_eq!(server.get("/ready").0, 200);
    thread::sleep(Duration::from_secs(2));
    let share = (cpu(server.id()) - before) / now().duration_since(begin).as_secs_f64();
    println!("{:.0} % of a processor beside 1,000 connections", share * 100.0);
    assert!(share < 0.2, "{share} of a processor");
    let open = fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap().count();
    println!("{open} files are open");
    assert!(open < 256);
    drop(crowd);
    wait_until("there is room again", || search(&server, "keywords=x").is_some());
}

/// What a search finds; nothing when it is not answered.
fn search(server: &Server, query: &str) -> Option<serde_json::Value> {
    let path = format!("/Marti/sync/search?{query}");
    let Answer { status, body } = Http::new(server.http).ask("GET", &path, "", &[])?;
    (status == 200).then(|| serde_json::from_slice(&body).unwrap())
}

/// An upload as ATAK does it.
fn form(path: &str, content: &[u8]) -> Vec<u8> {
    let begin = "--cut\r\nContent-Disposition: form-data; name=\"assetfile\"; filename=\"a\"\r\n\
                 Content-Type: application/x-zip-compressed\r\n\r\n";
    let end = "\r\n--cut--\r\n";
    let len = begin.len() + content.len() + end.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\nContent-Length: {len}\
         \r\nContent-Type: multipart/form-data; boundary=cut\r\n\r\n"
    );
    [head.as_bytes(), begin.as_bytes(), content, end.as_bytes()].concat()
}

/// Sends a request from another address, and gives what was answered.
fn elsewhere(server: SocketAddr, request: &[u8]) -> String {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(IpAddr::V4(ELSEWHERE), 0).into()).unwrap();
    socket.connect(&server.into()).unwrap();
    let mut conn = TcpStream::from(socket);
    conn.set_read_timeout(Some(support::PATIENCE)).unwrap();
    conn.write_all(request).unwrap();
    let mut answer = String::new();
    conn.read_to_string(&mut answer).unwrap();
    answer
}

/// Files in a directory and all below it.
fn files(dir: &Path) -> usize {
    let Ok(items) = fs::read_dir(dir) else { return 0 };
    let paths = items.map(|item| item.unwrap().path());
    paths.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

/// Time that a process has used. Seconds.
fn cpu(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}
