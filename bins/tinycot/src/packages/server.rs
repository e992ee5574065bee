//! Packages of a running server, through its admin listener.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::PackageError;
use super::http::{self, Answer, Body, Request, encode};
use super::place::Description;
use super::row::Row;
use crate::admin::api::TeamRow;

/// Rows that are asked for at a time.
const PAGE: usize = 1000;

/// Largest answer that is kept in memory. Bytes; a page of rows is about 1 MB.
const MAX_TEXT: u64 = 64 << 20;

/// Longest reason that is printed. Characters.
const MAX_REASON: usize = 400;

/// What an operator is shown beside what clients are: each entry of a content, and what is damaged.
const ALL: &str = "eachAudience=true&damaged=true";

/// Bytes that are fetched at a time where a part of a content is looked at.
const WINDOW: usize = 128 << 10;

/// A server that takes our token.
pub(super) struct Server {
    addr: SocketAddr,
    token: String,
    token_file: PathBuf,
}

/// What a server did with a package that was to be sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    /// Clients that it was sent to.
    pub(super) sent: u64,
    /// Clients that will get it when they return.
    pub(super) held: u64,
}

/// Somebody who can be told of a package.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Addressee {
    pub(super) uid: String,
    pub(super) callsign: String,
    /// Their team, where teams matter; empty without one.
    pub(super) team: Option<String>,
    /// Whether they can download the package that was asked about.
    pub(super) is_shared: bool,
    /// Whether they could, if it were uploaded for the teams that were asked about.
    pub(super) would_be_shared: bool,
}

impl Server {
    /// A server at this address, which will be asked with this token. `token_file` says where it is
    /// from.
    pub(super) fn new(addr: SocketAddr, token: String, token_file: PathBuf) -> Self {
        Self { addr, token, token_file }
    }

    /// Whether it is one, and takes the token: asks for a package that nobody has.
    pub(super) fn check(&self) -> Result<(), PackageError> {
        // Who listens for clients has packages, too, but not what an operator is to see.
        if let Err(error) = self.teams() {
            return Err(match error {
                PackageError::Refused { addr, status: 404 | 405, .. } => {
                    PackageError::NotAdmin { addr }
                }
                PackageError::Lost { addr, source } if is_no_http(&source) => {
                    PackageError::NotAdmin { addr }
                }
                error => error,
            });
        }
        let nothing = "0".repeat(64);
        match self.rows(&format!("/Marti/api/sync/search?hash={nothing}")) {
            Err(PackageError::Refused { status: 403, .. }) => Err(self.stranger()),
            checked => checked.map(drop),
        }
    }

    /// All entries of a content, the newest first.
    pub(super) fn entries(&self, hash: &str) -> Result<Vec<Row>, PackageError> {
        let mut rows = self.rows(&format!("/Marti/api/sync/search?hash={hash}&{ALL}"))?;
        rows.retain(|row| row.hash == hash);
        Ok(rows)
    }

    /// All entries, or those whose name contains a text; the newest first.
    pub(super) fn list(&self, name: Option<&str>) -> Result<Vec<Row>, PackageError> {
        let mut all: Vec<Row> = Vec::new();
        let name = name.map_or_else(String::new, |name| format!("&name={}", encode(name)));
        loop {
            let offset = all.len();
            let target = format!("/Marti/api/sync/search?{ALL}&limit={PAGE}&offset={offset}{name}");
            let page = self.rows(&target)?;
            // One that was uploaded meanwhile moves the others on; one that knows no pages gives all
            // of them at once, again and again.
            let key = |row: &Row| (row.hash.clone(), row.groups.clone());
            let known: std::collections::HashSet<_> = all.iter().map(key).collect();
            let is_last = page.len() < PAGE;
            all.extend(page.into_iter().filter(|row| !known.contains(&key(row))));
            if is_last || all.len() == offset {
                return Ok(all);
            }
        }
    }

    /// The teams that somebody is in, or that have rules.
    pub(super) fn teams(&self) -> Result<Vec<String>, PackageError> {
        let answer = self.ask("GET", "/api/teams", "", None)?;
        Ok(self.read::<Vec<TeamRow>>(answer)?.into_iter().map(|team| team.name).collect())
    }

