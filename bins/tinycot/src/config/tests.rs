use super::*;

/// A configuration file that lives as long as the test.
fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn argument(flag: &str, values: &[&str]) -> RawSetting {
    let key = KEYS.iter().find(|key| key.flag == flag).unwrap();
    RawSetting::argument(key, values.iter().map(ToString::to_string).collect())
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn load_text(text: &str) -> Result<Loaded, String> {
    let file = file(text);
    let path = file.path().display().to_string();
    load(Sources { file: Some(file.path().to_owned()), arguments: Vec::new() }, Vec::new())
        .map_err(|error| error.to_string().replace(&path, "FILE"))
}

#[test]
fn the_default_file_is_the_default_settings() {
    let loaded = load_text(DEFAULT_FILE).unwrap();
    // A file that names the port has asked for it.
    let expected = Settings { is_http_default: false, ..Settings::default() };
    assert_eq!(format!("{:#?}", loaded.settings), format!("{expected:#?}"));
    assert_eq!(loaded.origins.len(), KEYS.len(), "every key is in the default file");
    assert_eq!(loaded.warnings, Vec::<String>::new());
}

#[test]
fn every_setting_can_be_written_as_it_is_shown() {
    let defaults = Settings::default();
    for key in KEYS {
        let mut settings = Settings::default();
        assert_eq!(key.set(&mut settings, &key.show(&defaults)), Ok(()), "{}", key.name());
        assert_eq!(format!("{settings:?}"), format!("{defaults:?}"), "{}", key.name());
    }
}

#[test]
fn every_field_of_the_relay_can_be_reached() {
    let other = |key: &Key| -> &[&str] {
        match (key.value_name, key.flag) {
            ("TIME", "idle-timeout") => &["33s"],
            ("TIME", _) => &["1s"],
            ("COUNT", _) => &["99"],
            ("SIZE", _) => &["77 KiB"],
            (_, "data-dir") => &["elsewhere"],
            (_, "cot-listen") => &["[::1]:1", "127.0.0.1:2"],
            (_, "admin-listen" | "http-listen") | ("ON", _) => &["off"],
            (_, "public-url") => &["http://tak.example.org:8080"],
            (_, "allowed-origins") => &["https://tools.example.org", "*"],
            (_, "team-policy") => &["isolated"],
            (_, "allow") => &["Red -> Blue"],
            (_, "default-team") => &["Teal"],
            (_, "flow-tag") => &["north"],
            (_, "log") => &["debug"],
            (_, "log-format") => &["json"],
            (_, "dump") => &["xml"],
            (_, "dump-dir") => &["elsewhere"],
            (_, flag) => panic!("no other value for {flag}"),
        }
    };
    let mut settings = Settings::default();
    for key in KEYS {
        // The default of `stall_grace` is the value that is otherwise short enough for all.
        let values = if key.flag == "stall-grace" { &["2s"] } else { other(key) };
        let values: Vec<_> = values.iter().map(ToString::to_string).collect();
        assert_eq!(key.set(&mut settings, &values), Ok(()), "{}", key.name());
    }
    let (changed, default) = (settings.hub_config(), HubConfig::default());
    let fields = |config: &HubConfig| -> Vec<String> {
        let text = format!("{config:#?}");
        // One level deep, and the fields of `limits`.
        text.lines()
            .filter(|line| line.contains(": ") && line.ends_with(','))
            .map(str::to_owned)
            .collect()
    };
    let unchanged: Vec<_> =
        fields(&changed).into_iter().filter(|field| fields(&default).contains(field)).collect();
    assert_eq!(unchanged, Vec::<String>::new(), "fields without a key");
    assert!(!settings.state && !settings.dump_compress);
    assert_eq!(changed.flow_tag.as_deref(), Some("north"));
    assert!(changed.teams.permits("Red", "Blue") && !changed.teams.permits("Blue", "Red"));
    assert_eq!(changed.teams.default_team(), Some("Teal"));
}

#[test]
fn arguments_win_over_variables_over_the_file_over_defaults() {
    let file = file("max_clients = 1\nmax_depth = 11\nmax_elements = 111\nallow = [\"A -> B\"]");
    let sources = Sources {
        file: Some(file.path().to_owned()),
        arguments: vec![argument("max-clients", &["3"])],
    };
    let environment = variables(&[
        ("TINYCOT_MAX_CLIENTS", "2"),
        ("TINYCOT_MAX_DEPTH", "22"),
        ("TINYCOT_ALLOW", "C -> D, E <-> F"),
        ("PATH", "/bin"),
    ]);
    let loaded = load(sources, environment).unwrap();
    let hub = &loaded.settings.hub;
    assert_eq!((hub.max_clients, hub.limits.depth, hub.limits.elements), (3, 22, 111));
    assert_eq!(hub.limits.attributes, HubConfig::default().limits.attributes);
    let rules: Vec<_> = loaded.settings.allow.iter().map(ToString::to_string).collect();
    assert_eq!(rules, ["C -> D", "E <-> F"], "a list takes the place of the whole former list");
    let origin = |flag: &str| loaded.origins.get(flag).map(ToString::to_string).unwrap_or_default();
    assert_eq!(origin("max-clients"), "--max-clients");
    assert_eq!(origin("max-depth"), "TINYCOT_MAX_DEPTH");
    assert!(origin("max-elements").ends_with(":3"), "{}", origin("max-elements"));
    assert_eq!(origin("max-attributes"), "");
}

#[test]
fn a_bad_value_names_its_key_its_place_and_what_is_allowed() {
    for (line, message) in [
        (
            "heartbeat = \"20 parsecs\"",
            "`heartbeat` cannot be `20 parsecs`; allowed: `off`, or a time from 1s to 1h, such as `20s` or `250ms`",
        ),
        ("heartbeat = 20", "`heartbeat` cannot be `20`; allowed: `off`, or a time from 1s to 1h"),
        (
            "event_timeout = \"off\"",
            "`event_timeout` cannot be `off`; allowed: a time from 1s to 10m",
        ),
        ("max_clients = 0", "`max_clients` cannot be `0`; allowed: a number from 1 to 1000000"),
        ("max_clients = -1", "`max_clients` cannot be `-1`; allowed: a number from 1 to 1000000"),
        ("max_clients = 1e3", "`max_clients` cannot be `1e3`"),
        ("max_clients = true", "`max_clients` cannot be `true`"),
        ("max_clients = 0x10", "`max_clients` takes one value, not a number that is not decimal"),
        (
            "max_clients = [1]",
            "`max_clients` takes one value, not a list; allowed: a number from 1",
        ),
        ("max_clients.x = 1", "`max_clients` takes one value, not a table"),
        (
            "max_event = \"9 MiB\"",
            "`max_event` cannot be `9 MiB`; allowed: a size from 1 KiB to 8 MiB",
        ),
        (
            "cot_listen = \"8087\"",
            "`cot_listen` cannot be `8087`; allowed: IP:PORT, such as `0.0.0.0:8087`",
        ),
        ("cot_listen = []", "`cot_listen` cannot be ``; allowed: IP:PORT"),
        (
            "cot_listen = [\"127.0.0.1:1\", \"b:2\"]",
            "`cot_listen` cannot be `b:2`; allowed: IP:PORT",
        ),
        ("cot_listen = [[]]", "`cot_listen` takes a list of texts, not a list"),
        ("admin_listen = \"yes\"", "`admin_listen` cannot be `yes`; allowed: `off`, or IP:PORT"),
        ("team_policy = \"closed\"", "`team_policy` cannot be `closed`; allowed: `open` (everyone"),
        ("allow = [\"Red > Blue\"]", "`allow` cannot be `Red > Blue`; allowed: `TEAM -> TEAM` or"),
        ("default_team = \"a\\nb\"", "`default_team` cannot be `a\\nb`; allowed: a team name"),
        ("flow_tag = \"a b\"", "`flow_tag` cannot be `a b`; allowed: up to 64 letters"),
        (
            "log = \"loud\"",
            "`log` cannot be `loud`; allowed: off, error, warn, info, debug or trace",
        ),
        ("log_format = \"xml\"", "`log_format` cannot be `xml`; allowed: `text` or `json`"),
        ("state = \"maybe\"", "`state` cannot be `maybe`; allowed: `on` or `off`"),
        ("dump = \"yaml\"", "`dump` cannot be `yaml`; allowed: `off`, `json` (one"),
        (
            "dump_total = \"1 PiB\"",
            "`dump_total` cannot be `1 PiB`; allowed: a size from 64 KiB to 1 TiB",
        ),
        ("data_dir = \"\"", "`data_dir` cannot be ``; allowed: a path"),
        ("hartbeat = \"1s\"", "there is no key `hartbeat`; did you mean `heartbeat`?"),
        ("[relay]", "there is no key `relay`; "),
        ("zzzzzzzzzz = 1", "there is no key `zzzzzzzzzz`; `tinycot config` lists all"),
    ] {
        let error = load_text(&format!("# first line\n{line}\n")).unwrap_err();
        assert!(error.starts_with(&format!("FILE:2: {message}")), "{line}\n{error}");
    }
}

#[test]
fn all_mistakes_are_reported_at_once_in_the_order_of_the_sources() {
    let file = file("log = \"loud\"\nhello = 1\n");
    let sources = Sources {
        file: Some(file.path().to_owned()),
        arguments: vec![argument("gather", &["now"])],
    };
    let environment = variables(&[("TINYCOT_MAX_CLIENTS", "many")]);
    let error = load(sources, environment).unwrap_err().to_string();
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), 4, "{error}");
    assert!(
        error.contains("TINYCOT_MAX_CLIENTS: `max_clients` cannot be `many`; allowed: a number")
    );
    assert!(error.contains("--gather: `gather` cannot be `now`; allowed: `off`, or a time"));
}

