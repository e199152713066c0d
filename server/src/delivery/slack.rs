//! Slack: messages in blocks, to an incoming webhook or to a channel by the token of an integration.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::http::{Http, send, send_and_read};
use super::outcome::Outcome;
use super::{Message, Notification};
use crate::secret::Secret;

/// Slack's own limits, characters.
const MAX_HEADER: usize = 150;
const MAX_SECTION: usize = 3_000;
const MAX_CONTEXT: usize = 2_000;
const MAX_BUTTON: usize = 75;
const MAX_URL: usize = 3_000;
/// Longest word of an error that is passed on.
const MAX_ERROR: usize = 64;
/// Errors of Slack that may be better after a while.
const RETRIED: [&str; 5] =
    ["ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"];
/// How long to wait when Slack says that there were too many messages, but not how long.
const RATE_LIMITED: Duration = Duration::from_secs(30);

/// Sends a notification to an incoming webhook.
pub(super) async fn post_to_webhook(http: &Http, url: &Secret, told: &Notification, now_us: i64) -> Outcome {
    let request = match http.post_to_user(url) {
        Ok(request) => request,
        Err(outcome) => return outcome,
    };
    let request = request.header(CONTENT_TYPE, "application/json");
    send(request.body(body(&told.message).to_string()), now_us).await
}

/// Sends a notification to a channel.
pub(super) async fn post_to_channel(
    http: &Http,
    base_url: &str,
    (token, channel): (&Secret, &str),
    told: &Notification,
    now_us: i64,
) -> Outcome {
    let mut body = body(&told.message);
    body["channel"] = channel.into();
    let url = format!("{}/chat.postMessage", base_url.trim_end_matches('/'));
    let request = http
        .post(&url)
        .bearer_auth(token.reveal())
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .body(body.to_string());
    match send_and_read(request, now_us).await {
        Ok(answer) => of_answer(&answer),
        Err(outcome) => outcome,
    }
}

/// Slack answers 200 to what it refuses as well.
fn of_answer(answer: &[u8]) -> Outcome {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    if answer["ok"] == true {
        return Outcome::Taken;
    }
    let is_in_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let word = answer["error"]
        .as_str()
        .filter(|word| !word.is_empty() && word.len() <= MAX_ERROR && word.bytes().all(is_in_word));
    match word {
        Some("ratelimited") => {
            Outcome::Later { reason: "Slack refuses: ratelimited".to_owned(), after: Some(RATE_LIMITED) }
        }
        Some(word) if RETRIED.contains(&word) => Outcome::later(format!("Slack refuses: {word}")),
        Some(word) => Outcome::refused(format!("Slack refuses: {word}")),
        None => Outcome::refused("the answer is not one of Slack"),
    }
}

/// A message as Slack shows it, and as a line of text where it cannot.
fn body(message: &Message) -> Value {
    let mut blocks = vec![json!({
        "type": "header", "text": { "type": "plain_text", "text": cut(&message.title, MAX_HEADER), "emoji": true },
    })];
    let lines = message.lines.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("\n");
    if !lines.is_empty() {
        blocks.push(
            json!({ "type": "section", "text": { "type": "mrkdwn", "text": cut(&lines, MAX_SECTION) } }),
        );
    }
    if !message.context.is_empty() {
        let text = cut(&escaped(&message.context), MAX_CONTEXT);
        blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": text }] }));
    }
    if let Some((label, url)) = &message.button
        && url.chars().count() <= MAX_URL
    {
        let text = json!({ "type": "plain_text", "text": cut(label, MAX_BUTTON) });
        let button = json!({ "type": "button", "text": text, "url": url });
        blocks.push(json!({ "type": "divider" }));
        blocks.push(json!({ "type": "actions", "elements": [button] }));
    }
    json!({ "text": escaped(&cut(&message.title, MAX_SECTION)), "blocks": blocks })
}

/// What would be a mention or a link stays text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn cut(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(max_chars - 1).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message {
            title: "Alert <!channel> & more".to_owned(),
            lines: vec!["120 rows <b>".to_owned(), "above 100".to_owned()],
            context: "all services".to_owned(),
            button: Some(("Open logs".to_owned(), "https://example.org/logs?a=1&b=2".to_owned())),
        }
    }

    #[test]
    fn a_message_has_a_header_lines_a_context_and_a_button() {
        assert_eq!(
            body(&message()),
            json!({
                "text": "Alert &lt;!channel&gt; &amp; more",
                "blocks": [
                    { "type": "header",
                      "text": { "type": "plain_text", "text": "Alert <!channel> & more", "emoji": true } },
                    { "type": "section", "text": { "type": "mrkdwn", "text": "120 rows &lt;b&gt;\nabove 100" } },
                    { "type": "context", "elements": [{ "type": "mrkdwn", "text": "all services" }] },
                    { "type": "divider" },
                    { "type": "actions", "elements": [{ "type": "button",
                      "text": { "type": "plain_text", "text": "Open logs" },
                      "url": "https://example.org/logs?a=1&b=2" }] },
                ],
            })
        );
    }

    #[test]
    fn what_is_too_long_for_slack_is_cut_or_left_out() {
        let long = Message {
            title: "ü".repeat(500),
            lines: vec!["x".repeat(5_000)],
            context: String::new(),
            button: Some(("x".repeat(100), format!("https://example.org/{}", "y".repeat(4_000)))),
        };
        let body = body(&long);
        assert_eq!(body["blocks"].as_array().unwrap().len(), 2, "a link that is too long is left out");
        assert_eq!(body["blocks"][0]["text"]["text"].as_str().unwrap().chars().count(), MAX_HEADER);
        assert_eq!(body["blocks"][1]["text"]["text"].as_str().unwrap().chars().count(), MAX_SECTION);
    }

    #[test]
    fn what_slack_says_decides_whatever_the_status() {
        assert_eq!(of_answer(b"{\"ok\":true,\"ts\":\"1\"}"), Outcome::Taken);
        for error in RETRIED {
            let answer = json!({ "ok": false, "error": error }).to_string();
            assert!(matches!(of_answer(answer.as_bytes()), Outcome::Later { .. }), "{error}");
        }
        let refused = of_answer(b"{\"ok\":false,\"error\":\"channel_not_found\"}");
        assert_eq!(refused, Outcome::refused("Slack refuses: channel_not_found"));
        for answer in [&b"<html>"[..], b"", b"{}", b"{\"ok\":false,\"error\":\"Bearer xoxb-1\"}", b"[]"] {
            assert_eq!(of_answer(answer), Outcome::refused("the answer is not one of Slack"));
        }
    }
}
