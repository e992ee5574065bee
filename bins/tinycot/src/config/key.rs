//! What a setting is: a name, what it may be, and the field it sets.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::value::{parse_count, parse_size, parse_time, print_size, print_time};
use super::{KEYS, Settings};

/// One setting. `--cot-listen` as an argument is `cot_listen` in a file and `TINYCOT_COT_LISTEN` in
/// the environment.
#[derive(Debug)]
pub(crate) struct Key {
    /// The name as an argument, without the leading dashes.
    pub(crate) flag: &'static str,
    pub(crate) group: Group,
    /// What stands for the value in help texts.
    pub(crate) value_name: &'static str,
    /// One line for `--help`.
    pub(crate) help: &'static str,
    pub(super) kind: Kind,
}

/// Headings under which settings are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Server,
    Teams,
    Log,
    Timing,
    Limits,
    Storage,
}

/// What a value may be, and the field it sets.
#[derive(Debug)]
pub(super) enum Kind {
    /// A number.
    Count(fn(&mut Settings) -> &mut usize, RangeInclusive<usize>),
    /// A size in memory, in bytes.
    Size(fn(&mut Settings) -> &mut usize, RangeInclusive<usize>),
    /// A size on a disk, in bytes: also more than this machine could address.
    DiskSize(fn(&mut Settings) -> &mut u64, RangeInclusive<u64>),
    /// A size on a disk, in bytes, or `off` for no limit.
    DiskSizeOrOff(fn(&mut Settings) -> &mut Option<u64>, RangeInclusive<u64>),
    /// `on` or `off`.
    Switch(fn(&mut Settings) -> &mut bool),
    /// A length of time.
    Time(fn(&mut Settings) -> &mut Duration, RangeInclusive<Duration>),
    /// A length of time, or `off` for zero.
    TimeOrOff(fn(&mut Settings) -> &mut Duration, RangeInclusive<Duration>),
    /// One value with rules of its own. `set` is false when it breaks them.
    Text {
        set: fn(&mut Settings, &str) -> bool,
        show: fn(&Settings) -> String,
        allowed: &'static str,
    },
    /// Any number of values.
    List {
        set: fn(&mut Settings, &[String]) -> Result<(), String>,
        show: fn(&Settings) -> Vec<String>,
        allowed: &'static str,
    },
}

/// A value that is not allowed, and what is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) value: String,
    pub(crate) allowed: String,
}

