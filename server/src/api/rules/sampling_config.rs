//! What a drop rule says, from JSON to the engine's model.

use engine::query::model::{FilterLeaf, FilterNode, Join, LogFilter, Namespace, Operand, Operator, Scalar};
use engine::rules::{LevelAction, RateLimit, SamplingAction, SamplingRule};
use serde_json::Value;

use super::filter_group;
use crate::api::fields::{Fields, invalid, wrong_type};
use crate::api::logs::filter_group::{element, parse_operand};
use crate::error::ApiError;

const MAX_SERVICE_CHARS: usize = 512;
const MAX_PATH_CHARS: usize = 1_024;
/// Each is looked for in several attributes of every record.
const MAX_PATTERNS: usize = 20;
const MAX_ATTRIBUTE_FILTERS: usize = 20;

/// Where the path of a request stands.
const PATH_KEYS: [&str; 4] = ["url.path", "http.path", "http.route", "path"];
/// Where its status stands.
const STATUS_KEYS: [&str; 3] = ["http.response.status_code", "http.status_code", "status_code"];
/// Where its duration stands, milliseconds.
const LATENCY_KEYS: [&str; 4] = ["duration_ms", "latency_ms", "http.duration_ms", "http.server.duration_ms"];

/// Reads the members of a drop rule.
///
/// # Errors
/// 400 that names the first member that is wrong.
pub(crate) fn parse(definition: &Value, id: &str, version: i64) -> Result<SamplingRule, ApiError> {
    let fields = Fields::of(definition, "")?;
    let rule_type = fields.text("rule_type")?.ok_or_else(|| {
        ApiError::validation("required", Some("rule_type".to_owned()), "rule_type: a rule needs it")
    })?;
    let config = fields.get("config").ok_or_else(|| {
        ApiError::validation("required", Some("config".to_owned()), "config: a rule needs it")
    })?;
    let config = Fields::of(config, "config")?;
    let action = match rule_type {
        "path_drop" => parse_path_drop(&config)?,
        "severity_sampling" => parse_severity_sampling(&config)?,
        "rate_limit" => parse_rate_limit(&config)?,
        other => {
            let detail = format!("rule_type: {other:?} is not path_drop, severity_sampling or rate_limit");
            return Err(ApiError::validation("invalid_choice", Some("rule_type".to_owned()), detail));
        }
    };
    Ok(SamplingRule { id: id.to_owned(), version, scope: parse_scope(&fields)?, action })
}

/// Which records a rule is about; none is all.
pub(super) fn parse_scope(fields: &Fields<'_>) -> Result<Option<LogFilter>, ApiError> {
    let mut filter = LogFilter::default();
    if let Some(service) = bounded_text(fields, "scope_service", MAX_SERVICE_CHARS)? {
        filter.service_names.push(service.to_owned());
    }
    if let Some(pattern) = bounded_text(fields, "scope_path_pattern", MAX_PATH_CHARS)? {
        let patterns = [(pattern, "scope_path_pattern".to_owned())];
        filter.properties.push(path_patterns(&PATH_KEYS, &patterns));
    }
    filter.properties.extend(parse_attribute_filters(fields, "scope_attribute_filters")?);
    Ok((filter != LogFilter::default()).then_some(filter))
}

fn bounded_text<'a>(fields: &Fields<'a>, key: &str, max_chars: usize) -> Result<Option<&'a str>, ApiError> {
    let text = fields.filled_text(key)?;
    match text {
        Some(text) if text.chars().count() > max_chars => {
            let path = fields.path_of(key);
            let detail = format!("{path}: a text of at most {max_chars} characters");
            Err(ApiError::validation("max_length", Some(path), detail))
        }
        text => Ok(text),
    }
}

/// The condition that one of the patterns is found in one of the attributes.
fn path_patterns(keys: &[&str], patterns: &[(&str, String)]) -> FilterNode {
    let leaves = patterns.iter().flat_map(|(pattern, path)| {
        keys.iter().map(|key| attribute_leaf(path, key, Operator::Regex, Scalar::Text((*pattern).to_owned())))
    });
    FilterNode::Group { join: Join::Or, nodes: leaves.collect() }
}

fn attribute_leaf(path: &str, key: &str, operator: Operator, value: Scalar) -> FilterNode {
    FilterNode::Leaf(FilterLeaf {
        path: path.to_owned(),
        key: key.to_owned(),
        namespace: Namespace::LogAttribute,
        operator,
        operand: Operand::One(value),
    })
}

fn of_node(node: FilterNode) -> LogFilter {
    LogFilter { properties: vec![node], ..LogFilter::default() }
}

