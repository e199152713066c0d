//! `filterGroup`: property filters, in the flat and the nested form.

use engine::query::model::{FilterLeaf, FilterNode, Join, Namespace, Operand, Operator, Scalar};
use serde_json::Value;

use crate::api::fields::{Fields, invalid, wrong_type};
use crate::error::ApiError;

/// Most conditions of one request: far beyond what a person writes, small enough to plan at once.
const MAX_CONDITIONS: usize = 200;
/// Most values of one condition.
const MAX_OPERANDS: usize = 10_000;

const LEAF_MEMBERS: [&str; 5] = ["key", "type", "operator", "value", "label"];

/// Reads a `filterGroup`: a flat list of conditions, a group of groups, or a group of conditions.
///
/// The conditions of all groups of the outer two levels hold together, whatever those say of AND and OR;
/// only a group inside them joins its conditions the way it says.
///
/// # Errors
/// 400 that names the first member that is wrong; in the simple form when a nested group is misused.
pub(in crate::api) fn parse(value: Option<&Value>, path: &str) -> Result<Vec<FilterNode>, ApiError> {
    let nodes = match value {
        None => Vec::new(),
        Some(Value::Array(leaves)) => leaves
            .iter()
            .enumerate()
            .map(|(index, leaf)| parse_leaf(leaf, &element(path, index)))
            .collect::<Result<_, _>>()?,
        Some(group) => parse_outer_group(group, path)?,
    };
    let num_conditions = nodes.iter().map(num_leaves).sum::<usize>();
    if num_conditions > MAX_CONDITIONS {
        return Err(invalid(path, &format!("{num_conditions} conditions are more than {MAX_CONDITIONS}")));
    }
    Ok(nodes)
}

fn num_leaves(node: &FilterNode) -> usize {
    match node {
        FilterNode::Leaf(_) => 1,
        FilterNode::Group { nodes, .. } => nodes.iter().map(num_leaves).sum(),
    }
}

pub(in crate::api) fn element(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

/// Members of the outer group: inner groups, or conditions.
fn parse_outer_group(group: &Value, path: &str) -> Result<Vec<FilterNode>, ApiError> {
    let mut nodes = Vec::new();
    for (value, path) in group_members(group, path)? {
        if is_group(value) {
            for (value, path) in group_members(value, &path)? {
                nodes.push(if is_group(value) {
                    parse_nested_group(value, &path)?
                } else {
                    parse_leaf(value, &path)?
                });
            }
        } else {
            nodes.push(parse_leaf(value, &path)?);
        }
    }
    Ok(nodes)
}

/// A group inside an inner group: one of several attribute keys, or all of them.
fn parse_nested_group(group: &Value, path: &str) -> Result<FilterNode, ApiError> {
    let join = join_of(group, path)?;
    let misuse = |path: &str, reason: &str| invalid(path, reason).simple();
    let mut nodes = Vec::new();
    for (value, path) in group_members(group, path)? {
        if is_group(value) {
            return Err(misuse(&path, "a nested group may not hold another group"));
        }
        let leaf = parse_leaf(value, &path)?;
        if !matches!(&leaf, FilterNode::Leaf(leaf) if leaf.namespace == Namespace::LogAttribute) {
            return Err(misuse(&path, "a nested group may hold only conditions of type log_attribute"));
        }
        nodes.push(leaf);
    }
    if nodes.is_empty() {
        return Err(misuse(path, "a nested group may not be empty"));
    }
    Ok(FilterNode::Group { join, nodes })
}

pub(in crate::api) fn is_group(value: &Value) -> bool {
    value.get("values").is_some()
}

/// The members of a group with their paths.
///
/// # Errors
/// 400 when it has none, or a connective that there is not.
pub(in crate::api) fn group_members<'a>(
    group: &'a Value,
    path: &str,
) -> Result<Vec<(&'a Value, String)>, ApiError> {
    join_of(group, path)?;
    let fields = Fields::of(group, path)?;
    let values_path = fields.path_of("values");
    match fields.get("values") {
        Some(Value::Array(values)) => Ok(values
            .iter()
            .enumerate()
            .map(|(index, value)| (value, element(&values_path, index)))
            .collect()),
        Some(other) => Err(wrong_type(&values_path, "a list", other)),
        None => Err(invalid(&values_path, "a group needs a list of conditions or groups")),
    }
}

