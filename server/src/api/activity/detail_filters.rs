//! `detail_filters`: `{path: {"operation": "exact" | "contains" | "in", "value": ...}}`.

use engine::query::{DetailPath, DetailTest, DetailValue};
use serde_json::{Map, Number, Value};

use super::values::invalid;
use crate::error::ApiError;

const NAME: &str = "detail_filters";
const MAX_FILTERS: usize = 100;
const MAX_PATH_CHARS: usize = 500;
const MAX_LISTS: usize = 3;
/// Most values of one `in`.
const MAX_VALUES: usize = 1_000;

/// Reads the filters; those without a value say nothing.
///
/// # Errors
/// 400 on `detail_filters`.
pub(super) fn parse(filters: &Map<String, Value>) -> Result<Vec<(DetailPath, DetailTest)>, ApiError> {
    if filters.len() > MAX_FILTERS {
        return Err(invalid(NAME, &format!("{} filters, at most {MAX_FILTERS}", filters.len())));
    }
    let mut tests = Vec::new();
    for (path, config) in filters {
        let path_read = parse_path(path)?;
        let Some(config) = config.as_object() else {
            return Err(invalid(NAME, &format!("the filter on {path:?} must be an object")));
        };
        let operation = match config.get("operation") {
            None => "exact",
            Some(Value::String(operation)) => operation.as_str(),
            Some(_) => "",
        };
        let test = test(path, operation, config.get("value").unwrap_or(&Value::Null))?;
        tests.extend(test.map(|test| (path_read, test)));
    }
    Ok(tests)
}

fn parse_path(path: &str) -> Result<DetailPath, ApiError> {
    if path.is_empty() || path.chars().count() > MAX_PATH_CHARS {
        return Err(invalid(NAME, &format!("a path has at least 1 and at most {MAX_PATH_CHARS} characters")));
    }
    if path.contains("__") {
        return Err(invalid(NAME, &format!("the path {path:?} has a double underscore")));
    }
    if path.matches("[]").count() > MAX_LISTS {
        return Err(invalid(NAME, &format!("the path {path:?} has more than {MAX_LISTS} lists")));
    }
    DetailPath::parse(path).map_err(|error| invalid(NAME, error.message()))
}

fn test(path: &str, operation: &str, value: &Value) -> Result<Option<DetailTest>, ApiError> {
    let test = match operation {
        "exact" | "equals" | "in" | "contains" if value.is_null() => return Ok(None),
        "exact" | "equals" => DetailTest::IsAny(variants(path, value)?),
        "in" => match value {
            Value::Array(values) if values.len() > MAX_VALUES => {
                return Err(invalid(
                    NAME,
                    &format!("{path:?} is one of {} values, at most {MAX_VALUES}", values.len()),
                ));
            }
            Value::Array(values) => {
                let all = values.iter().filter(|value| !value.is_null()).map(|value| variants(path, value));
                DetailTest::IsAny(all.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
            }
            one => DetailTest::IsAny(variants(path, one)?),
        },
        "contains" => DetailTest::Contains(text_of(path, value)?),
        other => {
            let reason = format!("the operation {other:?} on {path:?} is none of exact, contains, in");
            return Err(invalid(NAME, &reason));
        }
    };
    Ok(Some(test))
}

fn text_of(path: &str, value: &Value) -> Result<String, ApiError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(no_scalar(path)),
    }
}

fn no_scalar(path: &str) -> ApiError {
    invalid(NAME, &format!("the value on {path:?} must be a text, a number or a truth value"))
}

