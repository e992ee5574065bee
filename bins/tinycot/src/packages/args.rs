//! What may be asked of data packages.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Subcommand};

use crate::captures::duration;
use crate::view::address;

/// Longest name of a tool that servers take. Bytes.
const MAX_TOOL: usize = 64;

/// What `tinycot package` is asked to do.
#[derive(Debug, Args)]
#[command(
    about = "Add, list, fetch, remove and send data packages",
    after_help = "\
With a running server, this asks its admin listener and proves itself with the token in the file
`admin.token` of its data directory. Without one, it works on the data directory itself.

A HASH is the SHA-256 that clients name a package by; its first 6 digits or more will do.

Examples:
  tinycot package add recon/ --team Cyan         a folder becomes a package that Cyan sees
  tinycot package list
  tinycot package show 3f9a2c
  tinycot package push map.kml --to HAWK         send a file to who is called HAWK
  tinycot package export backup/                 all packages as files"
)]
pub(crate) struct PackageArgs {
    #[command(subcommand)]
    pub(super) command: PackageCommand,
}

/// What can be done with data packages.
#[derive(Debug, Subcommand)]
pub(super) enum PackageCommand {
    /// Upload a data package, or make one of a file or a folder
    #[command(after_help = "\
A zip with a MANIFEST/manifest.xml is uploaded as it is. Any other file, and every folder, becomes a
data package; the same files always become the same bytes. A folder that has a manifest keeps it.

Examples:
  tinycot package add recon.zip
  tinycot package add photos/ --name 'North bridge' --team Cyan --team Red
  tinycot package add plan.pdf --expires 7d --keyword plan
  tinycot package add defaults.pref --as-is --tool profile-connection
                                                 devices take it on connecting
  tinycot package add itak-connection.zip --as-is
                                                 a zip without a manifest, as iTAK takes it")]
    Add(AddArgs),
    /// Write all data packages to a folder
    Export(ExportArgs),
    /// Write a data package to a file
    #[command(after_help = "\
Examples:
  tinycot package get 3f9a2c                     under its own name, made safe
  tinycot package get 3f9a2c --out recon.zip --force")]
    Get(GetArgs),
    /// Show the data packages there are
    List(ListArgs),
    /// Send a data package, or a file or folder as one, to a contact
    #[command(after_help = "\
Needs a running server. Who is away gets it on their return, if the server holds messages.
A file or folder is uploaded for the teams of those who get it, unless it is there for them already;
lists do not show it.

Examples:
  tinycot package push 3f9a2c --to HAWK
  tinycot package push recon.zip --to HAWK       a package of this name
  tinycot package push map.kml --to HAWK --to EAGLE")]
    #[command(mut_arg("team", |team| team.help(PUSH_TEAM)))]
    Push(PushArgs),
    /// Remove data packages
    #[command(after_help = "\
Examples:
  tinycot package rm 3f9a2c                      for whomever it is
  tinycot package rm 3f9a2c --team Cyan          others keep it
  tinycot package rm 3f9a2c --everyone           teams keep what is for them by name")]
    Rm(RmArgs),
    /// Show what is known of a data package, what is in it, and what is odd about it
    Show(ShowArgs),
}

/// Where the packages are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where")]
pub(super) struct PlaceArgs {
    /// Admin address of the server [default: TINYCOT_ADMIN_LISTEN or 127.0.0.1:8088, if a server
    /// answers there]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(super) admin: Option<SocketAddr>,

    /// Data directory of the server [default: TINYCOT_DATA_DIR or ./tinycot-data]
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,

    /// File with the token that the server takes [default: admin.token in the data directory]
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
}

/// How a package is described.
#[derive(Debug, Args)]
#[command(next_help_heading = "How it appears")]
pub(super) struct DescribeArgs {
    /// Name that users see [default: that of the file or folder]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(super) name: Option<String>,

    /// Team that sees it; may be repeated [default: everyone]
    #[arg(long, value_name = "TEAM", value_parser = team)]
    pub(super) team: Vec<String>,

    /// Word to find it by, besides `missionpackage`; may be repeated
    #[arg(long = "keyword", value_name = "WORD", value_parser = keyword)]
    pub(super) keywords: Vec<String>,

    /// Remove it after this time, such as 12h or 7d [default: never]
    #[arg(long, value_name = "TIME", value_parser = expiry)]
    pub(super) expires: Option<Duration>,

    /// Do not look into the file: upload it as it is
    #[arg(long, action = ArgAction::SetTrue)]
    pub(super) as_is: bool,
}