    /// Uploads a content, and says by which hash the server has it.
    pub(super) fn add(
        &self,
        content: &mut dyn Read,
        size: u64,
        description: &Description,
    ) -> Result<String, PackageError> {
        #[derive(Deserialize)]
        struct Stored {
            #[serde(rename = "Hash")]
            hash: String,
        }
        let mut target = format!(
            "/Marti/sync/upload?name={}&tool={}&mimetype={}&creatorUid={}",
            encode(&description.name),
            encode(&description.tool),
            encode(description.mime_type),
            encode(description.creator_uid),
        );
        for keyword in &description.keywords {
            target += &format!("&keywords={}", encode(keyword));
        }
        for team in &description.teams {
            target += &format!("&groups={}", encode(team));
        }
        if let Some(expires_ms) = description.expires_ms {
            target += &format!("&expiration={}", expires_ms / 1000);
        }
        let headers = format!("Content-Type: {}\r\n", description.mime_type);
        let answer = self.ask("POST", &target, &headers, Some(Body { content, len: size }))?;
        Ok(self.read::<Stored>(answer)?.hash)
    }

    /// The content of a package, from its start.
    pub(super) fn content(&self, hash: &str) -> Result<Content, PackageError> {
        let answer = self.ask("GET", &content_path(hash), "", None)?;
        Ok(Content { answer, addr: self.addr })
    }

    /// A look into the content of a package: only what is read is fetched.
    pub(super) fn look<'a>(&'a self, row: &Row) -> Look<'a> {
        Look {
            server: self,
            path: content_path(&row.hash),
            size: row.size,
            at: 0,
            window: Vec::new(),
            window_at: 0,
            failed: Cell::new(None),
        }
    }

    /// Removes all entries of a content.
    pub(super) fn remove(&self, hash: &str) -> Result<(), PackageError> {
        let answer = self.ask("DELETE", &format!("/Marti/api/files/{hash}"), "", None)?;
        self.text(answer).map(drop)
    }

    /// Removes one entry, by its number.
    pub(super) fn remove_entry(&self, key: i64) -> Result<(), PackageError> {
        let target = format!("/Marti/sync/delete?PrimaryKey={key}");
        let answer = self.ask("DELETE", &target, "", None)?;
        self.text(answer).map(drop)
    }

    /// Whom a text means, by callsign or uid, and whether a package is there for them, or would be if
    /// it were uploaded for these teams; none are everyone.
    pub(super) fn addressee(
        &self,
        hash: &str,
        to: &str,
        teams: &[String],
    ) -> Result<Addressee, PackageError> {
        let mut target = format!("/Marti/api/packages/{hash}/push?to={}", encode(to));
        for team in teams {
            target += &format!("&groups={}", encode(team));
        }
        match self.ask("GET", &target, "", None) {
            Err(PackageError::Refused { addr, status: 404, why }) => {
                let why = format!("{why}; `tinycot contacts` shows who is here");
                Err(PackageError::Refused { addr, status: 404, why })
            }
            answer => self.read(answer?),
        }
    }

    /// Makes the server send a package to a contact.
    pub(super) fn push(&self, hash: &str, uid: &str) -> Result<Sent, PackageError> {
        let target = format!("/Marti/api/packages/{hash}/push?to={}", encode(uid));
        let answer =
            self.ask("POST", &target, "", Some(Body { content: &mut io::empty(), len: 0 }))?;
        self.read(answer)
    }

    fn rows(&self, target: &str) -> Result<Vec<Row>, PackageError> {
        #[derive(Deserialize)]
        struct Envelope {
            data: Vec<Row>,
        }
        let answer = self.ask("GET", target, "", None)?;
        Ok(self.read::<Envelope>(answer)?.data)
    }

    /// Asks, and takes success for an answer only.
    fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &str,
        body: Option<Body<'_>>,
    ) -> Result<Answer, PackageError> {
        let authorization = format!("Authorization: Bearer {}\r\n", self.token);
        let headers = format!("{authorization}Accept: */*\r\n{headers}");
        let conn = self.connect()?;
        let request = Request { method, target, headers, body };
        let answer = http::ask(conn, request).map_err(|source| self.lost(source))?;
        match answer.status {
            200..300 => Ok(answer),
            401 => Err(self.stranger()),
            status => {
                let why = reason(status, &answer.text(MAX_TEXT).unwrap_or_default());
                Err(PackageError::Refused { addr: self.addr, status, why })
            }
        }
    }

    fn connect(&self) -> Result<TcpStream, PackageError> {
        let addr = self.addr;
        http::connect(addr).map_err(|source| PackageError::NoServer { addr, source })
    }

    fn text(&self, answer: Answer) -> Result<String, PackageError> {
        answer.text(MAX_TEXT).map_err(|source| self.lost(source))
    }

    fn read<T: DeserializeOwned>(&self, answer: Answer) -> Result<T, PackageError> {
        serde_json::from_str(&self.text(answer)?)
            .map_err(|error| PackageError::Version { addr: self.addr, why: error.to_string() })
    }

    fn lost(&self, source: io::Error) -> PackageError {
        PackageError::Lost { addr: self.addr, source }
    }

    fn stranger(&self) -> PackageError {
        PackageError::Token { addr: self.addr, path: self.token_file.clone() }
    }
}

