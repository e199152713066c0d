//! Where values come from, and which ones are refused.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::setting::{MIB, Setting};
use super::*;

fn from_file(text: &str) -> Result<ServerConfig, String> {
    load(Sources { file: Some((PathBuf::from("t.toml"), text.to_owned())), ..Sources::default() })
}

fn from_environment(variable: &str, value: &str) -> Result<ServerConfig, String> {
    load(Sources { environment: vec![(variable.to_owned(), value.to_owned())], ..Sources::default() })
}

fn load(sources: Sources) -> Result<ServerConfig, String> {
    ServerConfig::load(ServerConfig::new(DEFAULT_DATA_DIR), &sources).map_err(|error| error.to_string())
}

#[test]
fn every_default_in_the_table_is_the_default() {
    let defaults = format!("{:?}", ServerConfig::new(DEFAULT_DATA_DIR));
    let mut config = ServerConfig::new(DEFAULT_DATA_DIR);
    for setting in settings() {
        config.set(setting, setting.default, "test").unwrap();
        assert_eq!(format!("{config:?}"), defaults, "{}", setting.name());
    }
}

/// The list of settings for people, as it must stand in SETTINGS.md.
fn settings_table() -> String {
    let row = |setting: &Setting| {
        let (name, variable) = (setting.name(), setting.variable());
        format!("| `{name}` | `{variable}` | `{}` | {} |\n", setting.default, setting.doc)
    };
    let rows: String = settings().map(row).collect();
    format!("| in a file | in the environment | default | meaning |\n|---|---|---|---|\n{rows}")
}

#[test]
fn the_written_list_of_settings_is_the_table() {
    let written = include_str!("../../SETTINGS.md");
    assert!(written.ends_with(&settings_table()), "SETTINGS.md must end with:\n{}", settings_table());
}

#[test]
fn no_source_gives_the_defaults() {
    let config = load(Sources::default()).unwrap();
    assert_eq!(format!("{config:?}"), format!("{:?}", ServerConfig::new("timberline-data")));
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let mut sources = Sources {
        file: Some((
            PathBuf::from("t.toml"),
            "[server]\ndata_dir = 'file'\nlisten = '127.0.0.1:1'\ndrain_secs = 7".into(),
        )),
        environment: vec![
            ("TIMBERLINE_SERVER__DATA_DIR".into(), "environment".into()),
            ("TIMBERLINE_SERVER__LISTEN".into(), "127.0.0.1:2".into()),
            ("HOME".into(), "/root".into()),
        ],
        flags: vec![("server.data_dir", "flag".into())],
    };
    let config = load(sources.clone()).unwrap();
    assert_eq!(config.data_dir(), Path::new("flag"));
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.drain_timeout, Duration::from_secs(7));
    sources.flags.clear();
    assert_eq!(load(sources).unwrap().data_dir(), Path::new("environment"));
}

#[test]
fn memory_is_shared_out_before_its_parts_are_set() {
    let sources = Sources {
        file: Some((PathBuf::from("t.toml"), "[query]\nmemory_bytes = '5MiB'".into())),
        environment: vec![("TIMBERLINE_MEMORY__TOTAL_BYTES".into(), "8GiB".into())],
        flags: Vec::new(),
    };
    let config = load(sources).unwrap();
    assert_eq!(config.engine.query_memory_bytes, 5 * MIB);
    assert_eq!(config.engine.max_buffer_bytes, 2048 * MIB);
    assert_eq!(config.ingest.max_in_flight_bytes, 1024 * MIB);
}

#[test]
fn little_memory_makes_the_largest_request_smaller() {
    let config = from_environment("TIMBERLINE_MEMORY__TOTAL_BYTES", "512MiB").unwrap();
    assert_eq!(config.ingest.max_in_flight_bytes, 64 * MIB);
    assert_eq!((config.ingest.max_encoded_bytes, config.ingest.max_decompressed_bytes), (32 * MIB, 32 * MIB));
    let config = from_environment("TIMBERLINE_MEMORY__TOTAL_BYTES", "1GiB").unwrap();
    assert_eq!((config.ingest.max_encoded_bytes, config.ingest.max_decompressed_bytes), (64 * MIB, 64 * MIB));
}

