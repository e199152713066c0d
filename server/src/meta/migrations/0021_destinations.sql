-- Where notifications of something go: one row for each kind of event, those of one request in one group. `sealed` is
-- encrypted with the server's secret key, and with it every address and secret of the target. A row stays for some time
-- after it was deleted. due_at is when something is to be sent there next, null when nothing waits; who sends holds the
-- lease, so that nobody else sends there meanwhile.
CREATE TABLE destinations (
    id TEXT PRIMARY KEY,
    owner_kind TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    project_id BIGINT NOT NULL REFERENCES projects (id),
    group_id TEXT NOT NULL,
    event TEXT NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT,
    last_success_at BIGINT,
    last_failure_at BIGINT,
    last_failure TEXT,
    consecutive_failures BIGINT NOT NULL,
    due_at BIGINT,
    lease_owner TEXT,
    lease_until BIGINT
);

CREATE INDEX destinations_by_owner ON destinations (owner_id, event);

CREATE INDEX destinations_by_project ON destinations (project_id);

CREATE INDEX destinations_by_due ON destinations (due_at, id);

-- What is still to be sent, once for each destination. `content` is the notification as JSON.
CREATE TABLE notifications (
    id TEXT PRIMARY KEY,
    destination_id TEXT NOT NULL,
    project_id BIGINT NOT NULL,
    notification_id TEXT NOT NULL,
    content TEXT NOT NULL,
    num_tries BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE INDEX notifications_by_destination ON notifications (destination_id, due_at, id);

CREATE INDEX notifications_by_project ON notifications (project_id);

CREATE INDEX notifications_by_creation ON notifications (created_at);
