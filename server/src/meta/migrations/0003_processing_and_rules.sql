-- What a project has done with its records as they come in. rules_version grows with every change of these settings or
-- of the project's rules, so that a server need not read what has not changed.
ALTER TABLE projects ADD COLUMN json_parse_logs BIGINT NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN pii_scrub_logs BIGINT NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN rules_version BIGINT NOT NULL DEFAULT 0;

-- Kinds: sampling, retention, metric. The definition is a JSON object with the members that a kind has.
-- metric_name is that of a metric rule, null for the others.
CREATE TABLE logs_rules (
    id TEXT PRIMARY KEY,
    project_id BIGINT NOT NULL REFERENCES projects (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    priority BIGINT NOT NULL,
    metric_name TEXT,
    definition TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_by BIGINT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (project_id, metric_name)
);

CREATE INDEX logs_rules_in_order ON logs_rules (project_id, kind, priority, created_at, id);
