//! What entries have: actors, scopes, activities, clients, and the fields of their details.

use std::collections::BTreeSet;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result as DataFusionResult, internal_err};
use datafusion::prelude::{cast, ident};
use futures::StreamExt;

use super::condition::condition;
use super::model::ActivityFilter;
use super::overview::overview_of;
use super::page::of_engine;
use crate::catalog::Snapshot;
use crate::error::Result;
use crate::index::overview::DetailFields;
use crate::query::settings::QueryKind;
use crate::query::{QueryContext, QuerySession};
use crate::schema::activity;

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
    let entries = session.rows_where(condition(filter).map_err(of_engine)?)?;
    Ok(overview_of(session, entries).await?.fields().clone())
}
