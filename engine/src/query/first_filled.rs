//! `first_filled(text, ...)`: the first of several texts that is neither null nor empty.

use std::sync::Arc;

use arrow::array::{Array, AsArray, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::Expr;

/// The first of `texts` that has something in it; null when none has.
pub(super) fn first_filled(texts: Vec<Expr>) -> Expr {
    ScalarUDF::from(FirstFilled::new()).call(texts)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FirstFilled {
    signature: Signature,
}

impl FirstFilled {
    fn new() -> Self {
        Self { signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for FirstFilled {
    fn name(&self) -> &str {
        "first_filled"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let texts = columns.iter().map(|column| column.as_string_opt::<i32>());
        let Some(texts) = texts.collect::<Option<Vec<&StringArray>>>() else {
            return exec_err!("{} takes text", self.name());
        };
        let mut found = StringBuilder::with_capacity(args.number_rows, 0);
        for row in 0..args.number_rows {
            let mut filled = texts.iter().filter(|text| text.is_valid(row)).map(|text| text.value(row));
            found.append_option(filled.find(|text| !text.is_empty()));
        }
        Ok(ColumnarValue::Array(Arc::new(found.finish())))
    }
}
