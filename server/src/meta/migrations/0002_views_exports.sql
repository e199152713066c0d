-- A saved view of logs. Filters and columns are JSON text; null columns mean: whatever the reader likes.
CREATE TABLE log_views (
    id TEXT PRIMARY KEY,
    project_id BIGINT NOT NULL REFERENCES projects (id),
    short_id TEXT NOT NULL,
    name TEXT NOT NULL,
    filters TEXT NOT NULL,
    columns TEXT,
    pinned BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    created_by BIGINT REFERENCES users (id),
    UNIQUE (project_id, short_id)
);

CREATE INDEX log_views_by_age ON log_views (project_id, created_at, id);

-- An export that is made in the background. Request is the JSON text that asked for it; its relative times count
-- from created_at. State is pending, ready or failed; a failed one has an error and the status to answer with.
CREATE TABLE export_assets (
    id BIGINT PRIMARY KEY,
    project_id BIGINT NOT NULL REFERENCES projects (id),
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

CREATE INDEX export_assets_by_project ON export_assets (project_id, id);

CREATE INDEX export_assets_by_state ON export_assets (state, id);
