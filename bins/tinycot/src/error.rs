//! Why the server did not start, and the exit code that says so.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use capture::CaptureError;

use crate::config::ConfigError;
use crate::packages::PackageError;

/// What a script may rely on.
pub(crate) mod exit {
    /// Anything without a code of its own.
    pub(crate) const OTHER: u8 = 1;
    /// Wrong arguments or configuration.
    pub(crate) const USAGE: u8 = 64;
    /// An address cannot be listened on, or a server cannot be reached.
    pub(crate) const UNAVAILABLE: u8 = 69;
    /// A file or directory cannot be used.
    pub(crate) const IO: u8 = 74;
}

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{key}: cannot listen on {addr}: {}{}", reason(source), hint(key, source))]
    Bind { key: &'static str, addr: SocketAddr, source: io::Error },
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the connection to {addr} was lost after {sent} events were sent")]
    ConnectionLost { addr: SocketAddr, sent: u64, source: io::Error },
    #[error("data_dir: {} cannot be used; it must be a directory that this user can write to", path.display())]
    DataDir { path: PathBuf, source: io::Error },
    #[error("no server answers on {addr}")]
    NoAnswer { addr: SocketAddr, source: io::Error },
    #[error(
        "there is no dump in {}; `tinycot serve --dump` records one in `dump` of its data directory: name that, or a file",
        dir.display()
    )]
    NoDump { dir: PathBuf },
    #[error(
        "{key}: {} is in use by another TinyCoT server; stop it, or choose another directory with --{}",
        path.display(),
        key.replace('_', "-")
    )]
    DirTaken { key: &'static str, path: PathBuf },
    #[error(
        "no TinyCoT server answers on {addr}; start one with `tinycot serve`, or name its admin address with --admin"
    )]
    NoServer { addr: SocketAddr, source: io::Error },
    #[error("{}: cannot be written", path.display())]
    Output { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error("the relay ended without being asked to")]
    RelayEnded,
    #[error("{0}")]
    Server(String),
    #[error(
        "{what}: {} cannot be used; look at its rights and the disk, or do without it: --{what} off",
        path.display()
    )]
    Storage { what: &'static str, path: PathBuf, source: Box<dyn std::error::Error> },
    #[error("{doing}")]
    System { doing: &'static str, source: io::Error },
    #[error(
        "--to {target}: no such server; give a name or address and a port, such as 192.168.1.5:8087"
    )]
    Target { target: String },
    #[error("nothing could be read of what was given")]
    Unreadable,
}

impl Failure {
    /// The code to exit with.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Bind { .. } | Self::NoAnswer { .. } | Self::NoServer { .. } => exit::UNAVAILABLE,
            Self::Config(ConfigError::Problems(_)) | Self::Target { .. } => exit::USAGE,
            Self::Capture(_)
            | Self::Config(ConfigError::Read { .. })
            | Self::DataDir { .. }
            | Self::DirTaken { .. }
            | Self::NoDump { .. }
            | Self::Output { .. }
            | Self::Storage { .. }
            | Self::System { .. }
            | Self::Unreadable => exit::IO,
            Self::Package(error) => error.code(),
            Self::ConnectionLost { .. } | Self::RelayEnded | Self::Server(_) => exit::OTHER,
        })
    }
}

/// An error and its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text += &format!(": {next}");
        cause = next.source();
    }
    text
}

fn reason(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => "the port is taken",
        io::ErrorKind::AddrNotAvailable => "no interface of this machine has this address",
        io::ErrorKind::PermissionDenied => "not permitted",
        _ => "the system refuses",
    }
}

fn hint(key: &str, source: &io::Error) -> String {
    let flag = key.replace('_', "-");
    match source.kind() {
        io::ErrorKind::AddrInUse => format!(
            "; another TinyCoT or TAK server may be running (`ss -ltnp` shows who): stop it, or \
             choose another port with --{flag}"
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!("; choose one of its addresses, or 0.0.0.0 for all, with --{flag}")
        }
        io::ErrorKind::PermissionDenied => {
            format!("; ports below 1024 need a privilege: choose a higher one with --{flag}")
        }
        _ => String::new(),
    }
}
