//! Scans of data files whose columns are not those of whole rows.
//!
//! A query speaks of whole rows. What it says is rewritten for each file: the value of a promoted attribute is that
//! key's column, the value of another key is looked up in the map of the rest, and a whole map is put together from
//! both; the observed time is a sum, and an id that is null is zeros. The keys of a map need no map.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use datafusion::common::cast::as_map_array;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err};
use datafusion::error::DataFusionError;
use datafusion::functions::core::getfield::GetFieldFunc;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};

use super::attribute_keys::AttributeKeys;
use super::attribute_value::AttributeValue;
use crate::schema::{columns, map_type, timestamp_type};
use crate::storage::{
    MAP_COLUMNS, OBSERVED_DELAY, assemble_map, column_name, null_as_unset, observed_time, parse_column_name,
};

/// Makes the adapters of files.
#[derive(Debug)]
pub(super) struct FileColumnsFactory;

impl PhysicalExprAdapterFactory for FileColumnsFactory {
    fn create(
        &self,
        logical_file_schema: SchemaRef,
        physical_file_schema: SchemaRef,
    ) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let plain = DefaultPhysicalExprAdapterFactory
            .create(logical_file_schema, Arc::clone(&physical_file_schema))?;
        Ok(Arc::new(FileColumns { file_schema: physical_file_schema, plain }))
    }
}

/// Rewrites expressions for one file.
#[derive(Debug)]
struct FileColumns {
    file_schema: SchemaRef,
    /// Adapts everything else.
    plain: Arc<dyn PhysicalExprAdapter>,
}

impl PhysicalExprAdapter for FileColumns {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        // From the top, so that a look-up in a map is seen before the map is.
        let rewritten = expr.transform_down(|expr| {
            if let Some((map, key)) = looked_up(&expr) {
                let value = self.value_of(map, key)?;
                return Ok(Transformed::new(value, true, TreeNodeRecursion::Jump));
            }
            if let Some(map) = keys_asked(&expr) {
                return Ok(Transformed::new(self.keys_of(map)?, true, TreeNodeRecursion::Jump));
            }
            match self.restored(&expr)? {
                Some(restored) => Ok(Transformed::new(restored, true, TreeNodeRecursion::Jump)),
                None => Ok(Transformed::no(expr)),
            }
        });
        self.plain.rewrite(rewritten.data()?)
    }
}

impl FileColumns {
    /// The value of a key in this file.
    fn value_of(&self, map: &'static str, key: &str) -> Result<Arc<dyn PhysicalExpr>> {
        let promoted = column_name(map, key);
        if let Ok(index) = self.file_schema.index_of(&promoted) {
            return Ok(Arc::new(Column::new(&promoted, index)));
        }
        let rest = self.column(map)?;
        let key = Literal::new(ScalarValue::Utf8(Some(key.to_owned())));
        let function = ScalarUDF::from(AttributeValue::new());
        let value = ScalarFunctionExpr::try_new(
            Arc::new(function),
            vec![rest, Arc::new(key)],
            &self.file_schema,
            Arc::new(ConfigOptions::default()),
        )?;
        Ok(Arc::new(value))
    }

