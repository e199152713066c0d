//! One property filter: what a leaf of a `filterGroup` says about a row.

use regex::Regex;
use serde_json::Value as Json;

use super::dates;
use super::fold::contains_ignoring_case;
use super::row::Row;
use super::semver;
use super::sent::hex;

/// A request that must be answered with 400, and why.
pub(crate) type Refused = String;

/// Operators that say the opposite of another one: true for every row for which that one is not, so also for
/// a row without the key.
const NEGATIONS: [(&str, &str); 9] = [
    ("is_not", "exact"),
    ("not_in", "in"),
    ("not_icontains", "icontains"),
    ("not_icontains_multi", "icontains_multi"),
    ("not_regex", "regex"),
    ("not_between", "between"),
    ("not_starts_with", "starts_with"),
    ("not_ends_with", "ends_with"),
    ("is_not_set", "is_set"),
];

/// Operators that compare numbers when every operand is one. The others look for text or have rules of
/// their own.
const NUMBER_OPERATORS: [&str; 8] = ["exact", "in", "gt", "gte", "lt", "lte", "min", "max"];

/// The columns that a leaf of type `log` may name here.
const COLUMNS: [&str; 10] = [
    "message",
    "body",
    "severity_level",
    "severity_text",
    "severity_number",
    "service_name",
    "trace_id",
    "span_id",
    "event_name",
    "instrumentation_scope",
];

/// A leaf, ready to be asked.
#[derive(Debug)]
pub(super) struct Leaf {
    namespace: String,
    key: String,
    /// The positive operator.
    operator: String,
    is_negated: bool,
    operands: Vec<Json>,
    patterns: Vec<Regex>,
    now: i64,
}

impl Leaf {
    /// Reads a leaf; none if it says nothing and is dropped.
    pub(super) fn read(leaf: &Json, now: i64) -> Result<Option<Self>, Refused> {
        let text =
            |field: &str| leaf[field].as_str().map(str::to_owned).ok_or(format!("leaf without {field}"));
        let (namespace, key, name) = (text("type")?, text("key")?, text("operator")?);
        if says_nothing(&namespace, &key, &name, &leaf["value"]) {
            return Ok(None);
        }
        let negation = NEGATIONS.iter().find(|(negative, _)| *negative == name);
        let operator = negation.map_or(name, |(_, positive)| (*positive).to_owned());
        let operands = operands(&operator, &leaf["value"])?;
        let patterns = patterns(&operator, &operands)?;
        let is_negated = negation.is_some();
        let leaf = Self { namespace, key, operator, is_negated, operands, patterns, now };
        if leaf.namespace == "log" && !COLUMNS.contains(&leaf.key.as_str()) {
            return Err(format!("no column {}", leaf.key));
        }
        Ok(Some(leaf))
    }

    /// Whether the leaf is about a key of a namespace.
    pub(super) fn is_on(&self, namespace: &str, key: &str) -> bool {
        self.namespace == namespace && self.key == key
    }

    pub(super) fn holds(&self, row: &Row) -> bool {
        if self.namespace == "log" && self.key == "severity_level" {
            return self.severity_level_holds(row);
        }
        self.positive_holds(row) != self.is_negated
    }

    /// A severity only knows membership: `is_not` is outside the list, every other operator inside.
    fn severity_level_holds(&self, row: &Row) -> bool {
        let is_listed = self.operands.iter().any(|operand| text_of(operand) == row.severity_text);
        is_listed != (self.operator == "exact" && self.is_negated)
    }

    fn positive_holds(&self, row: &Row) -> bool {
        let Some(stored) = self.stored(row) else { return false };
        match self.operator.as_str() {
            "is_set" => true,
            "between" => self.is_between(&stored),
            "regex" => self.patterns.iter().any(|pattern| pattern.is_match(&stored)),
            _ if self.compares_numbers() => self.number_matches(&stored),
            _ => self.operands.iter().any(|operand| self.text_matches(&stored, &text_of(operand))),
        }
    }

    /// The stored text that the leaf looks at; none if the row lacks the key.
    fn stored(&self, row: &Row) -> Option<String> {
        match self.namespace.as_str() {
            "log" => Some(self.column(row)),
            "log_attribute" => row.attributes.get(&self.key).cloned(),
            _ => row.resource_attributes.get(&self.key).cloned(),
        }
    }

