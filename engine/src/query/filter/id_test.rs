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
    /// The attribute of the record; none for trace ids.
    key: Option<String>,
    /// At least one.
    ids: Vec<Vec<u8>>,
}

impl IdTest {
    pub(in crate::query) fn source(&self) -> IdSource<'_> {
        self.key.as_deref().map_or(IdSource::TraceId, IdSource::Attribute)
    }

    pub(in crate::query) fn ids(&self) -> Vec<&[u8]> {
        self.ids.iter().map(Vec::as_slice).collect()
    }
}

/// The ids of which a row must have one to meet a condition; none when it says nothing of ids.
pub(in crate::query) fn id_test(condition: &Expr) -> Option<IdTest> {
    let (key, ids) = match condition {
        Expr::BinaryExpr(binary) if binary.op == Operator::Eq => {
            (None, vec![trace_id(&binary.left, &binary.right)?])
        }
        Expr::InList(list) if !list.negated => {
            let ids = list.list.iter().map(|id| trace_id(&list.expr, id));
            (None, ids.collect::<Option<Vec<_>>>()?)
        }
        Expr::ScalarFunction(call) => {
            let [value] = call.args.as_slice() else { return None };
            let ids = predicate_of(&call.func)?.equal_texts()?;
            (Some(attribute_of(value)?), ids.into_iter().map(|id| id.as_bytes().to_vec()).collect())
        }
        _ => return None,
    };
    (!ids.is_empty()).then_some(IdTest { key, ids })
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
