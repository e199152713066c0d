-- For how many days an organization keeps its audit trail; null is for ever.
ALTER TABLE organizations ADD COLUMN activity_retention_days BIGINT;

-- Whoever signs checkpoints: Ed25519, as base64. The newest key signs.
CREATE TABLE activity_signing_keys (
    public_key TEXT PRIMARY KEY,
    private_key TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Ends that the chain of an organization has had, signed. kept_from is set when everything before the end expired:
-- the instant, in ingest time, that entries are kept from.
CREATE TABLE activity_checkpoints (
    organization_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    hash TEXT NOT NULL,
    kept_from BIGINT,
    created_at BIGINT NOT NULL,
    public_key TEXT NOT NULL,
    signature TEXT NOT NULL
);

CREATE INDEX activity_checkpoints_of ON activity_checkpoints (organization_id, sequence);

-- Exports of a whole organization have no project. Kind is logs or activity.
CREATE TABLE export_assets_of_all (
    id BIGINT PRIMARY KEY,
    project_id BIGINT REFERENCES projects (id),
    organization_id TEXT,
    kind TEXT NOT NULL,
    created_by BIGINT REFERENCES users (id),
    export_format TEXT NOT NULL,
    filename TEXT NOT NULL,
    request TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    content_bytes BIGINT,
    error TEXT,
    error_status BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

INSERT INTO export_assets_of_all
    (id, project_id, organization_id, kind, created_by, export_format, filename, request, state, attempts,
     content_bytes, error, error_status, created_at, expires_at)
    SELECT id, project_id, NULL, 'logs', created_by, export_format, filename, request, state, attempts,
     content_bytes, error, error_status, created_at, expires_at FROM export_assets;

DROP TABLE export_assets;

ALTER TABLE export_assets_of_all RENAME TO export_assets;

CREATE INDEX export_assets_by_project ON export_assets (project_id, id);

CREATE INDEX export_assets_by_organization ON export_assets (organization_id, id);

CREATE INDEX export_assets_by_state ON export_assets (state, id);
