//! The memory of an upload does not grow with the file (23). In a process of its own: what is
//! measured is the most that it ever had.
#![cfg(target_os = "linux")]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::allow_attributes,
    reason = "a test that is out of bounds has failed"
)]

mod support;

use support::{Server, Setup};

/// The most memory that the process ever had. Bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// Uploads `blocks` MiB as a form, in chunks, and reads them back.
fn transfer(server: &Server<store::packages::SqlitePackages>, seed: u8, blocks: usize) {
    let mut connection = server.connect();
    let target = "/Marti/sync/missionupload?filename=big.zip&creatorUid=A";
    let headers = "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n";
    connection.send(&server.head("POST", target, headers, None));
    let part = b"--b\r\nContent-Disposition: form-data; name=\"assetfile\"; filename=\"x\"\r\n\r\n";
    connection.chunk(part);
    let mut block = vec![seed; 1 << 20];
    for n in 0..blocks {
        block[..8].copy_from_slice(&n.to_le_bytes());
        connection.chunk(&block);
    }
    connection.chunk(b"\r\n--b--\r\n");
    connection.chunk(b"");
    let answer = connection.answer().expect(200);
    let path = answer.text().split_once("/Marti/").unwrap().1.to_owned();
    let mut connection = server.connect();
    connection.send(&server.head("GET", &format!("/Marti/{path}"), "", None));
    connection.answer_head().expect(200);
    let mut got = 0;
    while got < blocks << 20 {
        let some = connection.read_some().len();
        assert!(some > 0, "broken off at {got}");
        got += some;
    }
}

#[test]
fn k23_the_memory_of_an_upload_and_a_download_is_bounded() {
    let server = Setup::open().on_disk();
    // What is needed once is needed before.
    transfer(&server, 1, 2);
    let before = peak();
    transfer(&server, 2, 64);
    let grown = peak() - before;
    println!("64 MiB up and down: the process grew by {} KiB", grown >> 10);
    assert!(grown < 8 << 20, "it grew by {grown} bytes");
}
