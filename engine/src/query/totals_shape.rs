//! Which parts of a statement ask for totals that need no rows.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchemaRef, Result, ScalarValue};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Aggregate, BinaryExpr, LogicalPlan, Operator};
use datafusion::prelude::{Expr, ident};

use super::interval::Interval;
use super::session::QuerySession;
use super::time_range::TimeRange;
use crate::schema::columns;

/// An aggregate over the table of logs that cells can answer.
#[derive(Debug)]
pub(super) struct Shape {
    /// Of which time.
    pub(super) range: TimeRange,
    /// What services and severities decide; all hold.
    pub(super) conditions: Vec<Expr>,
    /// What rows are told apart by, in the aggregate's order.
    pub(super) groups: Vec<Group>,
    /// What is asked of each group, in the aggregate's order.
    pub(super) numbers: Vec<Number>,
    /// Of the aggregate: groups, then numbers.
    pub(super) schema: DFSchemaRef,
}

/// What rows are told apart by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Service,
    Severity,
    /// Where the bucket begins that the time is in.
    Bucket(Interval),
}

/// What is asked of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Rows,
    Bytes,
}

impl Shape {
    /// None for any other part of a plan.
    pub(super) fn of(node: &LogicalPlan, session: &QuerySession) -> Option<Self> {
        let LogicalPlan::Aggregate(Aggregate { input, group_expr, aggr_expr, schema, .. }) = node else {
            return None;
        };
        let groups: Vec<Group> = group_expr.iter().map(group).collect::<Option<_>>()?;
        let numbers: Vec<Number> = aggr_expr.iter().map(number).collect::<Option<_>>()?;
        let kinds = |is_kind: fn(&Group) -> bool| groups.iter().filter(|group| is_kind(group)).count();
        let num_buckets = kinds(|group| matches!(group, Group::Bucket(_)));
        let num_services = kinds(|group| *group == Group::Service);
        let num_severities = kinds(|group| *group == Group::Severity);
        let is_told_apart = num_services + num_severities > 0;
        let is_meant = [num_buckets, num_services, num_severities].iter().all(|number| *number <= 1)
            && !numbers.is_empty()
            && (is_told_apart || !numbers.contains(&Number::Bytes));
        if !is_meant {
            return None;
        }
        let mut range = TimeRange { start_us: i64::MIN, end_us: i64::MAX };
        let mut conditions = Vec::new();
        for predicate in predicates(input, session)? {
            for part in split_conjunction(&predicate) {
                match time_bound(part) {
                    Some(bound) => range = both(range, bound),
                    None if is_of_cells(part) => conditions.push(of_stored(part)?),
                    None => return None,
                }
            }
        }
        Some(Self { range, conditions, groups, numbers, schema: Arc::clone(schema) })
    }
}

/// The conditions between an aggregate and the table of logs; none when there is anything else between them.
fn predicates(mut plan: &LogicalPlan, session: &QuerySession) -> Option<Vec<Expr>> {
    let mut predicates = Vec::new();
    loop {
        plan = match plan {
            LogicalPlan::Filter(filter) => {
                predicates.push(filter.predicate.clone());
                &filter.input
            }
            LogicalPlan::SubqueryAlias(alias) => &alias.input,
            LogicalPlan::Projection(projection) => {
                let are_columns = projection.expr.iter().all(|expr| matches!(expr, Expr::Column(_)));
                are_columns.then_some(&projection.input)?
            }
            LogicalPlan::TableScan(scan) => {
                let provider = source_as_provider(&scan.source).ok()?;
                let is_logs = std::ptr::addr_eq(Arc::as_ptr(&provider), Arc::as_ptr(&session.table));
                predicates.extend(scan.filters.iter().cloned());
                return (is_logs && scan.fetch.is_none()).then_some(predicates);
            }
            _ => return None,
        };
    }
}

