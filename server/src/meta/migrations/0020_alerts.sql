-- Alerts on a project's logs. What people set is first, then where the alert stands. revision grows with every change
-- that a check depends on, so that a check which began before is discarded. leased_by is the scheduler that checks it.
CREATE TABLE log_alerts (
    id TEXT PRIMARY KEY,
    project_id BIGINT NOT NULL REFERENCES projects (id),
    name TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    filters TEXT NOT NULL,
    threshold_count BIGINT NOT NULL,
    threshold_operator TEXT NOT NULL,
    window_minutes BIGINT NOT NULL,
    check_interval_minutes BIGINT NOT NULL,
    evaluation_periods BIGINT NOT NULL,
    datapoints_to_alarm BIGINT NOT NULL,
    cooldown_minutes BIGINT NOT NULL,
    state TEXT NOT NULL,
    consecutive_failures BIGINT NOT NULL,
    snooze_until BIGINT,
    next_check_at BIGINT,
    last_notified_at BIGINT,
    last_checked_at BIGINT,
    first_enabled_at BIGINT,
    created_by BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    leased_by TEXT,
    leased_until BIGINT
);

CREATE INDEX log_alerts_by_project ON log_alerts (project_id, created_at, id);

CREATE INDEX log_alerts_by_next_check ON log_alerts (next_check_at);

-- What happened to alerts. A check leaves a row only when it changed the state or failed.
CREATE TABLE log_alert_events (
    id TEXT PRIMARY KEY,
    alert_id TEXT NOT NULL,
    project_id BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    state_before TEXT NOT NULL,
    state_after TEXT NOT NULL,
    threshold_breached BIGINT NOT NULL,
    result_count BIGINT,
    error_message TEXT,
    query_duration_ms BIGINT
);

CREATE INDEX log_alert_events_of_alert ON log_alert_events (alert_id, created_at, id);

CREATE INDEX log_alert_events_by_time ON log_alert_events (created_at);
