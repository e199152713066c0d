//! What a model has to say about a log, and whether what it said is that.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Longest text of a model that is handed on, characters.
const MAX_TEXT_CHARS: usize = 4_000;
const MAX_KEY_FIELDS: usize = 20;

/// An explanation of a log, as the API answers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Explanation {
    headline: String,
    severity_assessment: Assessment,
    impact_summary: String,
    probable_causes: Vec<Cause>,
    immediate_actions: Vec<Action>,
    technical_explanation: String,
    key_fields: Vec<KeyField>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Assessment {
    Ok,
    Warning,
    Error,
    Critical,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cause {
    hypothesis: String,
    confidence: Confidence,
    reasoning: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Confidence {
    High,
    Medium,
    Low,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Action {
    action: String,
    priority: Priority,
    why: String,
}

/// The most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Priority {
    Now,
    Soon,
    Later,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct KeyField {
    field: String,
    value: String,
    significance: String,
    attribute_type: AttributeType,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AttributeType {
    Log,
    Resource,
}

impl Explanation {
    /// Reads what a model wrote.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut explanation: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let Self { probable_causes, immediate_actions, key_fields, .. } = &mut explanation;
        for (name, len, bounds) in [
            ("probable_causes", probable_causes.len(), 1..=3),
            ("immediate_actions", immediate_actions.len(), 1..=5),
            ("key_fields", key_fields.len(), 0..=MAX_KEY_FIELDS),
        ] {
            if !bounds.contains(&len) {
                return Err(format!("{name} has {len} entries"));
            }
        }
        immediate_actions.sort_by_key(|action| action.priority);
        let texts = explanation.texts();
        if let Some(text) = texts.iter().find(|text| text.chars().count() > MAX_TEXT_CHARS) {
            return Err(format!("a text of {} bytes is too long", text.len()));
        }
        if explanation.headline.trim().is_empty() {
            return Err("the headline is empty".to_owned());
        }
        Ok(explanation)
    }

    fn texts(&self) -> Vec<&str> {
        let mut texts = vec![&*self.headline, &*self.impact_summary, &*self.technical_explanation];
        self.probable_causes.iter().for_each(|cause| texts.extend([&*cause.hypothesis, &*cause.reasoning]));
        self.immediate_actions.iter().for_each(|action| texts.extend([&*action.action, &*action.why]));
        self.key_fields.iter().for_each(|key| texts.extend([&*key.field, &*key.value, &*key.significance]));
        texts
    }
}

/// The form that a model is told to answer in: every member required, no others.
pub(super) fn schema() -> Value {
    let text = || json!({ "type": "string" });
    let word = |words: &[&str]| json!({ "type": "string", "enum": words });
    let list = |entry: Value| json!({ "type": "array", "items": entry });
    let cause = object(&[
        ("hypothesis", text()),
        ("confidence", word(&["high", "medium", "low"])),
        ("reasoning", text()),
    ]);
    let action =
        object(&[("action", text()), ("priority", word(&["now", "soon", "later"])), ("why", text())]);
    let key_field = object(&[
        ("field", text()),
        ("value", text()),
        ("significance", text()),
        ("attribute_type", word(&["log", "resource"])),
    ]);
    object(&[
        ("headline", text()),
        ("severity_assessment", word(&["ok", "warning", "error", "critical"])),
        ("impact_summary", text()),
        ("probable_causes", list(cause)),
        ("immediate_actions", list(action)),
        ("technical_explanation", text()),
        ("key_fields", list(key_field)),
    ])
}

fn object(members: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    let properties: serde_json::Map<String, Value> =
        members.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "type": "object", "properties": properties, "required": names, "additionalProperties": false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Value {
        json!({
            "headline": "Payment gateway refused the connection twice", "severity_assessment": "error",
            "impact_summary": "some payments failed",
            "probable_causes": [{ "hypothesis": "h", "confidence": "high", "reasoning": "r" }],
            "immediate_actions": [{ "action": "a", "priority": "later", "why": "w" },
                                  { "action": "b", "priority": "now", "why": "w" }],
            "technical_explanation": "t",
            "key_fields": [{ "field": "f", "value": "v", "significance": "s", "attribute_type": "log" }],
        })
    }

    #[test]
    fn actions_come_by_urgency() {
        let explanation = Explanation::parse(&sample().to_string()).unwrap();
        let actions: Vec<&str> = explanation.immediate_actions.iter().map(|action| &*action.action).collect();
        assert_eq!(actions, ["b", "a"]);
    }

    #[test]
    fn what_is_no_explanation_is_refused() {
        let with = |member: &str, value: Value| {
            let mut sample = sample();
            sample[member] = value;
            sample.to_string()
        };
        for text in [
            "".to_owned(),
            "I think that".to_owned(),
            "[]".to_owned(),
            with("headline", json!(" ")),
            with("headline", json!("x".repeat(4_001))),
            with("severity_assessment", json!("bad")),
            with("probable_causes", json!([])),
            with(
                "immediate_actions",
                json!(vec![json!({ "action": "a", "priority": "now", "why": "w" }); 6]),
            ),
            with("key_fields", Value::Null),
        ] {
            assert!(Explanation::parse(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_schema_names_what_is_read() {
        let schema = schema();
        let sample = sample();
        let names: Vec<&String> = sample.as_object().unwrap().keys().collect();
        assert_eq!(schema["properties"].as_object().unwrap().keys().collect::<Vec<_>>(), names);
        assert_eq!(schema["additionalProperties"], false);
    }
}
