//! PagerDuty: events of version 2, which open and resolve incidents.

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::Notification;
use super::http::{Http, send};
use super::outcome::Outcome;
use crate::api::iso_time;
use crate::meta::destination::{Destination, EventKind};
use crate::secret::Secret;

/// PagerDuty's own limits, characters.
const MAX_SUMMARY: usize = 1_024;

/// Sends a notification.
pub(super) async fn post(
    http: &Http,
    url: &str,
    routing_key: &Secret,
    (destination, told): (&Destination, &Notification),
    now_us: i64,
) -> Outcome {
    let mut event = event(destination, told);
    event["routing_key"] = routing_key.reveal().into();
    let request = http.post(url).header(CONTENT_TYPE, "application/json").body(event.to_string());
    send(request, now_us).await
}

/// What the receiver does with an event without its key: an alert that fires opens an incident, which ends when it is
/// resolved. That its check fails is an incident of its own.
fn event(destination: &Destination, told: &Notification) -> Value {
    let owner = destination.owner.id();
    let dedup_key = match destination.event {
        EventKind::AlertFiring | EventKind::AlertResolved => owner.to_string(),
        EventKind::AlertBroken | EventKind::AlertErrored => format!("{owner}/{}", destination.event.word()),
        EventKind::ActivityEntry | EventKind::ApprovalRequested | EventKind::ApprovalResolved => {
            told.id.to_string()
        }
    };
    if destination.event == EventKind::AlertResolved {
        return json!({ "event_action": "resolve", "dedup_key": dedup_key });
    }
    let severity = match destination.event {
        EventKind::AlertFiring => "critical",
        EventKind::AlertBroken => "error",
        EventKind::AlertErrored => "warning",
        EventKind::AlertResolved
        | EventKind::ActivityEntry
        | EventKind::ApprovalRequested
        | EventKind::ApprovalResolved => "info",
    };
    let summary: String = told.message.title.chars().take(MAX_SUMMARY).collect();
    let mut event = json!({
        "event_action": "trigger",
        "dedup_key": dedup_key,
        "payload": {
            "summary": summary,
            "source": "timberline",
            "severity": severity,
            "timestamp": iso_time::format(told.at_us),
            "custom_details": told.data,
        },
    });
    if let Some((label, url)) = &told.message.button {
        event["links"] = json!([{ "href": url, "text": label }]);
    }
    event
}

#[cfg(test)]
mod tests {
    use engine::schema::ProjectId;
    use uuid::Uuid;

    use super::*;
    use crate::delivery::Message;
    use crate::meta::destination::{Health, Owner};

    fn of(kind: EventKind) -> Value {
        let owner = Owner::LogAlert(Uuid::nil());
        let destination = Destination {
            id: Uuid::nil(),
            owner,
            project_id: ProjectId(1),
            group_id: Uuid::nil(),
            event: kind,
            kind: "pagerduty".to_owned(),
            label: String::new(),
            sealed: String::new(),
            created_us: 0,
            deleted_us: None,
            health: Health::default(),
        };
        let message = Message {
            title: "x".repeat(2_000),
            button: Some(("Logs".to_owned(), "https://example.org".to_owned())),
            ..Message::default()
        };
        let told = Notification {
            id: Uuid::max(),
            webhook_type: "t".to_owned(),
            at_us: 0,
            data: json!({ "result_count": 7 }),
            message,
        };
        event(&destination, &told)
    }

    #[test]
    fn what_fires_is_an_incident_until_it_is_resolved() {
        let firing = of(EventKind::AlertFiring);
        assert_eq!(
            (&firing["event_action"], &firing["payload"]["severity"]),
            (&json!("trigger"), &json!("critical"))
        );
        assert_eq!(firing["payload"]["summary"].as_str().unwrap().len(), MAX_SUMMARY);
        assert_eq!(firing["payload"]["custom_details"], json!({ "result_count": 7 }));
        assert_eq!(firing["links"][0]["href"], "https://example.org");
        let resolved = of(EventKind::AlertResolved);
        assert_eq!(resolved, json!({ "event_action": "resolve", "dedup_key": firing["dedup_key"] }));
    }

    #[test]
    fn a_check_that_fails_is_an_incident_of_its_own() {
        let (firing, errored, broken) =
            (of(EventKind::AlertFiring), of(EventKind::AlertErrored), of(EventKind::AlertBroken));
        assert_ne!(firing["dedup_key"], errored["dedup_key"]);
        assert_ne!(errored["dedup_key"], broken["dedup_key"]);
        assert_eq!(of(EventKind::ActivityEntry)["dedup_key"], json!(Uuid::max()));
    }
}
