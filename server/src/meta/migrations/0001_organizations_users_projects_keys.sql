-- Column types are those that mean the same in SQLite and PostgreSQL: TEXT and BIGINT.
-- Times are microseconds since the epoch, UTC. Truth values are 0 and 1. Lists are JSON text.

CREATE TABLE organizations (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE users (
    id BIGINT PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL UNIQUE,
    first_name TEXT NOT NULL,
    is_active BIGINT NOT NULL,
    current_organization_id TEXT,
    current_project_id BIGINT,
    created_at BIGINT NOT NULL
);

-- Levels: 1 member, 8 administrator, 15 owner.
CREATE TABLE memberships (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    user_id BIGINT NOT NULL REFERENCES users (id),
    level BIGINT NOT NULL,
    joined_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (organization_id, user_id)
);

-- Rows are kept for retention_days days, for ever when it is null.
CREATE TABLE projects (
    id BIGINT PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    retention_days BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- A project token is public: it is shown again, so it is kept in clear. It is looked up by its hash.
CREATE TABLE project_tokens (
    token_hash TEXT PRIMARY KEY,
    token TEXT NOT NULL,
    project_id BIGINT NOT NULL REFERENCES projects (id),
    created_at BIGINT NOT NULL
);

-- A personal API key is shown once and kept as its hash. Null lists mean: not restricted.
CREATE TABLE personal_api_keys (
    id TEXT PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    label TEXT NOT NULL,
    key_hash TEXT NOT NULL UNIQUE,
    mask_value TEXT NOT NULL,
    scopes TEXT NOT NULL,
    scoped_projects TEXT,
    scoped_organizations TEXT,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT
);
