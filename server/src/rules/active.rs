//! Which drop rules could apply to a service, knowing nothing else of a record.
//!
//! Conditions are true, false or unknown: those on the service are decided, ignoring case, any other is unknown. A rule
//! is listed unless it is certain that it applies to no record of the service.

use serde::Serialize;
use serde_json::Value;

use crate::meta::rule::Rule;

/// A rule that could apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ActiveRule {
    /// Its id.
    pub(crate) rule_id: String,
    /// What people call it.
    pub(crate) rule_name: String,
    /// What it does, in words.
    pub(crate) summary_string: String,
}

/// The enabled drop rules of a project, read once to be asked about many services.
#[derive(Debug)]
pub(crate) struct EnabledRules(Vec<(ActiveRule, Value)>);

impl EnabledRules {
    /// Reads rules, which come in the order in which [`crate::meta::Meta::rules`] gives them.
    pub(crate) fn of(rules: &[Rule]) -> Self {
        let enabled = rules.iter().filter(|rule| rule.enabled).map(|rule| {
            let definition = serde_json::from_str(&rule.definition).unwrap_or(Value::Null);
            let listed = ActiveRule {
                rule_id: rule.id.clone(),
                rule_name: rule.name.clone(),
                summary_string: summary(&definition),
            };
            (listed, definition)
        });
        Self(enabled.collect())
    }

    /// Those that could apply to a service, in their order.
    pub(crate) fn that_could_apply(&self, service: &str) -> Vec<ActiveRule> {
        let active = self.0.iter().filter(|(_, definition)| could_apply(definition, service));
        active.map(|(listed, _)| listed.clone()).collect()
    }
}

fn could_apply(definition: &Value, service: &str) -> bool {
    let scope = definition["scope_service"].as_str().filter(|scope| !scope.is_empty());
    if scope.is_some_and(|scope| !equal(scope, service)) {
        return false;
    }
    let config = &definition["config"];
    let has_patterns = config["patterns"].as_array().is_some_and(|patterns| !patterns.is_empty());
    has_patterns || evaluate(&config["filter_group"], service) != Some(false)
}

/// The truth of a group or a condition; `None` is unknown, as is anything that cannot be read.
fn evaluate(node: &Value, service: &str) -> Option<bool> {
    let members = node.as_array().or_else(|| node["values"].as_array());
    match members {
        Some(members) if members.is_empty() => None,
        Some(members) => {
            let is_or = node["type"] == "OR";
            let truths: Vec<_> = members.iter().map(|member| evaluate(member, service)).collect();
            // One true condition decides OR, one false condition AND.
            match truths.contains(&Some(is_or)) {
                true => Some(is_or),
                false if truths.contains(&None) => None,
                false => Some(!is_or),
            }
        }
        None => evaluate_leaf(node, service),
    }
}

fn evaluate_leaf(leaf: &Value, service: &str) -> Option<bool> {
    if !["service.name", "service_name"].contains(&leaf["key"].as_str()?) {
        return None;
    }
    let values: Vec<&str> = match &leaf["value"] {
        Value::String(value) => vec![value],
        Value::Array(values) => values.iter().map(Value::as_str).collect::<Option<_>>()?,
        _ => return None,
    };
    if values.is_empty() {
        return None;
    }
    let any = |test: fn(&str, &str) -> bool| values.iter().any(|value| test(value, service));
    Some(match leaf["operator"].as_str()? {
        "exact" | "in" => any(equal),
        "is_not" | "not_in" => !any(equal),
        "icontains" | "icontains_multi" => any(is_contained),
        "not_icontains" | "not_icontains_multi" => !any(is_contained),
        "starts_with" => any(begins),
        "not_starts_with" => !any(begins),
        "ends_with" => any(ends),
        "not_ends_with" => !any(ends),
        _ => return None,
    })
}

fn equal(value: &str, service: &str) -> bool {
    value.to_lowercase() == service.to_lowercase()
}

fn is_contained(value: &str, service: &str) -> bool {
    service.to_lowercase().contains(&value.to_lowercase())
}

fn begins(value: &str, service: &str) -> bool {
    service.to_lowercase().starts_with(&value.to_lowercase())
}

fn ends(value: &str, service: &str) -> bool {
    service.to_lowercase().ends_with(&value.to_lowercase())
}

