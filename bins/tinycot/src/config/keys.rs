//! The table of every setting.

use std::time::Duration;

use super::key::{Group, Key, Kind};
use super::{DumpMode, Policy};
use crate::logging::LogFormat;

/// Every setting, in the order of `tinycot.toml`.
pub(crate) static KEYS: &[Key] = &[
    Key {
        flag: "data-dir",
        group: Group::Server,
        value_name: "DIR",
        help: "Directory for everything the server keeps",
        kind: Kind::Text {
            set: |s, text| {
                s.data_dir = text.into();
                !text.is_empty()
            },
            show: |s| s.data_dir.display().to_string(),
            allowed: "a path",
        },
    },
    Key {
        flag: "cot-listen",
        group: Group::Server,
        value_name: "ADDR",
        help: "Address for TAK clients, plain TCP; may be repeated",
        kind: Kind::List {
            set: |s, values| {
                s.cot_listen = parse_all(values)?;
                if s.cot_listen.is_empty() { Err(String::new()) } else { Ok(()) }
            },
            show: |s| s.cot_listen.iter().map(ToString::to_string).collect(),
            allowed: "IP:PORT, such as `0.0.0.0:8087` or `[::]:8087`; port 0 takes any free port",
        },
    },
    Key {
        flag: "admin-listen",
        group: Group::Server,
        value_name: "ADDR",
        help: "Address for health, metrics and tables over HTTP, or `off`",
        kind: Kind::Text {
            set: |s, text| {
                s.admin_listen = text.parse().ok();
                s.admin_listen.is_some() || text == "off"
            },
            show: |s| s.admin_listen.map_or_else(|| "off".to_owned(), |addr| addr.to_string()),
            allowed: "`off`, or IP:PORT, such as `127.0.0.1:8088`; port 0 takes any free port",
        },
    },
    Key {
        flag: "http-listen",
        group: Group::Server,
        value_name: "ADDR",
        help: "Address for data packages and the Marti API over plain HTTP, or `off`",
        kind: Kind::Text {
            set: |s, text| {
                s.http_listen = text.parse().ok();
                s.http_listen.is_some() || text == "off"
            },
            show: |s| s.http_listen.map_or_else(|| "off".to_owned(), |addr| addr.to_string()),
            allowed: "`off`, or IP:PORT, such as `0.0.0.0:8080`; port 0 takes any free port",
        },
    },
    Key {
        flag: "public-url",
        group: Group::Server,
        value_name: "URL",
        help: "Begin of the URLs of data packages; empty for what each client itself uses",
        kind: Kind::Text {
            set: |s, text| {
                s.public_url = text.trim_end_matches('/').to_owned();
                text.is_empty() || is_origin(&s.public_url)
            },
            show: |s| s.public_url.clone(),
            allowed: "nothing, or a URL without a path, such as `http://tak.example.org:8080`",
        },
    },
    Key {
        flag: "allowed-origins",
        group: Group::Server,
        value_name: "ORIGIN",
        help: "Web pages that may use the API over HTTP; may be repeated",
        kind: Kind::List {
            set: |s, values| {
                let wrong = values.iter().find(|value| *value != "*" && !is_origin(value));
                s.allowed_origins = values.to_vec();
                wrong.map_or(Ok(()), |value| Err(value.clone()))
            },
            show: |s| s.allowed_origins.clone(),
            allowed: "origins, such as `https://tools.example.org`, or `*` for all",
        },
    },
    Key {
        flag: "drain-timeout",
        group: Group::Server,
        value_name: "TIME",
        help: "Longest time to write what is pending when the server stops",
        kind: Kind::TimeOrOff(|s| &mut s.drain_timeout, ms(1)..=secs(60)),
    },
    Key {
        flag: "flow-tag",
        group: Group::Server,
        value_name: "NAME",
        help: "Name of this server in flow tags, which stop loops between servers; empty for none",
        kind: Kind::Text {
            set: |s, text| {
                s.hub.flow_tag = Some(text.to_owned()).filter(|tag| !tag.is_empty());
                let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
                text.len() <= 64 && text.chars().all(allowed)
            },
            show: |s| s.hub.flow_tag.clone().unwrap_or_default(),
            allowed: "up to 64 letters, digits, `.`, `-` and `_`, or nothing",
        },
    },
    Key {
        flag: "team-policy",
        group: Group::Teams,
        value_name: "POLICY",
        help: "Who sees whom: open or isolated",
        kind: Kind::Text {
            set: |s, text| {
                s.team_policy = match text {
                    "open" => Policy::Open,
                    "isolated" => Policy::Isolated,
                    _ => return false,
                };
                true
            },
            show: |s| match s.team_policy {
                Policy::Isolated => "isolated".to_owned(),
                Policy::Open => "open".to_owned(),
            },
            allowed: "`open` (everyone sees everyone) or `isolated` (a team sees only itself)",
        },
    },
    Key {
        flag: "allow",
        group: Group::Teams,
        value_name: "RULE",
        help: "Exception to isolation, such as 'Red -> Blue' (Blue sees Red); may be repeated",
        kind: Kind::List {
            set: |s, values| parse_all(values).map(|rules| s.allow = rules),
            show: |s| s.allow.iter().map(ToString::to_string).collect(),
            allowed: "`TEAM -> TEAM` or `TEAM <-> TEAM`, `*` for all teams, such as `Red -> Blue`",
        },
    },
    Key {
        flag: "default-team",
        group: Group::Teams,
        value_name: "TEAM",
        help: "Team of clients that name none; empty for none",
        kind: Kind::Text {
            set: |s, text| {
                s.default_team = text.to_owned();
                !text.chars().any(char::is_control) && text.len() <= 64
            },
            show: |s| s.default_team.clone(),
            allowed: "a team name of up to 64 bytes, or nothing",
        },
    },
    Key {
        flag: "log",
        group: Group::Log,
        value_name: "LEVEL",
        help: "What is logged: a level, or levels per part such as `info,relay=debug`",
        kind: Kind::Text {
            set: |s, text| text.parse().map(|filter| s.log = filter).is_ok(),
            show: |s| s.log.to_string(),
            allowed: "off, error, warn, info, debug or trace, alone or per part as in `info,relay=debug`",
        },
    },
    Key {
        flag: "log-format",
        group: Group::Log,
        value_name: "FORMAT",
        help: "Form of the log: text or json",
        kind: Kind::Text {
            set: |s, text| {
                s.log_format = match text {
                    "json" => LogFormat::Json,
                    "text" => LogFormat::Text,
                    _ => return false,
                };
                true
            },
            show: |s| match s.log_format {
                LogFormat::Json => "json".to_owned(),
                LogFormat::Text => "text".to_owned(),
            },
            allowed: "`text` or `json`",
        },
    },
    Key {
        flag: "stats-interval",
        group: Group::Log,
        value_name: "TIME",
        help: "Time between two lines of messages in, messages out and clients",
        kind: Kind::TimeOrOff(|s| &mut s.stats_interval, secs(1)..=HOUR),
    },
    Key {
        flag: "heartbeat",
        group: Group::Timing,
        value_name: "TIME",
        help: "A client that was sent nothing for this long gets a pong",
        kind: Kind::TimeOrOff(|s| &mut s.hub.heartbeat, secs(1)..=HOUR),
    },
    Key {
        flag: "idle-timeout",
        group: Group::Timing,
        value_name: "TIME",
        help: "A client that has pinged and then sends nothing for this long is closed",
        kind: Kind::TimeOrOff(|s| &mut s.hub.idle_timeout, secs(30)..=secs(86_400)),
    },
    Key {
        flag: "event-timeout",
        group: Group::Timing,
        value_name: "TIME",
        help: "Time to complete an event once its first byte came",
        kind: Kind::Time(|s| &mut s.hub.event_timeout, secs(1)..=secs(600)),
    },
    Key {
        flag: "gather",
        group: Group::Timing,
        value_name: "TIME",
        help: "Extra time to gather events before they are written: less CPU, more latency",
        kind: Kind::TimeOrOff(|s| &mut s.hub.gather, ms(1)..=secs(1)),
    },
    Key {
        flag: "stall-grace",
        group: Group::Timing,
        value_name: "TIME",
        help: "A client that takes no bytes for this long skips superseded events",
        kind: Kind::Time(|s| &mut s.hub.stall_grace, ms(10)..=secs(60)),
    },
    Key {
        flag: "write-timeout",
        group: Group::Timing,
        value_name: "TIME",
        help: "A client that takes no bytes for this long is closed",
        kind: Kind::Time(|s| &mut s.hub.write_timeout, secs(1)..=HOUR),
    },
    Key {
        flag: "replay-hold",
        group: Group::Timing,
        value_name: "TIME",
        help: "How long a newcomer's replay waits for it to say who it is",
        kind: Kind::TimeOrOff(|s| &mut s.hub.replay_hold, ms(1)..=secs(10)),
    },
    Key {
        flag: "emergency-period",
        group: Group::Timing,
        value_name: "TIME",
        help: "Time between two repetitions of an active alert",
        kind: Kind::TimeOrOff(|s| &mut s.hub.emergency_period, secs(1)..=HOUR),
    },
    Key {
        flag: "max-state-age",
        group: Group::Timing,
        value_name: "TIME",
        help: "Longest time an event is kept for newcomers",
        kind: Kind::Time(|s| &mut s.hub.max_state_age, secs(1)..=MONTH),
    },
    Key {
        flag: "tombstone-age",
        group: Group::Timing,
        value_name: "TIME",
        help: "How long a deletion is remembered for late joiners",
        kind: Kind::Time(|s| &mut s.hub.tombstone_age, secs(1)..=MONTH),
    },
    Key {
        flag: "max-clients",
        group: Group::Limits,
        value_name: "COUNT",
        help: "Connections at one time",
        kind: Kind::Count(|s| &mut s.hub.max_clients, 1..=1_000_000),
    },
    Key {
        flag: "max-clients-per-address",
        group: Group::Limits,
        value_name: "COUNT",
        help: "Connections at one time from one IP address",
        kind: Kind::Count(|s| &mut s.hub.max_clients_per_address, 1..=1_000_000),
    },
    Key {
        flag: "http-connections",
        group: Group::Limits,
        value_name: "COUNT",
        help: "HTTP connections at one time",
        kind: Kind::Count(|s| &mut s.http_connections, 4..=100_000),
    },
    Key {
        flag: "max-event",
        group: Group::Limits,
        value_name: "SIZE",
        help: "Largest event accepted",
        kind: Kind::Size(|s| &mut s.hub.limits.event, KIB..=8 * MIB),
    },
    Key {
        flag: "max-depth",
        group: Group::Limits,
        value_name: "COUNT",
        help: "Deepest nesting of elements in an event",
        kind: Kind::Count(|s| &mut s.hub.limits.depth, 8..=256),
    },
    Key {
        flag: "max-attributes",
        group: Group::Limits,
        value_name: "COUNT",
        help: "Attributes of one element",
        kind: Kind::Count(|s| &mut s.hub.limits.attributes, 16..=1_024),
    },
    Key {
        flag: "max-elements",
        group: Group::Limits,
        value_name: "COUNT",
        help: "Elements of one event",
        kind: Kind::Count(|s| &mut s.hub.limits.elements, 64..=100_000),
    },
    Key {
        flag: "max-relayed-event",
        group: Group::Limits,
        value_name: "SIZE",
        help: "Largest event handed to clients",
        kind: Kind::Size(|s| &mut s.hub.max_relayed_event, KIB..=8 * MIB),
    },
    Key {
        flag: "event-log",
        group: Group::Limits,
        value_name: "SIZE",
        help: "Memory for events that lagging clients have not read, shared by all",
        kind: Kind::Size(|s| &mut s.hub.log_bytes, 64 * KIB..=GIB),
    },
    Key {
        flag: "max-critical-lag",
        group: Group::Limits,
        value_name: "SIZE",
        help: "Undelivered chat, alerts and deletions behind which a client is closed",
        kind: Kind::Size(|s| &mut s.hub.max_critical_lag, 16 * KIB..=64 * MIB),
    },
    Key {
        flag: "max-state-events",
        group: Group::Limits,
        value_name: "COUNT",
        help: "Uids whose newest event is kept for newcomers",
        kind: Kind::Count(|s| &mut s.hub.max_state_events, 1..=1_000_000),
    },
    Key {
        flag: "max-state",
        group: Group::Limits,
        value_name: "SIZE",
        help: "Memory for events kept for newcomers",
        kind: Kind::Size(|s| &mut s.hub.max_state_bytes, 64 * KIB..=GIB),
    },
    Key {
        flag: "max-emergencies",
        group: Group::Limits,
        value_name: "COUNT",
        help: "Alerts that are repeated until cancelled",
        kind: Kind::Count(|s| &mut s.hub.max_emergencies, 1..=10_000),
    },
    Key {
        flag: "state",
        group: Group::Storage,
        value_name: "ON",
        help: "Whether the current picture is kept on disk and survives a restart: on or off",
        kind: Kind::Switch(|s| &mut s.state),
    },
    Key {
        flag: "state-sync",
        group: Group::Storage,
        value_name: "TIME",
        help: "Longest time that a change of the picture is not yet on disk",
        kind: Kind::Time(|s| &mut s.state_sync, ms(10)..=secs(60)),
    },
    Key {
        flag: "state-generations",
        group: Group::Storage,
        value_name: "COUNT",
        help: "Snapshots of the picture that are kept, the newest included",
        kind: Kind::Count(|s| &mut s.state_generations, 1..=1_000),
    },
    Key {
        flag: "journal-size",
        group: Group::Storage,
        value_name: "SIZE",
        help: "Changes on disk beyond which a new snapshot is written",
        kind: Kind::DiskSize(|s| &mut s.journal_size, 64 * DISK_KIB..=DISK_GIB),
    },
    Key {
        flag: "hold-age",
        group: Group::Storage,
        value_name: "TIME",
        help: "Longest time that chat is held for somebody who is away",
        kind: Kind::TimeOrOff(|s| &mut s.hub.hold_age, secs(1)..=MONTH),
    },
    Key {
        flag: "max-held",
        group: Group::Storage,
        value_name: "SIZE",
        help: "Memory for chat held for those who are away",
        kind: Kind::Size(|s| &mut s.hub.max_held_bytes, 64 * KIB..=GIB),
    },
    Key {
        flag: "max-upload",
        group: Group::Storage,
        value_name: "SIZE",
        help: "Largest data package",
        kind: Kind::DiskSize(|s| &mut s.max_upload, DISK_KIB..=64 * DISK_GIB),
    },
    Key {
        flag: "packages-total",
        group: Group::Storage,
        value_name: "SIZE",
        help: "What all data packages may take together, or off",
        kind: Kind::DiskSizeOrOff(|s| &mut s.packages_total, DISK_KIB..=1_024 * DISK_GIB),
    },
    Key {
        flag: "packages-owner-total",
        group: Group::Storage,
        value_name: "SIZE",
        help: "What the data packages of one device may take together, or off",
        kind: Kind::DiskSizeOrOff(|s| &mut s.packages_owner_total, DISK_KIB..=1_024 * DISK_GIB),
    },
    Key {
        flag: "packages-free",
        group: Group::Storage,
        value_name: "SIZE",
        help: "Space on the disk that uploads leave free",
        kind: Kind::DiskSize(|s| &mut s.packages_free, DISK_KIB..=1_024 * DISK_GIB),
    },
    Key {
        flag: "dump",
        group: Group::Storage,
        value_name: "FORM",
        help: "Records every accepted event: off, json (also `--dump` alone) or xml",
        kind: Kind::Text {
            set: |s, text| {
                s.dump = match text {
                    "off" => DumpMode::Off,
                    "json" => DumpMode::Json,
                    "xml" => DumpMode::Xml,
                    _ => return false,
                };
                true
            },
            show: |s| match s.dump {
                DumpMode::Off => "off".to_owned(),
                DumpMode::Json => "json".to_owned(),
                DumpMode::Xml => "xml".to_owned(),
            },
            allowed: "`off`, `json` (one JSON object per line) or `xml` (the events as they came)",
        },
    },
    Key {
        flag: "dump-dir",
        group: Group::Storage,
        value_name: "DIR",
        help: "Directory of the dump; empty for `dump` in the data directory",
        kind: Kind::Text {
            set: |s, text| {
                s.dump_dir = Some(text.into()).filter(|_| !text.is_empty());
                true
            },
            show: |s| {
                s.dump_dir.as_deref().map_or_else(String::new, |dir| dir.display().to_string())
            },
            allowed: "a path, or nothing",
        },
    },
    Key {
        flag: "dump-file-size",
        group: Group::Storage,
        value_name: "SIZE",
        help: "Size at which a file of the dump is closed and another begun",
        kind: Kind::DiskSize(|s| &mut s.dump_file_size, 64 * DISK_KIB..=64 * DISK_GIB),
    },
    Key {
        flag: "dump-file-age",
        group: Group::Storage,
        value_name: "TIME",
        help: "Age at which a file of the dump is closed and another begun",
        kind: Kind::Time(|s| &mut s.dump_file_age, secs(1)..=MONTH),
    },
    Key {
        flag: "dump-files",
        group: Group::Storage,
        value_name: "COUNT",
        help: "Files of the dump that are kept; the oldest are removed",
        kind: Kind::Count(|s| &mut s.dump_files, 1..=1_000_000),
    },
    Key {
        flag: "dump-total",
        group: Group::Storage,
        value_name: "SIZE",
        help: "Bytes of the dump that are kept; the oldest files are removed",
        kind: Kind::DiskSize(|s| &mut s.dump_total, 64 * DISK_KIB..=1_024 * DISK_GIB),
    },
    Key {
        flag: "dump-compress",
        group: Group::Storage,
        value_name: "ON",
        help: "Whether closed files of the dump are compressed: on or off",
        kind: Kind::Switch(|s| &mut s.dump_compress),
    },
];

fn parse_all<T: std::str::FromStr>(values: &[String]) -> Result<Vec<T>, String> {
    values.iter().map(|value| value.parse().map_err(|_| value.clone())).collect()
}

/// Whether a text is a scheme and a host, and a port if need be, and nothing else.
fn is_origin(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let is_authority = |rest: &str| rest.parse::<hyper::http::uri::Authority>().is_ok();
    rest.is_some_and(|rest| is_authority(rest) && !rest.contains('@'))
}

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

const HOUR: Duration = secs(3_600);
const MONTH: Duration = secs(30 * 86_400);
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;
const DISK_KIB: u64 = 1 << 10;
const DISK_GIB: u64 = 1 << 30;