/// Conditions on attributes, written `{"key", "op", "value"}`.
fn parse_attribute_filters(fields: &Fields<'_>, key: &str) -> Result<Vec<FilterNode>, ApiError> {
    let path = fields.path_of(key);
    let filters = match fields.get(key) {
        None => &[][..],
        Some(Value::Array(filters)) if filters.len() > MAX_ATTRIBUTE_FILTERS => {
            return Err(invalid(&path, &format!("at most {MAX_ATTRIBUTE_FILTERS} conditions")));
        }
        Some(Value::Array(filters)) => filters,
        Some(other) => return Err(wrong_type(&path, "a list", other)),
    };
    let read = |(index, filter)| parse_attribute_filter(filter, &element(&path, index));
    filters.iter().enumerate().map(read).collect()
}

fn parse_attribute_filter(filter: &Value, path: &str) -> Result<FilterNode, ApiError> {
    let fields = Fields::of(filter, path)?;
    if let Some(unknown) = fields.keys().find(|key| !["key", "op", "value", "type"].contains(key)) {
        return Err(invalid(&fields.path_of(unknown), "a condition has no such member"));
    }
    let required =
        |key: &str| fields.text(key)?.ok_or_else(|| invalid(&fields.path_of(key), "a condition needs it"));
    let op = required("op")?;
    let operator = match op {
        "eq" => Some(Operator::Exact),
        "neq" | "ne" => Some(Operator::IsNot),
        "contains" => Some(Operator::Icontains),
        "not_contains" => Some(Operator::NotIcontains),
        "exists" => Some(Operator::IsSet),
        "not_exists" => Some(Operator::IsNotSet),
        other => Operator::from_name(other),
    };
    let namespace = match fields.text("type")? {
        None | Some("log_attribute") => Namespace::LogAttribute,
        Some("log_resource_attribute") => Namespace::LogResourceAttribute,
        Some(other) => {
            let reason = format!("{other:?} is not log_attribute or log_resource_attribute");
            return Err(invalid(&fields.path_of("type"), &reason));
        }
    };
    Ok(FilterNode::Leaf(FilterLeaf {
        path: path.to_owned(),
        key: required("key")?.to_owned(),
        namespace,
        operator: operator
            .ok_or_else(|| invalid(&fields.path_of("op"), &format!("{op:?} is not a known operator")))?,
        operand: parse_operand(fields.get("value"), &fields.path_of("value"))?,
    }))
}

fn knows_only(fields: &Fields<'_>, members: &[&str]) -> Result<(), ApiError> {
    match fields.keys().find(|key| !members.contains(key)) {
        Some(unknown) => Err(invalid(&fields.path_of(unknown), "there is no such member")),
        None => Ok(()),
    }
}

fn parse_path_drop(config: &Fields<'_>) -> Result<SamplingAction, ApiError> {
    knows_only(config, &["filter_group", "patterns", "match_attribute_key"])?;
    let group = filter_group::parse(config.get("filter_group"), &config.path_of("filter_group"))?;
    let mut any_of: Vec<LogFilter> = group.into_iter().map(of_node).collect();
    let patterns = config.texts("patterns")?;
    let path = config.path_of("patterns");
    if patterns.len() > MAX_PATTERNS {
        return Err(invalid(&path, &format!("at most {MAX_PATTERNS} patterns")));
    }
    let named = patterns.iter().enumerate().map(|(index, pattern)| (pattern.as_str(), element(&path, index)));
    let named: Vec<(&str, String)> = named.collect();
    if let Some((_, path)) = named.iter().find(|(pattern, _)| pattern.is_empty()) {
        return Err(invalid(path, "an empty pattern is found everywhere"));
    }
    let key = bounded_text(config, "match_attribute_key", MAX_PATH_CHARS)?;
    if !named.is_empty() {
        let keys = key.as_ref().map_or(&PATH_KEYS[..], std::slice::from_ref);
        any_of.push(of_node(path_patterns(keys, &named)));
    }
    if any_of.is_empty() {
        return Err(invalid("config", "the rule needs filter_group or patterns"));
    }
    Ok(SamplingAction::Drop { any_of })
}

fn parse_severity_sampling(config: &Fields<'_>) -> Result<SamplingAction, ApiError> {
    knows_only(config, &["actions", "always_keep"])?;
    let actions = config.get("actions").ok_or_else(|| invalid("config.actions", "the rule needs it"))?;
    let actions = Fields::of(actions, "config.actions")?;
    const LEVELS: [&str; 4] = ["debug", "info", "warn", "error"];
    knows_only(&actions, &LEVELS)?;
    let mut levels = [None; LEVELS.len()];
    for (level, name) in levels.iter_mut().zip(LEVELS) {
        if let Some(action) = actions.get(name) {
            *level = Some(parse_level(action, &actions.path_of(name))?);
        }
    }
    if levels.iter().all(Option::is_none) {
        return Err(invalid("config.actions", "the rule needs an action for a level"));
    }
    let always_keep = match config.get("always_keep") {
        None => None,
        Some(always_keep) => parse_always_keep(&Fields::of(always_keep, "config.always_keep")?)?,
    };
    Ok(SamplingAction::BySeverity { levels, always_keep })
}