#[test]
fn an_unknown_name_is_an_error_that_names_it() {
    assert_eq!(from_file("[server]\nlissten = 'x'").unwrap_err(), "unknown setting server.lissten in t.toml");
    assert_eq!(from_file("[sever]\nlisten = 'x'").unwrap_err(), "unknown setting sever.listen in t.toml");
    assert_eq!(from_file("listen = 'x'").unwrap_err(), "unknown setting listen in t.toml");
    assert_eq!(
        from_environment("TIMBERLINE_LISTEN", "x").unwrap_err(),
        "unknown setting TIMBERLINE_LISTEN in the environment"
    );
}

#[test]
fn what_clients_read_is_no_setting_and_no_mistake() {
    for variable in ["TIMBERLINE_URL", "TIMBERLINE_KEY", "TIMBERLINE_TOKEN"] {
        assert!(from_environment(variable, "x").is_ok(), "{variable}");
    }
}

#[test]
fn a_value_out_of_its_bounds_is_an_error_that_names_the_setting() {
    for (variable, value, expected) in [
        ("SERVER__LISTEN", "4318", "server.listen (environment): \"4318\" is not an address with a port"),
        ("SERVER__DRAIN_SECS", "-1", "server.drain_secs (environment): \"-1\" is not a whole number"),
        (
            "INGEST__MAX_ENCODED_BYTES",
            "1MB",
            "ingest.max_encoded_bytes (environment): \"1MB\" is not a number of bytes",
        ),
        ("INGEST__MAX_RECORD_BYTES", "0", "ingest.max_record_bytes (environment): \"0\" is not between"),
        ("INGEST__MAX_IN_FLIGHT_BYTES", "1MiB", "ingest.max_in_flight_bytes: 1048576 is too small"),
        ("LOG__FORMAT", "xml", "log.format (environment): \"xml\" is not text or json"),
        ("LOG__FILTER", "a=b=c", "log.filter (environment): \"a=b=c\" is not a log filter"),
    ] {
        let error = from_environment(&format!("TIMBERLINE_{variable}"), value).unwrap_err();
        assert!(error.starts_with(&format!("setting {expected}")), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_store_is_reached_by_its_own_variables() {
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment = vec![
        variable("TIMBERLINE_STORAGE__URL", "s3://logs/eu"),
        variable("AWS_ACCESS_KEY_ID", "id"),
        variable("AWS_SECRET_ACCESS_KEY", "hush"),
        variable("AWS_PROFILE", "of another program"),
        variable("GOOGLE_SERVICE_ACCOUNT", "of another store"),
        variable("ACCESS_KEY_ID", "of nobody"),
    ];
    let config = load(Sources { environment: environment.clone(), ..Sources::default() }).unwrap();
    assert_eq!(config.engine.storage.options, environment[1..3]);
    assert!(!format!("{config:?}").contains("hush"));
    let without_store = Sources { environment: environment[1..].to_vec(), ..Sources::default() };
    assert!(load(without_store).unwrap().engine.storage.options.is_empty());
}

#[test]
fn a_wrong_address_of_a_store_names_the_setting() {
    let error = from_environment("TIMBERLINE_STORAGE__URL", "ftp://logs").unwrap_err();
    assert!(error.starts_with("setting storage.url: unknown scheme"), "{error}");
    let config = from_file("[storage]\ncache_bytes = 0\nmax_retries = 2").unwrap();
    assert_eq!((config.engine.storage.cache_bytes, config.engine.storage.max_retries), (0, 2));
}

#[test]
fn sizes_may_have_a_unit_and_file_values_a_type() {
    let config = from_file("[ingest]\nmax_encoded_bytes = 4096\nmax_decompressed_bytes = '3MiB'").unwrap();
    assert_eq!(config.ingest.max_encoded_bytes, 4096);
    assert_eq!(config.ingest.max_decompressed_bytes, 3 * MIB);
}

#[test]
fn a_file_that_is_not_toml_is_one_line() {
    let error = from_file("[server\nlisten").unwrap_err();
    assert!(error.starts_with("cannot read t.toml: "), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}
