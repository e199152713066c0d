//! One scalar expression over one row, as SQL writes it: `lower(body)`, `attributes['a'] || 'x'`.
//!
//! What it may contain is listed here and bounded, so that its value is never much longer than its row.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, Int32Array, MapBuilder, MapFieldNames, RecordBatch, RecordBatchOptions, StringArray,
    StringBuilder, TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::array_value_to_string;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, Operator, TryCast};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;
use sqlparser::ast::{
    AccessExpr, Expr as SqlExpr, ExprWithAlias, Ident, Query, Subscript, Value, Visit, Visitor,
    visit_expressions_mut,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::guard::{MAX_SQL_DEPTH, syntax_error};
use crate::error::{Error, ErrorKind, Result};
use crate::query::LogRow;
use crate::schema::{UTC, map_entry_fields, timestamp_type};

/// Longest text of an expression, bytes.
const MAX_TEXT_BYTES: usize = 1000;
/// Most times that an expression may name a column: what it makes of them is that many rows long at most.
const MAX_COLUMN_USES: usize = 16;
/// The columns that are maps of attributes.
const MAPS: [&str; 2] = ["attributes", "resource_attributes"];

/// Functions whose value is about as long as their arguments. The last ones are what `attributes['key']` becomes.
const FUNCTIONS: [&str; 61] = [
    "abs",
    "ceil",
    "floor",
    "round",
    "trunc",
    "sqrt",
    "power",
    "exp",
    "ln",
    "log",
    "log2",
    "log10",
    "signum",
    "coalesce",
    "nullif",
    "nvl",
    "greatest",
    "least",
    "lower",
    "upper",
    "btrim",
    "ltrim",
    "rtrim",
    "trim",
    "initcap",
    "reverse",
    "character_length",
    "char_length",
    "length",
    "octet_length",
    "bit_length",
    "ascii",
    "substr",
    "substring",
    "left",
    "right",
    "split_part",
    "strpos",
    "position",
    "starts_with",
    "ends_with",
    "contains",
    "concat",
    "concat_ws",
    "to_hex",
    "regexp_like",
    "regexp_count",
    "levenshtein",
    "date_part",
    "date_trunc",
    "date_bin",
    "to_timestamp",
    "to_timestamp_seconds",
    "to_timestamp_millis",
    "to_timestamp_micros",
    "to_unixtime",
    "from_unixtime",
    "to_date",
    "get_field",
    "map_extract",
    "array_element",
];

/// What an expression says of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum RowValue {
    /// Nothing: a key that the row lacks, or something that cannot be computed for it.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Another number, finite.
    Number(f64),
    /// Text, and what has no type of its own here.
    Text(String),
    /// A time, microseconds.
    Timestamp(i64),
}

/// A scalar expression over a row of logs.
///
/// It sees the columns as text, whole numbers and times: `uuid`, `timestamp`, `observed_timestamp`, `trace_id`,
/// `span_id` (both in hexadecimal digits), `body`, `severity_text` (also `level`), `severity_number`, `service_name`,
/// `resource_fingerprint`, `instrumentation_scope`, `event_name`, and the maps `attributes` and `resource_attributes`,
/// whose values are reached as `attributes['key']` or `attributes.key`.
#[derive(Clone, Debug)]
pub struct RowExpression {
    text: String,
    expression: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
}

impl PartialEq for RowExpression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for RowExpression {}

