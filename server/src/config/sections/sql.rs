//! `sql`: what SQL may take, beside the bounds of all queries.

use crate::config::setting::{Setting, limit, positive};

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
];