pub(in crate::api) fn join_of(group: &Value, path: &str) -> Result<Join, ApiError> {
    let fields = Fields::of(group, path)?;
    match fields.text("type")? {
        None | Some("AND") => Ok(Join::And),
        Some("OR") => Ok(Join::Or),
        Some(other) => Err(invalid(&fields.path_of("type"), &format!("{other:?} is not AND or OR"))),
    }
}

pub(in crate::api) fn parse_leaf(value: &Value, path: &str) -> Result<FilterNode, ApiError> {
    let fields = Fields::of(value, path)?;
    if let Some(unknown) = fields.keys().find(|key| !LEAF_MEMBERS.contains(key)) {
        return Err(invalid(&fields.path_of(unknown), "a condition has no such member"));
    }
    let required =
        |key: &str| fields.text(key)?.ok_or_else(|| invalid(&fields.path_of(key), "a condition needs it"));
    let namespace = required("type")?;
    let operator = required("operator")?;
    Ok(FilterNode::Leaf(FilterLeaf {
        path: path.to_owned(),
        key: required("key")?.to_owned(),
        namespace: namespace_of(namespace)
            .ok_or_else(|| invalid(&fields.path_of("type"), &format!("{namespace:?} is not a known type")))?,
        operator: Operator::from_name(operator).ok_or_else(|| {
            invalid(&fields.path_of("operator"), &format!("{operator:?} is not a known operator"))
        })?,
        operand: parse_operand(fields.get("value"), &fields.path_of("value"))?,
    }))
}

/// `log` is the word of questions, `log_entry` the word of alerts; both are understood everywhere.
fn namespace_of(name: &str) -> Option<Namespace> {
    match name {
        "log" | "log_entry" => Some(Namespace::Log),
        "log_attribute" => Some(Namespace::LogAttribute),
        "log_resource_attribute" => Some(Namespace::LogResourceAttribute),
        _ => None,
    }
}

pub(in crate::api) fn parse_operand(value: Option<&Value>, path: &str) -> Result<Operand, ApiError> {
    match value {
        None => Ok(Operand::Absent),
        Some(Value::Array(values)) if values.len() > MAX_OPERANDS => {
            Err(invalid(path, &format!("{} values are more than {MAX_OPERANDS}", values.len())))
        }
        Some(Value::Array(values)) => {
            let scalars =
                values.iter().enumerate().map(|(index, value)| parse_scalar(value, &element(path, index)));
            Ok(Operand::Many(scalars.collect::<Result<_, _>>()?))
        }
        Some(value) => Ok(Operand::One(parse_scalar(value, path)?)),
    }
}

