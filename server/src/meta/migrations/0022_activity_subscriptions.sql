-- Subscriptions to the audit trail: who is told of new entries. The filters are JSON lists of texts, empty for
-- everything. Entries of the outbox with an id beyond since_id are told, which rises with time.
CREATE TABLE activity_subscriptions (
    id TEXT PRIMARY KEY,
    project_id BIGINT NOT NULL REFERENCES projects (id),
    name TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    scopes TEXT NOT NULL,
    activities TEXT NOT NULL,
    item_ids TEXT NOT NULL,
    since_id TEXT NOT NULL,
    created_by BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX activity_subscriptions_by_project ON activity_subscriptions (project_id, created_at);
