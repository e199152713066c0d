-- Data that are still to be removed: the rows and files of a project that is gone, or, without a project, an
-- organization with everything in it. A row stays until nothing can come in any more.
CREATE TABLE deletions (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    deleted_project_id BIGINT,
    requested_at BIGINT NOT NULL
);
