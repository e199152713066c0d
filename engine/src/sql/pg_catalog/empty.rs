//! Parts of statements that read tables of the catalog without rows.
//!
//! Clients ask for policies, publications, inheritance and more that is not here, and often in words that DataFusion has
//! not. What reads a table without rows has no rows, whatever its words are, so that they need not be planned.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    ArrayElemTypeDef, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    GroupByExpr, Ident, JoinOperator, ObjectName, Query, Select, SelectItem, SetExpr, Statement, TableFactor,
    TableWithJoins, Value, Visit, VisitMut, Visitor, VisitorMut, visit_expressions,
};

use super::arrays::array_of;
use super::parse::text_of;
use super::tables::{has_no_rows, is_always_null};
use super::{PG_CATALOG, SEARCH_PATH};

/// Leaves out the parts of a statement that have no rows.
pub(super) fn leave_out(statement: &mut Statement) {
    let _visited = statement.visit(&mut Empty);
}

struct Empty;

impl VisitorMut for Empty {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let is_one_select = matches!(*query.body, SetExpr::Select(_));
        // The columns that it is ordered by may be gone.
        if leave_out_of(&mut query.body) && is_one_select {
            query.order_by = None;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let instead = match &*expr {
            Expr::Subquery(query) if is_empty(query) => Some(Expr::value(Value::Null)),
            Expr::Exists { subquery, negated } if is_empty(subquery) => {
                Some(Expr::value(Value::Boolean(*negated)))
            }
            Expr::InSubquery { subquery, negated, .. } if is_empty(subquery) => {
                Some(Expr::value(Value::Boolean(*negated)))
            }
            Expr::InSubquery { expr, subquery, negated } if is_search_path(subquery) => {
                let list = vec![Expr::value(Value::SingleQuotedString(SEARCH_PATH.to_owned()))];
                Some(Expr::InList { expr: expr.clone(), list, negated: *negated })
            }
            array => array_of(array).filter(|query| is_empty(query)).map(|_| no_texts()),
        };
        if let Some(instead) = instead {
            *expr = instead;
        }
        ControlFlow::Continue(())
    }
}

/// Whether something was left out.
fn leave_out_of(body: &mut SetExpr) -> bool {
    match body {
        SetExpr::Select(select) if reads_nothing(select) => no_rows(select),
        SetExpr::SetOperation { left, right, .. } => leave_out_of(left) | leave_out_of(right),
        _ => false,
    }
}

fn is_empty(query: &Query) -> bool {
    matches!(&*query.body, SetExpr::Select(select) if reads_nothing(select))
}

fn reads_nothing(select: &Select) -> bool {
    select.from.iter().any(has_none) && (is_grouped(select) || !aggregates(select))
}

fn is_grouped(select: &Select) -> bool {
    matches!(&select.group_by, GroupByExpr::Expressions(by, _) if !by.is_empty())
}

/// Whether it has a row even of no rows.
pub(super) fn aggregates(select: &Select) -> bool {
    select.having.is_some() || select.projection.visit(&mut Aggregates::default()).is_break()
}

/// Finds aggregates, but those of statements within.
#[derive(Default)]
struct Aggregates {
    depth: usize,
}

impl Visitor for Aggregates {
    type Break = ();

    fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        const AGGREGATES: [&str; 9] =
            ["count", "sum", "min", "max", "avg", "array_agg", "string_agg", "bool_or", "bool_and"];
        match expr {
            Expr::Function(Function { name, .. })
                if self.depth == 0
                    && AGGREGATES.iter().any(|known| last_of(name).eq_ignore_ascii_case(known)) =>
            {
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

fn has_none(tables: &TableWithJoins) -> bool {
    let mut has_none = is_without_rows(&tables.relation);
    for join in &tables.joins {
        match &join.join_operator {
            JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_) => {
                has_none |= is_without_rows(&join.relation);
            }
            JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => {}
            _ => return false,
        }
    }
    has_none
}

fn is_without_rows(table: &TableFactor) -> bool {
    match table {
        TableFactor::Table { name, args: None, .. } => match name.0.as_slice() {
            [.., schema, table] => {
                let is_catalog = |ident: &Ident| ident.value.eq_ignore_ascii_case(PG_CATALOG);
                schema.as_ident().is_some_and(is_catalog)
                    && table.as_ident().is_some_and(|table| has_no_rows(&table.value))
            }
            _ => false,
        },
        TableFactor::Table { name, args: Some(args), .. } => {
            let of_null = |arg: &FunctionArg| matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::Expr(list)) if is_null_list(list));
            last_of(name).eq_ignore_ascii_case("unnest") && args.args.iter().all(of_null)
        }
        TableFactor::UNNEST { array_exprs, .. } => array_exprs.iter().all(is_null_list),
        _ => false,
    }
}

/// Whether it is a column of lists that has none.
fn is_null_list(expr: &Expr) -> bool {
    match expr {
        Expr::CompoundIdentifier(names) => names.last().is_some_and(|name| is_always_null(&name.value)),
        Expr::Identifier(name) => is_always_null(&name.value),
        _ => false,
    }
}

/// Whether it tells which schemas are searched: it reads functions alone, and one of them is the setting.
fn is_search_path(query: &Query) -> bool {
    let SetExpr::Select(select) = &*query.body else { return false };
    let is_function = |table: &TableFactor| matches!(table, TableFactor::Table { args: Some(_), .. });
    let is_alone = |tables: &TableWithJoins| tables.joins.is_empty() && is_function(&tables.relation);
    select.from.iter().all(is_alone) && asks_for_search_path(query)
}

