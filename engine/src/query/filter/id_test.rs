//! What a condition says of ids, so that rows which cannot have them need not be tested.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::prelude::Expr;

use super::super::attribute_value;
use super::function::predicate_of;
use crate::index::ids::IdSource;
use crate::schema::columns;

/// A condition that only rows with one of some ids meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::query) struct IdTest {
    source: Source,
    /// At least one.
    ids: Vec<Vec<u8>>,
}

/// What the ids are of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    TraceId,
    /// An attribute of the record.
    Attribute(String),
    /// A column of entries of the audit trail.
    Column(&'static str),
}

impl IdTest {
    pub(in crate::query) fn source(&self) -> IdSource<'_> {
        match &self.source {
            Source::TraceId => IdSource::TraceId,
            Source::Attribute(key) => IdSource::Attribute(key),
            Source::Column(name) => IdSource::Column(name),
        }
    }

    /// That an entry has one of some ids in a column; none of no ids.
    pub(in crate::query) fn of_column(name: &'static str, ids: Vec<Vec<u8>>) -> Option<Self> {
        (!ids.is_empty()).then_some(Self { source: Source::Column(name), ids })
    }

    pub(in crate::query) fn ids(&self) -> Vec<&[u8]> {
        self.ids.iter().map(Vec::as_slice).collect()
    }
}

/// The ids of which a row must have one to meet a condition; none when it says nothing of ids.
pub(in crate::query) fn id_test(condition: &Expr) -> Option<IdTest> {
    let (source, ids) = match condition {
        Expr::BinaryExpr(binary) if binary.op == Operator::Eq => {
            (Source::TraceId, vec![trace_id(&binary.left, &binary.right)?])
        }
        Expr::InList(list) if !list.negated => {
            let ids = list.list.iter().map(|id| trace_id(&list.expr, id));
            (Source::TraceId, ids.collect::<Option<Vec<_>>>()?)
        }
        Expr::ScalarFunction(call) => {
            let [value] = call.args.as_slice() else { return None };
            let ids = predicate_of(&call.func)?.equal_texts()?;
            (
                Source::Attribute(attribute_of(value)?),
                ids.into_iter().map(|id| id.as_bytes().to_vec()).collect(),
            )
        }
        _ => return None,
    };
    (!ids.is_empty()).then_some(IdTest { source, ids })
}

/// A trace id that the column is compared with. One that is unset is in no filter.
fn trace_id(column: &Expr, id: &Expr) -> Option<Vec<u8>> {
    let (Expr::Column(column), Expr::Literal(ScalarValue::FixedSizeBinary(16, Some(id)), _)) = (column, id)
    else {
        return None;
    };
    (column.name == columns::TRACE_ID && id.iter().any(|byte| *byte != 0)).then(|| id.clone())
}

/// The key, if an expression is the value of a key of the record's attributes.
fn attribute_of(value: &Expr) -> Option<String> {
    let Expr::ScalarFunction(call) = value else { return None };
    let [Expr::Column(column), Expr::Literal(key, _)] = call.args.as_slice() else { return None };
    let is_look_up = call.func.name() == attribute_value::NAME && column.name == columns::ATTRIBUTES;
    is_look_up.then(|| key.try_as_str().flatten().map(str::to_owned)).flatten()
}
