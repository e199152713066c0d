//! Metric rules: what is counted and summed of records as they come in.

use engine::query::model::LogFilter;
use engine::rules::{MetricField, MetricRule, MetricRules};
use serde_json::{Value, json};

use super::filter_group;
use super::resource::{Draft, Kind, definition_of};
use crate::api::fields::{Fields, invalid};
use crate::error::ApiError;
use crate::meta::rule::{Rule, RuleKind};

const MAX_METRIC_NAME_CHARS: usize = 200;
const MAX_ENABLED: usize = 10;
const MAX_GROUPS: usize = 5;
const MAX_KEY_CHARS: usize = 1_024;

/// Metric rules.
pub(super) struct MetricKind;

impl Kind for MetricKind {
    const KIND: RuleKind = RuleKind::Metric;
    const IMMUTABLE: &'static [&'static str] = &["metric_name", "value_attribute"];
    const UNIQUE: Option<&'static str> = Some("metric_name");

    fn members() -> Vec<(&'static str, Value)> {
        vec![
            ("metric_name", Value::Null),
            ("filter_group", Value::Null),
            ("value_attribute", Value::Null),
            ("group_by", json!([])),
        ]
    }

    fn check(rule: &Draft, rules: &[Draft]) -> Result<(), ApiError> {
        let parsed = parse(&rule.definition, &rule.id)?;
        if rule.enabled && rules.iter().filter(|rule| rule.enabled).count() > MAX_ENABLED {
            let detail = format!("enabled: at most {MAX_ENABLED} metric rules of a project may be enabled");
            return Err(ApiError::validation("max_value", Some("enabled".to_owned()), detail));
        }
        MetricRules::compile(vec![parsed], None)?;
        Ok(())
    }
}

/// A stored rule as the engine's model.
///
/// # Errors
/// When it is not what could have been stored.
pub(crate) fn model(rule: &Rule) -> Result<MetricRule, ApiError> {
    parse(&definition_of(rule)?, &rule.id)
}

fn parse(definition: &Value, id: &str) -> Result<MetricRule, ApiError> {
    let fields = Fields::of(definition, "")?;
    check_name(fields.text("metric_name")?)?;
    let group = filter_group::parse(fields.get("filter_group"), "filter_group")?;
    let group_by = fields.texts("group_by")?;
    if group_by.len() > MAX_GROUPS {
        return Err(invalid("group_by", &format!("at most {MAX_GROUPS} groups")));
    }
    let groups = group_by.iter().enumerate().map(|(index, key)| {
        field(key).ok_or_else(|| {
            let reason = "expected service_name, severity_text, event_name, attributes.<key> or resource_attributes.<key>";
            invalid(&format!("group_by[{index}]"), reason)
        })
    });
    let value = match fields.filled_text("value_attribute")? {
        None => None,
        Some(key) => match field(key) {
            Some(field @ (MetricField::Attribute(_) | MetricField::ResourceAttribute(_))) => Some(field),
            _ => {
                let reason = "expected attributes.<key> or resource_attributes.<key>";
                return Err(invalid("value_attribute", reason));
            }
        },
    };
    Ok(MetricRule {
        id: id.to_owned(),
        filter: group.map(|group| LogFilter { properties: vec![group], ..LogFilter::default() }),
        value,
        group_by: groups.collect::<Result<_, _>>()?,
    })
}

fn check_name(name: Option<&str>) -> Result<(), ApiError> {
    let refuse = |code, detail: &str| {
        Err(ApiError::validation(code, Some("metric_name".to_owned()), format!("metric_name: {detail}")))
    };
    let Some(name) = name else { return refuse("required", "a metric rule needs it") };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.len() > MAX_METRIC_NAME_CHARS {
        return refuse("max_length", &format!("at most {MAX_METRIC_NAME_CHARS} characters"));
    }
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(is_plain) {
        return refuse("invalid_input", "a letter, then letters, digits, dots, underscores and hyphens");
    }
    Ok(())
}

fn field(key: &str) -> Option<MetricField> {
    if key.len() > MAX_KEY_CHARS {
        return None;
    }
    let below = |prefix: &str| key.strip_prefix(prefix).filter(|key| !key.is_empty()).map(str::to_owned);
    match key {
        "service_name" => Some(MetricField::ServiceName),
        "severity_text" => Some(MetricField::SeverityText),
        "event_name" => Some(MetricField::EventName),
        _ => below("attributes.")
            .map(MetricField::Attribute)
            .or_else(|| below("resource_attributes.").map(MetricField::ResourceAttribute)),
    }
}
