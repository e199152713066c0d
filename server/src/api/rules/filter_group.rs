//! `filter_group` of a rule: conditions in groups of groups, each joined the way it says.
//!
//! Conditions are those of questions. Unlike there, every group's own connective counts, and any condition may stand
//! in any group: what a rule drops or deletes must be what is written.

use engine::query::model::{FilterNode, Join};
use serde_json::Value;

use crate::api::fields::invalid;
use crate::api::logs::filter_group::{element, group_members, is_group, join_of, parse_leaf};
use crate::error::ApiError;

/// Groups and conditions may stand this deep, counting the outermost group and the condition.
const MAX_DEPTH: usize = 16;
/// Most groups and conditions together.
const MAX_NODES: usize = 256;

/// Reads a group, or a list of conditions that hold together; none when it is absent.
///
/// # Errors
/// 400 that names the first member that is wrong.
pub(crate) fn parse(value: Option<&Value>, path: &str) -> Result<Option<FilterNode>, ApiError> {
    let Some(value) = value else { return Ok(None) };
    let mut reader = Reader { num_nodes: 0 };
    let node = match value {
        Value::Array(values) => {
            let members = values.iter().enumerate().map(|(index, value)| (value, element(path, index)));
            reader.group(Join::And, members.collect(), path, 1)?
        }
        group => reader.node(group, path, 1)?,
    };
    Ok(Some(node))
}

struct Reader {
    num_nodes: usize,
}

impl Reader {
    fn node(&mut self, value: &Value, path: &str, depth: usize) -> Result<FilterNode, ApiError> {
        if depth > MAX_DEPTH {
            return Err(invalid(path, &format!("a filter nests at most {MAX_DEPTH} deep")));
        }
        // The outermost value is a group, whatever it lacks.
        if depth == 1 || is_group(value) {
            return self.group(join_of(value, path)?, group_members(value, path)?, path, depth);
        }
        self.count(path)?;
        parse_leaf(value, path)
    }

    fn group(
        &mut self,
        join: Join,
        members: Vec<(&Value, String)>,
        path: &str,
        depth: usize,
    ) -> Result<FilterNode, ApiError> {
        self.count(path)?;
        if members.is_empty() {
            return Err(invalid(path, "a group may not be empty"));
        }
        let nodes = members.into_iter().map(|(value, path)| self.node(value, &path, depth + 1));
        Ok(FilterNode::Group { join, nodes: nodes.collect::<Result<_, _>>()? })
    }

    fn count(&mut self, path: &str) -> Result<(), ApiError> {
        self.num_nodes += 1;
        if self.num_nodes > MAX_NODES {
            return Err(invalid(path, &format!("a filter has at most {MAX_NODES} groups and conditions")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn leaf() -> Value {
        json!({ "key": "k", "type": "log_attribute", "operator": "exact", "value": "v" })
    }

    fn nested(depth: usize) -> Value {
        (1..depth).fold(leaf(), |inner, _| json!({ "type": "OR", "values": [inner] }))
    }

    #[test]
    fn groups_keep_their_connectives() {
        let value =
            json!({ "type": "OR", "values": [leaf(), { "type": "AND", "values": [leaf(), leaf()] }] });
        let Some(FilterNode::Group { join: Join::Or, nodes }) = parse(Some(&value), "g").unwrap() else {
            panic!("no OR group")
        };
        assert!(
            matches!(&nodes[..], [FilterNode::Leaf(_), FilterNode::Group { join: Join::And, nodes }] if nodes.len() == 2)
        );
        let list = parse(Some(&json!([leaf()])), "g").unwrap();
        assert!(matches!(list, Some(FilterNode::Group { join: Join::And, nodes }) if nodes.len() == 1));
        assert_eq!(parse(None, "g").unwrap(), None);
    }

    #[test]
    fn limits_are_the_contracts() {
        assert!(parse(Some(&nested(16)), "g").is_ok());
        let refused = |value: Value, expected: &str| {
            let error = parse(Some(&value), "g").unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        refused(nested(17), "nests at most 16 deep");
        assert!(parse(Some(&json!(vec![leaf(); 255])), "g").is_ok());
        refused(json!(vec![leaf(); 256]), "at most 256 groups and conditions");
        refused(json!([]), "a group may not be empty");
        refused(
            json!({ "type": "AND", "values": [leaf(), { "type": "OR", "values": [] }] }),
            "g.values[1]: a group may not be empty",
        );
        refused(json!({}), "g.values: a group needs a list");
        refused(json!("x"), "g: expected an object");
        refused(json!({ "type": "NOT", "values": [leaf()] }), "g.type");
        refused(json!([{ "key": "k" }]), "g[0].type: a condition needs it");
    }
}
