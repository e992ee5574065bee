//! `tinycot clients` and its like: tables of a running server, read from its admin listener.

mod http;
pub(crate) mod table;
pub(crate) mod text;

use std::io::{self, IsTerminal};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::admin::api::{ClientRow, ContactRow, StatsTable, TeamRow};
use crate::error::Failure;
use crate::report;

/// Where a server is unless it is told otherwise.
const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8088);

/// Time between two prints of `--watch`.
const WATCH_PERIOD: Duration = Duration::from_secs(1);

/// Moves to the upper left corner of a terminal and clears it.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// A table to print, and how.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) table: Table,
    /// `--admin`.
    pub(crate) admin: Option<SocketAddr>,
    /// The server's answer instead of a table.
    pub(crate) json: bool,
    /// Again and again.
    pub(crate) watch: bool,
}

/// The tables there are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Table {
    Clients,
    Contacts,
    Stats,
    Teams,
}

impl View {
    /// Prints the table; with `watch`, until the server is gone or the process ends. `variable` is
    /// the value of `TINYCOT_ADMIN_LISTEN`.
    ///
    /// # Errors
    ///
    /// No server, or one that does not answer as this version does.
    pub(crate) fn run(&self, variable: Option<String>) -> Result<(), Failure> {
        let addr = admin_address(self.admin, variable)?;
        let clear = self.watch && io::stdout().is_terminal();
        loop {
            let text = self.fetch(addr)?;
            let read_on = report::print(&if clear { format!("{CLEAR}{text}") } else { text })?;
            if !self.watch || !read_on {
                return Ok(());
            }
            thread::sleep(WATCH_PERIOD);
        }
    }

    fn fetch(&self, addr: SocketAddr) -> Result<String, Failure> {
        let body = http::get(addr, self.table.path())?;
        if self.json {
            return Ok(text::json(&body) + "\n");
        }
        Ok(match self.table {
            Table::Clients => table::clients(&read::<Vec<ClientRow>>(addr, &body)?),
            Table::Contacts => table::contacts(&read::<Vec<ContactRow>>(addr, &body)?),
            Table::Stats => table::stats(&read::<StatsTable>(addr, &body)?),
            Table::Teams => table::teams(&read::<Vec<TeamRow>>(addr, &body)?),
        })
    }
}

/// Reads `--admin`.
///
/// # Errors
///
/// What is no address with a port, as a text for who typed it.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("give an address with its port, such as {DEFAULT_ADMIN}"))
}

/// Where the server is that is meant: as named, as the environment says, or where it always is.
///
/// # Errors
///
/// A variable that is no address.
pub(crate) fn admin_address(
    named: Option<SocketAddr>,
    variable: Option<String>,
) -> Result<SocketAddr, Failure> {
    let mut addr = match (named, variable) {
        (Some(addr), _) => addr,
        (None, None) => DEFAULT_ADMIN,
        (None, Some(text)) => text.parse().map_err(|_| {
            let text = text.escape_debug();
            Failure::Server(format!(
                "TINYCOT_ADMIN_LISTEN is `{text}`; name an address with --admin"
            ))
        })?,
    };
    if addr.ip().is_unspecified() {
        addr.set_ip(match addr {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(addr)
}

impl Table {
    fn path(self) -> &'static str {
        match self {
            Self::Clients => "/api/clients",
            Self::Contacts => "/api/contacts",
            Self::Stats => "/api/stats",
            Self::Teams => "/api/teams",
        }
    }
}

fn read<T: DeserializeOwned>(addr: SocketAddr, body: &str) -> Result<T, Failure> {
    serde_json::from_str(body).map_err(|error| {
        Failure::Server(format!("{addr} answers, but not as a TinyCoT of this version: {error}"))
    })
}
