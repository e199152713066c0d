//! When a change needs approval: the conditions of a policy, held against what a write changes.
//!
//! A condition is about one field, wherever in the changed values it occurs. What cannot be understood needs approval:
//! a mistake in a policy must not open the gate.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The values of a field by where they are.
type Places<'v> = BTreeMap<String, &'v Value>;

/// Whether a change from one state of some fields to another needs approval.
pub(crate) fn are_met(
    conditions: &Map<String, Value>,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> bool {
    if conditions.is_empty() {
        return true;
    }
    let text = |key: &str| conditions.get(key).and_then(Value::as_str);
    let Some(field) = text("field").filter(|field| !field.is_empty()) else { return true };
    let (before, after) = (occurrences(before, field), occurrences(after, field));
    let compared = || {
        let value = conditions.get("value").filter(|value| !value.is_null())?;
        Some((Operator::parse(text("operator")?)?, value))
    };
    match text("type") {
        Some("any_change") => {
            let paths = before.keys().chain(after.keys());
            let value =
                |places: &Places<'_>, path: &String| places.get(path).map_or(Value::Null, |v| (*v).clone());
            paths.into_iter().any(|path| value(&before, path) != value(&after, path))
        }
        Some("before_after") => match compared() {
            Some((operator, value)) => {
                after.values().filter(|new| !new.is_null()).any(|new| operator.holds(new, value))
            }
            None => true,
        },
        Some("change_amount") => match compared() {
            Some((operator, value)) => after.iter().any(|(path, new)| {
                let old = before.get(path).and_then(|old| old.as_f64());
                let amount = old.zip(new.as_f64()).map(|(old, new)| new - old);
                amount.is_some_and(|amount| operator.holds(&Value::from(amount), value))
            }),
            None => true,
        },
        _ => true,
    }
}

/// Where a field occurs in some values, at any depth.
fn occurrences<'v>(values: &'v Map<String, Value>, field: &str) -> Places<'v> {
    let mut places = Places::new();
    let mut rest: Vec<(String, &'v Map<String, Value>)> = vec![(String::new(), values)];
    while let Some((path, object)) = rest.pop() {
        for (key, value) in object {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            collect(value, &path, &mut rest);
            if key == field {
                places.insert(path, value);
            }
        }
    }
    places
}

