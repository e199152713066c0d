//! Conditions on one key of an attribute map.

use datafusion::prelude::{Expr, ident, lit};

use super::super::attribute_value::attribute_value;
use super::super::model::{FilterLeaf, Namespace};
use super::FilterContext;
use super::function::call;
use super::predicate::{Condition, EmptyText, Predicate, Question, Typing, operands, question};
use crate::error::Result;
use crate::schema::columns;

/// The condition of a leaf on an attribute; none when the leaf says nothing.
///
/// Attributes of the record compare as numbers when every operand is one; those of the resource always
/// compare as text.
pub(super) fn translate(leaf: &FilterLeaf, context: &FilterContext) -> Result<Option<Expr>> {
    let (column, typing, empty_text) = match leaf.namespace {
        Namespace::LogResourceAttribute => (columns::RESOURCE_ATTRIBUTES, Typing::Text, EmptyText::IsAValue),
        _ => (columns::ATTRIBUTES, Typing::Numeric, EmptyText::SaysNothing),
    };
    let operands = match operands(leaf, empty_text)? {
        Condition::Dropped => return Ok(None),
        Condition::Always => return Ok(Some(lit(true))),
        Condition::Test(operands) => operands,
    };
    let predicate = Predicate::compile(leaf, operands, typing, context)?;
    let value = attribute_value(ident(column), &leaf.key);
    Ok(Some(call(predicate, &describe(leaf, context), value)))
}

/// What a leaf asks, so that equal descriptions ask the same.
pub(super) fn describe(leaf: &FilterLeaf, context: &FilterContext) -> String {
    match question(leaf.operator).0 {
        Question::Date(_) => format!("{:?} {:?} at {}", leaf.operator, leaf.operand, context.now_us),
        _ => format!("{:?} {:?}", leaf.operator, leaf.operand),
    }
}
