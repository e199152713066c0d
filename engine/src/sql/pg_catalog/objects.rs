//! Numbers of what a statement can read, and what is said of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, concat_batches, take};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use datafusion::catalog::MemTable;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::datasource::TableProvider;
use datafusion::execution::TaskContext;
use datafusion_pg_catalog::pg_catalog::{ArrowTable, PgCatalogTable};
use futures::TryStreamExt;

use super::super::functions::DESCRIBED;
use super::super::{LOGS_TABLE, SCHEMA};
use super::tables::{Library, of_lists, static_tables};
use super::{About, PG_CATALOG};

/// Numbers of our own functions begin here, above those of PostgreSQL's.
const FIRST_FUNCTION: i32 = 100_000;

/// What is known of numbered things.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Objects {
    /// Of a thing at 0, of the columns of a table from 1.
    descriptions: BTreeMap<(i32, i32), String>,
    /// Bytes of tables.
    sizes: BTreeMap<i32, i64>,
    /// Schemas by name.
    schemas: BTreeMap<String, i32>,
    /// Of `pg_class`.
    class: i32,
}

impl Objects {
    /// Numbers what there is to see, always in the same order.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(super) async fn number(library: &Library, context: &Arc<TaskContext>, about: &About) -> Result<Self> {
        read(library, "pg_database", context).await?;
        let namespaces = read(library, "pg_namespace", context).await?;
        let schemas: BTreeMap<i32, String> =
            named(&namespaces, "nspname")?.map(|(oid, name)| (oid, name.to_owned())).collect();
        let classes = read(library, "pg_class", context).await?;
        let of_schema = numbers(&classes, "relnamespace")?;
        let mut objects = Self::default();
        for ((oid, name), schema) in named(&classes, "relname")?.zip(of_schema.values()) {
            match schemas.get(schema).map(String::as_str) {
                Some(PG_CATALOG) if name == "pg_class" => objects.class = oid,
                Some(SCHEMA) => objects.add(oid, name, about),
                Some(schema) => objects.add(oid, &format!("{schema}.{name}"), about),
                None => {}
            }
        }
        objects.schemas = schemas.into_iter().map(|(oid, name)| (name, oid)).collect();
        let functions = DESCRIBED.iter().zip(FIRST_FUNCTION..);
        let functions = functions.map(|(described, oid)| ((oid, 0), described.says.to_owned()));
        objects.descriptions.extend(functions);
        Ok(objects)
    }

    fn add(&mut self, oid: i32, name: &str, about: &About) {
        let whole = about.tables.get(name).map(|says| ((oid, 0), says.clone()));
        let columns = about.columns.get(name).into_iter().flatten().zip(1..);
        let columns = columns.map(|(says, place)| ((oid, place), says.clone()));
        self.descriptions.extend(whole.into_iter().chain(columns));
        if name == LOGS_TABLE {
            self.sizes.insert(oid, about.logs_bytes);
        }
    }

    /// What is said of a thing, or of a column of a table.
    pub(super) fn description(&self, oid: i32, column: i32) -> Option<&str> {
        self.descriptions.get(&(oid, column)).map(String::as_str)
    }

    /// How large a table is, bytes, where that is known.
    pub(super) fn size(&self, oid: i32) -> Option<i64> {
        self.sizes.get(&oid).copied()
    }

    /// Tables of the catalog that are made of this.
    ///
    /// # Errors
    /// When the library's tables are not what they were.
    pub(super) fn tables(&self) -> Result<HashMap<&'static str, Arc<dyn TableProvider>>> {
        Ok(HashMap::from([("pg_description", self.pg_description()?), ("pg_proc", self.pg_proc()?)]))
    }

    fn pg_description(&self) -> Result<Arc<dyn TableProvider>> {
        let of_tables = || self.descriptions.iter().filter(|((oid, _), _)| *oid < FIRST_FUNCTION);
        let columns: [(&str, ArrayRef); 4] = [
            ("objoid", Arc::new(of_tables().map(|((oid, _), _)| *oid).collect::<Int32Array>())),
            ("classoid", Arc::new(of_tables().map(|_| self.class).collect::<Int32Array>())),
            ("objsubid", Arc::new(of_tables().map(|((_, column), _)| *column).collect::<Int32Array>())),
            ("description", Arc::new(of_tables().map(|(_, says)| Some(says)).collect::<StringArray>())),
        ];
        let fields = columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let rows = RecordBatch::try_new(Arc::clone(&schema), columns.map(|(_, column)| column).to_vec())?;
        Ok(Arc::new(MemTable::try_new(schema, vec![vec![rows]])?))
    }

    /// PostgreSQL's functions, and our own in the schema of the tables.
    fn pg_proc(&self) -> Result<Arc<dyn TableProvider>> {
        let known = &static_tables()?.pg_proc;
        let schema = self.schemas.get(SCHEMA).copied().unwrap_or_default();
        let rows = known.data().iter().cloned().chain(own_functions(known, schema)?).collect();
        of_lists(&known.schema(), rows)
    }
}

