//! What there is to filter by, put together of what each data file has.
//!
//! A data file never changes, so that what it has is found out once and kept in memory, within a bound. Files some of
//! whose entries may have expired, and entries in memory, are looked at each time.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result as DataFusionResult, internal_err};
use datafusion::prelude::{cast, ident};
use futures::StreamExt;
use moka::sync::Cache;
use uuid::Uuid;

use super::model::{ActivityTenant, HiddenEntries};
use super::values::{ActivityValues, DetailFields, add_details, merge_fields};
use crate::catalog::{Snapshot, Sources};
use crate::error::Result;
use crate::query::settings::QueryKind;
use crate::query::{QueryContext, QuerySession};
use crate::schema::activity;

/// Bytes of what is kept of all files.
const MAX_KEPT_BYTES: u64 = 32 << 20;

/// What decides who sees an entry, and what of it can be filtered by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    project: Option<i64>,
    user: Option<i64>,
    was_impersonated: Option<bool>,
    scope: String,
    activity: String,
    client: Option<String>,
}

/// What some entries have.
#[derive(Clone, Debug, Default)]
struct Overview {
    kinds: BTreeSet<Kind>,
    fields: DetailFields,
}

/// What data files have, by their ids.
pub(in crate::query) struct Overviews(Cache<Uuid, Arc<Overview>>);

impl Overviews {
    pub(in crate::query) fn new() -> Self {
        let weigher = |_: &Uuid, overview: &Arc<Overview>| overview.size_bytes();
        Self(Cache::builder().max_capacity(MAX_KEPT_BYTES).weigher(weigher).build())
    }
}

impl Overview {
    fn size_bytes(&self) -> u32 {
        let of_kind = |kind: &Kind| {
            size_of::<Kind>()
                + kind.scope.len()
                + kind.activity.len()
                + kind.client.as_ref().map_or(0, String::len)
        };
        let of_fields = self.fields.values().flatten().map(|(path, _)| path.len() + 64).sum::<usize>();
        u32::try_from(self.kinds.iter().map(of_kind).sum::<usize>() + of_fields).unwrap_or(u32::MAX)
    }

    fn add(&mut self, other: &Self) {
        self.kinds.extend(other.kinds.iter().cloned());
        merge_fields(&mut self.fields, &other.fields);
    }

    fn values(&self, tenant: ActivityTenant, hidden: &[HiddenEntries]) -> ActivityValues {
        let mut values = ActivityValues::default();
        for kind in self.kinds.iter().filter(|kind| kind.is_seen(tenant, hidden)) {
            values.users.extend(kind.user);
            let client = kind.client.as_ref();
            let words = [
                (&mut values.scopes, Some(&kind.scope)),
                (&mut values.activities, Some(&kind.activity)),
                (&mut values.clients, client),
            ];
            for (words, word) in words {
                if let Some(word) = word.filter(|word| !word.is_empty() && !words.contains(*word)) {
                    words.insert(word.clone());
                }
            }
        }
        values
    }
}

impl Kind {
    fn is_seen(&self, tenant: ActivityTenant, hidden: &[HiddenEntries]) -> bool {
        let is_of_tenant = match tenant {
            ActivityTenant::Organization => true,
            ActivityTenant::Project { project, with_organization } => {
                self.project.map_or(with_organization, |id| id == project.0)
            }
        };
        let is_hidden = |hidden: &HiddenEntries| {
            hidden.scope == self.scope
                && hidden.activities.contains(&self.activity)
                && (!hidden.only_impersonated || self.was_impersonated == Some(true))
        };
        is_of_tenant && !hidden.iter().any(is_hidden)
    }
}

impl QueryContext {
    /// The different values of the entries that a reader sees, and the fields of the details of all entries of the
    /// organization. Costs the more the more data files are new since the last time.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn activity_overview(
        &self,
        snapshot: &Snapshot,
        tenant: ActivityTenant,
        hidden: &[HiddenEntries],
    ) -> Result<(ActivityValues, DetailFields)> {
        let (session, hidden) = (self.session(snapshot), hidden.to_vec());
        let kept = self.overviews.0.clone();
        let work = async move {
            let snapshot = session.table.snapshot();
            let (live, mut rest) = snapshot.sources().split(snapshot.retention.as_deref());
            let mut all = Overview::default();
            for file in live.files {
                let known = match kept.get(&file.id) {
                    Some(known) => known,
                    None => {
                        let id = file.id;
                        let alone = Sources { files: vec![file], segments: Vec::new() };
                        let found = Arc::new(overview_of(&session, alone).await?);
                        kept.insert(id, Arc::clone(&found));
                        found
                    }
                };
                all.add(&known);
            }
            rest.segments.extend(live.segments);
            all.add(&overview_of(&session, rest).await?);
            Ok((all.values(tenant, &hidden), all.fields))
        };
        self.run_on_threads(QueryKind::Aggregate, snapshot, work).await
    }
}

/// What the entries of some files and segments have.
async fn overview_of(session: &QuerySession, sources: Sources) -> DataFusionResult<Overview> {
    let mut overview = Overview::default();
    if sources.is_empty() {
        return Ok(overview);
    }
    let entries = session.session.read_table(Arc::new(session.table.restricted(sources)))?;
    let word = |column: &str| cast(ident(column), DataType::Utf8);
    let kinds = entries
        .clone()
        .select(vec![
            ident(activity::PROJECT_ID),
            ident(activity::USER_ID),
            ident(activity::WAS_IMPERSONATED),
            word(activity::SCOPE).alias(activity::SCOPE),
            word(activity::ACTIVITY).alias(activity::ACTIVITY),
            word(activity::CLIENT).alias(activity::CLIENT),
        ])?
        .distinct()?;
    let mut batches = session.execute(kinds).await?;
    while let Some(batch) = batches.next().await {
        add_kinds(&mut overview.kinds, &batch?)?;
    }
    let details = entries
        .filter(ident(activity::DETAIL).is_not_null())?
        .select(vec![word(activity::SCOPE), ident(activity::DETAIL)])?;
    let mut batches = session.execute(details).await?;
    while let Some(batch) = batches.next().await {
        add_details(&mut overview.fields, &batch?)?;
    }
    Ok(overview)
}

fn add_kinds(kinds: &mut BTreeSet<Kind>, batch: &RecordBatch) -> DataFusionResult<()> {
    let number = |column: usize| batch.column(column).as_primitive_opt::<Int64Type>();
    let text = |column: usize| batch.column(column).as_string_opt::<i32>();
    let (Some(projects), Some(users), Some(flags)) = (number(0), number(1), batch.column(2).as_boolean_opt())
    else {
        return internal_err!("kinds of entries of other types");
    };
    let (Some(scopes), Some(activities), Some(clients)) = (text(3), text(4), text(5)) else {
        return internal_err!("kinds of entries of other types");
    };
    kinds.extend((0..batch.num_rows()).map(|row| Kind {
        project: projects.is_valid(row).then(|| projects.value(row)),
        user: users.is_valid(row).then(|| users.value(row)),
        was_impersonated: flags.is_valid(row).then(|| flags.value(row)),
        scope: scopes.value(row).to_owned(),
        activity: activities.value(row).to_owned(),
        client: clients.is_valid(row).then(|| clients.value(row).to_owned()),
    }));
    Ok(())
}
