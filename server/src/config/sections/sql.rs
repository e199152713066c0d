//! `sql`: what SQL may take, beside the bounds of all queries.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::setting::{Setting, limit, parse, positive, unless_none};

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "sql",
        key: "max_concurrent",
        doc: "SQL statements that run at a time, of one project one less; further ones wait up to 10 seconds and are \
              then answered 503",
        default: "8",
        apply: |config, text| positive(text).map(|value| config.engine.max_sql_statements = value as usize),
    },
    Setting {
        section: "sql",
        key: "max_rows",
        doc: "rows of one answer, or `none`; an answer of more ends with an error",
        default: "none",
        apply: |config, text| limit(text).map(|value| config.sql.max_rows = value.map(u64::from)),
    },
    Setting {
        section: "sql",
        key: "flight_listen",
        doc: "address and port of Arrow Flight SQL, for ADBC and JDBC drivers, or `none`; port 0 picks a free one",
        default: "none",
        apply: |config, text| optional_address(text).map(|value| config.sql.flight_listen = value),
    },
    Setting {
        section: "sql",
        key: "postgres_listen",
        doc: "address and port of the PostgreSQL protocol, for psql, Grafana and PostgreSQL drivers, or `none`; port 0 \
              picks a free one",
        default: "none",
        apply: |config, text| optional_address(text).map(|value| config.sql.postgres_listen = value),
    },
    Setting {
        section: "sql",
        key: "max_connections",
        doc: "connections of Flight SQL at a time, and as many of the PostgreSQL protocol; further ones wait",
        default: "100",
        apply: |config, text| positive(text).map(|value| config.sql.max_connections = value as usize),
    },
    Setting {
        section: "sql",
        key: "idle_timeout_secs",
        doc: "seconds after which such a connection ends when nothing has come or gone over it",
        default: "3600",
        apply: |config, text| seconds_from_1(text).map(|value| config.sql.idle_timeout = value),
    },
    Setting {
        section: "sql",
        key: "tls_certificate",
        doc: "PEM file with the certificate of Flight SQL and the PostgreSQL protocol and those that vouch for it, or \
              `none`; with one, connections without TLS are refused",
        default: "none",
        apply: |config, text| {
            config.sql.tls_certificate = unless_none(text).map(PathBuf::from);
            Ok(())
        },
    },
    Setting {
        section: "sql",
        key: "tls_key",
        doc: "PEM file with the private key of that certificate, or `none`",
        default: "none",
        apply: |config, text| {
            config.sql.tls_key = unless_none(text).map(PathBuf::from);
            Ok(())
        },
    },
];

fn seconds_from_1(text: &str) -> Result<Duration, String> {
    positive(text).map(|number| Duration::from_secs(number.into()))
}

fn optional_address(text: &str) -> Result<Option<SocketAddr>, String> {
    let what = "an address with a port, like 127.0.0.1:5433, or none";
    unless_none(text).map(|text| parse(&text, what)).transpose()
}
