//! Totals that SQL asks for, from the catalog and from sidecars where those are exact.
//!
//! `SELECT service_name, count(*) FROM logs WHERE timestamp >= ... GROUP BY service_name` is a question that the API's
//! endpoints ask too. Where a statement has such a part, the part is answered as theirs is, from the catalog, from
//! rollups and from the rows that are left, and the answer takes the part's place as a small table.
//!
//! | part | what it may be |
//! |---|---|
//! | groups | `service_name`, `severity_text`, `date_bin` of `timestamp` by whole seconds; each at most once |
//! | numbers | `count(*)`; `sum(bytes_uncompressed)` where a service or a severity is among the groups |
//! | conditions | bounds of `timestamp`; anything that a service and a severity decide |
//!
//! Everything else is left as it is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringDictionaryBuilder,
    TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::{Field, Int32Type, Schema};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchemaRef, Result};
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::utils::conjunction;
use datafusion::prelude::{Expr, ident, lit};

use super::interval::Interval;
use super::planner::{CellQuestion, CellTotal, GroupBy, answer_from_cells};
use super::session::QuerySession;
use super::time_range::TimeRange;
use super::totals_shape::{Group, Number, Shape};
use crate::schema::UTC;

/// The same statement with the totals that are known put in, if there are any in it. What cannot be answered so is
/// answered as it was asked.
pub(crate) async fn with_known_totals(
    session: &QuerySession,
    plan: &LogicalPlan,
) -> Result<Option<LogicalPlan>> {
    let inner = match plan {
        LogicalPlan::Explain(explain) => &explain.plan,
        LogicalPlan::Analyze(analyze) => &analyze.input,
        other => other,
    };
    // As the statement would be planned: with constants worked out and conditions moved down.
    let Ok(optimized) = session.session.state().optimize(inner) else { return Ok(None) };
    let mut shapes = Vec::new();
    optimized.apply(|node| match Shape::of(node, session) {
        Some(shape) => {
            shapes.push(shape);
            Ok(TreeNodeRecursion::Jump)
        }
        None => Ok(TreeNodeRecursion::Continue),
    })?;
    if shapes.is_empty() {
        return Ok(None);
    }
    let mut answers = VecDeque::with_capacity(shapes.len());
    for shape in &shapes {
        // A condition may fail on a service that has no row in the range: then the rows decide.
        let Ok(answer) = answered(session, shape).await else { return Ok(None) };
        answers.push_back(answer);
    }
    let known = optimized.transform_down(|node| match Shape::of(&node, session) {
        Some(_) => match answers.pop_front() {
            Some(answer) => Ok(Transformed::new(answer, true, TreeNodeRecursion::Jump)),
            None => Ok(Transformed::no(node)),
        },
        None => Ok(Transformed::no(node)),
    });
    let known = Arc::new(known.data()?);
    Ok(Some(match plan {
        LogicalPlan::Explain(explain) => {
            let mut explain = explain.clone();
            explain.plan = known;
            LogicalPlan::Explain(explain)
        }
        LogicalPlan::Analyze(analyze) => {
            let mut analyze = analyze.clone();
            analyze.input = known;
            LogicalPlan::Analyze(analyze)
        }
        _ => Arc::unwrap_or_clone(known),
    }))
}

/// What of a group and its numbers is known. The empty text stands for what is not among the groups.
type Cells = BTreeMap<(i64, String, String), (u64, u64)>;

