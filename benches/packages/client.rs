//! Clients that upload, download and search as fast as they are let.

use std::io::{self, BufRead, BufReader, Error, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::pace::Pace;

/// Bytes that are sent or read at a time.
const CHUNK: usize = 64 << 10;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection that stays.
pub(crate) struct Client {
    conn: BufReader<TcpStream>,
}

/// An answer whose body has been read.
pub(crate) struct Answer {
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(server: SocketAddr) -> io::Result<Self> {
        let conn = TcpStream::connect(server)?;
        conn.set_nodelay(true)?;
        conn.set_read_timeout(Some(PATIENCE))?;
        conn.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { conn: BufReader::with_capacity(CHUNK, conn) })
    }

    /// Asks, and reads the answer, which has to be a success.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<Answer> {
        self.send(&head(method, path, "application/octet-stream", body.len() as u64), body)?;
        self.answer()
    }

    /// Asks, and reads the answer, which is forgotten: its length.
    pub(crate) fn skim(&mut self, path: &str) -> io::Result<u64> {
        self.send(&head("GET", path, "text/plain", 0), &[])?;
        let len = self.begun()?;
        let mut left = len;
        while left > 0 {
            let read = self.conn.fill_buf()?.len();
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let read = read.min(usize::try_from(left).unwrap_or(usize::MAX));
            self.conn.consume(read);
            left -= read as u64;
        }
        Ok(len)
    }

    /// Uploads as ATAK does: a form of one part.
    pub(crate) fn upload(&mut self, upload: &Upload) -> io::Result<Answer> {
        let name = &upload.name;
        let begin = format!(
            "--cut\r\nContent-Disposition: form-data; name=\"assetfile\"; filename=\"{name}\"\r\n\
             Content-Type: application/x-zip-compressed\r\n\r\n"
        );
        let end = "\r\n--cut--\r\n";
        let len = (begin.len() + end.len()) as u64 + upload.bytes;
        let path = format!("/Marti/sync/missionupload?filename={name}&creatorUid=BENCH");
        self.send(
            &head("POST", &path, "multipart/form-data; boundary=cut", len),
            begin.as_bytes(),
        )?;
        upload.write(self.conn.get_mut())?;
        self.conn.get_mut().write_all(end.as_bytes())?;
        self.answer()
    }

    fn send(&mut self, head: &str, body: &[u8]) -> io::Result<()> {
        self.conn.get_mut().write_all(&[head.as_bytes(), body].concat())
    }

    /// Reads the head of an answer: the length of what follows.
    fn begun(&mut self) -> io::Result<u64> {
        let (mut line, mut first, mut len) = (String::new(), String::new(), 0);
        loop {
            line.clear();
            if self.conn.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let text = line.trim_end().to_ascii_lowercase();
            if text.is_empty() {
                break;
            }
            if let Some(value) = text.strip_prefix("content-length: ") {
                len = value.parse().map_err(Error::other)?;
            }
            if first.is_empty() {
                first = text;
            }
        }
        match first.split(' ').nth(1) {
            Some("200" | "201") => Ok(len),
            _ => {
                let mut why = String::new();
                self.conn.by_ref().take(len).read_to_string(&mut why)?;
                Err(Error::other(format!("{first}: {why}")))
            }
        }
    }

    fn answer(&mut self) -> io::Result<Answer> {
        let len = self.begun()?;
        let mut body = Vec::new();
        self.conn.by_ref().take(len).read_to_end(&mut body)?;
        Ok(Answer { body })
    }
}

impl Answer {
    /// The hash in it, of a URL or of a row.
    pub(crate) fn hash(&self) -> io::Result<String> {
        let text = String::from_utf8_lossy(&self.body);
        let mut words = text.split(|of: char| !of.is_ascii_hexdigit());
        let hash = words.find(|word| word.len() == 64).map(str::to_owned);
        hash.ok_or_else(|| Error::other(format!("no hash in `{text}`")))
    }
}

/// Something to upload, which no other has.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) pace: Pace,
}

impl Upload {
    /// Sends it to a bare loop, and waits until that has it.
    pub(crate) fn to_bare(&self, server: SocketAddr) -> io::Result<()> {
        let mut conn = TcpStream::connect(server)?;
        conn.set_read_timeout(Some(PATIENCE))?;
        conn.set_write_timeout(Some(PATIENCE))?;
        self.write(&mut conn)?;
        conn.shutdown(Shutdown::Write)?;
        conn.read_exact(&mut [0; 32])
    }

    pub(crate) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let name = self.name.as_bytes();
        let chunk: Vec<u8> = name.iter().copied().cycle().take(CHUNK).collect();
        let (mut left, mut pacer) = (self.bytes, self.pace.begin());
        while left > 0 {
            let len = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK);
            to.write_all(chunk.get(..len).unwrap_or_default())?;
            left -= len as u64;
            pacer.sent(len);
        }
        Ok(())
    }
}

fn head(method: &str, path: &str, mime_type: &str, len: u64) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {mime_type}\r\n\
         Content-Length: {len}\r\n\r\n"
    )
}
