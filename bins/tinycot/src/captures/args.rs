//! What may be asked of captures.

use std::path::PathBuf;
use std::time::Duration;

use capture::{EventFormat, Speed, TrackFormat};
use clap::{ArgAction, Args, Subcommand};

use super::when::When;

/// What `tinycot dump` is asked to do.
#[derive(Debug, Args)]
#[command(about = "Look into dumps of events, and into other captures")]
pub(crate) struct DumpArgs {
    #[command(subcommand)]
    pub(super) command: DumpCommand,
}

/// What can be done with a dump.
#[derive(Debug, Subcommand)]
pub(super) enum DumpCommand {
    /// Print events
    #[command(after_help = "\
Examples:
  tinycot dump cat | head                        the oldest events of the server's dumps
  tinycot dump cat --uid ANDROID-1 --from 10:15  what a device sent, and what was said about it
  tinycot dump cat --type b-t-f --format json | jq -r '.event.detail'
  tinycot dump cat --from '2026-11-22 10:15' --until 10:30 --format dump > part.jsonl
                                                 a part of a dump, to be replayed")]
    Cat(CatArgs),
    /// Write the movements of things as tracks
    #[command(after_help = "\
Examples:
  tinycot dump export --format gpx --uid ANDROID-1 --out track.gpx
  tinycot dump export --format kml --team Cyan --from 10:15 --until 11:00 --out cyan.kml
  tinycot dump export --format geojson --type a-f-G monday.cot > friends.geojson")]
    Export(ExportArgs),
    /// Say how much there is, of which types, from whom, and what is missing
    #[command(after_help = "\
Examples:
  tinycot dump stats
  tinycot dump stats --json monday.jsonl.zst")]
    Stats(StatsArgs),
}

/// What `tinycot dump cat` is asked to do.
#[derive(Debug, Args)]
pub(super) struct CatArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,

    /// xml: as captured; json: a line each, with receive time, sender and team; geojson: the
    /// places; dump: what can be replayed as it was received
    #[arg(long, value_name = "FORMAT", default_value = "xml", value_parser = event_format)]
    pub(super) format: EventFormat,

    #[command(flatten)]
    pub(super) filter: FilterArgs,
}

/// What `tinycot dump export` is asked to do.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,

    /// gpx, kml or geojson
    #[arg(long, value_name = "FORMAT", value_parser = track_format)]
    pub(super) format: TrackFormat,

    /// File to write instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,

    /// Cut a track where nothing came for longer than this
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub(super) split: Duration,

    #[command(flatten)]
    pub(super) filter: FilterArgs,
}

/// What `tinycot dump stats` is asked to do.
#[derive(Debug, Args)]
pub(super) struct StatsArgs {
    #[command(flatten)]
    pub(super) input: InputArgs,

    /// Print one JSON object
    #[arg(long, action = ArgAction::SetTrue)]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) filter: FilterArgs,
}

/// Which files are read.
#[derive(Debug, Args)]
pub(super) struct InputArgs {
    /// Dumps, files of events as XML, either of them also compressed with zstd, or directories of
    /// dumps [default: the dumps in the data directory]
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,

    /// Data directory of the server whose dumps are read [default: what TINYCOT_DUMP_DIR or
    /// TINYCOT_DATA_DIR say, or ./tinycot-data]
    #[arg(long, value_name = "DIR", conflicts_with = "files")]
    pub(super) data_dir: Option<PathBuf>,
}

/// Which events are wanted.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which events")]
pub(super) struct FilterArgs {
    /// Events about this uid, or sent by it; may be repeated
    #[arg(long, value_name = "UID")]
    pub(super) uid: Vec<String>,

    /// Events of this type and its special cases: a-f takes a-f-G-U-C; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) kind: Vec<String>,

    /// Events of this team; may be repeated
    #[arg(long, value_name = "TEAM")]
    pub(super) team: Vec<String>,

