//! What is told: as data for programs, and in words for people.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// One thing that is told, the same for every destination and every try.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Notification {
    /// By which receivers tell repeats.
    pub id: Uuid,
    /// What webhooks are told as `type`, like `logs_alert.firing`.
    pub webhook_type: String,
    /// When what it tells about happened, microseconds: the `timestamp` of webhooks.
    pub at_us: i64,
    /// What webhooks are told as `data`, an object.
    pub data: Value,
    /// The same for people.
    pub message: Message,
}

/// A notification in words. All of it is plain text, whatever characters it has: each way of sending escapes it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Message {
    /// What happened, in one line.
    pub title: String,
    /// Details, each in a line of its own.
    pub lines: Vec<String>,
    /// What it is about, in one line; empty when there is nothing to say.
    pub context: String,
    /// Where to see more: what the link is called, and its address.
    pub button: Option<(String, String)>,
}
