-- What a window without rows means to an alert, and whether each service has a state of its own.
ALTER TABLE log_alerts ADD COLUMN no_data TEXT NOT NULL DEFAULT 'zero';

ALTER TABLE log_alerts ADD COLUMN group_by TEXT;

-- Rows of history about one service of an alert, beside those about the alert.
ALTER TABLE log_alert_events ADD COLUMN service_name TEXT;

-- The services of alerts that fire, or that people were told of not long ago.
CREATE TABLE log_alert_services (
    alert_id TEXT NOT NULL,
    project_id BIGINT NOT NULL,
    service_name TEXT NOT NULL,
    state TEXT NOT NULL,
    last_notified_at BIGINT,
    PRIMARY KEY (alert_id, service_name)
);
