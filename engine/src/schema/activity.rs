//! The `activity` dataset: entries of the audit trail.
//!
//! | column | Arrow type | content |
//! |---|---|---|
//! | `timestamp` | Timestamp(µs, UTC) | when it was done |
//! | `ingested_timestamp` | Timestamp(µs, UTC) | when the entry was stored; never goes backwards |
//! | `uuid` | FixedSizeBinary(16) | id of the row: its place in the order of ingestion |
//! | `id` | FixedSizeBinary(16) | id of the entry, given where it was made |
//! | `project_id` | Int64, null | null for what concerns the organization |
//! | `user_id` | Int64, null | who did it; null for the product itself |
//! | `was_impersonated`, `is_system` | Boolean, null | |
//! | `client`, `scope`, `activity` | Dictionary(Int32, Utf8), `client` null | |
//! | `ip_address`, `item_id` | Utf8View, null | |
//! | `detail` | Utf8View, null | JSON text, a space after each `:` and `,` between its tokens |
//! | `sequence` | Int64 | place in the chain of the organization, from 1 |
//! | `chain_version` | UInt32 | version of the encoding that `hash` is of |
//! | `hash` | FixedSizeBinary(32) | SHA-256 of the hash before and the entry |
//! | `bytes_uncompressed` | UInt32 | uncompressed size of the row |

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};

use super::{columns, dictionary_type, is_assigned_at_ingest, timestamp_type};

/// Id of the entry.
pub const ID: &str = "id";
/// The project that it is about.
pub const PROJECT_ID: &str = "project_id";
/// Who did it.
pub const USER_ID: &str = "user_id";
/// Whether staff acted through the user's session.
pub const WAS_IMPERSONATED: &str = "was_impersonated";
/// Whether no user did it.
pub const IS_SYSTEM: &str = "is_system";
/// What the caller says to be.
pub const CLIENT: &str = "client";
/// Where the call came from.
pub const IP_ADDRESS: &str = "ip_address";
/// Type of the resource.
pub const SCOPE: &str = "scope";
/// What was done.
pub const ACTIVITY: &str = "activity";
/// Id of the resource.
pub const ITEM_ID: &str = "item_id";
/// What exactly was done, JSON text.
pub const DETAIL: &str = "detail";
/// Place in the chain.
pub const SEQUENCE: &str = "sequence";
/// Version of the encoding that the hash is of.
pub const CHAIN_VERSION: &str = "chain_version";
/// Hash of the chain up to the entry.
pub const HASH: &str = "hash";

/// The schema of stored entries, as drawn in the module's documentation.
pub fn activity_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let field = |name: &str, data_type| Field::new(name, data_type, false);
        let nullable = |name: &str, data_type| Field::new(name, data_type, true);
        Arc::new(Schema::new(vec![
            field(columns::TIMESTAMP, timestamp_type()),
            field(columns::INGESTED_TIMESTAMP, timestamp_type()),
            field(columns::UUID, DataType::FixedSizeBinary(16)),
            field(ID, DataType::FixedSizeBinary(16)),
            nullable(PROJECT_ID, DataType::Int64),
            nullable(USER_ID, DataType::Int64),
            nullable(WAS_IMPERSONATED, DataType::Boolean),
            nullable(IS_SYSTEM, DataType::Boolean),
            nullable(CLIENT, dictionary_type()),
            nullable(IP_ADDRESS, DataType::Utf8View),
            field(SCOPE, dictionary_type()),
            field(ACTIVITY, dictionary_type()),
            nullable(ITEM_ID, DataType::Utf8View),
            nullable(DETAIL, DataType::Utf8View),
            field(SEQUENCE, DataType::Int64),
            field(CHAIN_VERSION, DataType::UInt32),
            field(HASH, DataType::FixedSizeBinary(32)),
            field(columns::BYTES_UNCOMPRESSED, DataType::UInt32),
        ]))
    });
    Arc::clone(&SCHEMA)
}

/// The schema of entries before ingestion has given each row its `uuid` and `ingested_timestamp`.
pub fn decoded_activity_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let schema = activity_schema();
        let decoded = schema.fields().iter().filter(|field| !is_assigned_at_ingest(field.name())).cloned();
        Arc::new(Schema::new(decoded.collect::<Fields>()))
    });
    Arc::clone(&SCHEMA)
}