/// What a rule does, in words.
fn summary(definition: &Value) -> String {
    let config = &definition["config"];
    match definition["rule_type"].as_str() {
        Some("path_drop") => "drops what it matches".to_owned(),
        Some("severity_sampling") => {
            let levels = ["debug", "info", "warn", "error"].into_iter();
            let actions =
                levels.filter_map(|level| Some(format!("{level}: {}", action(&config["actions"][level])?)));
            actions.collect::<Vec<_>>().join(", ")
        }
        Some("rate_limit") => match (&config["logs_per_second"], &config["kb_per_second"]) {
            (Value::Number(logs), _) => format!("at most {logs} logs per second"),
            (_, Value::Number(kb)) => format!("at most {kb} KB per second"),
            _ => "limits the rate".to_owned(),
        },
        _ => String::new(),
    }
}

fn action(action: &Value) -> Option<String> {
    let percent = |share: f64| format!("keep {}%", (share * 10_000.0).round() / 100.0);
    match action {
        Value::String(word) => Some(word.clone()),
        Value::Number(share) => share.as_f64().map(percent),
        Value::Object(action) => match action.get("rate").and_then(Value::as_f64) {
            Some(share) => Some(percent(share)),
            None => action.get("action")?.as_str().map(str::to_owned),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(name: &str, enabled: bool, definition: &Value) -> Rule {
        Rule {
            id: format!("id {name}"),
            name: name.to_owned(),
            enabled,
            priority: 0,
            definition: definition.to_string(),
            version: 1,
            created_by: None,
            created_at_us: 0,
            updated_at_us: 0,
        }
    }

    fn with_group(group: Value) -> Value {
        json!({ "rule_type": "path_drop", "config": { "filter_group": group } })
    }

    fn service(operator: &str, value: Value) -> Value {
        json!({ "key": "service.name", "type": "log_resource_attribute", "operator": operator, "value": value })
    }

    fn other() -> Value {
        json!({ "key": "message", "type": "log", "operator": "exact", "value": "x" })
    }

    #[track_caller]
    fn check(definition: Value, expected: bool) {
        let listed = EnabledRules::of(&[rule("r", true, &definition)]).that_could_apply("API");
        assert_eq!(!listed.is_empty(), expected, "{definition}");
    }

    #[test]
    fn a_rule_is_listed_unless_it_is_provably_false() {
        let (yes, no) = (service("exact", json!("api")), service("exact", json!(["web", "db"])));
        let group = |join: &str, values: Value| with_group(json!({ "type": join, "values": values }));
        check(with_group(json!([yes])), true);
        check(with_group(json!([no])), false);
        check(with_group(json!([other()])), true);
        check(with_group(json!([no, other()])), false);
        check(group("OR", json!([no, other()])), true);
        check(group("OR", json!([no, no])), false);
        check(group("OR", json!([no, { "type": "AND", "values": [yes, other()] }])), true);
        check(group("AND", json!([yes, { "type": "OR", "values": [no, no] }])), false);
        check(with_group(json!([service("is_not", json!("Api"))])), false);
        check(with_group(json!([service("not_in", json!(["web"]))])), true);
        check(with_group(json!([service("icontains", json!("pi"))])), true);
        check(with_group(json!([service("not_icontains", json!("PI"))])), false);
        check(with_group(json!([service("regex", json!("web"))])), true);
        check(with_group(json!([{ "key": "service_name", "operator": "exact", "value": "web" }])), false);
    }

    #[test]
    fn what_cannot_be_read_is_listed() {
        for group in [
            json!(null),
            json!([]),
            json!({}),
            json!("x"),
            json!([5]),
            json!({ "type": "AND", "values": [] }),
        ] {
            check(with_group(group), true);
        }
        check(json!({}), true);
        check(
            json!({ "rule_type": "path_drop", "config": { "patterns": ["a"], "filter_group": [service("exact", json!("web"))] } }),
            true,
        );
        check(json!({ "scope_service": "web", "rule_type": "severity_sampling", "config": {} }), false);
        check(json!({ "scope_service": "aPi", "rule_type": "severity_sampling", "config": {} }), true);
    }

    #[test]
    fn enabled_rules_are_listed_in_their_order_with_what_they_do() {
        let sampling = json!({ "rule_type": "severity_sampling", "config": { "actions": { "debug": "drop", "info": 0.125, "error": { "action": "keep" }, "warn": { "action": "sample", "rate": 0.5 } } } });
        let limit = json!({ "rule_type": "rate_limit", "config": { "logs_per_second": 10 } });
        let rules = [rule("b", true, &sampling), rule("off", false, &limit), rule("a", true, &limit)];
        let listed = EnabledRules::of(&rules).that_could_apply("api");
        let summaries: Vec<_> =
            listed.iter().map(|rule| (rule.rule_name.as_str(), rule.summary_string.as_str())).collect();
        assert_eq!(
            summaries,
            [
                ("b", "debug: drop, info: keep 12.5%, warn: keep 50%, error: keep"),
                ("a", "at most 10 logs per second")
            ]
        );
    }
}
