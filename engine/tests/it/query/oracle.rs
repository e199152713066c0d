//! What a filter means, one row at a time: written from the API's rules and sharing no code with the filter
//! translator. It knows the core operators.

use std::cmp::Ordering::{self, Equal, Greater, Less};

use engine::query::model::{FilterLeaf, FilterNode, Join, LogFilter, Namespace, Operand, Operator, Scalar};

use super::corpus::Row;

pub(crate) fn passes(row: &Row, filter: &LogFilter) -> bool {
    let of = |names: &[String], name: &str| names.is_empty() || names.iter().any(|each| each == name);
    of(&filter.severity_levels, row.severity)
        && of(&filter.service_names, &row.service)
        && contains(&row.body, &filter.search_term)
        && filter.resource_fingerprint.is_none_or(|fingerprint| fingerprint == row.fingerprint)
        && filter.properties.iter().all(|node| node_passes(row, node).unwrap_or(true))
}

/// None when the node says nothing.
fn node_passes(row: &Row, node: &FilterNode) -> Option<bool> {
    match node {
        FilterNode::Leaf(leaf) => leaf_passes(row, leaf),
        FilterNode::Group { join, nodes } => {
            let answers: Vec<bool> = nodes.iter().filter_map(|node| node_passes(row, node)).collect();
            match join {
                _ if answers.is_empty() => None,
                Join::And => Some(answers.iter().all(|answer| *answer)),
                Join::Or => Some(answers.iter().any(|answer| *answer)),
            }
        }
    }
}

fn leaf_passes(row: &Row, leaf: &FilterLeaf) -> Option<bool> {
    let numeric = leaf.namespace == Namespace::LogAttribute;
    let value = match (leaf.namespace, leaf.key.as_str()) {
        (Namespace::LogAttribute, key) => row.attribute(key),
        (Namespace::LogResourceAttribute, key) => row.resource_attribute(key),
        (Namespace::Log, "message") => Some(row.body.as_str()),
        (Namespace::Log, "service_name") => Some(row.service.as_str()),
        (Namespace::Log, "severity_level") => Some(row.severity),
        (Namespace::Log, key) => panic!("the oracle does not know the column {key}"),
    };
    match leaf.operator {
        Operator::IsSet => return Some(value.is_some()),
        Operator::IsNotSet => return Some(value.is_none()),
        _ => {}
    }
    let operands: Vec<&str> = match &leaf.operand {
        Operand::Absent => return None,
        Operand::One(scalar) => vec![scalar.text()],
        Operand::Many(scalars) => scalars.iter().map(Scalar::text).collect(),
    };
    let any = |test: &dyn Fn(&str, &str) -> bool| {
        value.is_some_and(|value| operands.iter().any(|operand| test(value, operand)))
    };
    Some(match leaf.operator {
        Operator::Exact | Operator::In => any(&|value, _| equals(value, &operands, numeric)),
        Operator::IsNot | Operator::NotIn => !any(&|value, _| equals(value, &operands, numeric)),
        Operator::Icontains => any(&contains),
        Operator::NotIcontains => !any(&contains),
        Operator::StartsWith => any(&|value, operand| value.starts_with(operand)),
        Operator::NotEndsWith => !any(&|value, operand| value.ends_with(operand)),
        Operator::Gt => any(&|value, operand| order(value, operand, &operands, numeric) == Some(Greater)),
        Operator::Lte => {
            any(&|value, operand| matches!(order(value, operand, &operands, numeric), Some(Less | Equal)))
        }
        other => panic!("the oracle does not know the operator {other:?}"),
    })
}

fn numbers(operands: &[&str]) -> Option<Vec<f64>> {
    operands.iter().map(|operand| operand.parse().ok()).collect()
}

fn equals(value: &str, operands: &[&str], numeric: bool) -> bool {
    match numbers(operands) {
        Some(numbers) if numeric => value.parse::<f64>().is_ok_and(|value| numbers.contains(&value)),
        _ => operands.contains(&value),
    }
}

/// How a value compares with an operand; none when one of them is not a number and they compare as numbers.
fn order(value: &str, operand: &str, operands: &[&str], numeric: bool) -> Option<Ordering> {
    if numeric && numbers(operands).is_some() {
        return value.parse::<f64>().ok()?.partial_cmp(&operand.parse().ok()?);
    }
    Some(value.cmp(operand))
}

/// Contains, ignoring case: by the simple case folding of every character.
fn contains(text: &str, needle: &str) -> bool {
    let fold = |text: &str| -> Vec<char> { text.chars().map(fold_char).collect() };
    let (text, needle) = (fold(text), fold(needle));
    needle.is_empty() || text.windows(needle.len()).any(|window| window == needle)
}

fn fold_char(char: char) -> char {
    unicode_case_mapping::case_folded(char)
        .map_or(char, |folded| char::from_u32(folded.get()).expect("a folded character is a character"))
}
