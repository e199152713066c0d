//! Tests of dates and times: values are stored as text, and count as dates when they parse as one.

use super::super::model::FilterLeaf;
use super::super::time_range::{parse_absolute, parse_instant};
use super::predicate::Relation;
use super::{FilterContext, invalid};
use crate::error::Result;

/// A test that text passes when it is an instant in a relation to another one.
#[derive(Debug)]
pub(super) struct DateTest {
    relation: Relation,
    instant_us: i64,
}

impl DateTest {
    /// # Errors
    /// `InvalidRequest` unless there is exactly one operand and it is an instant.
    pub(super) fn compile(
        leaf: &FilterLeaf,
        relation: Relation,
        operands: &[&str],
        context: &FilterContext,
    ) -> Result<Self> {
        let [operand] = operands else {
            return Err(invalid(leaf, format!("the operator needs one date, not {}", operands.len())));
        };
        Ok(Self { relation, instant_us: instant(leaf, operand, context)? })
    }

    pub(super) fn passes(&self, value: &str) -> bool {
        parse_absolute(value).is_some_and(|us| self.relation.holds(&us, &self.instant_us))
    }
}

/// The instant that an operand means, relative ones counted from now.
///
/// # Errors
/// `InvalidRequest` when it means none.
pub(super) fn instant(leaf: &FilterLeaf, operand: &str, context: &FilterContext) -> Result<i64> {
    parse_instant(operand, context.now_us)
        .ok_or_else(|| invalid(leaf, format!("{operand:?} is neither a date nor a relative time")))
}
