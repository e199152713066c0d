//! Retention rules: how long some of a project's rows are kept.

use axum::Json;
use axum::extract::State;
use engine::query::model::{FilterNode, Operand, Scalar};
use engine::retention::{CompiledRetention, MAX_RETENTION_DAYS, RetentionPolicy, RetentionRule};
use serde_json::{Value, json};

use super::filter_group;
use super::resource::{Draft, Kind, definition_of};
use crate::api::api_call::ApiCall;
use crate::api::fields::{Fields, invalid};
use crate::auth::Scope;
use crate::error::ApiError;
use crate::meta::rule::{Rule, RuleKind};
use crate::state::AppState;

/// Most values of all conditions of a rule.
const MAX_VALUES: usize = 256;
const MAX_VALUE_CHARS: usize = 1_024;
/// Longest suggested name.
const MAX_SUGGESTED_CHARS: usize = 80;

/// Retention rules.
pub(super) struct RetentionKind;

impl Kind for RetentionKind {
    const KIND: RuleKind = RuleKind::Retention;

    fn members() -> Vec<(&'static str, Value)> {
        vec![
            ("scope_service", Value::Null),
            ("scope_path_pattern", Value::Null),
            ("scope_attribute_filters", json!([])),
            ("config", Value::Null),
        ]
    }

    /// All rules of a project may have together what one filter may have, because every row may be tested against
    /// all of them.
    fn check(rule: &Draft, rules: &[Draft]) -> Result<(), ApiError> {
        let enabled = rules.iter().filter(|other| other.enabled || other.id == rule.id);
        let rules = enabled.map(|rule| parse(&rule.definition, &rule.name)).collect::<Result<_, _>>()?;
        CompiledRetention::new(RetentionPolicy { rules, ..RetentionPolicy::default() })?;
        Ok(())
    }
}

/// A stored rule as the engine's model.
///
/// # Errors
/// When it is not what could have been stored.
pub(crate) fn model(rule: &Rule) -> Result<RetentionRule, ApiError> {
    parse(&definition_of(rule)?, &rule.name)
}

fn parse(definition: &Value, name: &str) -> Result<RetentionRule, ApiError> {
    let fields = Fields::of(definition, "")?;
    let config = fields.get("config").ok_or_else(|| {
        ApiError::validation("required", Some("config".to_owned()), "config: a rule needs it")
    })?;
    let config = Fields::of(config, "config")?;
    if let Some(unknown) = config.keys().find(|key| !["retention_days", "filter_group"].contains(key)) {
        return Err(invalid(&config.path_of(unknown), "there is no such member"));
    }
    let days = config.integer("retention_days")?;
    let days =
        days.and_then(|days| u32::try_from(days).ok()).filter(|days| (1..=MAX_RETENTION_DAYS).contains(days));
    let days = days.ok_or_else(|| {
        let reason = format!("expected a whole number of days from 1 to {MAX_RETENTION_DAYS}");
        invalid(&config.path_of("retention_days"), &reason)
    })?;
    let path = config.path_of("filter_group");
    let group = filter_group::parse(config.get("filter_group"), &path)?
        .ok_or_else(|| invalid(&path, "a rule needs it"))?;
    check_values(&group, &path)?;
    let mut filter = super::sampling_config::parse_scope(&fields)?.unwrap_or_default();
    filter.properties.push(group);
    Ok(RetentionRule { name: name.to_owned(), filter, days: Some(days) })
}

fn check_values(group: &FilterNode, path: &str) -> Result<(), ApiError> {
    let mut values = Vec::new();
    collect_values(group, &mut values);
    if values.len() > MAX_VALUES {
        return Err(invalid(path, &format!("{} values are more than {MAX_VALUES}", values.len())));
    }
    if values.iter().any(|value| value.text().chars().count() > MAX_VALUE_CHARS) {
        return Err(invalid(path, &format!("a value has at most {MAX_VALUE_CHARS} characters")));
    }
    Ok(())
}

fn collect_values<'n>(node: &'n FilterNode, values: &mut Vec<&'n Scalar>) {
    match node {
        FilterNode::Group { nodes, .. } => nodes.iter().for_each(|node| collect_values(node, values)),
        FilterNode::Leaf(leaf) => match &leaf.operand {
            Operand::Absent => {}
            Operand::One(value) => values.push(value),
            Operand::Many(list) => values.extend(list),
        },
    }
}

/// `POST logs/retention_rules/suggest_name`: a name for a rule that has none yet, made of what it says.
pub(super) async fn suggest_name(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Value>, ApiError> {
    call.authorize(&state, Scope::LOGS_READ).await?;
    let body = call.into_json()?;
    let rule = parse(&body, "rule").map_err(ApiError::into_validation)?;
    Ok(Json(json!({ "name": name_of(&rule) })))
}

fn name_of(rule: &RetentionRule) -> String {
    let mut subjects: Vec<String> = rule.filter.service_names.clone();
    for node in &rule.filter.properties {
        describe(node, &mut subjects);
    }
    subjects.dedup();
    let days = rule.days.unwrap_or_default();
    let ending = format!(" for {days} {}", if days == 1 { "day" } else { "days" });
    let subject = subjects.join(", ");
    let room = MAX_SUGGESTED_CHARS - "Keep ".len() - ending.len();
    let subject = if subject.chars().count() > room {
        format!("{}…", subject.chars().take(room - 1).collect::<String>())
    } else {
        subject
    };
    format!("Keep {subject}{ending}")
}

fn describe(node: &FilterNode, subjects: &mut Vec<String>) {
    match node {
        FilterNode::Group { nodes, .. } => nodes.iter().for_each(|node| describe(node, subjects)),
        FilterNode::Leaf(leaf) => {
            let mut values = Vec::new();
            collect_values(node, &mut values);
            let values: Vec<&str> = values.iter().map(|value| value.text()).collect();
            subjects.push(match &values[..] {
                [] => leaf.key.clone(),
                values => format!("{} {}", leaf.key, values.join(" ")),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(config: Value) -> Value {
        json!({ "config": config })
    }

    fn leaf(key: &str, value: Value) -> Value {
        json!({ "key": key, "type": "log_attribute", "operator": "exact", "value": value })
    }

    #[test]
    fn names_say_what_a_rule_is_for() {
        let name = |days: u32, group: Value| {
            name_of(
                &parse(&definition(json!({ "retention_days": days, "filter_group": group })), "x").unwrap(),
            )
        };
        assert_eq!(name(7, json!([leaf("tier", json!("gold"))])), "Keep tier gold for 7 days");
        assert_eq!(
            name(1, json!([leaf("a", json!(["x", 2])), leaf("b", json!(true))])),
            "Keep a x 2, b true for 1 day"
        );
        assert_eq!(name(30, json!([leaf("k", json!("v".repeat(200)))])).chars().count(), 80);
    }

    #[test]
    fn values_are_bounded() {
        let refused = |group: Value, expected: &str| {
            let config = json!({ "retention_days": 1, "filter_group": group });
            let error = parse(&definition(config), "x").unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        refused(json!([leaf("a", json!(vec!["x"; 257]))]), "257 values are more than 256");
        refused(json!([leaf("a", json!("x".repeat(1_025)))]), "at most 1024 characters");
        refused(json!([]), "a group may not be empty");
        refused(Value::Null, "config.filter_group: a rule needs it");
        for days in [json!(0), json!(36_501), Value::Null] {
            let config = json!({ "retention_days": days, "filter_group": [leaf("a", json!("x"))] });
            let error = parse(&definition(config), "x").unwrap_err().to_string();
            assert!(error.contains("config.retention_days"), "{error}");
        }
    }
}
