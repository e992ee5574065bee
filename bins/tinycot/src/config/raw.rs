//! What the sources say, word for word, and where they say it.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::KEYS;
use super::error::{ConfigError, Problem};
use super::key::{Key, split_list};
use super::value::nearest;

/// The variable that names a configuration file.
const FILE_VARIABLE: &str = "TINYCOT_CONFIG";

/// Largest configuration file, in bytes. The commented default one is 6 KiB.
const MAX_FILE: u64 = 1 << 20;

/// Where settings come from, beside the environment.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// `--config`.
    pub(crate) file: Option<PathBuf>,
    /// Settings given as arguments.
    pub(crate) arguments: Vec<RawSetting>,
}

/// One setting as it was written.
#[derive(Debug)]
pub(crate) struct RawSetting {
    pub(crate) key: &'static Key,
    /// One unless the key is a list.
    pub(crate) values: Vec<String>,
    pub(crate) origin: Origin,
}

/// Where a setting was written. Displays as what the user has to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The argument, without the dashes.
    Argument(&'static str),
    File {
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// The variable.
    Variable(String),
}

/// All sources, lowest precedence first.
#[derive(Debug, Default)]
pub(super) struct RawSettings {
    pub(super) settings: Vec<RawSetting>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
}

/// Reads the file and the environment, and puts the arguments behind them.
pub(super) fn collect(
    sources: Sources,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<RawSettings, ConfigError> {
    let mut variables = RawSettings::default();
    let mut file = None;
    for (name, value) in environment {
        let Some(name) = name.to_str().filter(|name| name.starts_with("TINYCOT_")) else {
            continue;
        };
        if name == FILE_VARIABLE {
            file = Some(PathBuf::from(value));
        } else {
            variables.add_variable(name, value);
        }
    }
    let mut all = RawSettings::default();
    if let Some(path) = sources.file.or(file) {
        let text =
            read(&path).map_err(|source| ConfigError::Read { path: path.clone(), source })?;
        all.add_file(&path, &text);
    }
    all.settings.extend(variables.settings);
    all.problems.extend(variables.problems);
    all.warnings.extend(variables.warnings);
    all.settings.extend(sources.arguments);
    Ok(all)
}

impl RawSettings {
    fn add_file(&mut self, path: &Path, text: &str) {
        let origin =
            |offset: usize| Origin::File { path: path.to_owned(), line: line(text, offset) };
        let table = match DeTable::parse(text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                let at = origin(error.span().map_or(text.len(), |span| span.start));
                self.problems.push(Problem::new(&at, error.message().replace('\n', ", ")));
                return;
            }
        };
        // The table is sorted by name; reports are easier to follow from top to bottom.
        let mut entries: Vec<_> = table.into_iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            let origin = origin(name.span().start);
            let name = name.into_inner();
            match Key::named(&name) {
                None => self.problems.push(unknown_key(&origin, &name)),
                Some(key) => match texts(key, value.into_inner()) {
                    Ok(values) => self.settings.push(RawSetting { key, values, origin }),
                    Err(found) => {
                        let wanted = if key.is_list() { "a list of texts" } else { "one value" };
                        let allowed = key.allowed();
                        let what =
                            format!("`{name}` takes {wanted}, not {found}; allowed: {allowed}");
                        self.problems.push(Problem::new(&origin, what));
                    }
                },
            }
        }
    }

    fn add_variable(&mut self, name: &str, value: OsString) {
        let origin = Origin::Variable(name.to_owned());
        let Some(key) = KEYS.iter().find(|key| key.variable() == name) else {
            // Not an error: orchestrators add variables of their own, such as TINYCOT_PORT for a
            // service called tinycot.
            let names: Vec<_> = KEYS.iter().map(Key::variable).collect();
            let hint = nearest(name, names.iter().map(String::as_str));
            let hint = hint.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            self.warnings.push(format!("{name}: no such variable, ignored{hint}"));
            return;
        };
        match value.into_string() {
            Ok(text) => {
                let values = if key.is_list() { split_list(&text) } else { vec![text] };
                self.settings.push(RawSetting { key, values, origin });
            }
            Err(_) => self.problems.push(Problem::new(&origin, "is not UTF-8".to_owned())),
        }
    }
}

impl RawSetting {
    /// A setting given as an argument, all of its values together.
    pub(crate) fn argument(key: &'static Key, values: Vec<String>) -> Self {
        let values = match key.is_list() {
            true => values.iter().flat_map(|value| split_list(value)).collect(),
            false => values,
        };
        Self { key, values, origin: Origin::Argument(key.flag) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(flag) => write!(f, "--{flag}"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(MAX_FILE).read_to_string(&mut text)?;
    if read as u64 == MAX_FILE { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
}

/// The value as texts, or what it is instead.
fn texts(key: &Key, value: DeValue<'_>) -> Result<Vec<String>, &'static str> {
    match value {
        DeValue::Array(items) if key.is_list() => {
            items.into_iter().map(|item| text(item.into_inner())).collect()
        }
        value if key.is_list() => text(value).map(|text| split_list(&text)),
        value => text(value).map(|text| vec![text]),
    }
}

fn text(value: DeValue<'_>) -> Result<String, &'static str> {
    match value {
        DeValue::String(text) => Ok(text.into_owned()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        DeValue::Integer(_) => Err("a number that is not decimal"),
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        DeValue::Boolean(value) => Ok(value.to_string()),
        DeValue::Datetime(_) => Err("a date"),
        DeValue::Array(_) => Err("a list"),
        DeValue::Table(_) => Err("a table"),
    }
}

fn unknown_key(origin: &Origin, name: &str) -> Problem {
    let names: Vec<_> = KEYS.iter().map(Key::name).collect();
    let hint = match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`tinycot config` lists all".to_owned(),
    };
    Problem::new(origin, format!("there is no key `{}`; {hint}", name.escape_debug()))
}

fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}