/// `"keep"`, `"drop"`, a share, or `{"action": "sample", "rate": share}`.
fn parse_level(action: &Value, path: &str) -> Result<LevelAction, ApiError> {
    let share = |value: &Value, path: &str| match value.as_f64() {
        Some(share) if (0.0..=1.0).contains(&share) => Ok(LevelAction::Sample(share)),
        _ => Err(invalid(path, "a share is a number from 0 to 1")),
    };
    match action {
        Value::String(word) if word == "keep" => Ok(LevelAction::Keep),
        Value::String(word) if word == "drop" => Ok(LevelAction::Drop),
        Value::Number(_) => share(action, path),
        Value::Object(_) => {
            let fields = Fields::of(action, path)?;
            knows_only(&fields, &["action", "rate"])?;
            match (fields.text("action")?, fields.get("rate")) {
                (Some("keep"), None) => Ok(LevelAction::Keep),
                (Some("drop"), None) => Ok(LevelAction::Drop),
                (Some("sample"), Some(rate)) => share(rate, &fields.path_of("rate")),
                (Some("sample"), None) => Err(invalid(&fields.path_of("rate"), "a sample needs it")),
                _ => Err(invalid(&fields.path_of("action"), "expected keep, drop or sample with a rate")),
            }
        }
        _ => Err(invalid(path, "expected keep, drop, a share, or an object with an action")),
    }
}

fn parse_always_keep(fields: &Fields<'_>) -> Result<Option<LogFilter>, ApiError> {
    knows_only(fields, &["status_gte", "latency_ms_gt", "attributes"])?;
    let mut nodes = parse_attribute_filters(fields, "attributes")?;
    for (member, operator, keys) in
        [("status_gte", Operator::Gte, &STATUS_KEYS[..]), ("latency_ms_gt", Operator::Gt, &LATENCY_KEYS[..])]
    {
        let path = fields.path_of(member);
        let Some(value) = fields.get(member) else { continue };
        let Some(number) = value.as_f64() else { return Err(wrong_type(&path, "a number", value)) };
        let bound = || Scalar::Number { value: number, text: value.to_string() };
        // A bound of 0 would be a condition that says nothing to the shared translator.
        if number <= 0.0 {
            return Err(invalid(&path, "expected a number above 0"));
        }
        nodes.extend(keys.iter().map(|key| attribute_leaf(&path, key, operator, bound())));
    }
    Ok((!nodes.is_empty()).then(|| of_node(FilterNode::Group { join: Join::Or, nodes })))
}

fn parse_rate_limit(config: &Fields<'_>) -> Result<SamplingAction, ApiError> {
    const BYTES_PER_KB: f64 = 1_024.0;
    knows_only(config, &["logs_per_second", "burst_logs", "kb_per_second", "burst_kb", "filter_group"])?;
    let logs = parse_rate(config, "logs_per_second", "burst_logs")?;
    let kb = parse_rate(config, "kb_per_second", "burst_kb")?;
    let limit = match (logs, kb) {
        (Some((per_second, burst)), None) => RateLimit { per_second, burst, counts_bytes: false },
        (None, Some((per_second, burst))) => RateLimit {
            per_second: per_second * BYTES_PER_KB,
            burst: burst * BYTES_PER_KB,
            counts_bytes: true,
        },
        _ => return Err(invalid("config", "the rule needs either logs_per_second or kb_per_second")),
    };
    let group = filter_group::parse(config.get("filter_group"), &config.path_of("filter_group"))?;
    Ok(SamplingAction::RateLimit { filter: group.map(of_node), limit })
}

