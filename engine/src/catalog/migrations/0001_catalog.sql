-- The writer of this folder: one row. The epoch rises with each start and fences off earlier lives.
CREATE TABLE writers (
    writer_id TEXT PRIMARY KEY,
    epoch BIGINT NOT NULL,
    last_sequence BIGINT NOT NULL,
    last_ingested_us BIGINT NOT NULL
);

-- One row per catalog transaction that changed the set of live files.
CREATE TABLE snapshots (
    snapshot_id BIGINT PRIMARY KEY,
    committed_us BIGINT NOT NULL,
    is_published BIGINT NOT NULL
);

CREATE TABLE data_files (
    file_id TEXT PRIMARY KEY,
    dataset TEXT NOT NULL,
    project_id BIGINT NOT NULL,
    path TEXT NOT NULL,
    layout_version BIGINT NOT NULL,
    level BIGINT NOT NULL,
    min_timestamp_us BIGINT NOT NULL,
    max_timestamp_us BIGINT NOT NULL,
    min_ingested_us BIGINT NOT NULL,
    max_ingested_us BIGINT NOT NULL,
    num_rows BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    metadata_bytes BIGINT NOT NULL,
    sidecar_bytes BIGINT NOT NULL,
    added_snapshot BIGINT NOT NULL,
    -- Set when the file is live no more; the row goes once the object is gone.
    removed_snapshot BIGINT
);
CREATE INDEX data_files_added_snapshot ON data_files (added_snapshot);
CREATE INDEX data_files_removed_snapshot ON data_files (removed_snapshot) WHERE removed_snapshot IS NOT NULL;

-- Batches that are in data files: a replay of the write-ahead log skips exactly these.
CREATE TABLE wal_ranges (
    writer_id TEXT NOT NULL,
    dataset TEXT NOT NULL,
    project_id BIGINT NOT NULL,
    first_sequence BIGINT NOT NULL,
    last_sequence BIGINT NOT NULL,
    snapshot_id BIGINT NOT NULL
);
CREATE INDEX wal_ranges_snapshot ON wal_ranges (snapshot_id);

-- Objects that a life of the writer may have written and not yet committed.
CREATE TABLE intents (
    file_id TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    writer_id TEXT NOT NULL,
    epoch BIGINT NOT NULL
);

-- What the catalog knows about itself:
-- `sweep_paused` 1 after a rebuild, until somebody has looked at the objects that it does not know;
-- `last_checkpoint` the snapshot of the newest checkpoint manifest;
-- `manifests_since_checkpoint` how many manifests follow it.
CREATE TABLE catalog_state (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
