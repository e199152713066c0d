//! Operators that DataFusion has no meaning for, or another one.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::compute::kernels::concat_elements::concat_elements_utf8;
use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use sqlparser::ast::BinaryOperator;

use super::bounded::{Bounded, Growth};
use super::json::{JsonAs, step_into};

/// Plans `->` and `->>` of texts, comparisons of ids with text, and `||`.
#[derive(Debug)]
pub(super) struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let type_of = |expr: &Expr| expr.get_type(schema).unwrap_or(DataType::Null);
        match &expr.op {
            BinaryOperator::Arrow if is_text(&type_of(&expr.left)) => {
                Ok(PlannerResult::Planned(step_into(JsonAs::Json, expr.left, expr.right)))
            }
            BinaryOperator::LongArrow if is_text(&type_of(&expr.left)) => {
                Ok(PlannerResult::Planned(step_into(JsonAs::Text, expr.left, expr.right)))
            }
            BinaryOperator::StringConcat => {
                let (left, right) = (type_of(&expr.left), type_of(&expr.right));
                if left.is_nested() && right.is_nested() {
                    let joined =
                        Bounded::of(datafusion::functions_nested::concat::array_concat_udf(), Growth::Sum);
                    return Ok(PlannerResult::Planned(joined.call(vec![expr.left, expr.right])));
                }
                if !is_joined_as_text(&left, &right) {
                    return Ok(PlannerResult::Original(expr));
                }
                let joined = Bounded::of(Arc::new(ScalarUDF::from(Joined::new())), Growth::Sum);
                Ok(PlannerResult::Planned(joined.call(vec![expr.left, expr.right])))
            }
            op if is_comparison(op) => {
                let (left, right) = (type_of(&expr.left), type_of(&expr.right));
                let RawBinaryExpr { op, left: left_expr, right: right_expr } = expr;
                let (left, right) = match (left, right) {
                    (DataType::FixedSizeBinary(width), right) if is_text(&right) => {
                        (left_expr, id_of(right_expr, width)?)
                    }
                    (left, DataType::FixedSizeBinary(width)) if is_text(&left) => {
                        (id_of(left_expr, width)?, right_expr)
                    }
                    _ => (left_expr, right_expr),
                };
                Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
            }
            _ => Ok(PlannerResult::Original(expr)),
        }
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

fn is_joined_as_text(left: &DataType, right: &DataType) -> bool {
    let fits = |data_type: &DataType| {
        is_text(data_type)
            || data_type.is_numeric()
            || data_type.is_temporal()
            || matches!(data_type, DataType::Null | DataType::Boolean)
    };
    (is_text(left) || is_text(right)) && fits(left) && fits(right)
}

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

/// The id that a constant text stands for: hexadecimal digits in either case, with the dashes of a UUID or without.
fn id_of(expr: Expr, width: i32) -> Result<Expr> {
    let Expr::Literal(value, metadata) = &expr else { return Ok(expr) };
    let Some(Some(text)) = value.try_as_str() else { return Ok(expr) };
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    let bytes: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| {
            let pair =
                std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2 && !pair.starts_with('+'))?;
            u8::from_str_radix(pair, 16).ok()
        })
        .collect();
    match bytes {
        Some(bytes) if i32::try_from(bytes.len()) == Ok(width) => {
            Ok(Expr::Literal(ScalarValue::FixedSizeBinary(width, Some(bytes)), metadata.clone()))
        }
        _ => plan_err!("{text:?} is no id of {width} bytes: it has {} hexadecimal digits", 2 * width),
    }
}

/// `left || right` of texts: null if one of them is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Joined {
    signature: Signature,
}

impl Joined {
    fn new() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &str {
        "joined_text"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let names: Vec<String> = args.iter().map(|arg| arg.schema_name().to_string()).collect();
        Ok(names.join(" || "))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else { return exec_err!("|| takes two texts") };
        let text = |value: &ColumnarValue| -> Result<ArrayRef> {
            Ok(cast(&value.to_array(args.number_rows)?, &DataType::Utf8)?)
        };
        let (left, right) = (text(left)?, text(right)?);
        let joined = concat_elements_utf8::<i32>(left.as_string(), right.as_string())?;
        Ok(ColumnarValue::Array(Arc::new(joined)))
    }
}