/// A plan with the schema of the aggregate that a shape is of.
async fn answered(session: &QuerySession, shape: &Shape) -> Result<LogicalPlan> {
    let condition = conjunction(shape.conditions.iter().cloned()).unwrap_or_else(|| lit(true));
    let interval: Option<&Interval> = shape.groups.iter().find_map(|group| match group {
        Group::Bucket(interval) => Some(interval),
        Group::Service | Group::Severity => None,
    });
    let question = CellQuestion {
        condition: &condition,
        range: shape.range,
        interval,
        group_by: group_by(&shape.groups),
    };
    let memory = session.reserve("known totals");
    let mut cells = Cells::new();
    if shape.groups.is_empty() {
        // Nothing is counted as none.
        cells.insert((0, String::new(), String::new()), (0, 0));
    }
    let mut add = |total: &CellTotal<'_>| {
        const CELL_BYTES: usize = 192;
        let has = |group: &Group| shape.groups.contains(group);
        let text = |is_asked: bool, text: &str| if is_asked { text.to_owned() } else { String::new() };
        let key = (
            if interval.is_some() { total.bucket_us } else { 0 },
            text(has(&Group::Service), total.service),
            text(has(&Group::Severity), total.severity),
        );
        let key_bytes = key.1.len() + key.2.len();
        let before = cells.len();
        let cell = cells.entry(key).or_default();
        (cell.0, cell.1) = (cell.0 + total.num_rows, cell.1 + total.bytes_uncompressed);
        if cells.len() > before {
            memory.try_grow(CELL_BYTES + key_bytes)?;
        }
        Ok(())
    };
    if !is_empty(shape.range) {
        let rest = answer_from_cells(session, &question, &mut add).await?;
        rest.visit_cells(session, &question, &mut add).await?;
    }
    let rows = batch_of(shape, &cells)?;
    let columns = rows.schema().fields().iter().map(|field| ident(field.name())).collect();
    let named = session.session.read_batch(rows)?.select(as_named(columns, &shape.schema))?;
    Ok(named.into_unoptimized_plan())
}

fn is_empty(range: TimeRange) -> bool {
    range.start_us >= range.end_us
}

fn group_by(groups: &[Group]) -> GroupBy {
    match (groups.contains(&Group::Service), groups.contains(&Group::Severity)) {
        (false, false) => GroupBy::Nothing,
        (true, false) => GroupBy::Service,
        (false, true) => GroupBy::Severity,
        (true, true) => GroupBy::ServiceAndSeverity,
    }
}

fn as_named(exprs: Vec<Expr>, schema: &DFSchemaRef) -> Vec<Expr> {
    let names = schema.iter();
    let named = exprs.into_iter().zip(names);
    named.map(|(expr, (qualifier, field))| expr.alias_qualified(qualifier.cloned(), field.name())).collect()
}

/// Known cells as rows: `g0`, `g1` and so on for the groups, then `v0` and so on for the numbers.
fn batch_of(shape: &Shape, cells: &Cells) -> Result<RecordBatch> {
    let dictionary = |of: fn(&(i64, String, String)) -> &str| -> ArrayRef {
        let mut builder = StringDictionaryBuilder::<Int32Type>::new();
        cells.keys().for_each(|key| builder.append_value(of(key)));
        Arc::new(builder.finish())
    };
    let group = |group: &Group| -> ArrayRef {
        match group {
            Group::Service => dictionary(|key| &key.1),
            Group::Severity => dictionary(|key| &key.2),
            Group::Bucket(_) => {
                let times = TimestampMicrosecondArray::from_iter_values(cells.keys().map(|key| key.0));
                Arc::new(times.with_timezone(UTC))
            }
        }
    };
    let number = |number: &Number| -> ArrayRef {
        match number {
            Number::Rows => Arc::new(Int64Array::from_iter_values(
                cells.values().map(|cell| i64::try_from(cell.0).unwrap_or(i64::MAX)),
            )),
            Number::Bytes => Arc::new(UInt64Array::from_iter_values(cells.values().map(|cell| cell.1))),
        }
    };
    let columns: Vec<(String, ArrayRef)> = shape
        .groups
        .iter()
        .enumerate()
        .map(|(index, of)| (format!("g{index}"), group(of)))
        .chain(shape.numbers.iter().enumerate().map(|(index, of)| (format!("v{index}"), number(of))))
        .collect();
    let asked = shape.schema.fields();
    let fields: Vec<Field> = columns
        .iter()
        .zip(asked)
        .map(|((name, column), asked)| Field::new(name, column.data_type().clone(), asked.is_nullable()))
        .collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(cells.len()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
}
