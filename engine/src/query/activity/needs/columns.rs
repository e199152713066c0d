//! The ids that comparisons of columns ask for.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::prelude::Expr;

use crate::index::ids::ID_COLUMNS;
use crate::query::filter::IdTest;
use crate::schema::activity;

/// The ids of which an entry must have one, by a comparison of a column.
pub(super) fn ids_of(part: &Expr) -> Option<IdTest> {
    let (column, values) = match part {
        Expr::BinaryExpr(binary) if binary.op == Operator::Eq => match (&*binary.left, &*binary.right) {
            (Expr::Column(column), value) | (value, Expr::Column(column)) => (column, vec![value]),
            _ => return None,
        },
        Expr::InList(list) if !list.negated => match &*list.expr {
            Expr::Column(column) => (column, list.list.iter().collect()),
            _ => return None,
        },
        _ => return None,
    };
    let name = *ID_COLUMNS.iter().find(|name| **name == column.name)?;
    let ids = values.into_iter().map(|value| id_of(name, value));
    IdTest::of_column(name, ids.collect::<Option<Vec<_>>>()?)
}

/// The id that a value of a column is; none when it is of another type, or no value at all.
fn id_of(column: &str, value: &Expr) -> Option<Vec<u8>> {
    let Expr::Literal(value, _) = value else { return None };
    let is_number = matches!(column, activity::PROJECT_ID | activity::USER_ID);
    match value {
        ScalarValue::Int64(Some(number)) if is_number => Some(number.to_le_bytes().to_vec()),
        ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) if !is_number => {
            Some(text.as_bytes().to_vec())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::EntryNeeds;
    use super::*;

    #[test]
    fn comparisons_of_columns_need_ids() {
        use datafusion::prelude::{ident, lit};
        let num_ids = |condition: Expr| EntryNeeds::of(&condition).ids.len();
        let scope = || ident(activity::SCOPE);
        let user = || ident(activity::USER_ID);
        assert_eq!(num_ids(scope().eq(lit("Role"))), 1);
        assert_eq!(num_ids(lit(3_i64).eq(user()).and(scope().in_list(vec![lit("a"), lit("b")], false))), 2);
        assert_eq!(num_ids(scope().eq(lit("a")).and(user().eq(lit(3_i64))).is_true()), 2);
        for said in [
            scope().not_eq(lit("a")),
            scope().in_list(vec![lit("a")], true),
            scope().eq(lit("a")).or(user().eq(lit(3_i64))),
            scope().eq(lit("a")).is_not_true(),
            user().eq(lit("3")),
            user().in_list(vec![lit(3_i64), user()], false),
            user().in_list(vec![], false),
            scope().eq(lit(ScalarValue::Utf8(None))),
            ident(activity::SEQUENCE).eq(lit(3_i64)),
            scope().eq(ident(activity::ACTIVITY)),
        ] {
            assert_eq!(EntryNeeds::of(&said), EntryNeeds::default(), "{said}");
        }
    }
}
