//! `POST retention/preview`: what a retention policy would take away.

use axum::Json;
use axum::extract::State;
use engine::query::model::LogFilter;
use engine::query::{ExpiredRows, RetentionPreview};
use engine::retention::{MAX_RETENTION_DAYS, MAX_RETENTION_RULES, RetentionPolicy, RetentionRule};
use engine::schema::TableId;
use serde_json::{Value, json};

use super::api_call::ApiCall;
use super::fields::{Fields, invalid, wrong_type};
use super::iso_time;
use super::logs::filter_group;
use super::openapi::schema::{
    integer, integer_within, list, members, moment, nullable, object, reference, text_up_to, with_required,
};
use super::openapi::{Routes, op, post};
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

/// Members of the body. A key may be among them, see `auth`.
const POLICY_MEMBERS: [&str; 3] = ["days", "rules", "personal_api_key"];
const RULE_MEMBERS: [&str; 3] = ["name", "days", "filter_group"];

/// The endpoint, below the prefix of a project.
pub(super) fn routes() -> Routes {
    let days = || nullable(integer_within(1, i64::from(MAX_RETENTION_DAYS)));
    let rule = with_required(
        &[("name", text_up_to(255)), ("days", days()), ("filter_group", reference("FilterGroup"))],
        &["name", "filter_group"],
    );
    let expired = || {
        object(&[
            ("rows", integer()),
            ("bytes_uncompressed", integer()),
            ("oldest", nullable(moment())),
            ("newest", nullable(moment())),
        ])
    };
    let preview_op = op("What a retention policy would take away", &[Scope::LOGS_READ])
        .body(members(&[("days", days()), ("rules", nullable(list(rule)))]))
        .answers(
            200,
            with_required(
                &[
                    ("rows", integer()),
                    ("files_dropped", integer()),
                    ("rules", list(expired())),
                    ("rest", expired()),
                ],
                &["rows", "files_dropped", "rules", "rest"],
            ),
        )
        .refuses(&[503, 504]);
    Routes::new().at("/retention/preview", post(preview, preview_op))
}

async fn preview(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let policy = parse_policy(&call.into_json()?)?;
    let names: Vec<String> = policy.rules.iter().map(|rule| rule.name.clone()).collect();
    let preview = state.engine().retention_preview(TableId::logs(project), policy).await?;
    Ok(Json(written(&preview, &names)))
}

/// Reads a policy. What a filter means is checked by the engine.
fn parse_policy(body: &Value) -> Result<RetentionPolicy, ApiError> {
    let policy = Fields::of(body, "")?;
    knows_only(&policy, &POLICY_MEMBERS)?;
    let rules = match policy.get("rules") {
        None => &[][..],
        Some(Value::Array(rules)) if rules.len() > MAX_RETENTION_RULES => {
            return Err(invalid(
                "rules",
                &format!("{} rules are more than {MAX_RETENTION_RULES}", rules.len()),
            ));
        }
        Some(Value::Array(rules)) => rules,
        Some(other) => return Err(wrong_type("rules", "a list", other)),
    };
    let rules = rules.iter().enumerate().map(|(index, rule)| parse_rule(rule, &format!("rules[{index}]")));
    let days = parse_days(&policy)?;
    Ok(RetentionPolicy { days, rules: rules.collect::<Result<_, _>>()?, ..RetentionPolicy::default() })
}

fn parse_rule(rule: &Value, path: &str) -> Result<RetentionRule, ApiError> {
    let rule = Fields::of(rule, path)?;
    knows_only(&rule, &RULE_MEMBERS)?;
    let name =
        rule.filled_text("name")?.ok_or_else(|| invalid(&rule.path_of("name"), "a rule needs a name"))?;
    let group = rule.path_of("filter_group");
    let properties = filter_group::parse(rule.get("filter_group"), &group)?;
    if properties.is_empty() {
        return Err(invalid(&group, "a rule needs a condition"));
    }
    let filter = LogFilter { properties, ..LogFilter::default() };
    Ok(RetentionRule { name: name.to_owned(), filter, days: parse_days(&rule)? })
}

