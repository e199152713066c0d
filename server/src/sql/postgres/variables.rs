//! What `SHOW` tells.

use super::session::Session;

/// What clients tell the features of a server by.
pub(super) const SERVER_VERSION: &str = concat!("16.6 (Timberline ", env!("CARGO_PKG_VERSION"), ")");

/// What is so in every session.
const FIXED: [(&str, &str); 12] = [
    ("client_encoding", "UTF8"),
    ("datestyle", "ISO, MDY"),
    ("default_transaction_isolation", "read committed"),
    ("integer_datetimes", "on"),
    ("is_superuser", "off"),
    ("max_identifier_length", "63"),
    ("search_path", "public"),
    ("server_encoding", "UTF8"),
    ("server_version", SERVER_VERSION),
    ("server_version_num", "160006"),
    ("standard_conforming_strings", "on"),
    ("timezone", "UTC"),
];

/// The value of a variable; none when there is no such variable.
pub(super) fn value_of(session: &Session, name: &str) -> Option<String> {
    match name {
        "transaction isolation level" | "transaction_isolation" => return Some("read committed".to_owned()),
        "transaction_read_only" | "default_transaction_read_only" => return Some("on".to_owned()),
        "time zone" => return value_of(session, "timezone"),
        _ => {}
    }
    let fixed = || FIXED.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    // Times are written in UTC, whatever was set.
    match name {
        "timezone" | "client_encoding" => fixed(),
        _ => session.setting(name).or_else(fixed),
    }
}