#[test]
fn a_file_that_is_not_toml_is_reported_with_its_line() {
    let error = load_text("max_clients = 5\nheartbeat = \n").unwrap_err();
    assert!(error.starts_with("FILE:2: "), "{error}");
    let twice = load_text("max_clients = 5\nmax_clients = 6\n").unwrap_err();
    assert!(twice.starts_with("FILE:2: "), "{twice}");
}

#[test]
fn a_file_that_is_missing_is_named() {
    let sources = Sources { file: Some("/nowhere/tinycot.toml".into()), ..Sources::default() };
    let error = load(sources, Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "/nowhere/tinycot.toml: the configuration file cannot be read");
}

#[test]
fn a_file_without_an_end_is_not_read_to_it() {
    let sources = Sources { file: Some("/dev/zero".into()), ..Sources::default() };
    assert!(matches!(load(sources, Vec::new()), Err(ConfigError::Read { .. })));
}

#[test]
fn the_file_may_be_named_in_the_environment() {
    let file = file("max_clients = 7");
    let environment = variables(&[("TINYCOT_CONFIG", file.path().to_str().unwrap())]);
    let loaded = load(Sources::default(), environment).unwrap();
    assert_eq!(loaded.settings.hub.max_clients, 7);
}

#[test]
fn unknown_variables_are_reported_and_do_not_stop_the_server() {
    let environment =
        variables(&[("TINYCOT_HARTBEAT", "1s"), ("TINYCOT_PORT", "tcp://10.0.0.1:1")]);
    let warnings = load(Sources::default(), environment).unwrap().warnings;
    assert_eq!(
        warnings.first().map(String::as_str),
        Some("TINYCOT_HARTBEAT: no such variable, ignored; did you mean TINYCOT_HEARTBEAT?")
    );
    assert!(warnings.iter().any(|warning| warning.starts_with("TINYCOT_PORT: ")), "{warnings:?}");
}

#[test]
fn what_is_allowed_but_unwise_is_a_warning() {
    for (line, about) in [
        ("heartbeat = \"off\"", "heartbeat"),
        ("heartbeat = \"25s\"", "heartbeat"),
        ("max_relayed_event = 65537", "max_relayed_event"),
        ("allow = [\"A -> B\"]", "allow"),
        ("admin_listen = \"0.0.0.0:8088\"", "admin_listen"),
        ("dump = \"json\"\ndump_total = \"63 MiB\"", "dump_total"),
    ] {
        let warnings = load_text(line).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{line}: {warnings:?}");
        assert!(warnings.iter().all(|warning| warning.starts_with(about)), "{warnings:?}");
    }
    assert!(
        load_text("team_policy = \"isolated\"\nallow = [\"A -> B\"]").unwrap().warnings.is_empty()
    );
}