impl Key {
    /// The key with this name in a file.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name() == name)
    }

    /// Its name in a file.
    pub(crate) fn name(&self) -> String {
        self.flag.replace('-', "_")
    }

    /// Its name in the environment.
    pub(crate) fn variable(&self) -> String {
        format!("TINYCOT_{}", self.name().to_uppercase())
    }

    /// Whether it takes any number of values.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self.kind, Kind::List { .. })
    }

    /// Whether `serve -h` shows it. `serve --help` shows all.
    pub(crate) fn is_common(&self) -> bool {
        matches!(self.group, Group::Server | Group::Teams | Group::Log)
            || matches!(self.flag, "state" | "dump" | "max-upload")
    }

    /// What a value may be.
    pub(crate) fn allowed(&self) -> String {
        match &self.kind {
            Kind::Count(_, range) => format!("a number from {} to {}", range.start(), range.end()),
            Kind::Size(_, range) => sizes(*range.start() as u64, *range.end() as u64),
            Kind::DiskSize(_, range) => sizes(*range.start(), *range.end()),
            Kind::DiskSizeOrOff(_, range) => {
                format!("`off`, or {}", sizes(*range.start(), *range.end()))
            }
            Kind::Switch(_) => "`on` or `off`".to_owned(),
            Kind::Time(_, range) => times(range),
            Kind::TimeOrOff(_, range) => format!("`off`, or {}", times(range)),
            Kind::Text { allowed, .. } | Kind::List { allowed, .. } => (*allowed).to_owned(),
        }
    }

    /// Sets the field. A list takes the place of the whole former list.
    ///
    /// # Errors
    ///
    /// The value that is not allowed. The field may have changed.
    pub(crate) fn set(&self, settings: &mut Settings, values: &[String]) -> Result<(), Wrong> {
        let one = match values {
            [one] => one.as_str(),
            _ => "",
        };
        let done = match &self.kind {
            Kind::Count(field, range) => put(field(settings), parse_count(one), range),
            Kind::Size(field, range) => {
                let size = parse_size(one).and_then(|size| usize::try_from(size).ok());
                put(field(settings), size, range)
            }
            Kind::DiskSize(field, range) => put(field(settings), parse_size(one), range),
            Kind::DiskSizeOrOff(field, _) if one == "off" => {
                *field(settings) = None;
                true
            }
            Kind::DiskSizeOrOff(field, range) => {
                let size = parse_size(one).filter(|size| range.contains(size));
                *field(settings) = size;
                size.is_some()
            }
            Kind::Switch(field) => {
                // A file may also say it in the words of its own language.
                let value = match one {
                    "on" | "true" => Some(true),
                    "off" | "false" => Some(false),
                    _ => None,
                };
                put(field(settings), value, &(false..=true))
            }
            Kind::Time(field, range) => put(field(settings), parse_time(one), range),
            Kind::TimeOrOff(field, _) if one == "off" => {
                *field(settings) = Duration::ZERO;
                true
            }
            Kind::TimeOrOff(field, range) => put(field(settings), parse_time(one), range),
            Kind::Text { set, .. } => set(settings, one),
            Kind::List { set, .. } => match set(settings, values) {
                Ok(()) => true,
                Err(value) => return Err(Wrong { value, allowed: self.allowed() }),
            },
        };
        if done { Ok(()) } else { Err(Wrong { value: values.join(", "), allowed: self.allowed() }) }
    }

    /// The values in force, as they would be written in a file. One unless it is a list.
    pub(crate) fn show(&self, settings: &Settings) -> Vec<String> {
        // The accessors are `&mut` for the sake of `set`; a copy keeps the table short.
        let mut settings = settings.clone();
        match &self.kind {
            Kind::Count(field, _) => vec![field(&mut settings).to_string()],
            Kind::Size(field, _) => vec![print_size(*field(&mut settings) as u64)],
            Kind::DiskSize(field, _) => vec![print_size(*field(&mut settings))],
            Kind::DiskSizeOrOff(field, _) => {
                vec![field(&mut settings).map_or_else(|| "off".to_owned(), print_size)]
            }
            Kind::Switch(field) => {
                vec![if *field(&mut settings) { "on" } else { "off" }.to_owned()]
            }
            Kind::Time(field, _) => vec![print_time(*field(&mut settings))],
            Kind::TimeOrOff(field, _) => match *field(&mut settings) {
                Duration::ZERO => vec!["off".to_owned()],
                time => vec![print_time(time)],
            },
            Kind::Text { show, .. } => vec![show(&settings)],
            Kind::List { show, .. } => show(&settings),
        }
    }
}

impl Group {
    /// Its heading.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Server => "Server",
            Self::Teams => "Teams",
            Self::Log => "Log",
            Self::Timing => "Timing",
            Self::Limits => "Limits",
            Self::Storage => "Storage",
        }
    }
}

fn put<T: PartialOrd>(field: &mut T, value: Option<T>, range: &RangeInclusive<T>) -> bool {
    value.filter(|value| range.contains(value)).map(|value| *field = value).is_some()
}

fn sizes(min: u64, max: u64) -> String {
    format!("a size from {} to {}, such as `64 KiB`", print_size(min), print_size(max))
}

fn times(range: &RangeInclusive<Duration>) -> String {
    let (min, max) = (print_time(*range.start()), print_time(*range.end()));
    format!("a time from {min} to {max}, such as `20s` or `250ms`")
}

/// Splits `a, b` as environment variables and arguments write lists.
pub(crate) fn split_list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}