/// What `tinycot package add` is asked to do.
#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// A data package, or a file or folder to make one of
    #[arg(value_name = "FILE|FOLDER")]
    pub(super) path: PathBuf,

    #[command(flatten)]
    pub(super) describe: DescribeArgs,

    /// public: users find it in lists; private: who has its hash may fetch it; profile-connection,
    /// profile-enrollment, profile-tool-NAME: devices take it unasked [default: public, or what the
    /// same package for the same teams is already]
    #[arg(long, value_name = "TOOL", value_parser = tool)]
    pub(super) tool: Option<String>,

    #[command(flatten)]
    pub(super) place: PlaceArgs,
}

/// What `tinycot package list` is asked to do.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only packages whose name contains this, in whatever case
    #[arg(long, value_name = "TEXT")]
    pub(super) name: Option<String>,

    /// Print JSON
    #[arg(long, action = ArgAction::SetTrue)]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) place: PlaceArgs,
}

/// What `tinycot package show` is asked to do.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The package
    #[arg(value_name = "HASH")]
    pub(super) hash: String,

    #[command(flatten)]
    pub(super) place: PlaceArgs,
}

/// What `tinycot package get` is asked to do.
#[derive(Debug, Args)]
pub(super) struct GetArgs {
    /// The package
    #[arg(value_name = "HASH")]
    pub(super) hash: String,

    /// File to write, or directory to write it to; `-` is standard output [default: its own name, in this directory]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,

    /// Replace a file that is there
    #[arg(long, action = ArgAction::SetTrue)]
    pub(super) force: bool,

    #[command(flatten)]
    pub(super) place: PlaceArgs,
}

/// What `tinycot package rm` is asked to do.
#[derive(Debug, Args)]
pub(super) struct RmArgs {
    /// The packages
    #[arg(value_name = "HASH", required = true)]
    pub(super) hashes: Vec<String>,

    /// Only what is for this team and no other; repeat it for what is for several teams; '' is
    /// those without a team [default: for whomever it is]
    #[arg(long, value_name = "TEAM")]
    pub(super) team: Vec<String>,

    /// Only what is for everyone, and not what is for teams by name
    #[arg(long, action = ArgAction::SetTrue, conflicts_with = "team")]
    pub(super) everyone: bool,

    #[command(flatten)]
    pub(super) place: PlaceArgs,
}

/// What `tinycot package export` is asked to do.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Folder to write to; made when there is none. What is there already is not fetched again
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,

    /// Replace files of the same names that are something else
    #[arg(long, action = ArgAction::SetTrue)]
    pub(super) force: bool,

    #[command(flatten)]
    pub(super) place: PlaceArgs,
}

/// What `tinycot package push` is asked to do.
#[derive(Debug, Args)]
pub(super) struct PushArgs {
    /// A file or folder, or the hash or name of a package that the server has
    #[arg(value_name = "FILE|FOLDER|HASH|NAME")]
    pub(super) what: PathBuf,

    /// Callsign or uid of who is to get it; may be repeated
    #[arg(long, value_name = "CALLSIGN", required = true)]
    pub(super) to: Vec<String>,

    #[command(flatten)]
    pub(super) describe: DescribeArgs,

    #[command(flatten)]
    pub(super) place: PlaceArgs,
}

/// What `--team` of `push` does, which is not what it does of `add`.
const PUSH_TEAM: &str = "Team that sees a file or folder; may be repeated [default: the teams of \
    those who get it, or everyone where everyone sees everyone]";

fn name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("give a name that users can see".to_owned());
    }
    Ok(text.to_owned())
}

fn expiry(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("give a time above zero, such as 12h or 7d".to_owned()),
        after => Ok(after),
    }
}

fn team(text: &str) -> Result<String, String> {
    // The API takes several teams in one parameter, between commas.
    if text.is_empty() || text.contains(',') {
        return Err("give a team's name, without commas; repeat --team for more".to_owned());
    }
    Ok(text.to_owned())
}

fn tool(text: &str) -> Result<String, String> {
    let is_known =
        matches!(text, "public" | "private" | "profile-connection" | "profile-enrollment")
            || text.strip_prefix("profile-tool-").is_some_and(|name| {
                !name.trim().is_empty()
                    && text.len() <= MAX_TOOL
                    && !name.contains(char::is_control)
            });
    if is_known {
        return Ok(text.to_owned());
    }
    let tools = "public, private, profile-connection, profile-enrollment or profile-tool-NAME";
    Err(format!("give {tools}"))
}

fn keyword(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.contains(|c: char| c == ',' || c.is_control()) {
        return Err("give a word without commas; repeat --keyword for more".to_owned());
    }
    Ok(text.to_owned())
}