impl RowExpression {
    /// Reads an expression.
    ///
    /// # Errors
    /// `InvalidRequest` when it is none, names what there is not, or contains more than scalars: aggregates, windows,
    /// subqueries, placeholders, functions that are not listed, patterns that are not constant; `LimitExceeded` when it
    /// is too long.
    pub fn parse(text: &str) -> Result<Self> {
        let expression = plan(parse(text)?)?;
        let used: HashSet<String> =
            expression.column_refs().into_iter().map(|column| column.name.clone()).collect();
        let all = row_schema();
        let fields = all.fields().iter().filter(|field| used.contains(field.name()));
        let schema = Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()));
        let df_schema = DFSchema::try_from(Arc::clone(&schema)).map_err(refused)?;
        let expression = simplify(expression, &df_schema).map_err(refused)?;
        let expression = SESSION.create_physical_expr(expression, &df_schema).map_err(refused)?;
        // Types that do not fit may only be noticed here.
        expression.data_type(&schema).map_err(refused)?;
        Ok(Self { text: text.to_owned(), expression, schema })
    }

    /// Whether the attributes of a row are needed.
    pub fn reads_attributes(&self) -> bool {
        let is_needed = |name: &str| MAPS.contains(&name) || name == "service_name";
        self.schema.fields().iter().any(|field| is_needed(field.name()))
    }

    /// Its value for a row; nothing where it cannot be computed, as in a division by zero.
    pub fn value(&self, row: &LogRow) -> RowValue {
        self.evaluate(row).unwrap_or(RowValue::Null)
    }

    fn evaluate(&self, row: &LogRow) -> Result<RowValue, DataFusionError> {
        let columns: Vec<ArrayRef> =
            self.schema.fields().iter().map(|field| column(field.name(), row)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        let array = self.expression.evaluate(&batch)?.into_array(1)?;
        match ScalarValue::try_from_array(&array, 0)? {
            value if value.is_null() => Ok(RowValue::Null),
            value => match row_value(value) {
                Some(value) => Ok(value),
                None => Ok(RowValue::Text(array_value_to_string(&array, 0)?)),
            },
        }
    }
}

static SESSION: LazyLock<SessionState> =
    LazyLock::new(|| SessionStateBuilder::new().with_default_features().build());

fn row_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let map = DataType::Map(
            Arc::new(Field::new("entries", DataType::Struct(map_entry_fields()), false)),
            false,
        );
        let field = |name: &str, data_type: &DataType| Field::new(name, data_type.clone(), true);
        let text = [
            "uuid",
            "trace_id",
            "span_id",
            "body",
            "severity_text",
            "level",
            "service_name",
            "instrumentation_scope",
            "event_name",
        ];
        let mut fields: Vec<Field> = text.iter().map(|name| field(name, &DataType::Utf8)).collect();
        fields.extend(["timestamp", "observed_timestamp"].map(|name| field(name, &timestamp_type())));
        fields.push(field("severity_number", &DataType::Int32));
        fields.push(field("resource_fingerprint", &DataType::UInt64));
        fields.extend(MAPS.map(|name| field(name, &map)));
        Arc::new(Schema::new(fields))
    });
    Arc::clone(&SCHEMA)
}

/// A column of one row.
fn column(name: &str, row: &LogRow) -> ArrayRef {
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values([value])) };
    let time = |time_us| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from_iter_values([time_us]).with_timezone(UTC))
    };
    match name {
        "uuid" => text(&row.uuid.to_string()),
        "timestamp" => time(row.timestamp_us),
        "observed_timestamp" => time(row.observed_timestamp_us),
        "trace_id" => text(&hex(&row.trace_id)),
        "span_id" => text(&hex(&row.span_id)),
        "body" => text(&row.body),
        "severity_text" | "level" => text(&row.severity_text),
        "severity_number" => Arc::new(Int32Array::from_iter_values([row.severity_number])),
        "service_name" => {
            let service = row.resource_attributes.iter().find(|(key, _)| key == "service.name");
            text(service.map_or("", |(_, service)| service))
        }
        "resource_fingerprint" => Arc::new(UInt64Array::from_iter_values([row.resource_fingerprint])),
        "instrumentation_scope" => text(&row.instrumentation_scope),
        "event_name" => text(&row.event_name),
        "attributes" => map(&row.attributes),
        "resource_attributes" => map(&row.resource_attributes),
        _ => unreachable!("BUG: {name} is no column of the schema"),
    }
}

fn map(entries: &[(String, String)]) -> ArrayRef {
    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new())
        .with_values_field(Field::new("value", DataType::Utf8, false));
    for (key, value) in entries {
        builder.keys().append_value(key);
        builder.values().append_value(value);
    }
    // Keys and values are as many.
    let _appended = builder.append(true);
    Arc::new(builder.finish())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _written = write!(text, "{byte:02X}");
        text
    })
}

