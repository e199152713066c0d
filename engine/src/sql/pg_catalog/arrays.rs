//! `ARRAY(SELECT ...)`, which DataFusion has not, in statements about the catalog.
//!
//! Such an array is an aggregate of what the statement within would answer. Without rows it is null here and empty in
//! PostgreSQL; what makes a text of it sees no difference. A statement that stands for one value has at most one row, so
//! that it is an aggregate of that row, which DataFusion needs where the statement depends on what is around it.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList,
    FunctionArguments, GroupByExpr, Ident, ObjectName, OrderByExpr, OrderByKind, Query, Select, SelectItem,
    SetExpr, Statement, Value, VisitMut, VisitorMut,
};

use super::empty::aggregates;

/// Turns every such array and value of a statement into an aggregate, as far as that is possible.
pub(super) fn aggregate(statement: &mut Statement) {
    let _visited = statement.visit(&mut Arrays);
}

struct Arrays;

impl VisitorMut for Arrays {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let aggregated = match &*expr {
            Expr::Subquery(query) => aggregated(query, "max"),
            array => array_of(array).and_then(|query| aggregated(query, "array_agg")),
        };
        if let Some(aggregated) = aggregated {
            *expr = Expr::Subquery(Box::new(aggregated));
        }
        ControlFlow::Continue(())
    }
}

/// What an array is made of, if the expression is one that a statement makes.
pub(super) fn array_of(expr: &Expr) -> Option<&Query> {
    match expr {
        Expr::Function(Function { name, args: FunctionArguments::Subquery(query), .. })
            if name.to_string().eq_ignore_ascii_case("array") =>
        {
            Some(query)
        }
        _ => None,
    }
}

fn aggregated(query: &Query, function: &str) -> Option<Query> {
    let SetExpr::Select(select) = &*query.body else { return None };
    let [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }] =
        select.projection.as_slice()
    else {
        return None;
    };
    if query.with.is_some() || query.limit_clause.is_some() || query.fetch.is_some() || !is_plain(select) {
        return None;
    }
    let mut order: Vec<OrderByExpr> = match query.order_by.as_ref().map(|order| &order.kind) {
        Some(OrderByKind::Expressions(order)) => order.clone(),
        Some(OrderByKind::All(_)) => return None,
        None => Vec::new(),
    };
    // ORDER BY 1
    for by in &mut order {
        if matches!(&by.expr, Expr::Value(place) if matches!(place.value, Value::Number(..))) {
            by.expr = value.clone();
        }
    }
    let mut select = select.clone();
    select.projection = vec![SelectItem::UnnamedExpr(aggregate_of(function, value.clone(), order))];
    let mut query = query.clone();
    query.order_by = None;
    query.body = Box::new(SetExpr::Select(select));
    Some(query)
}

/// Whether each row that it reads is a row of its answer.
fn is_plain(select: &Select) -> bool {
    let is_grouped = !matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty());
    !is_grouped && !aggregates(select) && select.distinct.is_none() && select.having.is_none()
}

fn aggregate_of(function: &str, value: Expr, order: Vec<OrderByExpr>) -> Expr {
    let clauses = match order.is_empty() {
        true => Vec::new(),
        false => vec![FunctionArgumentClause::OrderBy(order)],
    };
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(function)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(value))],
            clauses,
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;

    #[test]
    fn an_array_is_an_aggregate_of_rows() {
        let statement = "SELECT rolname, ARRAY(SELECT b.rolname FROM pg_roles b WHERE b.oid = r.oid ORDER BY 1) AS m \
                         FROM pg_roles r";
        assert_eq!(
            parse(statement).unwrap()[0].to_string(),
            "SELECT rolname, (SELECT array_agg(b.rolname ORDER BY b.rolname) FROM pg_catalog.pg_roles b \
             WHERE b.oid = r.oid) AS m FROM pg_catalog.pg_roles r"
        );
    }
}
