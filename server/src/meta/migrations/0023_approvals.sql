-- Who must approve what: one policy for each action of a project, or of a whole organization (no project).
-- approver_config, conditions and bypass_* are JSON.
CREATE TABLE approval_policies (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    project_id BIGINT REFERENCES projects (id),
    action_key TEXT NOT NULL,
    conditions TEXT NOT NULL,
    approver_config TEXT NOT NULL,
    allow_self_approve BIGINT NOT NULL,
    bypass_levels TEXT NOT NULL,
    bypass_roles TEXT NOT NULL,
    expires_after_us BIGINT NOT NULL,
    enabled BIGINT NOT NULL,
    created_by BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX approval_policies_by_action
    ON approval_policies (organization_id, COALESCE(project_id, 0), action_key);

CREATE INDEX approval_policies_by_project ON approval_policies (project_id);

-- Writes that wait for approval, and what became of them. intent holds the write itself; policy_snapshot is what was
-- asked for when it was requested. natural_key tells creations apart, which have no resource_id yet.
CREATE TABLE change_requests (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    project_id BIGINT REFERENCES projects (id),
    action_key TEXT NOT NULL,
    action_version BIGINT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT,
    natural_key TEXT NOT NULL,
    intent TEXT NOT NULL,
    intent_display TEXT NOT NULL,
    policy_snapshot TEXT NOT NULL,
    validation_status TEXT NOT NULL,
    validation_errors TEXT,
    validated_at BIGINT,
    state TEXT NOT NULL,
    created_by BIGINT NOT NULL,
    applied_by BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    applied_at BIGINT,
    apply_error TEXT NOT NULL,
    result_data TEXT,
    reminded_at BIGINT
);

CREATE INDEX change_requests_by_organization ON change_requests (organization_id, created_at, id);

CREATE INDEX change_requests_by_project ON change_requests (project_id, created_at, id);

CREATE INDEX change_requests_by_state ON change_requests (state, expires_at);

-- One vote of a person on a request.
CREATE TABLE change_request_votes (
    id TEXT PRIMARY KEY,
    change_request_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    project_id BIGINT,
    user_id BIGINT NOT NULL,
    decision TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX change_request_votes_by_user ON change_request_votes (change_request_id, user_id);

CREATE INDEX change_request_votes_by_project ON change_request_votes (project_id);

-- Work that one server does at a time: who does it, until when.
CREATE TABLE job_leases (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    leased_until BIGINT NOT NULL
);
