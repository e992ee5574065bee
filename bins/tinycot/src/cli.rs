//! The command line: what was asked for, before any of it is looked at.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches, value_parser};

use crate::bench::BenchArgs;
use crate::captures::{DumpArgs, ReplayArgs};
use crate::config::{KEYS, Key, RawSetting, Sources};
use crate::packages::PackageArgs;
use crate::view::{self, Table, View};

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Load a server.
    Bench(Box<BenchArgs>),
    /// Verify the configuration and say what is in force.
    Check(Sources),
    /// Print the commented default configuration.
    Config,
    /// Look into dumps and other captures.
    Dump(Box<DumpArgs>),
    /// Look after data packages.
    Package(Box<PackageArgs>),
    /// Send captures to a server.
    Replay(Box<ReplayArgs>),
    /// Serve clients.
    Serve(Sources),
    /// Print a table of a running server.
    View(View),
}

const ABOUT: &str = "A small TAK server: relays Cursor-on-Target between TAK clients.";

const EXAMPLES: &str = "\
Examples:
  tinycot                                     serve on port 8087, data in ./tinycot-data
  tinycot serve --team-policy isolated --allow '* -> HQ'
                                              teams see only themselves, HQ sees all
  tinycot config > tinycot.toml               write the commented default configuration
  tinycot check --config tinycot.toml         verify it and say what is in force
  tinycot clients --watch                     who is connected, live
  tinycot bench --target 127.0.0.1:8087       load a server and report
  tinycot dump export --format gpx --uid ANDROID-1 --out track.gpx
                                              where somebody went, from the server's dumps
  tinycot package add recon/ --team Cyan      share a folder as a data package
  tinycot replay monday.jsonl --to 127.0.0.1:8087 --speed 10
                                              send what was recorded once more

Without a command, `tinycot` serves. Exit codes: 0 done, 64 usage or configuration, 69 an address
cannot be used or no server answers, 74 a file cannot be used, 1 anything else.";

const SERVE_EXAMPLES: &str = "\
Examples:
  tinycot serve
  tinycot serve --cot-listen 0.0.0.0:8087 --cot-listen '[::1]:9000' --admin-listen off
  tinycot serve --config /etc/tinycot.toml --log debug
  TINYCOT_TEAM_POLICY=isolated TINYCOT_ALLOW='Red -> Blue, * -> HQ' tinycot

Every option is also a key of the configuration file (`cot_listen`) and an environment variable
(`TINYCOT_COT_LISTEN`). `tinycot config` explains each.";

/// Reads the command line, the program's name first.
///
/// # Errors
///
/// Also for `--help` and `--version`: the error prints what was asked for.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, clap::Error> {
    let mut args: Vec<_> = args.into_iter().collect();
    // `tinycot --config FILE` is `tinycot serve --config FILE`.
    let asks = |arg: &OsString| ["-h", "--help", "-V", "--version"].iter().any(|flag| arg == flag);
    match args.get(1) {
        None => args.push("serve".into()),
        Some(first) if first.to_string_lossy().starts_with('-') && !asks(first) => {
            args.insert(1, "serve".into());
        }
        Some(_) => {}
    }
    let matches = command().try_get_matches_from(args)?;
    Ok(match matches.subcommand() {
        Some(("bench", matches)) => Command::Bench(Box::new(BenchArgs::from_arg_matches(matches)?)),
        Some(("check", matches)) => Command::Check(sources(matches)),
        Some(("clients", matches)) => Command::View(view(Table::Clients, matches)),
        Some(("config", _)) => Command::Config,
        Some(("contacts", matches)) => Command::View(view(Table::Contacts, matches)),
        Some(("dump", matches)) => Command::Dump(Box::new(DumpArgs::from_arg_matches(matches)?)),
        Some(("package", matches)) => {
            Command::Package(Box::new(PackageArgs::from_arg_matches(matches)?))
        }
        Some(("replay", matches)) => {
            Command::Replay(Box::new(ReplayArgs::from_arg_matches(matches)?))
        }
        Some(("stats", matches)) => Command::View(view(Table::Stats, matches)),
        Some(("teams", matches)) => Command::View(view(Table::Teams, matches)),
        Some((_, matches)) => Command::Serve(sources(matches)),
        None => Command::Serve(Sources::default()),
    })
}

fn command() -> clap::Command {
    clap::Command::new("tinycot")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(EXAMPLES)
        .subcommand_required(true)
        .subcommand(
            with_settings(clap::Command::new("serve"))
                .about("Serve TAK clients (also what plain `tinycot` does)")
                .after_help(SERVE_EXAMPLES),
        )
        .subcommand(
            with_settings(clap::Command::new("check"))
                .about("Verify the configuration and say what is in force"),
        )
        .subcommand(
            clap::Command::new("config").about("Print the commented default configuration file"),
        )
        .subcommand(with_view(clap::Command::new("clients")).about("Show who is connected"))
        .subcommand(with_view(clap::Command::new("contacts")).about("Show who said who they are"))
        .subcommand(with_view(clap::Command::new("teams")).about("Show teams and who sees whom"))
        .subcommand(with_view(clap::Command::new("stats")).about("Show the server's counters"))
        .subcommand(BenchArgs::augment_args(clap::Command::new("bench")))
        .subcommand(DumpArgs::augment_args(clap::Command::new("dump")))
        .subcommand(PackageArgs::augment_args(clap::Command::new("package")))
        .subcommand(ReplayArgs::augment_args(clap::Command::new("replay")))
}

fn with_settings(command: clap::Command) -> clap::Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Configuration file; also TINYCOT_CONFIG");
    KEYS.iter().map(setting).fold(command.arg(config), clap::Command::arg)
}

fn setting(key: &'static Key) -> Arg {
    let arg = Arg::new(key.flag)
        .long(key.flag)
        .value_name(key.value_name)
        .help(key.help)
        .help_heading(key.group.title())
        .hide_short_help(!key.is_common())
        .action(if key.is_list() { ArgAction::Append } else { ArgAction::Set });
    match key.flag {
        "dump" => arg.num_args(0..=1).default_missing_value("json"),
        "log" => arg.alias("log-level"),
        _ => arg,
    }
}

fn with_view(command: clap::Command) -> clap::Command {
    let admin = Arg::new("admin")
        .long("admin")
        .value_name("ADDR")
        .value_parser(view::address)
        .help("Admin address of the server [default: TINYCOT_ADMIN_LISTEN or 127.0.0.1:8088]");
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON");
    let watch = Arg::new("watch")
        .long("watch")
        .action(ArgAction::SetTrue)
        .help("Print again every second until interrupted");
    command.arg(admin).arg(json).arg(watch)
}

fn sources(matches: &ArgMatches) -> Sources {
    let given = |key: &'static Key| {
        let values: Vec<String> = matches.get_many(key.flag)?.cloned().collect();
        Some(RawSetting::argument(key, values))
    };
    Sources {
        file: matches.get_one("config").cloned(),
        arguments: KEYS.iter().filter_map(given).collect(),
    }
}

fn view(table: Table, matches: &ArgMatches) -> View {
    View {
        table,
        admin: matches.get_one("admin").copied(),
        json: matches.get_flag("json"),
        watch: matches.get_flag("watch"),
    }
}