    fn column(&self, row: &Row) -> String {
        match self.key.as_str() {
            "message" | "body" => row.body.clone(),
            "severity_level" | "severity_text" => row.severity_text.clone(),
            "severity_number" => row.severity_number.to_string(),
            "service_name" => row.service_name.clone(),
            "trace_id" => hex(&row.trace_id),
            "span_id" => hex(&row.span_id),
            "event_name" => row.event_name.clone(),
            _ => row.instrumentation_scope.clone(),
        }
    }

    /// A record's own attributes are numbers when every operand is one; a resource's never are.
    fn compares_numbers(&self) -> bool {
        let is_numeric =
            self.namespace == "log_attribute" || (self.namespace == "log" && self.key == "severity_number");
        is_numeric
            && NUMBER_OPERATORS.contains(&self.operator.as_str())
            && self.operands.iter().all(|operand| number_of(&text_of(operand)).is_some())
    }

    fn number_matches(&self, stored: &str) -> bool {
        let Some(stored) = number_of(stored) else { return false };
        let operands = self.operands.iter().filter_map(|operand| number_of(&text_of(operand)));
        operands.into_iter().any(|operand| match self.operator.as_str() {
            "gt" => stored > operand,
            "gte" | "min" => stored >= operand,
            "lt" => stored < operand,
            "lte" | "max" => stored <= operand,
            _ => stored == operand,
        })
    }

    fn is_between(&self, stored: &str) -> bool {
        let bounds: Vec<f64> =
            self.operands.iter().filter_map(|operand| number_of(&text_of(operand))).collect();
        number_of(stored).is_some_and(|stored| bounds[0] <= stored && stored <= bounds[1])
    }

    fn text_matches(&self, stored: &str, operand: &str) -> bool {
        match self.operator.as_str() {
            "exact" | "in"
                if ["trace_id", "span_id"].contains(&self.key.as_str()) && self.namespace == "log" =>
            {
                stored == hex_of_id(operand)
            }
            "exact" | "in" => stored == operand,
            "icontains" | "icontains_multi" => contains_ignoring_case(stored, operand),
            "starts_with" => stored.starts_with(operand),
            "ends_with" => stored.ends_with(operand),
            "gt" => stored > operand,
            "gte" | "min" => stored >= operand,
            "lt" => stored < operand,
            "lte" | "max" => stored <= operand,
            "is_date_exact" => self.date_matches(stored, operand, |stored, asked| stored == asked),
            "is_date_before" => self.date_matches(stored, operand, |stored, asked| stored < asked),
            "is_date_after" => self.date_matches(stored, operand, |stored, asked| stored > asked),
            operator => semver::matches(stored, operator, operand),
        }
    }

    /// What is stored must be an absolute time; what is asked for may be relative to now.
    fn date_matches(&self, stored: &str, asked: &str, compare: fn(i64, i64) -> bool) -> bool {
        let asked = dates::absolute(asked).or_else(|| dates::relative(asked, self.now));
        dates::absolute(stored).zip(asked).is_some_and(|(stored, asked)| compare(stored, asked))
    }
}

/// An empty list says nothing to any operator; an attribute filter with an empty value and a severity or
/// service filter without one are dropped too. Asking whether a key is set needs no value.
fn says_nothing(namespace: &str, key: &str, operator: &str, value: &Json) -> bool {
    if ["is_set", "is_not_set"].contains(&operator) {
        return false;
    }
    let is_empty_list = value.as_array().is_some_and(Vec::is_empty);
    let is_blank = value.is_null() || *value == "" || is_empty_list;
    let is_falsy = is_blank || *value == 0 || *value == false;
    match namespace {
        "log_attribute" => is_falsy,
        "log" if ["severity_level", "service_name"].contains(&key) => is_blank,
        _ => is_empty_list,
    }
}

/// A list of operands; a single value is a list of one.
fn operands(operator: &str, value: &Json) -> Result<Vec<Json>, Refused> {
    let operands = match value {
        Json::Array(items) => items.clone(),
        Json::Null => Vec::new(),
        _ if ["in", "between"].contains(&operator) => return Err(format!("{operator} needs a list")),
        scalar => vec![scalar.clone()],
    };
    if operator == "between" {
        let bounds: Vec<f64> = operands.iter().filter_map(|operand| number_of(&text_of(operand))).collect();
        if operands.len() != 2 || bounds.len() != 2 || bounds[0] > bounds[1] {
            return Err("between needs a minimum and a maximum".to_owned());
        }
    }
    Ok(operands)
}

