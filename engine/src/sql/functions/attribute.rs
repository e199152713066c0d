//! Attributes as numbers, truth values and times.
//!
//! Each call becomes one of `attribute`, which the scan of a data file answers from the column of the key where there
//! is one, with a conversion around it.

use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::text::{TextAs, TextFunction};
use crate::query::{AttributeKeysFunction, AttributeValue};

/// `attribute`, the typed ones, and `attribute_keys`.
pub(super) fn functions() -> Vec<ScalarUDF> {
    let typed = [
        ("attribute_number", TextAs::Number),
        ("attribute_boolean", TextAs::Boolean),
        ("attribute_timestamp", TextAs::Time),
    ];
    let mut functions: Vec<ScalarUDF> =
        typed.into_iter().map(|(name, kind)| ScalarUDF::from(TypedAttribute::new(name, kind))).collect();
    functions.push(ScalarUDF::from(AttributeValue::new()));
    functions.push(ScalarUDF::from(AttributeKeysFunction::new(Vec::new())));
    functions
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TypedAttribute {
    name: &'static str,
    kind: TextAs,
    signature: Signature,
}

impl TypedAttribute {
    fn new(name: &'static str, kind: TextAs) -> Self {
        Self { name, kind, signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for TypedAttribute {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.kind.data_type())
    }

    fn simplify(&self, args: Vec<Expr>, _info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let text = ScalarUDF::from(AttributeValue::new()).call(args);
        Ok(ExprSimplifyResult::Simplified(ScalarUDF::from(TextFunction::new(self.kind)).call(vec![text])))
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("{} takes a map and a constant key", self.name)
    }
}
