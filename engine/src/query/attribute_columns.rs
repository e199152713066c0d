//! Scans of data files whose attributes have columns of their own.
//!
//! A query speaks of the maps `attributes` and `resource_attributes`. What it says is rewritten for each file: the
//! value of a promoted key is that key's column, the value of another key is looked up in the map of the rest, and
//! a whole map is put together from both.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err};
use datafusion::functions::core::getfield::GetFieldFunc;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};

use super::attribute_value::AttributeValue;
use crate::schema::map_type;
use crate::storage::{MAP_COLUMNS, assemble_map, column_name, parse_column_name};

/// Makes the adapters of files.
#[derive(Debug)]
pub(super) struct AttributeColumnsFactory;

impl PhysicalExprAdapterFactory for AttributeColumnsFactory {
    fn create(
        &self,
        logical_file_schema: SchemaRef,
        physical_file_schema: SchemaRef,
    ) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let plain = DefaultPhysicalExprAdapterFactory
            .create(logical_file_schema, Arc::clone(&physical_file_schema))?;
        Ok(Arc::new(AttributeColumns { file_schema: physical_file_schema, plain }))
    }
}

/// Rewrites expressions for one file.
#[derive(Debug)]
struct AttributeColumns {
    file_schema: SchemaRef,
    /// Adapts everything else.
    plain: Arc<dyn PhysicalExprAdapter>,
}

impl PhysicalExprAdapter for AttributeColumns {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        // From the top, so that a look-up in a map is seen before the map is.
        let rewritten = expr.transform_down(|expr| {
            if let Some((map, key)) = looked_up(&expr) {
                let value = self.value_of(map, key)?;
                return Ok(Transformed::new(value, true, TreeNodeRecursion::Jump));
            }
            match self.whole_map(&expr)? {
                Some(map) => Ok(Transformed::new(map, true, TreeNodeRecursion::Jump)),
                None => Ok(Transformed::no(expr)),
            }
        });
        self.plain.rewrite(rewritten.data()?)
    }
}

impl AttributeColumns {
    /// The value of a key in this file.
    fn value_of(&self, map: &'static str, key: &str) -> Result<Arc<dyn PhysicalExpr>> {
        let promoted = column_name(map, key);
        if let Ok(index) = self.file_schema.index_of(&promoted) {
            return Ok(Arc::new(Column::new(&promoted, index)));
        }
        let rest = self.rest(map)?;
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

    /// The whole map, if `expr` is one that has promoted keys in this file.
    fn whole_map(&self, expr: &Arc<dyn PhysicalExpr>) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let Some(map) = map_column(expr) else { return Ok(None) };
        let mut keys = Vec::new();
        let mut arguments = vec![self.rest(map)?];
        for (index, field) in self.file_schema.fields().iter().enumerate() {
            if let Some((of_map, key)) = parse_column_name(field.name())
                && MAP_COLUMNS[of_map] == map
            {
                keys.push(key.to_owned());
                arguments.push(Arc::new(Column::new(field.name(), index)));
            }
        }
        if keys.is_empty() {
            return Ok(None);
        }
        let function =
            ScalarUDF::from(AssembleMap { keys, signature: Signature::variadic_any(Volatility::Immutable) });
        let whole = ScalarFunctionExpr::try_new(
            Arc::new(function),
            arguments,
            &self.file_schema,
            Arc::new(ConfigOptions::default()),
        )?;
        Ok(Some(Arc::new(whole)))
    }

    /// The map of the keys that have no column.
    fn rest(&self, map: &str) -> Result<Arc<dyn PhysicalExpr>> {
        match self.file_schema.index_of(map) {
            Ok(index) => Ok(Arc::new(Column::new(map, index))),
            Err(_) => exec_err!("a data file lacks the column {map:?}"),
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

fn map_column(expr: &Arc<dyn PhysicalExpr>) -> Option<&'static str> {
    let column = expr.downcast_ref::<Column>()?;
    MAP_COLUMNS.into_iter().find(|name| *name == column.name())
}

/// Puts a map together from its rest and the columns of promoted keys.
#[derive(Debug, PartialEq, Eq, Hash)]
struct AssembleMap {
    keys: Vec<String>,
    signature: Signature,
}

impl ScalarUDFImpl for AssembleMap {
    fn name(&self) -> &str {
        "assemble_attributes"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(map_type())
    }

    fn return_field_from_args(&self, _args: datafusion::logical_expr::ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(arrow::datatypes::Field::new(self.name(), map_type(), false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let Some((rest, promoted)) = arrays.split_first() else {
            return internal_err!("a map is put together from nothing");
        };
        let Some(rest) = datafusion::common::cast::as_map_array(rest).ok() else {
            return exec_err!("attributes are a map, not {}", rest.data_type());
        };
        let promoted: Vec<_> = self.keys.iter().map(String::as_str).zip(promoted).collect();
        let whole = assemble_map(rest, &promoted)
            .map_err(|error| datafusion::error::DataFusionError::External(Box::new(error)))?;
        Ok(ColumnarValue::Array(Arc::new(whole)))
    }
}
