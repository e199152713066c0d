CREATE TABLE logs (
    timestamp DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    observed_timestamp DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id FixedString(8) CODEC(ZSTD(1)),
    severity_text LowCardinality(String) CODEC(ZSTD(1)),
    severity_number Int32 CODEC(ZSTD(1)),
    service_name LowCardinality(String) CODEC(ZSTD(1)),
    body String CODEC(ZSTD(1)),
    resource_attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    instrumentation_scope LowCardinality(String) CODEC(ZSTD(1)),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    INDEX by_trace_id trace_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_attribute_key mapKeys(attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_attribute_value mapValues(attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_resource_value mapValues(resource_attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_text lower(body) TYPE ngrambf_v1(4, 32768, 3, 0) GRANULARITY 1
) ENGINE = MergeTree PARTITION BY toDate(timestamp) ORDER BY (service_name, timestamp);
INSERT INTO logs SELECT timestamp, observed_timestamp, trace_id, span_id, severity_text, severity_number,
    service_name, body, resource_attributes, instrumentation_scope, attributes
FROM file('{rows}', Parquet);
OPTIMIZE TABLE logs FINAL
