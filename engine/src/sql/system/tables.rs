//! The tables of `system` that the engine fills.

use arrow::datatypes::Schema;
use datafusion::prelude::SessionContext;

use super::super::encode::column_type;
use super::super::functions::DESCRIBED;
use super::super::request::{SqlColumn, SqlSources, SqlType, SqlValue, SystemTable};
use super::super::running::SqlStatementInfo;
use super::super::{ACTIVITY_TABLE, LOGS_TABLE};
use super::described;
use crate::catalog::Snapshot;
use crate::schema::{activity_schema, logs_schema};

const fn column(name: &'static str, kind: SqlType, description: &'static str) -> SqlColumn {
    SqlColumn { name, kind, description }
}

fn text(text: impl Into<String>) -> SqlValue {
    SqlValue::Text(text.into())
}

/// Numbers beyond what SQL counts with are its largest.
fn integer(number: u64) -> SqlValue {
    SqlValue::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

const DATA_FILES: &[SqlColumn] = &[
    column("id", SqlType::Text, "UUID of the file"),
    column("path", SqlType::Text, "where it is, below the root of the storage"),
    column("level", SqlType::Integer, "how often its rows have been rewritten by compaction"),
    column("min_timestamp", SqlType::Timestamp, "timestamp of its earliest row"),
    column("max_timestamp", SqlType::Timestamp, "timestamp of its latest row"),
    column("min_ingested_timestamp", SqlType::Timestamp, "ingested_timestamp of its earliest row"),
    column("max_ingested_timestamp", SqlType::Timestamp, "ingested_timestamp of its latest row"),
    column("rows", SqlType::Integer, "number of its rows, those that have expired included"),
    column("bytes", SqlType::Integer, "size of the file"),
    column("sidecar_bytes", SqlType::Integer, "size of what is derived from it, 0 when there is nothing"),
];

/// The data files of the project's logs.
pub(super) fn data_files(logs: &Snapshot) -> SystemTable {
    let mut files: Vec<_> = logs.files.iter().collect();
    files.sort_by_key(|file| file.id);
    let row = |file: &&std::sync::Arc<crate::storage::DataFile>| {
        vec![
            text(file.id.to_string()),
            text(file.path.to_string()),
            integer(file.level.into()),
            SqlValue::Timestamp(file.min_timestamp_us),
            SqlValue::Timestamp(file.max_timestamp_us),
            SqlValue::Timestamp(file.min_ingested_us),
            SqlValue::Timestamp(file.max_ingested_us),
            integer(file.num_rows),
            integer(file.size_bytes),
            integer(file.sidecar_bytes),
        ]
    };
    SystemTable {
        name: "data_files",
        description: "the data files of the project's logs",
        columns: DATA_FILES,
        rows: files.iter().map(row).collect(),
    }
}

const MEMORY: &[SqlColumn] = &[
    column("min_timestamp", SqlType::Timestamp, "timestamp of the earliest row"),
    column("max_timestamp", SqlType::Timestamp, "timestamp of the latest row"),
    column("rows", SqlType::Integer, "number of rows"),
    column("bytes", SqlType::Integer, "memory that they take"),
];

/// The rows that no data file has yet.
pub(super) fn memory(logs: &Snapshot) -> SystemTable {
    let row = |segment: &std::sync::Arc<crate::buffer::BufferSegment>| {
        vec![
            SqlValue::Timestamp(segment.min_timestamp_us),
            SqlValue::Timestamp(segment.max_timestamp_us),
            integer(segment.batch.num_rows() as u64),
            integer(segment.batch.get_array_memory_size() as u64),
        ]
    };
    SystemTable {
        name: "memory",
        description: "the rows of the project's logs that are in no data file yet, batch by batch",
        columns: MEMORY,
        rows: logs.segments.iter().map(row).collect(),
    }
}

const QUERIES: &[SqlColumn] = &[
    column("id", SqlType::Text, "UUID by which it can be ended"),
    column("caller", SqlType::Text, "who asked"),
    column("state", SqlType::Text, "waiting, running, done, failed, killed or given_up"),
    column("text", SqlType::Text, "the statement, the first 4 KiB of it"),
    column("started_at", SqlType::Timestamp, "when it was asked"),
    column("elapsed_ms", SqlType::Integer, "how long it took, or has taken until now"),
    column("rows", SqlType::Integer, "rows of its answer so far"),
    column("error", SqlType::Text, "what it failed with"),
];

/// The statements that the caller may see.
pub(super) fn queries(listed: &[SqlStatementInfo]) -> SystemTable {
    let row = |info: &SqlStatementInfo| {
        vec![
            text(info.id.to_string()),
            text(info.caller.as_str()),
            text(info.state.as_str()),
            text(info.text.as_str()),
            SqlValue::Timestamp(info.started_us),
            SqlValue::Integer(info.elapsed_us / 1000),
            integer(info.rows),
            info.error.as_deref().map_or(SqlValue::Null, text),
        ]
    };
    SystemTable {
        name: "queries",
        description: "SQL statements that run or have ended lately, the latest first",
        columns: QUERIES,
        rows: listed.iter().map(row).collect(),
    }
}

const FUNCTIONS: &[SqlColumn] = &[
    column("name", SqlType::Text, "its name"),
    column("kind", SqlType::Text, "scalar, aggregate or window"),
    column("call", SqlType::Text, "how it is called, where that is known"),
    column("description", SqlType::Text, "what it does, where that is known"),
];

/// Every function that a statement may call.
pub(super) fn functions(session: &SessionContext) -> SystemTable {
    let state = session.state();
    let scalar = state.scalar_functions().keys().map(|name| (name, "scalar"));
    let aggregate = state.aggregate_functions().keys().map(|name| (name, "aggregate"));
    let window = state.window_functions().keys().map(|name| (name, "window"));
    let mut all: Vec<(&String, &str)> = scalar.chain(aggregate).chain(window).collect();
    all.sort_unstable();
    let row = |(name, kind): (&String, &str)| {
        let ours = DESCRIBED.iter().find(|described| described.name == name);
        vec![
            text(name.as_str()),
            text(kind),
            ours.map_or(SqlValue::Null, |described| text(described.call)),
            ours.map_or(SqlValue::Null, |described| text(described.says)),
        ]
    };
    SystemTable {
        name: "functions",
        description: "functions that statements may call",
        columns: FUNCTIONS,
        rows: all.into_iter().map(row).collect(),
    }
}

const TABLES: &[SqlColumn] =
    &[column("name", SqlType::Text, "as FROM names it"), column("description", SqlType::Text, "what it has")];

/// Every table that a statement may read.
pub(super) fn tables(system: &[SystemTable], sources: &SqlSources) -> SystemTable {
    let mut rows = vec![vec![text(LOGS_TABLE), text("the project's log records")]];
    if sources.activity.is_some() {
        rows.push(vec![text(ACTIVITY_TABLE), text("entries of the audit trail that the caller may read")]);
    }
    let named = |name: &str, description: &str| vec![text(format!("system.{name}")), text(description)];
    rows.extend(system.iter().map(|table| named(table.name, table.description)));
    rows.push(named("tables", "tables that statements may read"));
    rows.push(named("columns", "their columns"));
    SystemTable { name: "tables", description: "tables that statements may read", columns: TABLES, rows }
}

const COLUMNS: &[SqlColumn] = &[
    column("table_name", SqlType::Text, "as FROM names the table"),
    column("column_name", SqlType::Text, "its name"),
    column("type", SqlType::Text, "boolean, integer, number, text, bytes, timestamp, map"),
    column("description", SqlType::Text, "what it means"),
];

/// Every column of every table.
pub(super) fn columns(system: &[SystemTable], sources: &SqlSources) -> SystemTable {
    let mut rows = stored(LOGS_TABLE, &logs_schema(), &described::LOGS);
    if sources.activity.is_some() {
        rows.extend(stored(ACTIVITY_TABLE, &activity_schema(), &described::ACTIVITY));
    }
    let of_system = system.iter().map(|table| (table.name, table.columns));
    for (name, columns) in of_system.chain([("tables", TABLES), ("columns", COLUMNS)]) {
        rows.extend(columns.iter().map(|column| {
            vec![
                text(format!("system.{name}")),
                text(column.name),
                text(kind_name(column.kind)),
                text(column.description),
            ]
        }));
    }
    SystemTable { name: "columns", description: "their columns", columns: COLUMNS, rows }
}

fn stored(table: &str, schema: &Schema, described: &[(&str, &str)]) -> Vec<Vec<SqlValue>> {
    let fields = schema.fields().iter().zip(described);
    fields
        .map(|(field, (_, says))| {
            vec![text(table), text(field.name().as_str()), text(column_type(field.data_type())), text(*says)]
        })
        .collect()
}

fn kind_name(kind: SqlType) -> &'static str {
    match kind {
        SqlType::Boolean => "boolean",
        SqlType::Integer => "integer",
        SqlType::Number => "number",
        SqlType::Text => "text",
        SqlType::Timestamp => "timestamp",
    }
}