fn patterns(operator: &str, operands: &[Json]) -> Result<Vec<Regex>, Refused> {
    if operator != "regex" {
        return Ok(Vec::new());
    }
    operands.iter().map(|operand| Regex::new(&text_of(operand)).map_err(|error| error.to_string())).collect()
}

fn text_of(operand: &Json) -> String {
    operand.as_str().map_or_else(|| operand.to_string(), str::to_owned)
}

fn number_of(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// An id may be asked for in hexadecimal of any case or in base64.
fn hex_of_id(operand: &str) -> String {
    let is_hex = [16, 32].contains(&operand.len()) && operand.chars().all(|digit| digit.is_ascii_hexdigit());
    match super::base64_bytes(operand) {
        _ if is_hex => operand.to_lowercase(),
        Some(bytes) => hex(&bytes),
        None => operand.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::rows_of;
    use super::super::sent::{Group, Record, Value};
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_765_881_180_000_000;

    /// Whether a leaf holds for a row whose attribute and resource attribute `k` have a value, or are absent.
    #[track_caller]
    fn check(namespace: &str, operator: &str, value: Json, stored: Option<&str>, expected: bool) {
        let attributes =
            || stored.iter().map(|text| ("k".to_owned(), Value::Text((*text).to_owned()))).collect();
        let record = Record { attributes: attributes(), ..Record::default() };
        let group = Group { resource: attributes(), records: vec![record], ..Group::default() };
        let leaf = json!({"type": namespace, "key": "k", "operator": operator, "value": value});
        let leaf = Leaf::read(&leaf, NOW).expect("a valid leaf").expect("a leaf that says something");
        assert_eq!(leaf.holds(&rows_of(&[group], NOW)[0]), expected);
    }

    #[test]
    fn attribute_leaves_follow_the_published_rules() {
        let check =
            |operator, value, stored, expected| check("log_attribute", operator, value, stored, expected);
        check("exact", json!("500"), Some("5e2"), true);
        check("exact", json!("500"), Some("text"), false);
        check("exact", json!(["1", "a"]), Some("1.0"), false);
        check("is_not", json!(["F"]), None, true);
        check("is_not", json!(500), Some("text"), true);
        check("is_not", json!(500), Some("500.0"), false);
        check("gt", json!("9"), Some("10"), true);
        check("gt", json!("9"), Some("text"), false);
        check("icontains", json!("404"), Some("/404"), true);
        check("not_icontains", json!(["a", "b"]), Some("xB"), false);
        check("regex", json!(["^a", "b$"]), Some("AB\nb"), true);
        check("not_regex", json!("a"), None, true);
        check("not_between", json!([1, 2]), Some("3"), true);
        check("is_set", json!(null), Some(""), true);
        check("is_not_set", json!(null), None, true);
        check("is_date_before", json!("-1h"), Some("2025-12-16T09:00:00Z"), true);
        check("is_date_exact", json!("2025-12-16"), Some("2025-12-16T01:00:00+01:00"), true);
        check("is_date_after", json!("2001-01-01"), Some("later"), false);
    }

    #[test]
    fn resource_leaves_compare_text() {
        let check = |operator, value, stored, expected| {
            check("log_resource_attribute", operator, value, stored, expected);
        };
        check("gt", json!("9"), Some("10"), false);
        check("gt", json!("0"), Some("10"), true);
        check("exact", json!(10), Some("10.0"), false);
        check("is_not", json!("envoy"), None, true);
    }

    #[test]
    fn leaves_without_a_value_are_dropped_and_senseless_ones_refused() {
        let read = |operator: &str, value: Json| {
            Leaf::read(
                &json!({"type": "log_attribute", "key": "k", "operator": operator, "value": value}),
                NOW,
            )
        };
        for value in [json!(""), json!(null), json!([])] {
            assert!(read("exact", value.clone()).expect("dropped").is_none());
            assert!(read("is_set", value).expect("kept").is_some());
        }
        assert!(read("regex", json!("(")).is_err());
        assert!(read("in", json!("x")).is_err());
        assert!(read("between", json!([2, 1])).is_err());
        assert!(
            Leaf::read(&json!({"type": "log", "key": "nope", "operator": "exact", "value": 1}), NOW).is_err()
        );
    }
}
