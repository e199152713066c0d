//! Tests of text that SQL has no words for, as a scalar function.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::needs::EntryNeeds;
use crate::schema::activity;

/// A test of text; null fails every one.
pub(super) type TextTest = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// `test(text)`, never null. `description` tells tests apart: equal ones mean equal tests. Of details, `needs` is what those
/// have that pass.
pub(super) fn call(description: String, test: TextTest, needs: EntryNeeds, text: Expr) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(TextTestFunction { description, test, needs, signature }).call(vec![text])
}

/// What an entry must have to pass a test of its detail; none when the condition is no such test.
pub(super) fn needs_of(condition: &Expr) -> Option<&EntryNeeds> {
    let Expr::ScalarFunction(call) = condition else { return None };
    let [Expr::Column(column)] = call.args.as_slice() else { return None };
    let function = call.func.inner().downcast_ref::<TextTestFunction>()?;
    (column.name == activity::DETAIL).then_some(&function.needs)
}

struct TextTestFunction {
    description: String,
    test: TextTest,
    needs: EntryNeeds,
    signature: Signature,
}

impl fmt::Debug for TextTestFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

impl PartialEq for TextTestFunction {
    fn eq(&self, other: &Self) -> bool {
        self.description == other.description
    }
}

impl Eq for TextTestFunction {}

impl Hash for TextTestFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.description.hash(state);
    }
}

impl ScalarUDFImpl for TextTestFunction {
    fn name(&self) -> &str {
        "text_test"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [column] = <[ColumnarValue; 1]>::try_from(args.args)
            .or_else(|args| internal_err!("a test of one text, not {}", args.len()))?;
        let array = column.into_array(args.number_rows)?;
        let passes = self.test_all(&array)?;
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(passes))))
    }
}

impl TextTestFunction {
    fn test_all(&self, array: &ArrayRef) -> Result<BooleanBuffer> {
        let Some(texts) = array.as_string_view_opt() else {
            return exec_err!("text cannot be tested in a column of type {}", array.data_type());
        };
        Ok(BooleanBuffer::collect_bool(texts.len(), |row| {
            texts.is_valid(row) && (self.test)(texts.value(row))
        }))
    }
}
