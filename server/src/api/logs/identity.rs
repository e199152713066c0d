//! `personId` and `sessionId`: rows of one person, or of one session, and where their ids are.

use engine::query::Dimension;
use engine::query::model::{FilterLeaf, FilterNode, Join, Namespace, Operand, Operator, Scalar};

/// Attribute keys under which senders put a session's id; the first is the reference's own.
const SESSION_KEYS: [&str; 9] = [
    "sessionId",
    "session.id",
    "session_id",
    "sessionID",
    "posthogSessionId",
    "posthogSessionID",
    "posthog_session_id",
    "posthog.session.id",
    "posthog.session_id",
];

/// Attribute keys under which senders put the id of a user; the first is the reference's own.
const DISTINCT_ID_KEYS: [&str; 9] = [
    "posthogDistinctId",
    "distinct.id",
    "distinct_id",
    "distinctId",
    "distinctID",
    "posthogDistinctID",
    "posthog_distinct_id",
    "posthog.distinct.id",
    "posthog.distinct_id",
];

/// The session that a row is of: the first id under one of the keys.
pub(super) fn session() -> Dimension {
    first_of(&SESSION_KEYS)
}

/// The user that a row is about: the first id under one of the keys.
pub(super) fn distinct_id() -> Dimension {
    first_of(&DISTINCT_ID_KEYS)
}

fn first_of(keys: &[&str]) -> Dimension {
    Dimension::FirstAttribute(keys.iter().map(|key| (*key).to_owned()).collect())
}

/// Rows of a person. No persons are stored, so no row is known to be of any: never "no filter".
pub(super) fn person_filter() -> FilterNode {
    nothing("personId")
}

/// Rows that carry a session's id, in their own attributes or in their resource's; blank matches none.
pub(super) fn session_filter(session_id: &str) -> FilterNode {
    if session_id.trim().is_empty() {
        return nothing("sessionId");
    }
    let leaves = SESSION_KEYS.iter().flat_map(|key| {
        [
            attribute_equals(key, session_id),
            leaf("sessionId", key, Namespace::LogResourceAttribute, Operator::Exact, session_id.to_owned()),
        ]
    });
    FilterNode::Group { join: Join::Or, nodes: leaves.collect() }
}

/// Equality as text. `exact` on an attribute compares numbers when the operand looks like one, and an id
/// that happens to is not a number; a pattern is always compared as text.
fn attribute_equals(key: &str, text: &str) -> FilterNode {
    let namespace = Namespace::LogAttribute;
    if text.trim().parse::<f64>().is_ok() {
        leaf("sessionId", key, namespace, Operator::Regex, format!("\\A{}\\z", escaped(text)))
    } else {
        leaf("sessionId", key, namespace, Operator::Exact, text.to_owned())
    }
}

/// The text as a pattern that matches only it.
fn escaped(text: &str) -> String {
    let escape = |character: char| match character {
        '0'..='9' | 'a'..='z' | 'A'..='Z' => character.to_string(),
        other => format!("\\x{{{:x}}}", u32::from(other)),
    };
    text.chars().map(escape).collect()
}

/// A condition that no row meets: every row has a body.
fn nothing(path: &str) -> FilterNode {
    FilterNode::Leaf(FilterLeaf {
        path: path.to_owned(),
        key: "body".to_owned(),
        namespace: Namespace::Log,
        operator: Operator::IsNotSet,
        operand: Operand::Absent,
    })
}

fn leaf(path: &str, key: &str, namespace: Namespace, operator: Operator, text: String) -> FilterNode {
    let operand = Operand::One(Scalar::Text(text));
    FilterNode::Leaf(FilterLeaf { path: path.to_owned(), key: key.to_owned(), namespace, operator, operand })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_session_matches_nothing() {
        assert_eq!(session_filter(" "), nothing("sessionId"));
    }

    #[test]
    fn a_session_is_looked_for_under_every_key_in_both_maps() {
        let FilterNode::Group { join: Join::Or, nodes } = session_filter("abc") else {
            panic!("no OR group")
        };
        assert_eq!(nodes.len(), 2 * SESSION_KEYS.len());
    }

    #[test]
    fn a_session_id_that_looks_like_a_number_is_compared_as_text() {
        let FilterNode::Leaf(leaf) = attribute_equals("k", "1.5") else { panic!("no leaf") };
        assert_eq!(leaf.operator, Operator::Regex);
        assert_eq!(leaf.operand, Operand::One(Scalar::Text("\\A1\\x{2e}5\\z".into())));
        let pattern = regex::Regex::new("\\A1\\x{2e}5\\z").unwrap();
        assert!(pattern.is_match("1.5") && !pattern.is_match("1.50") && !pattern.is_match("1x5"));
    }
}
