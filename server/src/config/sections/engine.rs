//! `engine`: bounds of the engine's own work.

use crate::config::setting::{Setting, bytes, seconds};

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "engine",
        key: "max_buffer_bytes",
        doc: "most bytes of rows in memory; beyond, ingestion answers 503",
        default: "512MiB",
        apply: |config, text| bytes(text).map(|value| config.engine.max_buffer_bytes = value),
    },
    Setting {
        section: "engine",
        key: "flush_bytes",
        doc: "bytes of one project's rows in memory that start a flush to data files",
        default: "128MiB",
        apply: |config, text| bytes(text).map(|value| config.engine.flush_bytes = value),
    },
    Setting {
        section: "engine",
        key: "flush_interval_secs",
        doc: "age of the oldest row in memory that starts a flush, seconds",
        default: "300",
        apply: |config, text| seconds(text).map(|value| config.engine.flush_interval = value),
    },
    Setting {
        section: "engine",
        key: "wal_segment_bytes",
        doc: "size of one file of the write-ahead log",
        default: "64MiB",
        apply: |config, text| bytes(text).map(|value| config.engine.wal_segment_bytes = value as u64),
    },
    Setting {
        section: "engine",
        key: "max_wal_bytes",
        doc: "most bytes of the write-ahead log; beyond, ingestion answers 503",
        default: "2GiB",
        apply: |config, text| bytes(text).map(|value| config.engine.max_wal_bytes = value as u64),
    },
    Setting {
        section: "engine",
        key: "target_file_bytes",
        doc: "size that compaction makes data files of",
        default: "256MiB",
        apply: |config, text| bytes(text).map(|value| config.engine.target_file_bytes = value as u64),
    },
    Setting {
        section: "engine",
        key: "merge_memory_bytes",
        doc: "uncompressed bytes of rows that compaction holds at a time",
        default: "128MiB",
        apply: |config, text| bytes(text).map(|value| config.engine.merge_memory_bytes = value as u64),
    },
    Setting {
        section: "engine",
        key: "cache_bytes",
        doc: "memory for footers of data files, for sidecars, and for columns that were read lately",
        default: "512MiB",
        apply: |config, text| bytes(text).map(|value| config.engine.cache_bytes = value),
    },
];
