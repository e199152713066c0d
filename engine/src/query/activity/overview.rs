//! What there is to filter by, put together of what each data file has.
//!
//! A data file never changes, so that what it has is found out once, from its sidecar or else from its rows, and what a
//! reader meets of it is kept in memory, within a bound. Of files some of whose entries have expired the others are kept
//! until more expire. Entries in memory are looked at each time.

use std::sync::Arc;

use datafusion::common::{Result as DataFusionResult, internal_err};
use datafusion::prelude::{DataFrame, ident};
use futures::StreamExt;
use moka::sync::Cache;
use uuid::Uuid;

use super::model::{ActivityTenant, HiddenEntries};
use super::page::of_engine;
use super::values::ActivityValues;
use crate::catalog::{Snapshot, Sources};
use crate::error::Result;
use crate::index::overview::{DetailFields, EntryClass, OverviewBuilder, merge_fields};
use crate::index::{Overview, Recipe, SidecarLimits};
use crate::query::settings::QueryKind;
use crate::query::{QueryContext, QuerySession};
use crate::storage::DataFile;

/// Bytes of what is kept of all files.
const MAX_KEPT_BYTES: u64 = 32 << 20;
/// Memory that a part of it takes beside its texts.
const PART_OVERHEAD_BYTES: usize = 256;
/// Memory that a value takes beside its text.
const VALUE_BYTES: usize = 48;