fn asks_for_search_path(query: &Query) -> bool {
    let is_name = |arg: &FunctionArg| matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::Expr(name)) if text_of(name) == Some("search_path"));
    let visited = visit_expressions(query, |expr| match expr {
        Expr::Function(Function { name, args: FunctionArguments::List(args), .. })
            if last_of(name).eq_ignore_ascii_case("current_setting") && args.args.iter().any(is_name) =>
        {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    visited.is_break()
}

/// Makes a SELECT one that reads nothing, has the same names of columns, and no rows. One of columns alone stays, so that
/// it keeps their types; so does one of all columns, whose names are not known here. Whether it was made so.
fn no_rows(select: &mut Select) -> bool {
    let mut used = HashSet::new();
    let mut names = Vec::with_capacity(select.projection.len());
    let mut is_plain = true;
    for item in &select.projection {
        let (name, expr) = match item {
            SelectItem::UnnamedExpr(expr) => (name_of(expr), expr),
            SelectItem::ExprWithAlias { expr, alias } => (alias.value.clone(), expr),
            _ => return false,
        };
        is_plain &= matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
        let unique = match used.contains(&name) {
            true => format!("{name}_{}", names.len()),
            false => name,
        };
        used.insert(unique.clone());
        names.push(unique);
    }
    if is_plain && select.selection.is_none() {
        return false;
    }
    let column = |name: String| SelectItem::ExprWithAlias {
        expr: cast(Expr::value(Value::Null), DataType::Text),
        alias: Ident::with_quote('"', name),
    };
    select.projection = names.into_iter().map(column).collect();
    select.from.clear();
    select.distinct = None;
    select.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
    select.having = None;
    select.selection = Some(Expr::value(Value::Boolean(false)));
    true
}

/// What PostgreSQL calls a column of an answer.
fn name_of(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(name) => name.value.clone(),
        Expr::CompoundIdentifier(names) => names.last().map_or_else(String::new, |name| name.value.clone()),
        Expr::Function(function) => last_of(&function.name).to_owned(),
        Expr::Cast { expr, .. } | Expr::Nested(expr) | Expr::Collate { expr, .. } => name_of(expr),
        Expr::Case { .. } => "case".to_owned(),
        _ => "?column?".to_owned(),
    }
}

fn last_of(name: &ObjectName) -> &str {
    name.0.last().and_then(|part| part.as_ident()).map_or("", |ident| ident.value.as_str())
}

/// `NULL::pg_catalog.text[]`
fn no_texts() -> Expr {
    let text = ObjectName::from(vec![Ident::new(PG_CATALOG), Ident::new("text")]);
    let text = Box::new(DataType::Custom(text, Vec::new()));
    cast(Expr::value(Value::Null), DataType::Array(ArrayElemTypeDef::SquareBracket(text, None)))
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;

    #[test]
    fn what_reads_tables_without_rows_is_not_planned() {
        for (text, expected) in [
            (
                "SELECT (SELECT polname FROM pg_policy) AS a FROM pg_class",
                "SELECT NULL AS a FROM pg_catalog.pg_class",
            ),
            (
                "SELECT relname FROM pg_class c WHERE EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhrelid = c.oid)",
                "SELECT relname FROM pg_catalog.pg_class c WHERE false",
            ),
            (
                "SELECT ARRAY(SELECT 'a' || x FROM pg_catalog.unnest(c.reloptions) x) AS a FROM pg_class c",
                "SELECT CAST(NULL AS pg_catalog.text[]) AS a FROM pg_catalog.pg_class c",
            ),
            (
                "SELECT polname, polroles = '{0}' AS a, NULL, NULL FROM pg_policy ORDER BY polcmd",
                "SELECT CAST(NULL AS TEXT) AS \"polname\", CAST(NULL AS TEXT) AS \"a\", \
                 CAST(NULL AS TEXT) AS \"?column?\", CAST(NULL AS TEXT) AS \"?column?_3\" WHERE false",
            ),
            ("SELECT polname FROM pg_policy", "SELECT polname FROM pg_catalog.pg_policy"),
            (
                "SELECT polname, (SELECT count(*) FROM pg_class) AS n FROM pg_policy",
                "SELECT CAST(NULL AS TEXT) AS \"polname\", CAST(NULL AS TEXT) AS \"n\" WHERE false",
            ),
            ("SELECT count(*) FROM pg_policy", "SELECT count(*) FROM pg_catalog.pg_policy"),
            (
                "SELECT relname, p.polname || 'a' AS a FROM pg_class c LEFT JOIN pg_policy p ON p.polrelid = c.oid",
                "SELECT relname, p.polname || 'a' AS a FROM pg_catalog.pg_class c \
                 LEFT JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid",
            ),
            (
                "SELECT 1 FROM information_schema.tables WHERE table_schema IN (SELECT trim(s[i]) FROM \
                 generate_series(1, array_upper(string_to_array(current_setting('search_path'), ','), 1)) AS i, \
                 string_to_array(current_setting('search_path'), ',') s)",
                "SELECT 1 FROM information_schema.tables WHERE table_schema IN ('public')",
            ),
        ] {
            assert_eq!(parse(text).expect(text)[0].to_string(), expected);
        }
    }
}
