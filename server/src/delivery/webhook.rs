//! Webhooks: a POST with the notification as data.

use reqwest::header::CONTENT_TYPE;
use ring::hmac;
use serde_json::json;

use super::Notification;
use super::http::{Http, send};
use super::outcome::Outcome;
use crate::api::iso_time;
use crate::secret::Secret;

/// Version of the body and the headers.
const VERSION: &str = "1";
const US_PER_SECOND: i64 = 1_000_000;

/// Sends a notification; with a secret, so that the receiver can tell who sends it.
pub(super) async fn post(
    http: &Http,
    (url, signing_secret): (&Secret, Option<&Secret>),
    told: &Notification,
    now_us: i64,
) -> Outcome {
    let body = body(told);
    let request = match http.post_to_user(url) {
        Ok(request) => request,
        Err(outcome) => return outcome,
    };
    let mut request = request
        .header(CONTENT_TYPE, "application/json")
        .header("X-PostHog-Webhook-Version", VERSION)
        .header("X-Timberline-Webhook-Version", VERSION)
        .header("Idempotency-Key", told.id.to_string());
    if let Some(secret) = signing_secret {
        let timestamp = (now_us / US_PER_SECOND).to_string();
        let signature = signature(secret, &timestamp, &body);
        request = request
            .header("X-Timberline-Timestamp", timestamp)
            .header("X-Timberline-Signature", format!("sha256={signature}"));
    }
    send(request.body(body), now_us).await
}

fn body(told: &Notification) -> String {
    let timestamp = iso_time::format(told.at_us);
    let timestamp = format!("{}+00:00", timestamp.trim_end_matches('Z'));
    json!({ "id": told.id, "type": told.webhook_type, "timestamp": timestamp, "data": told.data }).to_string()
}

/// HMAC-SHA-256 over the timestamp, a dot and the body, lower-case hexadecimal. The timestamp lets a receiver refuse
/// what somebody has recorded and sends again.
fn signature(secret: &Secret, timestamp: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
    let signed = hmac::sign(&key, format!("{timestamp}.{body}").as_bytes());
    signed.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::delivery::Message;

    #[test]
    fn a_body_has_the_members_of_the_contract_and_an_offset() {
        let told = Notification {
            id: Uuid::nil(),
            webhook_type: "logs_alert.firing".to_owned(),
            at_us: 1_765_881_156_184_820,
            data: json!({ "result_count": 7, "service_names": [] }),
            message: Message::default(),
        };
        let written: serde_json::Value = serde_json::from_str(&body(&told)).unwrap();
        assert_eq!(
            written,
            json!({
                "id": "00000000-0000-0000-0000-000000000000", "type": "logs_alert.firing",
                "timestamp": "2025-12-16T10:32:36.184820+00:00",
                "data": { "result_count": 7, "service_names": [] },
            })
        );
    }

    #[test]
    fn a_signature_is_that_of_every_other_program() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac key
        let signed = signature(&Secret::new("key".to_owned()), "1700000000", "{\"a\":1}");
        assert_eq!(signed, "a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03");
    }
}