    /// A column of whole rows that this file has in another form.
    fn restored(&self, expr: &Arc<dyn PhysicalExpr>) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let Some(column) = expr.downcast_ref::<Column>() else { return Ok(None) };
        let restored = match column.name() {
            columns::OBSERVED_TIMESTAMP if self.file_schema.index_of(OBSERVED_DELAY).is_ok() => {
                let arguments = vec![self.column(columns::TIMESTAMP)?, self.column(OBSERVED_DELAY)?];
                self.call(Restore::Observed, arguments)?
            }
            name @ (columns::TRACE_ID | columns::SPAN_ID) => {
                let width = if name == columns::TRACE_ID { 16 } else { 8 };
                self.call(Restore::Id(width), vec![self.column(name)?])?
            }
            name => match MAP_COLUMNS.into_iter().find(|map| *map == name) {
                Some(map) => return self.whole_map(map),
                None => return Ok(None),
            },
        };
        Ok(Some(restored))
    }

    /// The whole map, if it has promoted keys in this file.
    fn whole_map(&self, map: &'static str) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let (keys, mut arguments) = self.promoted(map);
        if keys.is_empty() {
            return Ok(None);
        }
        arguments.insert(0, self.column(map)?);
        self.call(Restore::Map(keys), arguments).map(Some)
    }

    /// The keys of a map in this file.
    fn keys_of(&self, map: &'static str) -> Result<Arc<dyn PhysicalExpr>> {
        let (keys, mut arguments) = self.promoted(map);
        arguments.insert(0, self.column(map)?);
        let function = ScalarUDF::from(AttributeKeys::new(keys));
        let options = Arc::new(ConfigOptions::default());
        let keys = ScalarFunctionExpr::try_new(Arc::new(function), arguments, &self.file_schema, options)?;
        Ok(Arc::new(keys))
    }

    /// The keys of a map that have columns in this file, and the columns.
    fn promoted(&self, map: &'static str) -> (Vec<String>, Vec<Arc<dyn PhysicalExpr>>) {
        let mut keys = Vec::new();
        let mut promoted: Vec<Arc<dyn PhysicalExpr>> = Vec::new();
        for (index, field) in self.file_schema.fields().iter().enumerate() {
            if let Some((of_map, key)) = parse_column_name(field.name())
                && MAP_COLUMNS[of_map] == map
            {
                keys.push(key.to_owned());
                promoted.push(Arc::new(Column::new(field.name(), index)));
            }
        }
        (keys, promoted)
    }

    fn call(&self, restore: Restore, arguments: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let signature = Signature::variadic_any(Volatility::Immutable);
        let function = ScalarUDF::from(RestoreColumn { restore, signature });
        let options = Arc::new(ConfigOptions::default());
        let call = ScalarFunctionExpr::try_new(Arc::new(function), arguments, &self.file_schema, options)?;
        Ok(Arc::new(call))
    }

    fn column(&self, name: &str) -> Result<Arc<dyn PhysicalExpr>> {
        match self.file_schema.index_of(name) {
            Ok(index) => Ok(Arc::new(Column::new(name, index))),
            Err(_) => exec_err!("a data file lacks the column {name:?}"),
        }
    }
}

/// The map and the key, if an expression is the value of a constant key of an attribute map.
pub(super) fn looked_up(expr: &Arc<dyn PhysicalExpr>) -> Option<(&'static str, &str)> {
    let call = expr.downcast_ref::<ScalarFunctionExpr>()?;
    let function = call.fun().inner();
    if !function.is::<AttributeValue>() && !function.is::<GetFieldFunc>() {
        return None;
    }
    let [column, key] = call.args() else { return None };
    let key = key.downcast_ref::<Literal>()?.value().try_as_str()??;
    Some((map_column(column)?, key))
}

/// The map, if an expression is its keys.
fn keys_asked(expr: &Arc<dyn PhysicalExpr>) -> Option<&'static str> {
    let call = expr.downcast_ref::<ScalarFunctionExpr>()?;
    if !call.fun().inner().is::<AttributeKeys>() {
        return None;
    }
    let [column] = call.args() else { return None };
    map_column(column)
}

fn map_column(expr: &Arc<dyn PhysicalExpr>) -> Option<&'static str> {
    let column = expr.downcast_ref::<Column>()?;
    MAP_COLUMNS.into_iter().find(|name| *name == column.name())
}

/// What is made of columns of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Restore {
    /// A map, of its rest and the columns of these keys.
    Map(Vec<String>),
    /// The observed time, of the time and the delay.
    Observed,
    /// An id of so many bytes, of one that may be null.
    Id(i32),
}

/// Makes a column of whole rows.
#[derive(Debug, PartialEq, Eq, Hash)]
struct RestoreColumn {
    restore: Restore,
    signature: Signature,
}

impl ScalarUDFImpl for RestoreColumn {
    fn name(&self) -> &str {
        match self.restore {
            Restore::Map(_) => "whole_map",
            Restore::Observed => "observed_time",
            Restore::Id(_) => "id_or_unset",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(match self.restore {
            Restore::Map(_) => map_type(),
            Restore::Observed => timestamp_type(),
            Restore::Id(width) => DataType::FixedSizeBinary(width),
        })
    }

    /// No column of whole rows is null.
    fn return_field_from_args(&self, _args: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name(), self.return_type(&[])?, false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let restored: Result<ArrayRef, crate::error::Error> = match (&self.restore, arrays.as_slice()) {
            (Restore::Map(keys), [rest, promoted @ ..]) => {
                let promoted: Vec<_> = keys.iter().map(String::as_str).zip(promoted).collect();
                assemble_map(as_map_array(rest)?, &promoted).map(|map| Arc::new(map) as ArrayRef)
            }
            (Restore::Observed, [time, delay]) => {
                observed_time(time, delay).map(|observed| Arc::new(observed) as ArrayRef)
            }
            (Restore::Id(_), [ids]) => null_as_unset(ids).map(|ids| Arc::new(ids) as ArrayRef),
            _ => return internal_err!("{} of {} columns", self.name(), arrays.len()),
        };
        restored.map(ColumnarValue::Array).map_err(|error| DataFusionError::External(Box::new(error)))
    }
}