/// A number of days; null and absent are for ever.
fn parse_days(fields: &Fields<'_>) -> Result<Option<u32>, ApiError> {
    let Some(days) = fields.integer("days")? else { return Ok(None) };
    let in_bounds = u32::try_from(days).ok().filter(|days| (1..=MAX_RETENTION_DAYS).contains(days));
    match in_bounds {
        Some(days) => Ok(Some(days)),
        None => {
            let reason = format!("{days} is not a number of days from 1 to {MAX_RETENTION_DAYS}");
            Err(invalid(&fields.path_of("days"), &reason))
        }
    }
}

/// A misspelt member of something that deletes must not pass for an absent one.
fn knows_only(fields: &Fields<'_>, members: &[&str]) -> Result<(), ApiError> {
    match fields.keys().find(|key| !members.contains(key)) {
        Some(unknown) => Err(invalid(&fields.path_of(unknown), "there is no such member")),
        None => Ok(()),
    }
}

fn written(preview: &RetentionPreview, names: &[String]) -> Value {
    let rules = preview.rules.iter().zip(names).map(|(expired, name)| {
        let mut rule = written_rows(expired);
        rule["name"] = json!(name);
        rule
    });
    let mut answer = written_rows(&preview.total);
    answer["files_dropped"] = json!(preview.files_dropped);
    answer["rules"] = rules.collect();
    answer["rest"] = written_rows(&preview.rest);
    answer
}

fn written_rows(expired: &ExpiredRows) -> Value {
    json!({
        "rows": expired.rows,
        "bytes_uncompressed": expired.bytes_uncompressed,
        "oldest": expired.oldest_us.map(iso_time::format),
        "newest": expired.newest_us.map(iso_time::format),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition() -> Value {
        json!([{ "key": "a", "type": "log_attribute", "operator": "exact", "value": "x" }])
    }

    #[test]
    fn a_policy_is_read() {
        assert_eq!(parse_policy(&json!({})).unwrap(), RetentionPolicy::default());
        assert_eq!(
            parse_policy(&json!({ "days": null, "rules": null })).unwrap(),
            RetentionPolicy::default()
        );
        let policy = parse_policy(&json!({
            "days": 36_500,
            "rules": [
                { "name": "debug", "days": 1, "filter_group": condition() },
                { "name": "audit", "days": null, "filter_group": { "type": "AND", "values": condition() } },
            ],
            "personal_api_key": "phx_x",
        }))
        .unwrap();
        assert_eq!(policy.days, Some(36_500));
        let rules: Vec<_> = policy
            .rules
            .iter()
            .map(|rule| (rule.name.as_str(), rule.days, rule.filter.properties.len()))
            .collect();
        assert_eq!(rules, [("debug", Some(1), 1), ("audit", None, 1)]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let rule = |member: &str, value: Value| {
            let mut rule = json!({ "name": "r", "days": 1, "filter_group": condition() });
            rule[member] = value;
            json!({ "rules": [rule] })
        };
        for (body, expected) in [
            (json!([]), "the request body: expected an object"),
            (json!({ "Days": 5 }), "Days: there is no such member"),
            (json!({ "days": 0 }), "days: 0 is not a number of days from 1 to 36500"),
            (json!({ "days": -3 }), "days: -3 is not a number of days"),
            (json!({ "days": 36_501 }), "days: 36501 is not a number of days"),
            (json!({ "days": 1.5 }), "days: expected a whole number, found a number"),
            (json!({ "days": "30" }), "days: expected a whole number, found a string"),
            (json!({ "rules": {} }), "rules: expected a list, found an object"),
            (json!({ "rules": [5] }), "rules[0]: expected an object, found a number"),
            (json!({ "rules": vec![json!({}); 101] }), "rules: 101 rules are more than 100"),
            (rule("name", json!("")), "rules[0].name: a rule needs a name"),
            (rule("name", json!(7)), "rules[0].name: expected a string"),
            (rule("days", json!(0)), "rules[0].days: 0 is not a number of days"),
            (rule("filterGroup", json!([])), "rules[0].filterGroup: there is no such member"),
            (rule("filter_group", json!(null)), "rules[0].filter_group: a rule needs a condition"),
            (rule("filter_group", json!([])), "rules[0].filter_group: a rule needs a condition"),
            (rule("filter_group", json!([{}])), "rules[0].filter_group[0].type: a condition needs it"),
        ] {
            let error = parse_policy(&body).expect_err(&body.to_string());
            assert_eq!(error.status(), 400);
            assert!(error.to_string().contains(&format!("parse_error: {expected}")), "{error}");
        }
    }
}
