//! The one filter translator: what a [`LogFilter`] means as a DataFusion expression over the stored schema.
//!
//! Columns are compared with plain expressions, so that the statistics of files, row groups and pages prune.
//! Attributes, and text operators on columns, use one scalar function of our own that carries the condition
//! ready-made: patterns are compiled once per query, and a row costs one look-up and one test.
//!
//! | module | what |
//! |---|---|
//! | `column` | conditions on a column of the row |
//! | `attribute` | conditions on one key of an attribute map |
//! | `predicate` | operator and operand made ready to test a value |
//! | `text`, `number`, `date`, `semver` | the tests |
//! | `function` | the scalar function that runs a predicate over an array |
//! | `body_test` | what a condition on bodies says of their words |
//! | `search` | a text that is looked for in names and values, outside of filters |

mod attribute;
mod body_test;
mod column;
mod date;
mod function;
mod number;
mod predicate;
mod search;
mod semver;
mod text;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::prelude::{Expr, ident, lit};

pub(super) use body_test::{BodyTest, body_test};
pub(super) use function::tests_each_value_once;
pub(super) use search::{Closeness, TextSearch};
pub(super) use text::build as build_text_pattern;

use super::model::{FilterLeaf, FilterNode, Join, LogFilter, Namespace};
use super::time_range::TimeRange;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{UTC, columns};

/// Groups nested deeper than this are refused: no client builds them, and every level costs stack.
pub const MAX_FILTER_DEPTH: usize = 16;
/// A filter with more conditions than this is refused: every row is tested against each.
pub const MAX_FILTER_LEAVES: usize = 1_000;
/// A condition with more operands than this is refused.
pub const MAX_OPERANDS: usize = 10_000;
/// Text to search for, a prefix, a suffix or a pattern longer than this is refused, bytes.
pub const MAX_PATTERN_BYTES: usize = 2 * 1024;
/// A filter with more texts to search for and patterns than this is refused: each is compiled, which may take
/// some milliseconds, and is tried on every row.
pub const MAX_PATTERNS: usize = 100;

/// What a filter means depends on the time it is asked: relative dates count from now.
#[derive(Clone, Copy, Debug)]
pub struct FilterContext {
    /// Now, microseconds.
    pub now_us: i64,
}

/// The condition that a row must meet to pass `filter`; true without conditions. It is never null.
///
/// # Errors
/// `InvalidRequest` when a condition means nothing (an unknown column, a pattern that does not compile, a
/// range without bounds); `LimitExceeded` over one of the limits above. The message names the condition.
pub fn translate(filter: &LogFilter, context: &FilterContext) -> Result<Expr> {
    translate_holding(filter, context, &|_| false)
}

/// The same, as if every condition of `properties` held for which `is_held` is true. They have to mean something
/// nevertheless.
///
/// # Errors
/// As [`translate`].
pub(super) fn translate_holding(
    filter: &LogFilter,
    context: &FilterContext,
    is_held: &dyn Fn(&FilterLeaf) -> bool,
) -> Result<Expr> {
    let mut conditions = Vec::new();
    if !filter.severity_levels.is_empty() {
        conditions.push(column::text_in(columns::SEVERITY_TEXT, &filter.severity_levels));
    }
    if !filter.service_names.is_empty() {
        conditions.push(column::text_in(columns::SERVICE_NAME, &filter.service_names));
    }
    if !filter.search_term.is_empty() {
        conditions.push(column::body_contains(&filter.search_term)?);
    }
    if let Some(fingerprint) = filter.resource_fingerprint {
        conditions.push(ident(columns::RESOURCE_FINGERPRINT).eq(lit(fingerprint)));
    }
    let mut translator = Translator { context, is_held, num_leaves: 0, num_patterns: 0 };
    for node in &filter.properties {
        conditions.extend(translator.node(node, 1)?);
    }
    Ok(join(Join::And, conditions).unwrap_or_else(|| lit(true)))
}

/// The condition that a row is of `range`.
pub fn in_range(range: TimeRange) -> Expr {
    let timestamp = || ident(columns::TIMESTAMP);
    timestamp().gt_eq(timestamp_literal(range.start_us)).and(timestamp().lt(timestamp_literal(range.end_us)))
}

/// The condition that a row has one of some severities.
pub(super) fn has_severity(severities: &[&str]) -> Expr {
    column::text_in(columns::SEVERITY_TEXT, severities)
}

/// The condition that a row is of one of some services.
pub(super) fn has_service(names: &[String]) -> Expr {
    column::text_in(columns::SERVICE_NAME, names)
}

/// An instant as a literal of the type of stored timestamps.
pub(crate) fn timestamp_literal(us: i64) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(Some(us), Some(UTC.into())))
}

/// Text as a literal of the type of a dictionary column, so that comparing needs no cast.
pub(crate) fn dictionary_literal(text: &str) -> Expr {
    lit(ScalarValue::Dictionary(Box::new(DataType::Int32), Box::new(ScalarValue::from(text))))
}

struct Translator<'a> {
    context: &'a FilterContext,
    is_held: &'a dyn Fn(&FilterLeaf) -> bool,
    num_leaves: usize,
    num_patterns: usize,
}

impl Translator<'_> {
    /// The condition of a node; none when the node says nothing.
    fn node(&mut self, node: &FilterNode, depth: usize) -> Result<Option<Expr>> {
        match node {
            FilterNode::Leaf(leaf) => self.leaf(leaf),
            FilterNode::Group { .. } if depth >= MAX_FILTER_DEPTH => {
                Err(over_limit(format!("filterGroup is nested deeper than {MAX_FILTER_DEPTH} groups")))
            }
            FilterNode::Group { join: connective, nodes } => {
                let mut conditions = Vec::new();
                for node in nodes {
                    conditions.extend(self.node(node, depth + 1)?);
                }
                Ok(join(*connective, conditions))
            }
        }
    }

    fn leaf(&mut self, leaf: &FilterLeaf) -> Result<Option<Expr>> {
        self.num_leaves += 1;
        if self.num_leaves > MAX_FILTER_LEAVES {
            return Err(over_limit(format!("filterGroup has more than {MAX_FILTER_LEAVES} conditions")));
        }
        self.num_patterns += predicate::num_patterns(leaf);
        if self.num_patterns > MAX_PATTERNS {
            return Err(over_limit(format!("{}: more than {MAX_PATTERNS} texts to search for", leaf.path)));
        }
        let condition = match leaf.namespace {
            Namespace::Log => column::translate(leaf, self.context),
            Namespace::LogAttribute | Namespace::LogResourceAttribute => {
                attribute::translate(leaf, self.context)
            }
        }?;
        Ok(condition.map(|condition| if (self.is_held)(leaf) { lit(true) } else { condition }))
    }
}

/// Joins conditions into a tree of logarithmic depth, because planning recurses into it.
fn join(connective: Join, mut conditions: Vec<Expr>) -> Option<Expr> {
    if conditions.len() <= 1 {
        return conditions.pop();
    }
    let right = conditions.split_off(conditions.len() / 2);
    let (left, right) = (join(connective, conditions)?, join(connective, right)?);
    Some(match connective {
        Join::And => left.and(right),
        Join::Or => left.or(right),
    })
}

/// A condition that means nothing; the message names where it stands.
fn invalid(leaf: &FilterLeaf, problem: impl std::fmt::Display) -> Error {
    Error::invalid_request(format!("{}: {problem}", leaf.path))
}

fn over_limit(message: String) -> Error {
    Error::new(ErrorKind::LimitExceeded, message)
}