fn parse_scalar(value: &Value, path: &str) -> Result<Scalar, ApiError> {
    match value {
        Value::String(text) => Ok(Scalar::Text(text.clone())),
        Value::Bool(truth) => Ok(Scalar::Bool(*truth)),
        Value::Number(number) => {
            let value =
                number.as_f64().ok_or_else(|| invalid(path, &format!("{number} is not a 64-bit number")))?;
            Ok(Scalar::Number { value, text: number.to_string() })
        }
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(wrong_type(path, "a string, a number, a truth value or a list of these", value))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn leaf_json(key: &str) -> Value {
        json!({ "key": key, "type": "log_attribute", "operator": "exact", "value": "v" })
    }

    fn leaf(path: &str, key: &str) -> FilterNode {
        FilterNode::Leaf(FilterLeaf {
            path: path.to_owned(),
            key: key.to_owned(),
            namespace: Namespace::LogAttribute,
            operator: Operator::Exact,
            operand: Operand::One(Scalar::Text("v".to_owned())),
        })
    }

    fn accepts(value: Value, expected: &[FilterNode]) {
        assert_eq!(parse(Some(&value), "filterGroup").unwrap(), expected, "{value}");
    }

    fn rejects(value: Value, expected: &str) {
        let error = parse(Some(&value), "filterGroup").expect_err(&value.to_string());
        assert_eq!(error.status(), 400);
        assert!(error.to_string().contains(expected), "{error} instead of {expected}");
    }

    #[test]
    fn the_empty_forms_are_no_filter() {
        assert_eq!(parse(None, "filterGroup").unwrap(), []);
        accepts(json!([]), &[]);
        accepts(json!({ "type": "AND", "values": [] }), &[]);
        accepts(json!({ "type": "AND", "values": [{ "type": "AND", "values": [] }] }), &[]);
    }

    #[test]
    fn flat_one_level_and_nested_forms_mean_the_same() {
        accepts(
            json!([leaf_json("a"), leaf_json("b")]),
            &[leaf("filterGroup[0]", "a"), leaf("filterGroup[1]", "b")],
        );
        accepts(json!({ "type": "AND", "values": [leaf_json("a")] }), &[leaf("filterGroup.values[0]", "a")]);
        accepts(json!({ "values": [leaf_json("a")] }), &[leaf("filterGroup.values[0]", "a")]);
        accepts(
            json!({ "type": "AND", "values": [{ "type": "AND", "values": [leaf_json("a")] }] }),
            &[leaf("filterGroup.values[0].values[0]", "a")],
        );
    }

    #[test]
    fn inner_groups_are_joined_by_and_whatever_they_say() {
        accepts(
            json!({ "type": "OR", "values": [
                { "type": "OR", "values": [leaf_json("a")] },
                { "type": "AND", "values": [leaf_json("b")] },
            ] }),
            &[leaf("filterGroup.values[0].values[0]", "a"), leaf("filterGroup.values[1].values[0]", "b")],
        );
    }

    fn nested(group: Value) -> Value {
        json!({ "type": "AND", "values": [{ "type": "AND", "values": [leaf_json("a"), group] }] })
    }

    #[test]
    fn a_nested_group_keeps_its_own_connective() {
        for (name, join) in [("AND", Join::And), ("OR", Join::Or)] {
            let path = "filterGroup.values[0].values[1].values";
            accepts(
                nested(json!({ "type": name, "values": [leaf_json("b"), leaf_json("c")] })),
                &[
                    leaf("filterGroup.values[0].values[0]", "a"),
                    FilterNode::Group {
                        join,
                        nodes: vec![leaf(&format!("{path}[0]"), "b"), leaf(&format!("{path}[1]"), "c")],
                    },
                ],
            );
        }
    }

    #[test]
    fn misused_nested_groups_are_answered_in_the_simple_form() {
        let log = json!({ "key": "message", "type": "log", "operator": "exact", "value": "v" });
        for (group, reason) in [
            (
                json!({ "type": "OR", "values": [] }),
                "filterGroup.values[0].values[1]: a nested group may not be empty",
            ),
            (json!({ "type": "OR", "values": [log] }), "only conditions of type log_attribute"),
            (
                json!({ "type": "OR", "values": [{ "type": "OR", "values": [leaf_json("b")] }] }),
                "another group",
            ),
        ] {
            let error = parse(Some(&nested(group)), "filterGroup").unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
            assert_eq!(error.status(), 400);
        }
    }

    #[test]
    fn groups_of_a_wrong_shape_are_named() {
        rejects(json!("x"), "filterGroup: expected an object, found a string");
        rejects(json!(5), "filterGroup: expected an object");
        rejects(json!({}), "filterGroup.values: a group needs a list");
        rejects(json!({ "values": "x" }), "filterGroup.values: expected a list");
        rejects(json!({ "type": "XOR", "values": [] }), "filterGroup.type: \"XOR\" is not AND or OR");
        rejects(json!({ "type": 1, "values": [] }), "filterGroup.type: expected a string");
        rejects(json!({ "values": [7] }), "filterGroup.values[0]: expected an object, found a number");
        rejects(
            json!([{ "type": "AND", "values": [] }]),
            "filterGroup[0].values: a condition has no such member",
        );
    }

    #[test]
    fn conditions_of_a_wrong_shape_are_named() {
        let with = |member: &str, value: Value| {
            let mut leaf = leaf_json("a");
            leaf[member] = value;
            json!([leaf])
        };
        rejects(json!([{ "type": "log", "operator": "exact" }]), "filterGroup[0].key: a condition needs it");
        rejects(json!([{ "key": "a", "operator": "exact" }]), "filterGroup[0].type: a condition needs it");
        rejects(json!([{ "key": "a", "type": "log" }]), "filterGroup[0].operator: a condition needs it");
        rejects(
            with("operator", json!("matches")),
            "filterGroup[0].operator: \"matches\" is not a known operator",
        );
        rejects(with("type", json!("event")), "filterGroup[0].type: \"event\" is not a known type");
        rejects(with("key", json!(1)), "filterGroup[0].key: expected a string");
        rejects(with("extra", json!(1)), "filterGroup[0].extra: a condition has no such member");
        rejects(with("value", json!({})), "filterGroup[0].value: expected a string, a number");
        rejects(with("value", json!(["a", null])), "filterGroup[0].value[1]: expected a string");
        rejects(with("value", json!([["a"]])), "filterGroup[0].value[0]: expected a string");
    }

    #[test]
    fn values_of_every_kind_are_read() {
        for (value, expected) in [
            (json!(null), Operand::Absent),
            (json!("x"), Operand::One(Scalar::Text("x".into()))),
            (json!(500), Operand::One(Scalar::Number { value: 500.0, text: "500".into() })),
            (json!(1.5), Operand::One(Scalar::Number { value: 1.5, text: "1.5".into() })),
            (json!(true), Operand::One(Scalar::Bool(true))),
            (json!([]), Operand::Many(vec![])),
            (
                json!(["a", 1]),
                Operand::Many(vec![
                    Scalar::Text("a".into()),
                    Scalar::Number { value: 1.0, text: "1".into() },
                ]),
            ),
        ] {
            assert_eq!(
                parse_operand(Some(&value).filter(|value| !value.is_null()), "value").unwrap(),
                expected
            );
        }
    }

    #[test]
    fn each_word_for_a_namespace_is_understood() {
        assert_eq!(namespace_of("log"), Some(Namespace::Log));
        assert_eq!(namespace_of("log_entry"), Some(Namespace::Log));
        assert_eq!(namespace_of("log_attribute"), Some(Namespace::LogAttribute));
        assert_eq!(namespace_of("log_resource_attribute"), Some(Namespace::LogResourceAttribute));
    }

    #[test]
    fn the_number_of_conditions_and_values_is_bounded() {
        accepts_only_count(MAX_CONDITIONS);
        rejects(
            json!(vec![leaf_json("a"); MAX_CONDITIONS + 1]),
            "filterGroup: 201 conditions are more than 200",
        );
        let mut leaf = leaf_json("a");
        leaf["value"] = json!(vec!["x"; MAX_OPERANDS + 1]);
        rejects(json!([leaf]), "filterGroup[0].value: 10001 values are more than 10000");
    }

    fn accepts_only_count(count: usize) {
        let value = json!(vec![leaf_json("a"); count]);
        assert_eq!(parse(Some(&value), "filterGroup").unwrap().len(), count);
    }
}