/// What data files have, as far as it was asked for.
pub(in crate::query) struct Overviews(Cache<Key, Part>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// All of a file without a sidecar.
    Whole(Uuid),
    /// What of a file has not expired by some cutoffs, microseconds.
    Unexpired(Uuid, Arc<[i64]>),
    /// What a reader meets of a file.
    Values(Uuid, Reader),
    /// The fields of a file's details.
    Fields(Uuid),
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Reader {
    tenant: ActivityTenant,
    hidden: Arc<[HiddenEntries]>,
}

#[derive(Clone)]
enum Part {
    Whole(Arc<Overview>),
    Values(Arc<ActivityValues>),
    Fields(Arc<DetailFields>),
}

impl Overviews {
    pub(in crate::query) fn new() -> Self {
        let weigher = |_: &Key, part: &Part| u32::try_from(part.size_bytes()).unwrap_or(u32::MAX);
        Self(Cache::builder().max_capacity(MAX_KEPT_BYTES).weigher(weigher).build())
    }
}

impl Part {
    fn size_bytes(&self) -> usize {
        PART_OVERHEAD_BYTES
            + match self {
                Self::Whole(overview) => overview.memory_bytes(),
                Self::Values(values) => {
                    let words = [&values.scopes, &values.activities, &values.clients].into_iter().flatten();
                    values.users.len() * VALUE_BYTES
                        + words.map(|word| word.len() + VALUE_BYTES).sum::<usize>()
                }
                Self::Fields(fields) => {
                    fields.values().flatten().map(|(path, _)| path.len() + 2 * VALUE_BYTES).sum()
                }
            }
    }
}

impl Reader {
    fn sees(&self, class: &EntryClass<'_>) -> bool {
        let is_of_tenant = match self.tenant {
            ActivityTenant::Organization => true,
            ActivityTenant::Project { project, with_organization } => {
                class.project.map_or(with_organization, |id| id == project.0)
            }
        };
        let is_hidden = |hidden: &HiddenEntries| {
            hidden.scope == class.scope
                && hidden.activities.iter().any(|activity| activity == class.activity)
                && (!hidden.only_impersonated || class.was_impersonated == Some(true))
        };
        is_of_tenant && !self.hidden.iter().any(is_hidden)
    }

    fn values_of(&self, overview: &Overview) -> ActivityValues {
        let met = overview.values_of(|class| self.sees(class));
        let words = |words: &[&str]| {
            words.iter().filter(|word| !word.is_empty()).map(|word| (*word).into()).collect()
        };
        ActivityValues {
            users: met.users.into_iter().collect(),
            scopes: words(&met.scopes),
            activities: words(&met.activities),
            clients: words(&met.clients),
        }
    }
}

impl ActivityValues {
    fn add_all(&mut self, others: &Self) {
        self.users.extend(&others.users);
        let words = [
            (&mut self.scopes, &others.scopes),
            (&mut self.activities, &others.activities),
            (&mut self.clients, &others.clients),
        ];
        for (words, others) in words {
            for other in others {
                if !words.contains(other) {
                    words.insert(other.clone());
                }
            }
        }
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
        let reader = Reader { tenant, hidden: hidden.into() };
        let session = self.session(snapshot);
        let kept = self.overviews.0.clone();
        let work = async move {
            let snapshot = session.table.snapshot();
            let (live, mut rest) = snapshot.sources().split(snapshot.retention.as_deref());
            let (mut values, mut fields) = (ActivityValues::default(), DetailFields::new());
            for file in &live.files {
                let (of_file, fields_of_file) = of_file(&session, &kept, file, &reader).await?;
                values.add_all(&of_file);
                merge_fields(&mut fields, &fields_of_file);
            }
            let cutoffs: Arc<[i64]> =
                snapshot.retention.as_ref().map_or(&[][..], |cutoff| cutoff.cutoffs_us()).into();
            for file in std::mem::take(&mut rest.files) {
                let key = Key::Unexpired(file.id, Arc::clone(&cutoffs));
                let overview = read_once(&session, &kept, key, &file).await?;
                values.add_all(&reader.values_of(&overview));
                merge_fields(&mut fields, overview.fields());
            }
            rest.segments.extend(live.segments);
            if !rest.is_empty() {
                let overview = overview_of_sources(&session, rest).await?;
                values.add_all(&reader.values_of(&overview));
                merge_fields(&mut fields, overview.fields());
            }
            Ok((values, fields))
        };
        self.run_on_threads(QueryKind::Aggregate, snapshot, work).await
    }
}

/// What a reader meets of a file, and the fields of all its details.
async fn of_file(
    session: &QuerySession,
    kept: &Cache<Key, Part>,
    file: &Arc<DataFile>,
    reader: &Reader,
) -> DataFusionResult<(Arc<ActivityValues>, Arc<DetailFields>)> {
    let (of_reader, of_details) = (Key::Values(file.id, reader.clone()), Key::Fields(file.id));
    if let (Some(Part::Values(values)), Some(Part::Fields(fields))) =
        (kept.get(&of_reader), kept.get(&of_details))
    {
        return Ok((values, fields));
    }
    let overview = whole(session, kept, file).await?;
    let values = Arc::new(reader.values_of(&overview));
    let fields = Arc::new(overview.fields().clone());
    kept.insert(of_reader, Part::Values(Arc::clone(&values)));
    kept.insert(of_details, Part::Fields(Arc::clone(&fields)));
    Ok((values, fields))
}

/// All that a file has.
async fn whole(
    session: &QuerySession,
    kept: &Cache<Key, Part>,
    file: &Arc<DataFile>,
) -> DataFusionResult<Arc<Overview>> {
    if let Some(overview) = session.sidecars.overview(file, &session.cost).await {
        session.cost.add_sidecar(file.id);
        return Ok(overview);
    }
    read_once(session, kept, Key::Whole(file.id), file).await
}

/// What the entries of a file have that have not expired, from memory or else from its rows.
async fn read_once(
    session: &QuerySession,
    kept: &Cache<Key, Part>,
    key: Key,
    file: &Arc<DataFile>,
) -> DataFusionResult<Arc<Overview>> {
    if let Some(Part::Whole(overview)) = kept.get(&key) {
        return Ok(overview);
    }
    let alone = Sources { files: vec![Arc::clone(file)], segments: Vec::new() };
    let overview = Arc::new(overview_of_sources(session, alone).await?);
    kept.insert(key, Part::Whole(Arc::clone(&overview)));
    Ok(overview)
}

/// What the entries of some files and segments have.
async fn overview_of_sources(session: &QuerySession, sources: Sources) -> DataFusionResult<Overview> {
    let entries = session.session.read_table(Arc::new(session.table.restricted(sources)))?;
    overview_of(session, entries).await
}

/// What entries have. Reads their details.
pub(super) async fn overview_of(session: &QuerySession, entries: DataFrame) -> DataFusionResult<Overview> {
    // Answers are exact: what a sidecar has no room for is collected all the same.
    let limits =
        SidecarLimits { max_kinds: usize::MAX, max_overview_bytes: usize::MAX, ..SidecarLimits::default() };
    let mut builder = OverviewBuilder::new(&limits);
    let columns = OverviewBuilder::COLUMNS.map(ident).to_vec();
    let mut batches = session.execute(entries.select(columns)?).await?;
    while let Some(batch) = batches.next().await {
        builder.add(&batch?).map_err(of_engine)?;
    }
    match builder.finish() {
        Recipe::Present(overview) => Ok(Arc::unwrap_or_clone(overview)),
        Recipe::Absent(_) => internal_err!("what entries have was let go of without a bound"),
    }
}
