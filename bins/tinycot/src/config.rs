//! Settings of the server: from a file, the environment and arguments to values that are ready.
//!
//! [`raw`] holds what was written and where; [`load`] turns it into [`Settings`], which nothing has
//! to interpret again. Every key is one row of [`keys::KEYS`].

mod error;
mod key;
mod keys;
mod raw;
mod value;

#[cfg(test)]
mod docs;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use relay::{AllowRule, HubConfig, TeamPolicy};

pub(crate) use error::{ConfigError, Problem};
pub(crate) use key::Key;
pub(crate) use keys::KEYS;
pub(crate) use raw::{Origin, RawSetting, Sources};

use crate::logging::{LogFilter, LogFormat};

/// The commented default configuration, as `tinycot config` prints it.
pub(crate) const DEFAULT_FILE: &str = include_str!("../tinycot.toml");

/// An interval from which ATAK would have dropped a quiet link.
const ATAK_PATIENCE: Duration = Duration::from_secs(25);

/// The largest event that ATAK, WinTAK and iTAK take, in bytes.
const ATAK_EVENT: usize = 65_536;

/// Everything the server has to know, parsed and in range.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) data_dir: PathBuf,
    /// At least one.
    pub(crate) cot_listen: Vec<SocketAddr>,
    pub(crate) admin_listen: Option<SocketAddr>,
    pub(crate) http_listen: Option<SocketAddr>,
    /// Whether nobody has said where to listen for HTTP.
    pub(crate) is_http_default: bool,
    /// Begin of URLs of data packages; empty for what each client itself uses.
    pub(crate) public_url: String,
    /// Origins of web pages that may use the API.
    pub(crate) allowed_origins: Vec<String>,
    /// HTTP connections at one time.
    pub(crate) http_connections: usize,
    pub(crate) log: LogFilter,
    pub(crate) log_format: LogFormat,
    /// Time between two lines of traffic counters in the log. Zero is off.
    pub(crate) stats_interval: Duration,
    /// Time that a stop may take to write what is pending.
    pub(crate) drain_timeout: Duration,
    pub(crate) team_policy: Policy,
    pub(crate) allow: Vec<AllowRule>,
    pub(crate) default_team: String,
    /// Whether the picture is kept on disk.
    pub(crate) state: bool,
    /// Longest time that a change of the picture is not on disk.
    pub(crate) state_sync: Duration,
    /// Snapshots that are kept.
    pub(crate) state_generations: usize,
    /// Bytes of changes beyond which a new snapshot is written.
    pub(crate) journal_size: u64,
    /// Largest upload. Bytes.
    pub(crate) max_upload: u64,
    /// What data packages may take together, and those of one owner.
    pub(crate) packages_total: Option<u64>,
    pub(crate) packages_owner_total: Option<u64>,
    /// Space on the disk that uploads leave free. Bytes.
    pub(crate) packages_free: u64,
    pub(crate) dump: DumpMode,
    /// `None` is the default place, see [`Settings::dump_dir`].
    pub(crate) dump_dir: Option<PathBuf>,
    pub(crate) dump_file_size: u64,
    pub(crate) dump_file_age: Duration,
    pub(crate) dump_files: usize,
    pub(crate) dump_total: u64,
    pub(crate) dump_compress: bool,
    /// All but the team policy, which [`Settings::hub_config`] adds.
    pub(crate) hub: HubConfig,
}

/// Who sees whom before any `allow` rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Isolated,
    Open,
}

/// Whether, and how, every accepted event is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DumpMode {
    Json,
    Off,
    Xml,
}

/// Settings, and where each came from.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    /// Keys that are not at their default, by name.
    pub(crate) origins: BTreeMap<&'static str, Origin>,
    /// What is allowed but probably not meant.
    pub(crate) warnings: Vec<String>,
}

/// Reads all sources, later ones over earlier ones: defaults, file, environment, arguments.
///
/// # Errors
///
/// Everything that is wrong in any source, also where a later source would have replaced it.
pub(crate) fn load(
    sources: Sources,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, ConfigError> {
    let mut raw = raw::collect(sources, environment)?;
    let mut settings = Settings::default();
    let mut origins = BTreeMap::new();
    for setting in raw.settings {
        match setting.key.set(&mut settings, &setting.values) {
            Ok(()) => {
                origins.insert(setting.key.flag, setting.origin);
            }
            Err(wrong) => raw.problems.push(Problem::value(&setting, &wrong)),
        }
    }
    match ConfigError::from_problems(raw.problems) {
        Some(error) => Err(error),
        None => {
            settings.is_http_default = !origins.contains_key("http-listen");
            let mut warnings = raw.warnings;
            warnings.extend(settings.warnings());
            Ok(Loaded { settings, origins, warnings })
        }
    }
}

impl Settings {
    /// Settings of the relay, team policy included.
    pub(crate) fn hub_config(&self) -> HubConfig {
        let mut config = self.hub.clone();
        let mut teams = match self.team_policy {
            Policy::Isolated => TeamPolicy::isolated(),
            Policy::Open => TeamPolicy::open(),
        };
        for rule in &self.allow {
            teams.allow(rule.clone());
        }
        if !self.default_team.is_empty() {
            teams.set_default_team(&self.default_team);
        }
        config.teams = teams;
        config
    }

    /// Where the dump is.
    pub(crate) fn dump_dir(&self) -> PathBuf {
        self.dump_dir.clone().unwrap_or_else(|| self.data_dir.join("dump"))
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.hub.heartbeat.is_zero() || self.hub.heartbeat >= ATAK_PATIENCE {
            warnings.push("heartbeat: ATAK drops a link on which nothing came for 25s".to_owned());
        }
        if self.hub.max_relayed_event > ATAK_EVENT {
            warnings
                .push("max_relayed_event: ATAK, WinTAK and iTAK lose events over 64 KiB".into());
        }
        if self.team_policy == Policy::Open && !self.allow.is_empty() {
            warnings.push("allow: has no effect while team_policy is open".to_owned());
        }
        if self.admin_listen.is_some_and(|addr| !addr.ip().is_loopback()) {
            warnings.push(
                "admin_listen: callsigns and addresses are readable from the network".to_owned(),
            );
        }
        if self.dump != DumpMode::Off && self.dump_total < self.dump_file_size {
            warnings.push("dump_total: less than one file of dump_file_size".to_owned());
        }
        warnings
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./tinycot-data"),
            cot_listen: vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8087))],
            admin_listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 8088))),
            http_listen: Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080))),
            is_http_default: true,
            public_url: String::new(),
            allowed_origins: Vec::new(),
            http_connections: 256,
            log: LogFilter::default(),
            log_format: LogFormat::Text,
            stats_interval: Duration::from_secs(15),
            drain_timeout: Duration::from_millis(1_500),
            team_policy: Policy::Open,
            allow: Vec::new(),
            default_team: String::new(),
            state: true,
            state_sync: Duration::from_secs(1),
            state_generations: 3,
            journal_size: 4 << 20,
            max_upload: 400 << 20,
            packages_total: None,
            packages_owner_total: None,
            packages_free: 512 << 20,
            dump: DumpMode::Off,
            dump_dir: None,
            dump_file_size: 64 << 20,
            dump_file_age: Duration::from_secs(24 * 3600),
            dump_files: 100,
            dump_total: 1 << 30,
            dump_compress: true,
            hub: HubConfig::default(),
        }
    }
}

#[cfg(test)]
mod tests;
