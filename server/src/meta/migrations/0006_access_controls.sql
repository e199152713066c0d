-- Who may do how much with a resource of a project. The target is everyone (with an empty id), a role or a membership
-- (with its id). What has no row has the default of the resource.
CREATE TABLE access_controls (
    id TEXT PRIMARY KEY,
    project_id BIGINT NOT NULL REFERENCES projects (id),
    resource TEXT NOT NULL,
    target TEXT NOT NULL,
    target_id TEXT NOT NULL,
    access_level TEXT NOT NULL,
    created_by BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (project_id, resource, target, target_id)
);

CREATE INDEX access_controls_by_target ON access_controls (target_id);
