//! Conditions that a row's service and severity decide.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringDictionaryBuilder};
use arrow::datatypes::{Int32Type, Schema, SchemaRef};
use datafusion::common::{DFSchema, Result, ScalarValue, exec_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::prelude::{Expr, SessionContext};

use crate::schema::{columns, logs_schema};

/// A condition over the columns of service and severity, ready to be tested on pairs of them. It is the condition
/// that rows are tested with, so that both say the same.
#[derive(Clone, Debug)]
pub(in crate::query) struct CellFilter {
    condition: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
}

impl CellFilter {
    /// None when the condition asks for something else as well.
    pub(in crate::query) fn of(session: &SessionContext, condition: &Expr) -> Result<Option<Self>> {
        const COLUMNS: [&str; 2] = [columns::SERVICE_NAME, columns::SEVERITY_TEXT];
        if condition.column_refs().iter().any(|column| !COLUMNS.contains(&column.name.as_str())) {
            return Ok(None);
        }
        let stored = logs_schema();
        let fields = COLUMNS.map(|name| stored.field_with_name(name).cloned());
        let fields = fields.into_iter().collect::<Result<Vec<_>, _>>()?;
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let described = DFSchema::try_from(Arc::clone(&schema))?;
        let condition = session.create_physical_expr(condition.clone(), &described)?;
        Ok(Some(Self { condition, schema }))
    }

    /// Whether every row meets it, whatever its service and severity.
    pub(in crate::query) fn is_always(&self) -> bool {
        let literal = self.condition.downcast_ref::<Literal>();
        literal.is_some_and(|literal| *literal.value() == ScalarValue::Boolean(Some(true)))
    }

    /// Which of some pairs of a service and a severity meet it.
    pub(in crate::query) fn test<'a>(
        &self,
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Vec<bool>> {
        let mut services = StringDictionaryBuilder::<Int32Type>::new();
        let mut severities = StringDictionaryBuilder::<Int32Type>::new();
        for (service, severity) in pairs {
            services.append_value(service);
            severities.append_value(severity);
        }
        let columns: Vec<ArrayRef> = vec![Arc::new(services.finish()), Arc::new(severities.finish())];
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let tested = self.condition.evaluate(&batch)?.into_array(batch.num_rows())?;
        let Some(tested) = tested.as_boolean_opt() else {
            return exec_err!("a condition is {} and not a truth value", tested.data_type());
        };
        // A condition that is null is not met.
        Ok(tested.iter().map(|is_met| is_met == Some(true)).collect())
    }
}
