SET TimeZone = 'UTC';
CREATE TABLE logs AS SELECT timestamp, observed_timestamp, trace_id, span_id, severity_text, severity_number,
    service_name, body, resource_attributes, instrumentation_scope, attributes
FROM read_parquet('{rows}') ORDER BY timestamp;
CHECKPOINT