/// None for types that only have a text.
fn row_value(value: ScalarValue) -> Option<RowValue> {
    use ScalarValue as S;
    Some(match value {
        S::Boolean(Some(value)) => RowValue::Boolean(value),
        S::Int8(Some(value)) => RowValue::Integer(value.into()),
        S::Int16(Some(value)) => RowValue::Integer(value.into()),
        S::Int32(Some(value)) => RowValue::Integer(value.into()),
        S::Int64(Some(value)) => RowValue::Integer(value),
        S::UInt8(Some(value)) => RowValue::Integer(value.into()),
        S::UInt16(Some(value)) => RowValue::Integer(value.into()),
        S::UInt32(Some(value)) => RowValue::Integer(value.into()),
        S::UInt64(Some(value)) => RowValue::Integer(i64::try_from(value).ok()?),
        S::Float32(Some(value)) => number(value.into()),
        S::Float64(Some(value)) => number(value),
        S::Utf8(Some(text)) | S::LargeUtf8(Some(text)) | S::Utf8View(Some(text)) => RowValue::Text(text),
        S::Dictionary(_, value) => row_value(*value)?,
        S::TimestampSecond(Some(time), _) => RowValue::Timestamp(time.checked_mul(1_000_000)?),
        S::TimestampMillisecond(Some(time), _) => RowValue::Timestamp(time.checked_mul(1_000)?),
        S::TimestampMicrosecond(Some(time), _) => RowValue::Timestamp(time),
        S::TimestampNanosecond(Some(time), _) => RowValue::Timestamp(time.div_euclid(1_000)),
        _ => return None,
    })
}

fn number(value: f64) -> RowValue {
    if value.is_finite() { RowValue::Number(value) } else { RowValue::Null }
}

fn parse(text: &str) -> Result<SqlExpr> {
    if text.len() > MAX_TEXT_BYTES {
        let message =
            format!("the expression has {} bytes, at most {MAX_TEXT_BYTES} are allowed", text.len());
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    let mut parser = Parser::new(&GenericDialect {})
        .with_recursion_limit(MAX_SQL_DEPTH)
        .try_with_sql(text)
        .map_err(|error| syntax_error("expression", error))?;
    let mut expression = parser.parse_expr().map_err(|error| syntax_error("expression", error))?;
    let next = parser.peek_token();
    if next.token != Token::EOF {
        return Err(Error::invalid_request(format!(
            "the expression should end before {next}{}",
            next.span.start
        )));
    }
    if expression.visit(&mut NoQueries).is_break() {
        return Err(Error::invalid_request("the expression may not contain a subquery"));
    }
    let _visited: ControlFlow<()> = visit_expressions_mut(&mut expression, |part| {
        name_key(part);
        ControlFlow::Continue(())
    });
    Ok(expression)
}

struct NoQueries;

impl Visitor for NoQueries {
    type Break = ();

    fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        ControlFlow::Break(())
    }
}

/// `attributes.http.route` is `attributes['http.route']`.
fn name_key(part: &mut SqlExpr) {
    let SqlExpr::CompoundIdentifier(names) = part else { return };
    let [map, key @ ..] = names.as_slice() else { return };
    if key.is_empty() || !MAPS.contains(&map.value.as_str()) {
        return;
    }
    let key: Vec<&str> = key.iter().map(|name| name.value.as_str()).collect();
    let index = SqlExpr::Value(Value::SingleQuotedString(key.join(".")).into());
    *part = SqlExpr::CompoundFieldAccess {
        root: Box::new(SqlExpr::Identifier(Ident::new(map.value.clone()))),
        access_chain: vec![AccessExpr::Subscript(Subscript::Index { index })],
    };
}

fn plan(expression: SqlExpr) -> Result<Expr> {
    let schema = DFSchema::try_from(row_schema()).map_err(refused)?;
    let expression = ExprWithAlias { expr: expression, alias: None };
    let expression = SESSION.create_logical_expr_from_sql_expr(expression, &schema).map_err(refused)?;
    check(&expression)?;
    // What cannot be cast is nothing, and no error of the whole answer.
    let lenient = |part| match part {
        Expr::Cast(Cast { expr, field }) => Ok(Transformed::yes(Expr::TryCast(TryCast { expr, field }))),
        part => Ok(Transformed::no(part)),
    };
    expression.transform_up(lenient).data().map_err(refused)
}

