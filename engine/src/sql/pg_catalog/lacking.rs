//! Columns and tables of PostgreSQL's catalog that the library lacks.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::MemTable;
use datafusion::common::Result;
use datafusion::datasource::TableProvider;

/// What is in a column.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    Texts,
    Integer,
    Bigint,
    Boolean,
    Time,
}

use Kind::{Bigint, Boolean, Integer, Text, Texts, Time};

pub(super) type Columns = &'static [(&'static str, Kind)];

/// Columns that the library's tables lack, or have in a type that clients cannot use. They are null.
pub(super) const LACKING: [(&str, Columns); 6] = [
    ("pg_class", &[("reloptions", Texts), ("relacl", Texts)]),
    ("pg_attribute", &[("attacl", Texts), ("attoptions", Texts), ("attfdwoptions", Texts)]),
    ("pg_namespace", &[("nspacl", Texts)]),
    ("pg_database", &[("datacl", Texts), ("datcollversion", Text)]),
    ("pg_settings", &[("boot_val", Text)]),
    // Its name in the version that this says to be; the library's tables are of a later one.
    ("pg_collation", &[("colliculocale", Text)]),
];

/// Tables that the library lacks. They have no rows.
pub(super) const MISSING: [(&str, Columns); 10] = [
    (
        "pg_available_extensions",
        &[("name", Text), ("default_version", Text), ("installed_version", Text), ("comment", Text)],
    ),
    ("pg_group", &[("groname", Text), ("grosysid", Integer), ("grolist", Texts)]),
    (
        "pg_indexes",
        &[
            ("schemaname", Text),
            ("tablename", Text),
            ("indexname", Text),
            ("tablespace", Text),
            ("indexdef", Text),
        ],
    ),
    (
        "pg_locks",
        &[
            ("locktype", Text),
            ("database", Integer),
            ("relation", Integer),
            ("virtualtransaction", Text),
            ("transactionid", Integer),
            ("pid", Integer),
            ("mode", Text),
            ("granted", Boolean),
        ],
    ),
    (
        "pg_policies",
        &[
            ("schemaname", Text),
            ("tablename", Text),
            ("policyname", Text),
            ("permissive", Text),
            ("roles", Texts),
            ("cmd", Text),
            ("qual", Text),
            ("with_check", Text),
        ],
    ),
    ("pg_rules", &[("schemaname", Text), ("tablename", Text), ("rulename", Text), ("definition", Text)]),
    (
        "pg_seclabels",
        &[
            ("objoid", Integer),
            ("classoid", Integer),
            ("objsubid", Integer),
            ("provider", Text),
            ("label", Text),
        ],
    ),
    (
        "pg_sequences",
        &[
            ("schemaname", Text),
            ("sequencename", Text),
            ("sequenceowner", Text),
            ("start_value", Bigint),
            ("min_value", Bigint),
            ("max_value", Bigint),
            ("increment_by", Bigint),
            ("cycle", Boolean),
            ("cache_size", Bigint),
            ("last_value", Bigint),
        ],
    ),
    (
        "pg_stat_activity",
        &[
            ("datid", Integer),
            ("datname", Text),
            ("pid", Integer),
            ("usesysid", Integer),
            ("usename", Text),
            ("application_name", Text),
            ("client_addr", Text),
            ("client_hostname", Text),
            ("client_port", Integer),
            ("backend_start", Time),
            ("xact_start", Time),
            ("query_start", Time),
            ("state_change", Time),
            ("wait_event_type", Text),
            ("wait_event", Text),
            ("state", Text),
            ("query", Text),
            ("backend_type", Text),
        ],
    ),
    (
        "pg_user",
        &[
            ("usename", Text),
            ("usesysid", Integer),
            ("usecreatedb", Boolean),
            ("usesuper", Boolean),
            ("userepl", Boolean),
            ("usebypassrls", Boolean),
            ("passwd", Text),
            ("valuntil", Time),
            ("useconfig", Texts),
        ],
    ),
];

/// The columns that one of some tables has.
pub(super) fn of(tables: &[(&str, Columns)], name: &str) -> Option<Columns> {
    tables.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, columns)| *columns)
}

/// As Arrow knows it.
pub(super) fn field(&(name, kind): &(&str, Kind)) -> Field {
    let data_type = match kind {
        Text => DataType::Utf8,
        Texts => DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))),
        Integer => DataType::Int32,
        Bigint => DataType::Int64,
        Boolean => DataType::Boolean,
        Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    };
    Field::new(name, data_type, true)
}

/// A table of those that have no rows.
///
/// # Errors
/// None that can be met.
pub(super) fn empty_of(tables: &[(&str, Columns)], name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
    let schema = |columns: Columns| Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    of(tables, name).map(|columns| without_rows(schema(columns))).transpose()
}

/// A table without rows.
///
/// # Errors
/// None that can be met.
pub(super) fn without_rows(schema: SchemaRef) -> Result<Arc<dyn TableProvider>> {
    Ok(Arc::new(MemTable::try_new(schema, vec![Vec::new()])?))
}
