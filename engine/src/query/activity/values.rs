//! What entries have: actors, scopes, activities, clients, and the fields of their details.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result as DataFusionResult, internal_err};
use datafusion::prelude::{cast, ident};
use futures::StreamExt;
use serde_json::Value;

use super::condition::condition;
use super::model::ActivityFilter;
use super::page::of_engine;
use crate::catalog::Snapshot;
use crate::error::Result;
use crate::query::settings::QueryKind;
use crate::query::{QueryContext, QuerySession};
use crate::schema::activity;

/// Elements of a list that are looked at.
const SAMPLED_ELEMENTS: usize = 10;

/// Fields of a scope that are told of; a detail with members that are data in their names could have any number.
const MAX_FIELDS: usize = 10_000;

/// The different values of entries, each in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActivityValues {
    /// Users who did something.
    pub users: BTreeSet<i64>,
    /// Types of resources.
    pub scopes: BTreeSet<String>,
    /// What was done.
    pub activities: BTreeSet<String>,
    /// What callers say to be.
    pub clients: BTreeSet<String>,
}

/// The fields of details by scope: of each path the types of its values.
pub type DetailFields = BTreeMap<String, BTreeMap<String, BTreeSet<FieldType>>>;

/// The type of a value in a detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldType {
    /// A list.
    Array,
    /// A truth value.
    Boolean,
    /// Nothing.
    Null,
    /// A number.
    Number,
    /// Members.
    Object,
    /// Text.
    String,
}

impl FieldType {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Array => "array",
            Self::Boolean => "boolean",
            Self::Null => "null",
            Self::Number => "number",
            Self::Object => "object",
            Self::String => "string",
        }
    }

    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }
}

impl QueryContext {
    /// The different values of the entries that pass a filter.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn activity_values(
        &self,
        snapshot: &Snapshot,
        filter: &ActivityFilter,
    ) -> Result<ActivityValues> {
        let (session, filter) = (self.session(snapshot), filter.clone());
        let work = async move {
            let mut values = ActivityValues::default();
            let word = |column: &str| cast(ident(column), DataType::Utf8).alias(column);
            let distinct = session
                .rows_where(condition(&filter).map_err(of_engine)?)?
                .select(vec![
                    ident(activity::USER_ID),
                    word(activity::SCOPE),
                    word(activity::ACTIVITY),
                    word(activity::CLIENT),
                ])?
                .distinct()?;
            let mut batches = session.execute(distinct).await?;
            while let Some(batch) = batches.next().await {
                values.add(&batch?)?;
            }
            Ok(values)
        };
        self.run_on_threads(QueryKind::Aggregate, snapshot, work).await
    }

    /// The fields of the details of the entries that pass a filter. Reads all those details.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn detail_fields(&self, snapshot: &Snapshot, filter: &ActivityFilter) -> Result<DetailFields> {
        let (session, filter) = (self.session(snapshot), filter.clone());
        let work = async move { detail_fields(&session, &filter).await };
        self.run_on_threads(QueryKind::Aggregate, snapshot, work).await
    }
}

impl ActivityValues {
    fn add(&mut self, batch: &RecordBatch) -> DataFusionResult<()> {
        let Some(users) = batch.column(0).as_primitive_opt::<Int64Type>() else {
            return internal_err!("users of another type");
        };
        self.users.extend(users.iter().flatten());
        let words = [&mut self.scopes, &mut self.activities, &mut self.clients];
        for (words, column) in words.into_iter().zip(&batch.columns()[1..]) {
            let Some(column) = column.as_string_opt::<i32>() else {
                return internal_err!("words of another type");
            };
            for word in column.iter().flatten().filter(|word| !word.is_empty()) {
                if !words.contains(word) {
                    words.insert(word.to_owned());
                }
            }
        }
        Ok(())
    }
}

async fn detail_fields(session: &QuerySession, filter: &ActivityFilter) -> DataFusionResult<DetailFields> {
    let wanted = condition(filter).map_err(of_engine)?.and(ident(activity::DETAIL).is_not_null());
    let scope = cast(ident(activity::SCOPE), DataType::Utf8);
    let details = session.rows_where(wanted)?.select(vec![scope, ident(activity::DETAIL)])?;
    let mut fields = DetailFields::new();
    let mut batches = session.execute(details).await?;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        add_details(&mut fields, &batch)?;
    }
    Ok(fields)
}

/// Adds the fields of the details of a batch of scopes and details.
pub(super) fn add_details(fields: &mut DetailFields, batch: &RecordBatch) -> DataFusionResult<()> {
    let scopes = batch.column(0).as_string_opt::<i32>();
    let details = batch.column(1).as_string_view_opt();
    let Some((scopes, details)) = scopes.zip(details) else {
        return internal_err!("details of another type");
    };
    for row in 0..batch.num_rows() {
        let Ok(Value::Object(detail)) = serde_json::from_str(details.value(row)) else { continue };
        let scope = scopes.value(row);
        if !fields.contains_key(scope) {
            fields.insert(scope.to_owned(), BTreeMap::new());
        }
        let Some(of_scope) = fields.get_mut(scope) else { continue };
        detail.iter().for_each(|(name, value)| note(of_scope, name.clone(), value));
    }
    Ok(())
}

/// Adds fields to others.
pub(super) fn merge_fields(fields: &mut DetailFields, others: &DetailFields) {
    for (scope, paths) in others {
        let of_scope = fields.entry(scope.clone()).or_default();
        for (path, types) in paths {
            if of_scope.contains_key(path) || of_scope.len() < MAX_FIELDS {
                of_scope.entry(path.clone()).or_default().extend(types);
            }
        }
    }
}

/// Notes the type of a value at a path, and those of all values in it.
fn note(fields: &mut BTreeMap<String, BTreeSet<FieldType>>, path: String, value: &Value) {
    if !fields.contains_key(&path) && fields.len() >= MAX_FIELDS {
        return;
    }
    fields.entry(path.clone()).or_default().insert(FieldType::of(value));
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| note(fields, format!("{path}.{name}"), value));
        }
        Value::Array(elements) => {
            let sampled = elements.iter().take(SAMPLED_ELEMENTS).filter(|element| !element.is_null());
            sampled.for_each(|element| match element {
                Value::Object(members) => {
                    members.iter().for_each(|(name, value)| note(fields, format!("{path}[].{name}"), value))
                }
                element => note(fields, format!("{path}[]"), element),
            });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_paths_with_the_types_of_their_values() {
        let mut fields = BTreeMap::new();
        let detail = json!({"changes": [{"after": 1}, {"after": "x"}, null], "tags": ["a"], "name": null});
        detail.as_object().unwrap().iter().for_each(|(name, value)| note(&mut fields, name.clone(), value));
        let mut late = vec![json!(1); 10];
        late.push(json!("beyond what is looked at"));
        note(&mut fields, "list".to_owned(), &json!(late));
        let told: Vec<String> = fields
            .iter()
            .map(|(path, types)| {
                let types: Vec<_> = types.iter().map(|field_type| field_type.as_str()).collect();
                format!("{path}: {}", types.join(" "))
            })
            .collect();
        assert_eq!(
            told,
            [
                "changes: array",
                "changes[].after: number string",
                "list: array",
                "list[]: number",
                "name: null",
                "tags: array",
                "tags[]: string"
            ]
        );
    }
}
