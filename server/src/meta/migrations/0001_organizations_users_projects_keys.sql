-- Column types are those that mean the same in SQLite and PostgreSQL: TEXT and BIGINT.
-- Times are microseconds since the epoch, UTC. Truth values are 0 and 1. Lists and objects are JSON text.

-- Numbers that are given out once and never again, also when what had one is gone.
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);

CREATE TABLE organizations (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    slug TEXT NOT NULL UNIQUE,
    enforce_2fa BIGINT,
    members_can_invite BIGINT,
    members_can_create_projects BIGINT,
    members_can_use_personal_api_keys BIGINT NOT NULL,
    allow_publicly_shared_resources BIGINT NOT NULL,
    is_ai_data_processing_approved BIGINT,
    is_ai_training_opted_in BIGINT,
    default_experiment_stats_method TEXT,
    default_anonymize_ips BIGINT NOT NULL,
    default_role_id TEXT,
    is_active BIGINT NOT NULL,
    is_not_active_reason TEXT,
    is_pending_deletion BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE users (
    id BIGINT PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    -- As it was given; the key is its lower-case form, by which it is found and unique.
    email TEXT NOT NULL,
    email_key TEXT NOT NULL UNIQUE,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    role_at_organization TEXT,
    -- Null for a user who only uses keys or signs on elsewhere.
    password_hash TEXT,
    is_active BIGINT NOT NULL,
    is_staff BIGINT NOT NULL,
    current_organization_id TEXT,
    current_project_id BIGINT,
    last_login_at BIGINT,
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
CREATE INDEX memberships_by_user ON memberships (user_id);

-- Names of roles are unique whatever their case: name_key is the lower-case form.
CREATE TABLE roles (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    created_by BIGINT,
    created_at BIGINT NOT NULL,
    UNIQUE (organization_id, name_key)
);

CREATE TABLE role_memberships (
    id TEXT PRIMARY KEY,
    role_id TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    user_id BIGINT NOT NULL REFERENCES users (id),
    joined_at BIGINT NOT NULL,
    UNIQUE (role_id, user_id)
);
CREATE INDEX role_memberships_by_user ON role_memberships (user_id);

-- An invitation is a link with a secret that works once; only its hash is kept.
CREATE TABLE invites (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    target_email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    first_name TEXT NOT NULL,
    level BIGINT NOT NULL,
    message TEXT,
    secret_hash TEXT NOT NULL UNIQUE,
    created_by BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX invites_by_organization ON invites (organization_id);

-- Rows are kept for retention_days days, for ever when it is null.
CREATE TABLE projects (
    id BIGINT PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    timezone TEXT NOT NULL,
    receive_org_level_activity_logs BIGINT NOT NULL,
    retention_days BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX projects_by_organization ON projects (organization_id);

-- A project token is public: it is shown again, so it is kept in clear. It is looked up by its hash.
CREATE TABLE project_tokens (
    id TEXT PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE,
    token TEXT NOT NULL,
    label TEXT NOT NULL,
    project_id BIGINT NOT NULL REFERENCES projects (id),
    created_by BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX project_tokens_by_project ON project_tokens (project_id);

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
    expires_at BIGINT,
    last_used_at BIGINT,
    last_rolled_at BIGINT
);
CREATE INDEX personal_api_keys_by_user ON personal_api_keys (user_id);

-- What the audit trail is yet to be told. A row commits with the change that it describes.
CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    project_id BIGINT,
    entry TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