/// What a value stands for: text that spells a number or a truth value is that as well, and the other way round.
fn variants(path: &str, value: &Value) -> Result<Vec<DetailValue>, ApiError> {
    Ok(match value {
        Value::String(text) => {
            let mut variants = vec![DetailValue::Text(text.clone())];
            let trimmed = text.trim();
            variants.extend(canonical_number(trimmed).map(DetailValue::Number));
            variants.extend(match trimmed.to_ascii_lowercase().as_str() {
                "true" | "1" => Some(DetailValue::Bool(true)),
                "false" | "0" => Some(DetailValue::Bool(false)),
                _ => None,
            });
            variants
        }
        Value::Bool(flag) => {
            let texts: [&str; 3] = if *flag { ["true", "True", "1"] } else { ["false", "False", "0"] };
            let texts = texts.into_iter().map(|text| DetailValue::Text(text.to_owned()));
            [DetailValue::Bool(*flag)].into_iter().chain(texts).collect()
        }
        Value::Number(number) => {
            vec![DetailValue::Number(number.clone()), DetailValue::Text(number.to_string())]
        }
        _ => return Err(no_scalar(path)),
    })
}

/// The number that a text is, if it is written as it would be written again.
fn canonical_number(text: &str) -> Option<Number> {
    if let Ok(integer) = text.parse::<i64>() {
        return (integer.to_string() == text).then(|| Number::from(integer));
    }
    let number = Number::from_f64(text.parse().ok()?)?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(value: Value) -> Vec<DetailValue> {
        variants("p", &value).unwrap()
    }

    fn number(value: Value) -> DetailValue {
        DetailValue::Number(value.as_number().unwrap().clone())
    }

    #[test]
    fn a_text_stands_for_what_it_spells() {
        let text = |text: &str| DetailValue::Text(text.into());
        assert_eq!(values(json!("1")), [text("1"), number(json!(1)), DetailValue::Bool(true)]);
        assert_eq!(values(json!(" TRUE ")), [text(" TRUE "), DetailValue::Bool(true)]);
        assert_eq!(values(json!("2.75")), [text("2.75"), number(json!(2.75))]);
        assert_eq!(values(json!("42.0")), [text("42.0"), number(json!(42.0))]);
        for no_number in ["1e3", "01", "+1", "inf", "NaN", "3.140", ""] {
            assert_eq!(values(json!(no_number)), [text(no_number)]);
        }
        assert_eq!(values(json!(1)), [number(json!(1)), text("1")]);
        assert_eq!(values(json!(true)), [DetailValue::Bool(true), text("true"), text("True"), text("1")]);
    }

    #[track_caller]
    fn refused(filters: Value, part: &str) {
        let error = parse(filters.as_object().unwrap()).unwrap_err();
        assert_eq!(error.attr(), Some("detail_filters"));
        assert!(error.detail().contains(part), "{}", error.detail());
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        refused(json!({ "name": 1 }), "must be an object");
        refused(json!({ "name": { "operation": "like", "value": "x" } }), "\"like\"");
        refused(json!({ "name": { "operation": 5, "value": "x" } }), "none of exact");
        refused(json!({ "": { "value": "x" } }), "at least 1");
        refused(json!({ "x".repeat(501): { "value": "x" } }), "at most 500");
        refused(json!({ "a__b": { "value": "x" } }), "double underscore");
        refused(json!({ "a[].b[].c[].d[]": { "value": "x" } }), "more than 3");
        refused(json!({ "a..b": { "value": "x" } }), "empty part");
        refused(json!({ "a": { "value": {} } }), "must be a text");
        refused(json!({ "a": { "operation": "in", "value": [[]] } }), "must be a text");
        refused(json!({ "a": { "operation": "contains", "value": [] } }), "must be a text");
        let many: Map<String, Value> =
            (0..101).map(|number| (number.to_string(), json!({ "value": "x" }))).collect();
        refused(Value::Object(many), "101 filters");
    }

    #[test]
    fn a_filter_without_a_value_says_nothing() {
        let filters = json!({ "a": {}, "b": { "operation": "in", "value": null }, "c": { "value": "x" } });
        assert_eq!(parse(filters.as_object().unwrap()).unwrap().len(), 1);
        let empty = json!({ "a": { "operation": "in", "value": [] } });
        assert_eq!(parse(empty.as_object().unwrap()).unwrap()[0].1, DetailTest::IsAny(vec![]));
        let equals = json!({ "a": { "operation": "equals", "value": "x" } });
        assert_eq!(parse(equals.as_object().unwrap()).unwrap().len(), 1);
    }
}