fn group(expr: &Expr) -> Option<Group> {
    match unaliased(expr) {
        Expr::Column(Column { name, .. }) if name == columns::SERVICE_NAME => Some(Group::Service),
        Expr::Column(Column { name, .. }) if name == columns::SEVERITY_TEXT => Some(Group::Severity),
        Expr::ScalarFunction(call) if call.func.name() == "date_bin" => match call.args.as_slice() {
            [Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(width)), _), Expr::Column(column)]
                if column.name == columns::TIMESTAMP =>
            {
                const SECOND_NS: i64 = 1_000_000_000;
                let is_plain = width.months == 0 && width.nanoseconds % SECOND_NS == 0;
                let secs = i64::from(width.days) * 86_400 + width.nanoseconds / SECOND_NS;
                let secs = u64::try_from(secs).ok().filter(|secs| is_plain && *secs > 0)?;
                Some(Group::Bucket(Interval::of_secs(secs)?))
            }
            _ => None,
        },
        _ => None,
    }
}

fn number(expr: &Expr) -> Option<Number> {
    let Expr::AggregateFunction(AggregateFunction { func, params }) = unaliased(expr) else { return None };
    let is_plain = !params.distinct
        && params.filter.is_none()
        && params.order_by.is_empty()
        && params.null_treatment.is_none();
    let [argument] = params.args.as_slice() else { return None };
    match (func.name(), argument) {
        ("count", Expr::Literal(value, _)) if is_plain && !value.is_null() => Some(Number::Rows),
        ("sum", argument) if is_plain && is_bytes(argument) => Some(Number::Bytes),
        _ => None,
    }
}

fn is_bytes(expr: &Expr) -> bool {
    match expr {
        Expr::Column(column) => column.name == columns::BYTES_UNCOMPRESSED,
        Expr::Cast(cast) => is_bytes(&cast.expr),
        _ => false,
    }
}

/// The instants that a condition lets through, if it is about nothing but the time.
fn time_bound(expr: &Expr) -> Option<TimeRange> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else { return None };
    let (op, us) = match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), literal) if column.name == columns::TIMESTAMP => (*op, instant(literal)?),
        (literal, Expr::Column(column)) if column.name == columns::TIMESTAMP => {
            (op.swap()?, instant(literal)?)
        }
        _ => return None,
    };
    let all = TimeRange { start_us: i64::MIN, end_us: i64::MAX };
    let after = us.checked_add(1)?;
    Some(match op {
        Operator::Gt => TimeRange { start_us: after, ..all },
        Operator::GtEq => TimeRange { start_us: us, ..all },
        Operator::Lt => TimeRange { end_us: us, ..all },
        Operator::LtEq => TimeRange { end_us: after, ..all },
        Operator::Eq => TimeRange { start_us: us, end_us: after },
        _ => return None,
    })
}

fn instant(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::TimestampMicrosecond(us, Some(_)), _) => *us,
        _ => None,
    }
}

fn both(left: TimeRange, right: TimeRange) -> TimeRange {
    TimeRange { start_us: left.start_us.max(right.start_us), end_us: left.end_us.min(right.end_us) }
}

/// Whether a service and a severity decide a condition, each time alike.
fn is_of_cells(expr: &Expr) -> bool {
    let names = [columns::SERVICE_NAME, columns::SEVERITY_TEXT];
    if expr.is_volatile() || expr.column_refs().iter().any(|column| !names.contains(&column.name.as_str())) {
        return false;
    }
    let mut is_plain = true;
    let visited: Result<_> = expr.apply(|part| {
        let is_query = matches!(
            part,
            Expr::ScalarSubquery(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::Placeholder(_)
        );
        is_plain &= !is_query;
        Ok(TreeNodeRecursion::Continue)
    });
    is_plain && visited.is_ok()
}

/// An expression over columns without the name that the statement gives their table.
fn of_stored(expr: &Expr) -> Option<Expr> {
    let unqualified = |part: Expr| match part {
        Expr::Column(column) => Ok(Transformed::yes(ident(column.name))),
        other => Ok(Transformed::no(other)),
    };
    unaliased(expr).clone().transform_up(unqualified).data().ok()
}

fn unaliased(mut expr: &Expr) -> &Expr {
    while let Expr::Alias(alias) = expr {
        expr = &alias.expr;
    }
    expr
}