/// The objects in a value, which may be in lists of lists.
fn collect<'v>(value: &'v Value, path: &str, rest: &mut Vec<(String, &'v Map<String, Value>)>) {
    match value {
        Value::Object(object) => rest.push((path.to_owned(), object)),
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                collect(value, &format!("{path}.{index}"), rest);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[derive(Clone, Copy, Debug)]
enum Operator {
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Equal,
    NotEqual,
}

impl Operator {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            ">" => Self::Greater,
            "<" => Self::Less,
            ">=" => Self::GreaterOrEqual,
            "<=" => Self::LessOrEqual,
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            _ => return None,
        })
    }

    /// Whether two values stand so; what cannot be ordered does not.
    fn holds(self, left: &Value, right: &Value) -> bool {
        let order = order(left, right);
        match self {
            Self::Equal => order.map_or(left == right, Ordering::is_eq),
            Self::NotEqual => !order.map_or(left == right, Ordering::is_eq),
            Self::Greater => order.is_some_and(Ordering::is_gt),
            Self::Less => order.is_some_and(Ordering::is_lt),
            Self::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
            Self::LessOrEqual => order.is_some_and(Ordering::is_le),
        }
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[track_caller]
    fn check(conditions: Value, before: Value, after: Value, expected: bool) {
        let met = are_met(&object(&conditions), &object(&before), &object(&after));
        assert_eq!(met, expected, "{conditions} on {before} -> {after}");
    }

    #[test]
    fn without_conditions_everything_needs_approval() {
        check(json!({}), json!({}), json!({}), true);
        check(json!({}), json!({ "a": 1 }), json!({ "a": 2 }), true);
    }

    #[test]
    fn any_change_is_about_one_field_wherever_it_is() {
        let on = |field: &str| json!({ "type": "any_change", "field": field });
        check(on("a"), json!({ "a": 1 }), json!({ "a": 2 }), true);
        check(on("a"), json!({ "b": 1 }), json!({ "b": 2 }), false);
        check(on("a"), json!({}), json!({ "a": 2 }), true);
        check(on("a"), json!({ "a": 1 }), json!({}), true);
        check(on("a"), json!({}), json!({ "a": null }), false);
        let deep = |value: i64| json!({ "config": { "rules": [[{ "a": 5 }, { "a": value }]] } });
        check(on("a"), deep(1), deep(2), true);
        check(on("a"), deep(1), deep(1), false);
    }

    #[test]
    fn before_after_looks_at_the_new_values_alone() {
        let than = |operator: &str, value: Value| json!({ "type": "before_after", "field": "a", "operator": operator, "value": value });
        for (operator, value, new, expected) in [
            (">", json!(5), json!(6), true),
            (">", json!(5), json!(5), false),
            ("<", json!(5), json!(4.5), true),
            (">=", json!(5), json!(5), true),
            ("<=", json!(5), json!(6), false),
            ("==", json!(5), json!(5.0), true),
            ("!=", json!(5), json!(5), false),
            ("==", json!(true), json!(true), true),
            ("!=", json!(true), json!(false), true),
            (">", json!(true), json!(false), false),
            ("==", json!("x"), json!("x"), true),
            (">", json!("x"), json!(7), false),
            ("==", json!(5), json!(null), false),
            ("!=", json!(5), json!(null), false),
            (">", json!(9_007_199_254_740_992_i64), json!(9_007_199_254_740_993_i64), true),
        ] {
            check(than(operator, value), json!({ "a": 100 }), json!({ "a": new }), expected);
        }
        let several = json!({ "config": [{ "a": 1 }, { "a": 9 }] });
        check(than(">", json!(5)), json!({}), several, true);
    }

    #[test]
    fn change_amount_is_signed_and_needs_two_numbers() {
        let by = |operator: &str, value: Value| json!({ "type": "change_amount", "field": "a", "operator": operator, "value": value });
        for (operator, value, old, new, expected) in [
            (">", json!(10), json!(1), json!(12), true),
            (">", json!(10), json!(12), json!(1), false),
            ("<", json!(-10), json!(12), json!(1), true),
            (">=", json!(11), json!(1), json!(12), true),
            ("!=", json!(0), json!(1), json!(1), false),
            (">", json!(0), json!(null), json!(5), false),
            (">", json!(0), json!("1"), json!("5"), false),
        ] {
            check(by(operator, value), json!({ "a": old }), json!({ "a": new }), expected);
        }
        check(by(">", json!(0)), json!({}), json!({ "a": 5 }), false);
        check(by(">", json!(0)), json!({ "x": { "a": 1 } }), json!({ "x": { "a": 5 } }), true);
    }

    #[test]
    fn what_is_not_understood_needs_approval() {
        for conditions in [
            json!({ "field": "a" }),
            json!({ "type": "other", "field": "a" }),
            json!({ "type": 5, "field": "a" }),
            json!({ "type": "any_change" }),
            json!({ "type": "before_after", "field": "a", "operator": ">" }),
            json!({ "type": "before_after", "field": "a", "operator": ">", "value": null }),
            json!({ "type": "before_after", "field": "a", "value": 5 }),
            json!({ "type": "before_after", "field": "a", "operator": "=", "value": 5 }),
            json!({ "type": "change_amount", "operator": ">", "value": 5 }),
            json!({ "type": "change_amount", "field": "a", "operator": "~", "value": 5 }),
        ] {
            check(conditions, json!({ "b": 1 }), json!({ "b": 1 }), true);
        }
    }
}