/// Rows of our own functions: like one of PostgreSQL's, but for what is told of them.
fn own_functions(known: &ArrowTable, schema: i32) -> Result<Option<RecordBatch>> {
    let Some(first) = known.data().iter().find(|rows| rows.num_rows() > 0) else { return Ok(None) };
    let same = UInt32Array::from(vec![0; DESCRIBED.len()]);
    let column = |field: &Arc<Field>, column: &ArrayRef| -> Result<ArrayRef> {
        let values: ArrayRef = match field.name().as_str() {
            "oid" => Arc::new((FIRST_FUNCTION..).take(DESCRIBED.len()).collect::<Int32Array>()),
            "proname" => Arc::new(StringArray::from_iter_values(DESCRIBED.iter().map(|one| one.name))),
            "prosrc" => Arc::new(StringArray::from_iter_values(DESCRIBED.iter().map(|one| one.call))),
            "pronamespace" => Arc::new(DESCRIBED.iter().map(|_| schema).collect::<Int32Array>()),
            _ => return Ok(take(column, &same, None)?),
        };
        Ok(cast(&values, field.data_type())?)
    };
    let schema = first.schema();
    let columns = schema.fields().iter().zip(first.columns()).map(|(field, values)| column(field, values));
    Ok(Some(RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<_>>()?)?))
}

/// What one of our own functions takes and gives.
pub(super) fn function(oid: i32) -> Option<(&'static str, &'static str)> {
    let place = usize::try_from(oid.checked_sub(FIRST_FUNCTION)?).ok()?;
    let described = DESCRIBED.get(place)?;
    let (_, takes) = described.call.split_once('(')?;
    Some((takes.strip_suffix(')')?, described.gives))
}

async fn read(library: &Library, name: &str, context: &Arc<TaskContext>) -> Result<RecordBatch> {
    let Some(PgCatalogTable::Dynamic(table)) = library.build_table_by_name(name)? else {
        return Err(internal_datafusion_err!("{name} is not what it was"));
    };
    let rows: Vec<RecordBatch> = table.execute(Arc::clone(context)).try_collect().await?;
    Ok(concat_batches(table.schema(), &rows)?)
}

fn numbers(rows: &RecordBatch, column: &str) -> Result<Int32Array> {
    let column = rows.column_by_name(column).ok_or_else(|| internal_datafusion_err!("no column {column}"))?;
    Ok(cast(column, &DataType::Int32)?.as_primitive::<Int32Type>().clone())
}

fn named<'a>(rows: &'a RecordBatch, column: &str) -> Result<impl Iterator<Item = (i32, &'a str)>> {
    let names = rows.column_by_name(column).and_then(|names| names.as_string_opt::<i32>());
    let names = names.ok_or_else(|| internal_datafusion_err!("no column {column}"))?;
    let oids = numbers(rows, "oid")?;
    Ok((0..rows.num_rows()).map(move |row| (oids.value(row), names.value(row))))
}