/// Whether a port for events may have said this: it hangs up on who speaks HTTP.
fn is_no_http(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::BrokenPipe | Kind::ConnectionAborted | Kind::ConnectionReset | Kind::InvalidData
    )
}

/// What a refusal says of itself.
fn reason(status: u16, body: &str) -> String {
    #[derive(Deserialize)]
    struct Body {
        message: String,
    }
    let text =
        serde_json::from_str(body).map_or_else(|_| body.to_owned(), |Body { message }| message);
    let text: String = text.trim().chars().take(MAX_REASON).collect();
    match text.as_str() {
        "" => format!("status {status}"),
        text => format!("{text} (status {status})"),
    }
}

fn content_path(hash: &str) -> String {
    format!("/Marti/sync/content?hash={hash}")
}

/// The content of a package on its way.
pub(super) struct Content {
    answer: Answer,
    addr: SocketAddr,
}

impl Content {
    /// What it means when reading fails.
    pub(super) fn lost(&self, source: io::Error) -> PackageError {
        PackageError::Lost { addr: self.addr, source }
    }
}

impl Read for Content {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.answer.read(buf)
    }
}

/// The content of a package, parts of which are fetched when they are read.
pub(super) struct Look<'a> {
    server: &'a Server,
    path: String,
    size: u64,
    at: u64,
    /// What was fetched last, and where it is from.
    window: Vec<u8>,
    window_at: u64,
    /// Why fetching failed.
    failed: Cell<Option<PackageError>>,
}

impl Look<'_> {
    /// Why reading failed, if it did.
    pub(super) fn failure(&self) -> Option<PackageError> {
        self.failed.take()
    }

    fn fetch(&self, from: u64, len: u64) -> Result<Vec<u8>, PackageError> {
        let headers = format!("Range: bytes={from}-{}\r\n", from + len - 1);
        let mut answer = self.server.ask("GET", &self.path, &headers, None)?;
        let lost = |source| self.server.lost(source);
        if answer.status != 206 {
            // Parts are not for everyone: what comes before is read and forgotten.
            io::copy(&mut (&mut answer).take(from), &mut io::sink()).map_err(lost)?;
        }
        let mut bytes = Vec::new();
        answer.take(len).read_to_end(&mut bytes).map_err(lost)?;
        Ok(bytes)
    }

    /// What is in the window from here on.
    fn rest(&self) -> &[u8] {
        let skip = self.at.checked_sub(self.window_at).and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| self.window.get(skip..)).unwrap_or_default()
    }
}

impl Read for Look<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.rest().is_empty() && self.at < self.size && !buf.is_empty() {
            let window = u64::try_from(buf.len().max(WINDOW)).unwrap_or(u64::MAX);
            match self.fetch(self.at, window.min(self.size - self.at)) {
                Ok(bytes) => (self.window, self.window_at) = (bytes, self.at),
                Err(error) => {
                    self.failed.set(Some(error));
                    return Err(io::Error::other("the server did not give it"));
                }
            }
        }
        let read = self.rest().read(buf)?;
        self.at += u64::try_from(read).unwrap_or(u64::MAX);
        Ok(read)
    }
}

impl Seek for Look<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
