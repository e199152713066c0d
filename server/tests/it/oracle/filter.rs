//! All filters of a request: which rows it asks for, apart from their time.

use serde_json::Value as Json;

use super::fold::contains_ignoring_case;
use super::leaf::{Leaf, Refused};
use super::row::Row;

/// The severities that can be asked for.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

/// Where the random data has the ids of sessions, in the order in which they count.
pub(super) const SESSION_KEYS: [&str; 2] = ["sessionId", "session.id"];

/// The filters of a `query` object. All of them hold together.
#[derive(Debug)]
pub(super) struct Filter {
    severity_levels: Vec<String>,
    service_names: Vec<String>,
    search_term: String,
    resource_fingerprint: Option<String>,
    session_id: Option<String>,
    leaves: Vec<Leaf>,
    nested_groups: Vec<NestedGroup>,
}

/// A group inside the inner group: the only one whose own connective counts.
#[derive(Debug)]
struct NestedGroup {
    is_or: bool,
    leaves: Vec<Leaf>,
}

impl Filter {
    pub(super) fn read(query: &Json, now: i64) -> Result<Self, Refused> {
        let mut filter = Self {
            severity_levels: texts(&query["severityLevels"]),
            service_names: texts(&query["serviceNames"]),
            search_term: query["searchTerm"].as_str().unwrap_or_default().to_owned(),
            resource_fingerprint: query["resourceFingerprint"].as_str().map(str::to_owned),
            session_id: query["sessionId"].as_str().map(str::to_owned),
            leaves: Vec::new(),
            nested_groups: Vec::new(),
        };
        if let Some(unknown) = filter.severity_levels.iter().find(|level| !LEVELS.contains(&level.as_str())) {
            return Err(format!("unknown severity {unknown}"));
        }
        filter.read_filter_group(&query["filterGroup"], now)?;
        Ok(filter)
    }

    /// A list of leaves, an object with leaves, or the object of groups. The connectives of the outer object
    /// and of its groups do not count: all leaves hold together.
    fn read_filter_group(&mut self, filter_group: &Json, now: i64) -> Result<(), Refused> {
        let nodes = filter_group.as_array().or(filter_group["values"].as_array());
        for node in nodes.into_iter().flatten() {
            match node["values"].as_array() {
                Some(inner) => self.read_inner_group(inner, now)?,
                None => self.leaves.extend(Leaf::read(node, now)?),
            }
        }
        Ok(())
    }

    fn read_inner_group(&mut self, nodes: &[Json], now: i64) -> Result<(), Refused> {
        for node in nodes {
            match node["values"].as_array() {
                Some(nested) => self.nested_groups.push(read_nested_group(node, nested, now)?),
                None => self.leaves.extend(Leaf::read(node, now)?),
            }
        }
        Ok(())
    }

    pub(super) fn holds(&self, row: &Row) -> bool {
        self.holds_apart_from(row, &|_| false)
    }

    /// Whether the row is asked for if the leaves that `is_excepted` tells always hold.
    pub(super) fn holds_apart_from(&self, row: &Row, is_excepted: &dyn Fn(&Leaf) -> bool) -> bool {
        let leaf_holds = |leaf: &Leaf| is_excepted(leaf) || leaf.holds(row);
        is_member(&self.severity_levels, &row.severity_text)
            && is_member(&self.service_names, &row.service_name)
            && contains_ignoring_case(&row.body, &self.search_term)
            && self.resource_fingerprint.as_ref().is_none_or(|asked| *asked == row.resource_fingerprint)
            && self.session_id.as_ref().is_none_or(|asked| is_of_session(row, asked))
            && self.leaves.iter().all(leaf_holds)
            && self.nested_groups.iter().all(|group| group.holds(leaf_holds))
    }
}

impl NestedGroup {
    fn holds(&self, leaf_holds: impl Fn(&Leaf) -> bool) -> bool {
        if self.is_or { self.leaves.iter().any(leaf_holds) } else { self.leaves.iter().all(leaf_holds) }
    }
}

/// Whether an attribute of the record or its resource is the session's id; a blank one is no session's.
fn is_of_session(row: &Row, session_id: &str) -> bool {
    let maps = [&row.attributes, &row.resource_attributes];
    let ids = maps.iter().flat_map(|map| SESSION_KEYS.iter().filter_map(|key| map.get(*key)));
    !session_id.trim().is_empty() && ids.into_iter().any(|id| id == session_id)
}

/// A nested group has leaves on the records' own attributes only, and at least one.
fn read_nested_group(group: &Json, nodes: &[Json], now: i64) -> Result<NestedGroup, Refused> {
    if nodes.is_empty() || nodes.iter().any(|node| node["type"] != "log_attribute") {
        return Err("a nested group needs attribute leaves".to_owned());
    }
    let leaves: Result<Vec<Option<Leaf>>, Refused> = nodes.iter().map(|node| Leaf::read(node, now)).collect();
    Ok(NestedGroup { is_or: group["type"] == "OR", leaves: leaves?.into_iter().flatten().collect() })
}

/// No list and an empty one are no filter.
fn is_member(asked: &[String], stored: &str) -> bool {
    asked.is_empty() || asked.iter().any(|name| name == stored)
}

fn texts(list: &Json) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}
