//! What a row is: the Arrow schema of each dataset, the column names, the severities, row ids.
//!
//! | column | Arrow type | OpenTelemetry field |
//! |---|---|---|
//! | `timestamp` | Timestamp(µs, UTC) | `Timestamp` |
//! | `observed_timestamp` | Timestamp(µs, UTC) | `ObservedTimestamp` |
//! | `ingested_timestamp` | Timestamp(µs, UTC) | |
//! | `uuid` | FixedSizeBinary(16) | |
//! | `trace_id` | FixedSizeBinary(16) | `TraceId` |
//! | `span_id` | FixedSizeBinary(8) | `SpanId` |
//! | `trace_flags` | UInt32 | `TraceFlags` |
//! | `severity_text` | Dictionary(Int32, Utf8) | `SeverityText`, normalised |
//! | `severity_number` | Int32 | `SeverityNumber` |
//! | `service_name` | Dictionary(Int32, Utf8) | `Resource["service.name"]` |
//! | `body` | Utf8View | `Body` |
//! | `resource_attributes` | Map(Utf8, Utf8) | `Resource` |
//! | `resource_attribute_types` | Dictionary(Int32, Utf8) | types of the values of `Resource` |
//! | `resource_fingerprint` | UInt64 | |
//! | `instrumentation_scope` | Dictionary(Int32, Utf8) | `InstrumentationScope` |
//! | `event_name` | Dictionary(Int32, Utf8) | `EventName` |
//! | `attributes` | Map(Utf8, Utf8) | `Attributes` |
//! | `attribute_types` | Dictionary(Int32, Utf8) | types of the values of `Attributes` |
//! | `bytes_uncompressed` | UInt32 | |
//!
//! That is the `logs` dataset; [`activity`] has the other one.
//!
//! No column of logs is nullable: an absent value has a neutral one (zero bytes, an empty string, an empty map).

pub mod activity;
mod attribute_type;
pub mod columns;
mod row_id;
mod severity;
mod tenant;

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

pub use activity::{activity_schema, decoded_activity_schema};
pub use attribute_type::AttributeType;
pub use row_id::{BatchStamp, RowId};
pub use severity::{Severity, SeverityText};
pub use tenant::{Dataset, OrganizationId, ProjectId, TableId};

/// The time zone of every stored timestamp.
pub const UTC: &str = "UTC";

/// The type of every stored timestamp.
pub fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
}

/// The type of text with few distinct values.
pub fn dictionary_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// The fields of one entry of an attribute map.
pub fn map_entry_fields() -> Fields {
    Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, false)])
}

/// The type of an attribute map: text to text, keys unique and sorted.
pub fn map_type() -> DataType {
    let entries = Field::new("entries", DataType::Struct(map_entry_fields()), false);
    DataType::Map(Arc::new(entries), false)
}

/// The schema of stored log rows, as drawn in the module's documentation.
pub fn logs_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let fields = vec![
            (columns::TIMESTAMP, timestamp_type()),
            (columns::OBSERVED_TIMESTAMP, timestamp_type()),
            (columns::INGESTED_TIMESTAMP, timestamp_type()),
            (columns::UUID, DataType::FixedSizeBinary(16)),
            (columns::TRACE_ID, DataType::FixedSizeBinary(16)),
            (columns::SPAN_ID, DataType::FixedSizeBinary(8)),
            (columns::TRACE_FLAGS, DataType::UInt32),
            (columns::SEVERITY_TEXT, dictionary_type()),
            (columns::SEVERITY_NUMBER, DataType::Int32),
            (columns::SERVICE_NAME, dictionary_type()),
            (columns::BODY, DataType::Utf8View),
            (columns::RESOURCE_ATTRIBUTES, map_type()),
            (columns::RESOURCE_ATTRIBUTE_TYPES, dictionary_type()),
            (columns::RESOURCE_FINGERPRINT, DataType::UInt64),
            (columns::INSTRUMENTATION_SCOPE, dictionary_type()),
            (columns::EVENT_NAME, dictionary_type()),
            (columns::ATTRIBUTES, map_type()),
            (columns::ATTRIBUTE_TYPES, dictionary_type()),
            (columns::BYTES_UNCOMPRESSED, DataType::UInt32),
        ];
        let fields: Fields =
            fields.into_iter().map(|(name, data_type)| Field::new(name, data_type, false)).collect();
        Arc::new(Schema::new(fields))
    });
    Arc::clone(&SCHEMA)
}

/// The schema of decoded log rows, before ingestion has given each its `uuid` and `ingested_timestamp`.
pub fn decoded_logs_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let schema = logs_schema();
        let decoded = schema.fields().iter().filter(|field| !is_assigned_at_ingest(field.name())).cloned();
        Arc::new(Schema::new(decoded.collect::<Fields>()))
    });
    Arc::clone(&SCHEMA)
}

fn is_assigned_at_ingest(column: &str) -> bool {
    matches!(column, columns::UUID | columns::INGESTED_TIMESTAMP)
}
