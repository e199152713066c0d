//! What PostgreSQL's clients ask of a server's settings.

use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray, new_null_array};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::MemTable;
use datafusion::common::Result;
use datafusion::datasource::TableProvider;

use super::super::SCHEMA;

/// The version of PostgreSQL whose catalog this is like, which clients tell the features of a server by.
pub const POSTGRES_VERSION: &str = concat!("16.6 (Timberline ", env!("CARGO_PKG_VERSION"), ")");

/// The settings of a session that has set none, by name.
pub const POSTGRES_SETTINGS: [(&str, &str); 24] = [
    ("application_name", ""),
    ("block_size", "8192"),
    ("bytea_output", "hex"),
    ("client_encoding", "UTF8"),
    ("datestyle", "ISO, MDY"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "on"),
    ("extra_float_digits", "1"),
    ("integer_datetimes", "on"),
    ("intervalstyle", "postgres"),
    ("is_superuser", "off"),
    ("lc_collate", "C"),
    ("lc_ctype", "C"),
    ("max_identifier_length", "63"),
    ("max_index_keys", "32"),
    ("search_path", SCHEMA),
    ("server_encoding", "UTF8"),
    ("server_version", POSTGRES_VERSION),
    ("server_version_num", "160006"),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("timezone", "UTC"),
    ("transaction_isolation", "read committed"),
    ("transaction_read_only", "on"),
];

/// The value of a setting.
pub(super) fn setting(name: &str) -> Option<&'static str> {
    let mut known = POSTGRES_SETTINGS.iter();
    known.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
}

/// The table `pg_settings`: its columns, of which most have nothing to tell here.
///
/// # Errors
/// When these are not columns of such a table.
pub(super) fn pg_settings(schema: SchemaRef) -> Result<Arc<dyn TableProvider>> {
    let texts = |of: fn(&(&'static str, &'static str)) -> &'static str| {
        Arc::new(StringArray::from_iter_values(POSTGRES_SETTINGS.iter().map(of)))
    };
    let columns = schema.fields().iter().map(|field| match field.name().as_str() {
        "name" => texts(|setting| setting.0) as _,
        "setting" | "boot_val" | "reset_val" => texts(|setting| setting.1) as _,
        "context" => texts(|_| "internal") as _,
        "vartype" => texts(|_| "string") as _,
        "source" => texts(|_| "default") as _,
        _ => new_null_array(field.data_type(), POSTGRES_SETTINGS.len()),
    });
    let rows = RecordBatch::try_new(Arc::clone(&schema), columns.collect())?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![rows]])?))
}
