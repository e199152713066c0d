//! What `SHOW` tells.

use engine::sql::POSTGRES_SETTINGS;

use super::session::Session;

/// The value of a variable; none when there is no such variable.
pub(super) fn value_of(session: &Session, name: &str) -> Option<String> {
    match name {
        "transaction isolation level" => return value_of(session, "transaction_isolation"),
        "time zone" => return value_of(session, "timezone"),
        _ => {}
    }
    let fixed =
        || POSTGRES_SETTINGS.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    // Times are written in UTC, whatever was set.
    match name {
        "timezone" | "client_encoding" | "default_transaction_read_only" => fixed(),
        _ => session.setting(name).or_else(fixed),
    }
}
