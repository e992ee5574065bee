//! Where the packages are: with a running server, or in a data directory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use data_package::{InspectError, Inspection, Limits, inspect};

use super::Variables;
use super::args::PlaceArgs;
use super::direct::Direct;
use super::error::PackageError;
use super::row::Row;
use super::server::{Content, Server};
use crate::error::Failure;
use crate::view;

/// Where a server keeps its data unless it is told otherwise.
const DEFAULT_DATA_DIR: &str = "tinycot-data";

/// Where in it the packages are.
const PACKAGES_DIR: &str = "packages";

/// Where in it the token of the admin listener is.
const TOKEN_FILE: &str = "admin.token";

/// How an upload is described.
pub(super) struct Description {
    pub(super) name: String,
    pub(super) mime_type: &'static str,
    pub(super) tool: String,
    pub(super) keywords: Vec<String>,
    pub(super) creator_uid: &'static str,
    /// Milliseconds since the Unix epoch.
    pub(super) expires_ms: Option<i64>,
    /// None is everyone.
    pub(super) teams: Vec<String>,
}

/// Where the packages are.
pub(super) enum Place {
    Dir {
        /// Boxed, because it is much larger than the other.
        direct: Box<Direct>,
        /// Where no server answered.
        addr: SocketAddr,
    },
    Server(Server),
}

impl Place {
    /// Finds the server that the arguments and the environment mean; when none answers, takes its
    /// data directory.
    ///
    /// # Errors
    ///
    /// Neither can be used. A server that is named by its address is asked, or nobody.
    pub(super) fn open(args: &PlaceArgs, variable: Variables<'_>) -> Result<Self, Failure> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let data_dir = args.data_dir.clone().or_else(|| set("TINYCOT_DATA_DIR").map(PathBuf::from));
        let is_dir_named = data_dir.is_some();
        let data_dir = data_dir.unwrap_or_else(|| DEFAULT_DATA_DIR.into());
        let listen = set("TINYCOT_ADMIN_LISTEN").map(|text| text.to_string_lossy().into_owned());
        let has_listener = args.admin.is_some() || listen.as_deref() != Some("off");
        let is_named = has_listener && listen.is_some();
        let addr = view::admin_address(args.admin, listen.filter(|_| has_listener))?;

        let token_file = args.token_file.clone().unwrap_or_else(|| data_dir.join(TOKEN_FILE));
        let token = match fs::read_to_string(&token_file) {
            Ok(token) => Ok(clean(&token)),
            Err(source) => Err(PackageError::NoToken { path: token_file.clone(), source }),
        };
        if args.admin.is_some() || args.token_file.is_some() {
            let server = Server::new(addr, token?, token_file);
            server.check()?;
            return Ok(Self::Server(server));
        }
        // A data directory without a token has no server that takes one; a server that does not take
        // its token has another directory.
        let refusal = match token {
            Ok(token) if has_listener => {
                let server = Server::new(addr, token, token_file);
                match server.check() {
                    Ok(()) => return Ok(Self::Server(server)),
                    Err(PackageError::NoServer { .. }) => PackageError::Held { addr },
                    Err(error) => error,
                }
            }
            Ok(_) => PackageError::Held { addr },
            Err(PackageError::NoToken { source, path })
                if source.kind() != io::ErrorKind::NotFound =>
            {
                return Err(PackageError::NoToken { path, source }.into());
            }
            Err(error) => error,
        };
        if !data_dir.is_dir() {
            // Who has named a server, but not its data directory, is told of its token.
            return Err(match refusal {
                PackageError::NoToken { .. } if !is_dir_named && is_named => refusal,
                _ => PackageError::NoDataDir { dir: data_dir },
            }
            .into());
        }
        match Direct::open(&data_dir.join(PACKAGES_DIR))? {
            Some(direct) => Ok(Self::Dir { direct: Box::new(direct), addr }),
            None => Err(refusal.into()),
        }
    }

    /// All entries, or those whose name contains a text; the newest first.
    pub(super) fn list(&self, name: Option<&str>) -> Result<Vec<Row>, PackageError> {
        match self {
            Self::Dir { direct, .. } => direct.list(name),
            Self::Server(server) => server.list(name),
        }
    }

    /// All entries of a content, the newest first.
    pub(super) fn entries(&self, hash: &str) -> Result<Vec<Row>, PackageError> {
        match self {
            Self::Dir { direct, .. } => direct.entries(hash),
            Self::Server(server) => server.entries(hash),
        }
    }

    /// The teams that somebody is in, or that packages are for.
    pub(super) fn teams(&self) -> Result<Vec<String>, PackageError> {
        let mut teams = match self {
            Self::Dir { .. } => Vec::new(),
            Self::Server(server) => server.teams()?,
        };
        teams.extend(self.list(None)?.into_iter().filter_map(|row| row.groups).flatten());
        Ok(teams)
    }

    /// Stores so many bytes, and says by which hash they can be had.
    pub(super) fn add(
        &self,
        mut content: impl Read + Send + Unpin,
        size: u64,
        description: &Description,
    ) -> Result<String, PackageError> {
        match self {
            Self::Dir { direct, .. } => direct.add(content, size, description),
            Self::Server(server) => server.add(&mut content, size, description),
        }
    }

    /// Opens the content of a package.
    pub(super) fn content(&self, row: &Row) -> Result<Source, PackageError> {
        Ok(match self {
            Self::Dir { direct, .. } => Source::File(direct.content(row)?),
            Self::Server(server) => Source::Server(server.content(&row.hash)?),
        })
    }

    /// Looks into a package. What it is not is the inner error.
    pub(super) fn inspect(
        &self,
        row: &Row,
    ) -> Result<Result<Inspection, InspectError>, PackageError> {
        let limits = Limits::default();
        match self {
            Self::Dir { direct, .. } => Ok(inspect(direct.content(row)?, &limits)),
            Self::Server(server) => {
                let mut look = server.look(row);
                let found = inspect(&mut look, &limits);
                look.failure().map_or(Ok(found), Err)
            }
        }
    }

    /// Removes all entries of a content.
    pub(super) fn remove(&self, row: &Row) -> Result<(), PackageError> {
        match self {
            Self::Dir { direct, .. } => direct.remove(row, None),
            Self::Server(server) => server.remove(&row.hash),
        }
    }

    /// Removes one entry, and no others of the same content.
    pub(super) fn remove_entry(&self, row: &Row) -> Result<(), PackageError> {
        // Those who name no numbers have one entry of each content.
        let Some(key) = row.primary_key else { return self.remove(row) };
        match self {
            Self::Dir { direct, .. } => direct.remove(row, Some(key)),
            Self::Server(server) => server.remove_entry(key),
        }
    }

    /// The server, for what only a server can do.
    pub(super) fn server(&self) -> Result<&Server, PackageError> {
        match self {
            Self::Dir { addr, .. } => Err(PackageError::NeedsServer { addr: *addr }),
            Self::Server(server) => Ok(server),
        }
    }
}

/// A content that is read from its start.
pub(super) enum Source {
    File(File),
    Server(Content),
}

impl Source {
    /// What it means when reading fails.
    pub(super) fn lost(&self, path: &Path, source: io::Error) -> PackageError {
        match self {
            Self::File(_) => PackageError::Unreadable { path: path.to_owned(), source },
            Self::Server(content) => content.lost(source),
        }
    }
}

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buf),
            Self::Server(content) => content.read(buf),
        }
    }
}

/// What stands in the file, without its line end and whatever a header cannot hold.
fn clean(token: &str) -> String {
    token.trim().chars().filter(char::is_ascii_graphic).collect()
}
