//! The schema `information_schema`, with PostgreSQL's names of types.

use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use async_trait::async_trait;
use datafusion::catalog::information_schema::{INFORMATION_SCHEMA_TABLES, InformationSchemaProvider};
use datafusion::catalog::{CatalogProviderList, SchemaProvider};
use datafusion::common::Result;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::{SessionContext, col};

use super::lacking::{Columns, Kind, empty_of};
use Kind::{Integer, Text};

/// What DataFusion runs with is nothing that a client may see.
const HIDDEN: &str = "df_settings";
const COLUMNS: &str = "columns";

/// Tables about what is not here. They have no rows.
const MISSING: [(&str, Columns); 6] = [
    (
        "constraint_column_usage",
        &[
            ("table_catalog", Text),
            ("table_schema", Text),
            ("table_name", Text),
            ("column_name", Text),
            ("constraint_catalog", Text),
            ("constraint_schema", Text),
            ("constraint_name", Text),
        ],
    ),
    (
        "key_column_usage",
        &[
            ("constraint_catalog", Text),
            ("constraint_schema", Text),
            ("constraint_name", Text),
            ("table_catalog", Text),
            ("table_schema", Text),
            ("table_name", Text),
            ("column_name", Text),
            ("ordinal_position", Integer),
            ("position_in_unique_constraint", Integer),
        ],
    ),
    (
        "referential_constraints",
        &[
            ("constraint_catalog", Text),
            ("constraint_schema", Text),
            ("constraint_name", Text),
            ("unique_constraint_catalog", Text),
            ("unique_constraint_schema", Text),
            ("unique_constraint_name", Text),
            ("match_option", Text),
            ("update_rule", Text),
            ("delete_rule", Text),
        ],
    ),
    (
        "sequences",
        &[
            ("sequence_catalog", Text),
            ("sequence_schema", Text),
            ("sequence_name", Text),
            ("data_type", Text),
            ("start_value", Text),
            ("minimum_value", Text),
            ("maximum_value", Text),
            ("increment", Text),
        ],
    ),
    (
        "table_constraints",
        &[
            ("constraint_catalog", Text),
            ("constraint_schema", Text),
            ("constraint_name", Text),
            ("table_catalog", Text),
            ("table_schema", Text),
            ("table_name", Text),
            ("constraint_type", Text),
            ("is_deferrable", Text),
            ("initially_deferred", Text),
        ],
    ),
    (
        "triggers",
        &[
            ("trigger_catalog", Text),
            ("trigger_schema", Text),
            ("trigger_name", Text),
            ("event_manipulation", Text),
            ("event_object_schema", Text),
            ("event_object_table", Text),
            ("action_statement", Text),
            ("action_timing", Text),
        ],
    ),
];

/// The schema over what there is to see.
#[derive(Debug)]
pub(super) struct InformationSchema {
    library: InformationSchemaProvider,
    columns: Arc<dyn TableProvider>,
}

impl InformationSchema {
    /// # Errors
    /// When the library's table of columns is not what it was.
    pub(super) async fn new(
        session: &SessionContext,
        seen: Arc<dyn CatalogProviderList>,
    ) -> Result<Option<Self>> {
        let library = InformationSchemaProvider::new(seen);
        let Some(columns) = library.table(COLUMNS).await? else { return Ok(None) };
        let data_type = DATA_TYPE.call(vec![col("data_type")]);
        let columns = session.read_table(columns)?.with_column("data_type", data_type)?.into_view();
        Ok(Some(Self { library, columns }))
    }
}

#[async_trait]
impl SchemaProvider for InformationSchema {
    fn table_names(&self) -> Vec<String> {
        let known = INFORMATION_SCHEMA_TABLES.iter().filter(|name| **name != HIDDEN).copied();
        known.chain(MISSING.iter().map(|(name, _)| *name)).map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            HIDDEN => Ok(None),
            COLUMNS => Ok(Some(Arc::clone(&self.columns))),
            name => match empty_of(&MISSING, name)? {
                Some(table) => Ok(Some(table)),
                None => self.library.table(name).await,
            },
        }
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        Ok(self.table_exist(name).then_some(TableType::View))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.table_names().iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// What PostgreSQL calls a type of Arrow's.
static DATA_TYPE: LazyLock<ScalarUDF> = LazyLock::new(|| {
    ScalarUDF::from(DataTypeName(Signature::exact(vec![DataType::Utf8], Volatility::Immutable)))
});

#[derive(Debug, PartialEq, Eq, Hash)]
struct DataTypeName(Signature);

impl ScalarUDFImpl for DataTypeName {
    fn name(&self) -> &'static str {
        "data_type_name"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let names: Vec<ArrayRef> = ColumnarValue::values_to_arrays(&args.args)?;
        let names: Vec<Option<&str>> = match names.first() {
            Some(names) => cast(names, &DataType::Utf8)?
                .as_string::<i32>()
                .iter()
                .map(|name| name.map(postgres_name))
                .collect(),
            None => Vec::new(),
        };
        Ok(ColumnarValue::Array(Arc::new(StringArray::from(names))))
    }
}

/// Of the text of a type; what has no place in PostgreSQL is written as text.
fn postgres_name(text: &str) -> &'static str {
    DataType::from_str(text).map_or("text", |data_type| name_of(&data_type))
}

fn name_of(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "boolean",
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => "smallint",
        DataType::Int32 | DataType::UInt16 => "integer",
        DataType::Int64 | DataType::UInt32 => "bigint",
        DataType::UInt64 | DataType::Decimal128(..) | DataType::Decimal256(..) => "numeric",
        DataType::Float16 | DataType::Float32 => "real",
        DataType::Float64 => "double precision",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "bytea"
        }
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
        DataType::Timestamp(_, None) => "timestamp without time zone",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Interval(_) | DataType::Duration(_) => "interval",
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => "ARRAY",
        DataType::Dictionary(_, values) => name_of(values),
        _ => "text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{activity_schema, logs_schema};

    #[test]
    fn types_are_called_what_postgresql_calls_them() {
        for field in logs_schema().fields().iter().chain(activity_schema().fields()) {
            let expected = name_of(field.data_type());
            assert_eq!(postgres_name(&field.data_type().to_string()), expected, "{field}");
        }
        assert_eq!(postgres_name("Utf8View"), "text");
        assert_eq!(postgres_name("no type"), "text");
    }
}
