//! `->` and `->>` bind tighter than comparisons, as everywhere else that has them.
//!
//! The parser reads `body ->> 'name' = 'Ann'` as `body ->> ('name' = 'Ann')`, which nobody means. Brackets are nodes of the
//! syntax tree, so that an operand which is a comparison without them was read wrongly, and is turned round.

use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, Expr, Statement, Value, visit_expressions_mut};

/// Puts the operators where they are meant.
pub(super) fn mend(statement: &mut Statement) {
    let _visited: ControlFlow<()> = visit_expressions_mut(statement, |expr| {
        turn_right(expr);
        turn_left(expr);
        ControlFlow::Continue(())
    });
}

fn is_arrow(op: &BinaryOperator) -> bool {
    matches!(op, BinaryOperator::Arrow | BinaryOperator::LongArrow)
}

fn is_comparison(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
    )
}

/// The leftmost operand of a comparison without brackets; none for anything else.
fn first_operand(expr: &mut Expr) -> Option<&mut Expr> {
    match expr {
        Expr::BinaryOp { left, op, .. } if is_comparison(op) => Some(left),
        Expr::Like { expr, .. }
        | Expr::ILike { expr, .. }
        | Expr::InList { expr, .. }
        | Expr::Between { expr, .. }
        | Expr::IsNull(expr)
        | Expr::IsNotNull(expr)
        | Expr::IsTrue(expr)
        | Expr::IsNotTrue(expr)
        | Expr::IsFalse(expr)
        | Expr::IsNotFalse(expr) => Some(expr),
        _ => None,
    }
}

fn nothing() -> Expr {
    Expr::value(Value::Null)
}

/// `a -> (b = c)` becomes `(a -> b) = c`.
fn turn_right(expr: &mut Expr) {
    let Expr::BinaryOp { left, op, right } = expr else { return };
    if !is_arrow(op) {
        return;
    }
    let Some(operand) = first_operand(right) else { return };
    let key = std::mem::replace(operand, nothing());
    let of = std::mem::replace(&mut **left, nothing());
    *operand = Expr::BinaryOp { left: Box::new(of), op: op.clone(), right: Box::new(key) };
    let comparison = std::mem::replace(&mut **right, nothing());
    *expr = comparison;
}

/// `(a = b) -> c` becomes `a = (b -> c)`.
fn turn_left(expr: &mut Expr) {
    let Expr::BinaryOp { left, op, right } = expr else { return };
    if !is_arrow(op) {
        return;
    }
    let Expr::BinaryOp { op: inner, right: of, .. } = &mut **left else { return };
    if !is_comparison(inner) {
        return;
    }
    let key = std::mem::replace(&mut **right, nothing());
    let taken = std::mem::replace(&mut **of, nothing());
    **of = Expr::BinaryOp { left: Box::new(taken), op: op.clone(), right: Box::new(key) };
    let comparison = std::mem::replace(&mut **left, nothing());
    *expr = comparison;
}

#[cfg(test)]
mod tests {
    use super::super::guard::parse;
    use super::*;

    #[test]
    fn arrows_bind_tighter_than_comparisons() {
        for (text, expected) in [
            ("a ->> 'k' = 'v'", "(a ->> 'k') = 'v'"),
            ("a -> 'k' ->> 'l' = 'v'", "((a -> 'k') ->> 'l') = 'v'"),
            ("'v' = a ->> 'k'", "'v' = (a ->> 'k')"),
            ("a ->> 'k' = b ->> 'l'", "(a ->> 'k') = (b ->> 'l')"),
            ("a ->> 'k' LIKE 'v%'", "(a ->> 'k') LIKE 'v%'"),
            ("a ->> 'k' IN ('v')", "(a ->> 'k') IN ('v')"),
            ("a ->> 'k' IS NULL", "(a ->> 'k') IS NULL"),
            ("a ->> 'k' = 'v' AND NOT b -> 'l' <> 'w'", "(a ->> 'k') = 'v' AND NOT ((b -> 'l') <> 'w')"),
            ("a -> ('k' = 'v')", "a -> ('k' = 'v')"),
        ] {
            let read = |text: &str| {
                let mut statement = parse(&format!("SELECT {text}")).unwrap().into_inner();
                mend(&mut statement);
                bare(&mut statement);
                statement
            };
            assert_eq!(
                format!("{:?}", shape(&read(text))),
                format!("{:?}", shape(&read(expected))),
                "{text}"
            );
        }
    }

    /// Takes brackets away that change nothing.
    fn bare(statement: &mut Statement) {
        let _visited: ControlFlow<()> = visit_expressions_mut(statement, |expr| {
            if let Expr::Nested(inner) = expr {
                let inner = std::mem::replace(&mut **inner, nothing());
                *expr = inner;
            }
            ControlFlow::Continue(())
        });
    }

    /// The operators in the order of their operands.
    fn shape(statement: &Statement) -> Vec<String> {
        let mut seen = Vec::new();
        let _visited: ControlFlow<()> = sqlparser::ast::visit_expressions(statement, |expr| {
            seen.push(expr.to_string());
            ControlFlow::Continue(())
        });
        seen
    }
}