    /// Events received at this time or later: 2026-11-22T10:15:00Z, '2026-11-22 10:15' (UTC), or
    /// 10:15 of the day on which the capture begins (UTC)
    #[arg(long, value_name = "TIME")]
    pub(super) from: Option<When>,

    /// Events received before this time; 10:15 is the next one after --from
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<When>,
}

/// What `tinycot replay` is asked to do.
#[derive(Debug, Args)]
#[command(
    about = "Send dumps and other captures to a server, with their spacing, times moved to now",
    after_help = "\
Pings, and what client and server agree on about their protocol, are left out.

Examples:
  tinycot replay tinycot-data/dump/*.zst --to 127.0.0.1:8087
  tinycot replay monday.cot --to 127.0.0.1:8087 --speed 10 --from 10:15 --until 10:30
  tinycot replay exercise.jsonl --to tak.example.org:8087 --team Cyan --loop
  tinycot replay exercise.jsonl --to 127.0.0.1:8087 --speed max"
)]
pub(crate) struct ReplayArgs {
    /// Dumps, files of events as XML, either of them also compressed with zstd, or directories of
    /// dumps
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,

    /// The server: a name or address, and the port where it speaks XML over plain TCP
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) to: String,

    /// How many times as fast as it was received, such as 10 or 0.5; `max`: as fast as the server
    /// takes it
    #[arg(long, value_name = "TIMES", default_value = "1", value_parser = speed)]
    pub(super) speed: Speed,

    /// Shorten longer pauses of the capture to this
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) max_pause: Option<Duration>,

    /// Begin again at the end, until interrupted
    #[arg(long = "loop", action = ArgAction::SetTrue)]
    pub(super) repeat: bool,

    #[command(flatten)]
    pub(super) filter: FilterArgs,
}

fn event_format(text: &str) -> Result<EventFormat, String> {
    match text {
        "dump" => Ok(EventFormat::Dump),
        "geojson" => Ok(EventFormat::GeoJson),
        "json" => Ok(EventFormat::Json),
        "xml" => Ok(EventFormat::Xml),
        _ => Err("give xml, json, geojson or dump".to_owned()),
    }
}

fn track_format(text: &str) -> Result<TrackFormat, String> {
    match text {
        "geojson" => Ok(TrackFormat::GeoJson),
        "gpx" => Ok(TrackFormat::Gpx),
        "kml" => Ok(TrackFormat::Kml),
        _ => Err("give gpx, kml or geojson".to_owned()),
    }
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    let times = text.strip_suffix('x').unwrap_or(text).parse().ok();
    let times = times.filter(|times: &f64| *times > 0.0 && times.is_finite());
    times.map(Speed::Times).ok_or_else(|| "give a number above 0, or `max`".to_owned())
}

/// Reads `500ms`, `30s`, `10m`, `2h` or `1d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "give a time such as 500ms, 30s, 10m, 2h or 1d".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    fn replay(line: &str) -> Result<ReplayArgs, clap::Error> {
        let command = ReplayArgs::augment_args(clap::Command::new("replay"));
        let matches = command.try_get_matches_from(line.split_whitespace())?;
        ReplayArgs::from_arg_matches(&matches)
    }

    #[test]
    fn a_replay_has_its_original_pace_unless_told_otherwise() {
        let speed = |line| replay(line).expect("valid").speed;
        assert_eq!(speed("replay a --to h:1"), Speed::Times(1.0));
        assert_eq!(speed("replay a --to h:1 --speed 0.5"), Speed::Times(0.5));
        assert_eq!(speed("replay a --to h:1 --speed 10x"), Speed::Times(10.0));
        assert_eq!(speed("replay a --to h:1 --speed max"), Speed::Max);
        for line in ["replay a --to h:1 --speed 0", "replay a", "replay --to h:1"] {
            assert!(replay(line).is_err(), "{line}");
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["", "10", "m", "-1s", "1.5s", "99999999999999999999s", "9999999999999999999d"]
        {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
