//! Data packages as a program keeps them that does not think of its end: to know that the checks
//! find out what it loses.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// How much later.
const LATER: Duration = Duration::from_millis(5);

/// Serves packages in a directory until the process ends, each connection on a thread.
pub(crate) fn serve(dir: &Path) -> SocketAddr {
    fs::create_dir_all(dir).unwrap();
    let index = fs::read(dir.join("index.json")).unwrap_or_default();
    let rows = serde_json::from_slice(&index).unwrap_or_default();
    let shelf = Arc::new(Shelf { dir: dir.to_owned(), rows: Mutex::new(rows) });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for conn in listener.incoming().flatten() {
            let shelf = Arc::clone(&shelf);
            // A client that is gone needs no answer.
            thread::spawn(move || drop(shelf.answer(conn)));
        }
    });
    addr
}

struct Shelf {
    dir: PathBuf,
    /// By hash.
    rows: Mutex<BTreeMap<String, Value>>,
}

impl Shelf {
    fn answer(&self, conn: TcpStream) -> std::io::Result<()> {
        let mut conn = BufReader::new(conn);
        let (mut request, mut line, mut len) = (String::new(), String::new(), 0);
        conn.read_line(&mut request)?;
        while conn.read_line(&mut line)? > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                len = value.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut body = vec![0; len];
        conn.read_exact(&mut body)?;
        let mut words = request.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let parameter = |key: &str| {
            let mut pairs = path.split(['?', '&']).filter_map(|pair| pair.split_once('='));
            pairs.find(|(name, _)| *name == key).map(|(_, value)| value.to_owned())
        };
        let mut content = None;
        let answer = match (method, path.split('?').next().unwrap()) {
            ("GET", "/Marti/sync/search") => {
                let rows: Vec<_> = self.rows.lock().unwrap().values().cloned().collect();
                Some(json!({ "results": rows }).to_string().into_bytes())
            }
            ("GET", _) => fs::read(self.dir.join(parameter("hash").unwrap())).ok(),
            ("DELETE", _) => {
                let hash = parameter("hash").unwrap();
                self.change(|rows| drop(rows.remove(&hash)));
                Some(Vec::new())
            }
            ("PUT", path) => {
                let hash = path.rsplit('/').nth(1).unwrap();
                let tool = String::from_utf8_lossy(&body).into_owned();
                self.change(|rows| {
                    if let Some(row) = rows.get_mut(hash) {
                        row["Tool"] = tool.into();
                    }
                });
                Some(Vec::new())
            }
            _ => {
                let name = parameter("name").or_else(|| parameter("filename")).unwrap();
                // Names are enough where each has a content of its own.
                let hash = format!("{:0>64}", name.replace(|of: char| !of.is_ascii_digit(), "0"));
                let row = json!({ "Name": name, "Hash": hash, "Tool": parameter("tool") });
                self.change(|rows| drop(rows.insert(hash.clone(), row)));
                content = Some((self.dir.join(&hash), file_of(&body).to_vec()));
                Some(hash.into_bytes())
            }
        };
        let (status, answer) = answer.map_or((404, Vec::new()), |answer| (200, answer));
        let head = format!("HTTP/1.1 {status} -\r\nContent-Length: {}\r\n\r\n", answer.len());
        conn.get_mut().write_all(&[head.as_bytes(), &answer].concat())?;
        // The row is there, so this can be done later.
        if let Some((path, content)) = content {
            thread::sleep(LATER);
            let mut file = File::create(path)?;
            for piece in content.chunks(4 << 10) {
                file.write_all(piece)?;
            }
        }
        Ok(())
    }

    /// Changes the rows, and writes all of them over those that were there.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Value>)) {
        let mut rows = self.rows.lock().unwrap();
        change(&mut rows);
        let file = File::create(self.dir.join("index.json")).unwrap();
        serde_json::to_writer(file, &*rows).unwrap();
    }
}

/// The file in the one part of a form, or what is no form.
fn file_of(body: &[u8]) -> &[u8] {
    let form = body.strip_prefix(b"--cut\r\n").zip(memchr::memmem::find(body, b"\r\n\r\n"));
    let Some((_, head)) = form else { return body };
    let content = &body[head + 4..];
    content.strip_suffix(b"\r\n--cut--\r\n").unwrap_or(content)
}
