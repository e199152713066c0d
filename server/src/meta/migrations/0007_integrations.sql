-- What a project is connected to. `sealed` is encrypted with the server's secret key, and with it every secret of the
-- integration; `shown` is a JSON object of what everybody in the project may see.
CREATE TABLE integrations (
    id BIGINT PRIMARY KEY,
    project_id BIGINT NOT NULL REFERENCES projects (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    shown TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created_by BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX integrations_by_project ON integrations (project_id, id);
