//! The scalar functions of bodies: their masked form, their template, their beginning.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, StringViewArray, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::pattern::{MAX_PATTERN_BODY_BYTES, Templates, mask};

/// The template of a row whose body is of none.
pub(super) const NO_TEMPLATE: i32 = -1;

/// Bytes of an example's body: more than a pattern is made of, so that what is left matches as the whole does.
const MAX_EXAMPLE_BYTES: usize = 4 * MAX_PATTERN_BODY_BYTES;

/// The masked form of a body.
pub(in crate::query) fn body_pattern(body: Expr) -> Expr {
    call(Kind::Mask, body)
}

/// The place of a body's template, or [`NO_TEMPLATE`].
pub(super) fn body_template(body: Expr, templates: &Arc<Templates>) -> Expr {
    call(Kind::Template(Arc::clone(templates)), body)
}

/// The first [`MAX_EXAMPLE_BYTES`] of a body.
pub(super) fn body_beginning(body: Expr) -> Expr {
    call(Kind::Beginning, body)
}

fn call(kind: Kind, body: Expr) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(BodyFunction { kind, signature }).call(vec![body])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct BodyFunction {
    kind: Kind,
    signature: Signature,
}

#[derive(Clone, Debug)]
enum Kind {
    Mask,
    Template(Arc<Templates>),
    Beginning,
}

/// Templates are mined once in a query: the same ones are at the same place in memory.
impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Mask, Self::Mask) | (Self::Beginning, Self::Beginning) => true,
            (Self::Template(left), Self::Template(right)) => Arc::ptr_eq(left, right),
            _ => false,
        }
    }
}

impl Eq for Kind {}

impl Hash for Kind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        if let Self::Template(templates) = self {
            Arc::as_ptr(templates).hash(state);
        }
    }
}

impl ScalarUDFImpl for BodyFunction {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Mask => "body_pattern",
            Kind::Template(_) => "body_template",
            Kind::Beginning => "body_beginning",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::Mask | Kind::Beginning => DataType::Utf8View,
            Kind::Template(_) => DataType::Int32,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [bodies] = args.args.as_slice() else { return exec_err!("{} takes one argument", self.name()) };
        let bodies = cast(&bodies.to_array(args.number_rows)?, &DataType::Utf8View)?;
        let bodies = bodies.as_string_view();
        let values: ArrayRef = match &self.kind {
            Kind::Mask => Arc::new(masked(bodies)),
            Kind::Template(templates) => Arc::new(templates_of(bodies, templates)),
            Kind::Beginning => Arc::new(beginnings(bodies)),
        };
        Ok(ColumnarValue::Array(values))
    }
}

fn masked(bodies: &StringViewArray) -> StringViewArray {
    let mut values = StringViewBuilder::with_capacity(bodies.len());
    let mut text = String::new();
    for body in bodies {
        text.clear();
        mask(body.unwrap_or_default(), &mut text);
        values.append_value(&text);
    }
    values.finish()
}

fn templates_of(bodies: &StringViewArray, templates: &Templates) -> Int32Array {
    let mut text = String::new();
    let template = |body: Option<&str>| {
        text.clear();
        mask(body.unwrap_or_default(), &mut text);
        let place = templates.find(&text).and_then(|place| i32::try_from(place).ok());
        place.unwrap_or(NO_TEMPLATE)
    };
    Int32Array::from_iter_values(bodies.iter().map(template))
}

fn beginnings(bodies: &StringViewArray) -> StringViewArray {
    let beginning = |body: &'_ str| body.floor_char_boundary(MAX_EXAMPLE_BYTES);
    let mut values = StringViewBuilder::with_capacity(bodies.len());
    for body in bodies.iter().map(Option::unwrap_or_default) {
        values.append_value(&body[..beginning(body)]);
    }
    values.finish()
}