/// A rate and its burst, which is one second's worth when it is not given.
fn parse_rate(config: &Fields<'_>, rate: &str, burst: &str) -> Result<Option<(f64, f64)>, ApiError> {
    let number = |key: &str, max: f64| match config.get(key) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(number) if (1.0..=max).contains(&number) => Ok(Some(number)),
            _ => Err(invalid(&config.path_of(key), &format!("expected a number from 1 to {max}"))),
        },
    };
    match (number(rate, 1e6)?, number(burst, 1e7)?) {
        (Some(rate), burst) => Ok(Some((rate, burst.unwrap_or(rate)))),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(invalid(&config.path_of(burst), &format!("it belongs to {rate}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(rule_type: &str, config: Value) -> Result<SamplingRule, ApiError> {
        parse(&json!({ "rule_type": rule_type, "config": config }), "id", 1)
    }

    fn leaf() -> Value {
        json!({ "key": "k", "type": "log_attribute", "operator": "exact", "value": "v" })
    }

    #[test]
    fn every_type_is_read() {
        let drop =
            rule("path_drop", json!({ "filter_group": [leaf()], "patterns": ["^/health", "a"] })).unwrap();
        let SamplingAction::Drop { any_of } = drop.action else { panic!("no drop") };
        let FilterNode::Group { nodes, .. } = &any_of[1].properties[0] else { panic!("no group") };
        assert_eq!((any_of.len(), nodes.len()), (2, 8));
        let drop = rule("path_drop", json!({ "patterns": ["a"], "match_attribute_key": "k" })).unwrap();
        let SamplingAction::Drop { any_of } = drop.action else { panic!("no drop") };
        assert_eq!(any_of, [of_node(path_patterns(&["k"], &[("a", "config.patterns[0]".to_owned())]))]);
        let actions = json!({ "debug": "drop", "info": 0.25, "warn": { "action": "sample", "rate": 1 } });
        let sampling = rule("severity_sampling", json!({ "actions": actions })).unwrap();
        let levels =
            [Some(LevelAction::Drop), Some(LevelAction::Sample(0.25)), Some(LevelAction::Sample(1.0)), None];
        assert_eq!(sampling.action, SamplingAction::BySeverity { levels, always_keep: None });
        let limit = rule("rate_limit", json!({ "kb_per_second": 2, "burst_kb": 10 })).unwrap();
        let expected = RateLimit { per_second: 2_048.0, burst: 10_240.0, counts_bytes: true };
        assert_eq!(limit.action, SamplingAction::RateLimit { filter: None, limit: expected });
    }

    #[test]
    fn scopes_are_read() {
        let definition = json!({
            "rule_type": "path_drop", "config": { "patterns": ["a"] }, "scope_service": "api", "scope_path_pattern": "^/x",
            "scope_attribute_filters": [{ "key": "k", "op": "eq", "value": "v" }, { "key": "r", "op": "exists", "type": "log_resource_attribute" }],
        });
        let scope = parse(&definition, "id", 1).unwrap().scope.unwrap();
        assert_eq!((scope.service_names, scope.properties.len()), (vec!["api".to_owned()], 3));
        let empty = json!({ "rule_type": "path_drop", "config": { "patterns": ["a"] }, "scope_service": "", "scope_attribute_filters": [] });
        assert_eq!(parse(&empty, "id", 1).unwrap().scope, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let refused = |rule_type: &str, config: Value, expected: &str| {
            let error = rule(rule_type, config).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} instead of {expected}");
        };
        refused("sampling", json!({}), "rule_type: \"sampling\" is not");
        refused("path_drop", json!([]), "config: expected an object");
        refused("path_drop", json!({}), "config: the rule needs filter_group or patterns");
        refused("path_drop", json!({ "patterns": [""] }), "config.patterns[0]: an empty pattern");
        refused("path_drop", json!({ "patterns": vec!["a"; 21] }), "config.patterns: at most 20");
        refused("path_drop", json!({ "pattern": ["a"] }), "config.pattern: there is no such member");
        refused("path_drop", json!({ "filter_group": [] }), "config.filter_group: a group may not be empty");
        refused("severity_sampling", json!({}), "config.actions: the rule needs it");
        refused("severity_sampling", json!({ "actions": {} }), "config.actions: the rule needs an action");
        refused(
            "severity_sampling",
            json!({ "actions": { "fatal": "keep" } }),
            "config.actions.fatal: there is no such",
        );
        refused("severity_sampling", json!({ "actions": { "info": 1.5 } }), "config.actions.info: a share");
        refused(
            "severity_sampling",
            json!({ "actions": { "info": { "action": "sample" } } }),
            "config.actions.info.rate",
        );
        refused(
            "severity_sampling",
            json!({ "actions": { "info": "drop" }, "always_keep": { "status_gte": "500" } }),
            "config.always_keep.status_gte: expected a number",
        );
        refused("rate_limit", json!({}), "config: the rule needs either");
        refused(
            "rate_limit",
            json!({ "logs_per_second": 1, "kb_per_second": 1 }),
            "config: the rule needs either",
        );
        refused(
            "rate_limit",
            json!({ "logs_per_second": 0 }),
            "config.logs_per_second: expected a number from 1 to 1000000",
        );
        refused("rate_limit", json!({ "logs_per_second": 1, "burst_logs": 1e8 }), "config.burst_logs");
        refused(
            "rate_limit",
            json!({ "logs_per_second": 1, "burst_kb": 1 }),
            "config.burst_kb: it belongs to kb_per_second",
        );
    }
}