/// Some functions are only there to become other expressions.
fn simplify(expression: Expr, schema: &DFSchema) -> Result<Expr, DataFusionError> {
    let context = SimplifyContext::builder()
        .with_schema(Arc::new(schema.clone()))
        .with_config_options(Arc::clone(SESSION.config_options()))
        .build();
    let simplifier = ExprSimplifier::new(context);
    simplifier.simplify(simplifier.coerce(expression, schema)?)
}

fn check(expression: &Expr) -> Result<()> {
    let mut num_columns = 0;
    let mut problem = None;
    let walked = expression.apply(|part| {
        num_columns += usize::from(matches!(part, Expr::Column(_)));
        problem = find_problem(part);
        Ok(if problem.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    walked.map_err(refused)?;
    if let Some(problem) = problem {
        return Err(Error::invalid_request(problem));
    }
    if num_columns > MAX_COLUMN_USES {
        let message = format!(
            "the expression names columns {num_columns} times, at most {MAX_COLUMN_USES} are allowed"
        );
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    Ok(())
}

/// Why a part of an expression may not be there.
fn find_problem(part: &Expr) -> Option<String> {
    match part {
        Expr::Alias(_)
        | Expr::Column(_)
        | Expr::Literal(..)
        | Expr::Not(_)
        | Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Negative(_)
        | Expr::Between(_)
        | Expr::Case(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::InList(_)
        | Expr::Like(_) => None,
        Expr::SimilarTo(like) => constant_pattern(&like.pattern),
        Expr::BinaryExpr(BinaryExpr { op, right, .. }) => match op {
            Operator::RegexMatch
            | Operator::RegexIMatch
            | Operator::RegexNotMatch
            | Operator::RegexNotIMatch => constant_pattern(right),
            _ => None,
        },
        Expr::ScalarFunction(call) if !FUNCTIONS.contains(&call.name()) => {
            Some(format!("the function {} may not be used here", call.name()))
        }
        Expr::ScalarFunction(call) if call.name().starts_with("regexp_") => {
            call.args.get(1).and_then(constant_pattern)
        }
        Expr::ScalarFunction(_) => None,
        Expr::AggregateFunction(_) => Some("the expression may not aggregate rows".to_owned()),
        Expr::WindowFunction(_) => Some("the expression may not look at other rows".to_owned()),
        Expr::Placeholder(_) => Some("the expression may not have placeholders".to_owned()),
        other => Some(format!("{other} may not be used here")),
    }
}

/// Patterns are compiled once and not for each row.
fn constant_pattern(pattern: &Expr) -> Option<String> {
    match pattern {
        Expr::Literal(..) => None,
        _ => Some("a pattern has to be a constant text".to_owned()),
    }
}

fn refused(error: DataFusionError) -> Error {
    let message = error.find_root().message().into_owned();
    Error::invalid_request(message).with_source(error)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn row() -> LogRow {
        let map = |entries: &[(&str, &str)]| {
            entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        LogRow {
            uuid: Uuid::from_u128(1),
            timestamp_us: 1_765_881_156_184_820,
            observed_timestamp_us: 1_765_881_156_184_821,
            trace_id: [0xAB; 16],
            span_id: [0; 8],
            body: "GET /Index took 12 ms".to_owned(),
            attributes: map(&[("http.route", "/Index"), ("http.status", "503"), ("a", "x")]),
            severity_text: "error".to_owned(),
            severity_number: 17,
            resource_attributes: map(&[("service.name", "web")]),
            resource_fingerprint: u64::MAX,
            instrumentation_scope: "lib@1".to_owned(),
            event_name: String::new(),
        }
    }

    fn value(text: &str) -> RowValue {
        RowExpression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).value(&row())
    }

    #[test]
    fn expressions_have_the_values_that_sql_gives_them() {
        let text = |text: &str| RowValue::Text(text.to_owned());
        for (expression, expected) in [
            ("lower(body)", text("get /index took 12 ms")),
            ("attributes['http.route'] || '?'", text("/Index?")),
            ("attributes.http.route", text("/Index")),
            ("upper(attributes.a)", text("X")),
            ("resource_attributes['service.name']", text("web")),
            ("service_name = 'web' AND level = 'error'", RowValue::Boolean(true)),
            ("attributes['nothing']", RowValue::Null),
            ("coalesce(attributes['nothing'], attributes.a)", text("x")),
            ("CAST(attributes['http.status'] AS INT) / 100", RowValue::Integer(5)),
            ("attributes['http.status']::double * 2", RowValue::Number(1006.0)),
            ("CAST(body AS INT)", RowValue::Null),
            ("CASE WHEN severity_number >= 17 THEN 'bad' ELSE 'good' END", text("bad")),
            ("body LIKE 'GET %' AND body NOT ILIKE '%post%'", RowValue::Boolean(true)),
            ("body ~ 'took [0-9]+'", RowValue::Boolean(true)),
            ("regexp_like(body, 'TOOK', 'i')", RowValue::Boolean(true)),
            ("split_part(body, ' ', 2)", text("/Index")),
            ("length(body)", RowValue::Integer(21)),
            ("length(trace_id)", RowValue::Integer(32)),
            ("left(uuid, 8)", text("00000000")),
            ("date_trunc('second', timestamp)", RowValue::Timestamp(1_765_881_156_000_000)),
            ("date_part('year', timestamp)", RowValue::Integer(2025)),
            ("level IN ('error', 'fatal')", RowValue::Boolean(true)),
            ("resource_fingerprint", text("18446744073709551615")),
            ("1 / (severity_number - 17)", RowValue::Null),
            ("0.5", RowValue::Number(0.5)),
            ("NULL", RowValue::Null),
            ("'constant'", text("constant")),
            ("event_name = ''", RowValue::Boolean(true)),
        ] {
            assert_eq!(value(expression), expected, "{expression}");
        }
    }

    #[test]
    fn what_is_no_scalar_expression_is_refused_and_says_why() {
        for (expression, part_of_message) in [
            ("", "parsed"),
            ("lower(", "parsed"),
            ("body body", "end before"),
            ("body; DROP TABLE logs", "end before"),
            ("unknown", "unknown"),
            ("a.b", "a"),
            ("team_id", "team_id"),
            ("count(*)", "aggregate"),
            ("max(severity_number)", "aggregate"),
            ("row_number() OVER ()", "other rows"),
            ("(SELECT 1)", "subquery"),
            ("EXISTS (SELECT 1)", "subquery"),
            ("body IN (SELECT 'a')", "subquery"),
            ("$1", "placeholders"),
            ("repeat(body, 1000000)", "repeat"),
            ("lpad(body, 1000000000)", "lpad"),
            ("replace(body, 'a', 'bb')", "replace"),
            ("random()", "random"),
            ("regexp_like(body, attributes.a)", "constant"),
            ("body ~ attributes.a", "constant"),
            ("nonsense(body)", "nonsense"),
            ("body + 1", ""),
            ("*", ""),
        ] {
            let error = RowExpression::parse(expression).expect_err(expression);
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{expression}: {error}");
            assert!(error.message().contains(part_of_message), "{expression}: {error}");
        }
    }

    #[test]
    fn expressions_are_bounded() {
        let long = format!("'{}'", "x".repeat(MAX_TEXT_BYTES));
        let wide = vec!["body"; MAX_COLUMN_USES + 1].join(" || ");
        for text in [long, wide] {
            assert_eq!(RowExpression::parse(&text).unwrap_err().kind(), ErrorKind::LimitExceeded);
        }
        let deep = format!("{}1{}", "(".repeat(400), ")".repeat(400));
        assert!(RowExpression::parse(&deep).unwrap_err().message().contains("deeper"));
    }

    #[test]
    fn attributes_are_read_when_they_are_named() {
        for (text, reads) in
            [("attributes.a", true), ("lower(service_name)", true), ("lower(body)", false), ("1", false)]
        {
            assert_eq!(RowExpression::parse(text).unwrap().reads_attributes(), reads, "{text}");
        }
    }
}
