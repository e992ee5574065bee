//! What can go wrong with data packages.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use data_package::BuildError;
use store::StoreError;

use crate::error::exit;

/// Why something could not be done with data packages.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackageError {
    #[error("{hash} is ambiguous, give more digits: {candidates}")]
    Ambiguous { hash: String, candidates: String },
    #[error("{} cannot become a data package", path.display())]
    Build { path: PathBuf, source: BuildError },
    #[error("the content that came is not {hash}: it was damaged on the way, or at the server")]
    Damaged { hash: String },
    #[error("{}: the file is empty", path.display())]
    Empty { path: PathBuf },
    #[error("{}: there is a file already; {way_out}", path.display())]
    Exists { path: PathBuf, way_out: &'static str },
    #[error(
        "a server has the packages, but none answers on {addr}; name its admin address with --admin, or stop it; or wait, if it is another `tinycot package`"
    )]
    Held { addr: SocketAddr },
    #[error(
        "`{0}` is no hash; give at least 6 of its 64 hexadecimal digits, as `tinycot package list` shows them"
    )]
    Hash(String),
    #[error("interrupted; nothing was added")]
    Interrupted { code: u8 },
    #[error(
        "cannot add to {}; without a server, the limits are those that its settings have by default: for others, set them for `tinycot serve`, and add it while that runs",
        dir.display()
    )]
    Limit { dir: PathBuf, source: StoreError },
    #[error("the connection to {addr} was lost")]
    Lost { addr: SocketAddr, source: io::Error },
    #[error(
        "sending needs a running server, and none answers on {addr}; start one with `tinycot serve`, or name its admin address with --admin"
    )]
    NeedsServer { addr: SocketAddr },
    #[error("there is no data directory {}; name it with --data-dir, or a running server with --admin", dir.display())]
    NoDataDir { dir: PathBuf },
    #[error(
        "{}: no such file, and --name, --team, --keyword, --expires and --as-is have no effect on a package that is there",
        what.display()
    )]
    NoEffect { what: PathBuf },
    #[error("there is no package {0}; `tinycot package list` shows what there is")]
    NoPackage(String),
    #[error(
        "no server answers on {addr}; start one with `tinycot serve`, or leave --admin out to work on the data directory"
    )]
    NoServer { addr: SocketAddr, source: io::Error },
    #[error(
        "{}: the token of the server cannot be read; name the server's data directory with --data-dir, or the file with --token-file",
        path.display()
    )]
    NoToken { path: PathBuf, source: io::Error },
    #[error(
        "{0}: no such file, and no package of that name or hash; `tinycot package list` shows them"
    )]
    NoSuch(String),
    #[error(
        "{addr} is not the admin address of a TinyCoT server, which prints its own at the start, such as `listening admin 127.0.0.1:8088`"
    )]
    NotAdmin { addr: SocketAddr },
    #[error(
        "{callsign} is in no team; upload the file for everyone with `tinycot package add` and push it then, or name with --team a team whose packages {callsign} sees"
    )]
    NoTeam { callsign: String },
    #[error(
        "{hash} is not for everyone, but for {audiences}; name with --team exactly those that one of its entries is for, or leave --everyone out to remove it for all"
    )]
    NotForEveryone { hash: String, audiences: String },
    #[error(
        "{hash} is not for {teams} alone, but for {audiences}; name with --team exactly those that one of its entries is for, or leave --team out to remove it for all"
    )]
    OtherAudience { hash: String, teams: String, audiences: String },
    #[error(
        "{callsign} is in {team}, and what is for {teams} is not for them; add --team '{team}', or leave --team out"
    )]
    OtherTeam { callsign: String, team: String, teams: String },
    #[error("{failed} of {total} packages were not written")]
    Partial { failed: usize, total: usize },
    #[error("the server on {addr} refuses: {why}")]
    Refused { addr: SocketAddr, status: u16, why: String },
    #[error("several packages are called {name}; give the hash of one: {candidates}")]
    SameName { name: String, candidates: String },
    #[error("cannot {doing} {}", dir.display())]
    Store { doing: &'static str, dir: PathBuf, source: StoreError },
    #[error(
        "the server on {addr} does not take the token in {}; name that server's data directory with --data-dir, or the file with --token-file",
        path.display()
    )]
    Token { addr: SocketAddr, path: PathBuf },
    #[error("{} cannot be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{failed} of {total} contacts were not told")]
    Unsent { failed: usize, total: usize },
    #[error("the server could neither send the notice nor keep it for their return")]
    Untold,
    #[error("{addr} answers, but not as a TinyCoT of this version: {why}")]
    Version { addr: SocketAddr, why: String },
    #[error("{} cannot be written", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
}

impl PackageError {
    /// The code to exit with.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Ambiguous { .. }
            | Self::Hash(_)
            | Self::NoEffect { .. }
            | Self::NoTeam { .. }
            | Self::NotForEveryone { .. }
            | Self::OtherAudience { .. }
            | Self::OtherTeam { .. }
            | Self::SameName { .. } => exit::USAGE,
            Self::Interrupted { code } => *code,
            Self::Held { .. } | Self::NeedsServer { .. } | Self::NoServer { .. } => {
                exit::UNAVAILABLE
            }
            Self::Build { .. }
            | Self::Empty { .. }
            | Self::Exists { .. }
            | Self::Limit { .. }
            | Self::NoDataDir { .. }
            | Self::NoToken { .. }
            | Self::Partial { .. }
            | Self::Store { .. }
            | Self::Unreadable { .. }
            | Self::Unwritable { .. } => exit::IO,
            Self::Damaged { .. }
            | Self::Lost { .. }
            | Self::NoPackage(_)
            | Self::NoSuch(_)
            | Self::NotAdmin { .. }
            | Self::Refused { .. }
            | Self::Token { .. }
            | Self::Unsent { .. }
            | Self::Untold
            | Self::Version { .. } => exit::OTHER,
        }
    }
}
