//! Entries by their place in the chain.

use std::collections::HashSet;
use std::ops::Range;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::common::internal_err;
use datafusion::prelude::{ident, lit};
use uuid::Uuid;

use super::page::{entries_where, has_id};
use crate::activity::{ActivityEntry, ChainHead, StoredEntry};
use crate::catalog::Snapshot;
use crate::error::Result;
use crate::query::filter::timestamp_literal;
use crate::query::settings::QueryKind;
use crate::query::{QueryContext, QuerySession};
use crate::schema::{activity, columns};

impl QueryContext {
    /// Where the chain of a snapshot ends; the beginning when it has no entries.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn chain_head(&self, snapshot: &Snapshot) -> Result<ChainHead> {
        self.chain_end(snapshot, None).await
    }

    /// Where the part of the chain ends that was stored before an instant, microseconds.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn chain_head_before(&self, snapshot: &Snapshot, instant_us: i64) -> Result<ChainHead> {
        self.chain_end(snapshot, Some(instant_us)).await
    }

    async fn chain_end(&self, snapshot: &Snapshot, before_us: Option<i64>) -> Result<ChainHead> {
        let session = self.session_of(QueryKind::Upkeep, snapshot);
        let work = async move { chain_end(&session, before_us).await };
        self.run_on_threads(QueryKind::Upkeep, snapshot, work).await
    }

    /// Which of some entries are stored, by their ids and times.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub(crate) async fn stored_entries(
        &self,
        snapshot: &Snapshot,
        entries: &[ActivityEntry],
    ) -> Result<HashSet<Uuid>> {
        let times = entries.iter().map(|entry| entry.timestamp_us);
        let Some((since_us, until_us)) = times.clone().min().zip(times.max()) else {
            return Ok(HashSet::new());
        };
        let timestamp = || ident(columns::TIMESTAMP);
        let wanted = timestamp()
            .gt_eq(timestamp_literal(since_us))
            .and(timestamp().lt_eq(timestamp_literal(until_us)))
            .and(has_id(entries.iter().map(|entry| entry.id)));
        let session = self.session_of(QueryKind::Upkeep, snapshot);
        let work = async move {
            let mut stored = HashSet::new();
            let found = session.rows_where(wanted)?.select([ident(activity::ID)])?;
            for batch in &session.collect(found).await?.batches {
                let Some(ids) = batch.column(0).as_fixed_size_binary_opt() else {
                    return internal_err!("ids of another type");
                };
                stored.extend(ids.iter().flatten().filter_map(|id| Uuid::from_slice(id).ok()));
            }
            Ok(stored)
        };
        self.run_on_threads(QueryKind::Upkeep, snapshot, work).await
    }

    /// The entries with these sequence numbers, in their order. They are held in memory.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn chain_part(&self, snapshot: &Snapshot, sequences: Range<i64>) -> Result<Vec<StoredEntry>> {
        let session = self.session_of(QueryKind::Upkeep, snapshot);
        let work = async move {
            let sequence = || ident(activity::SEQUENCE);
            let wanted = sequence().gt_eq(lit(sequences.start)).and(sequence().lt(lit(sequences.end)));
            let mut entries = entries_where(&session, wanted).await?;
            entries.sort_by_key(|entry| entry.link.sequence);
            Ok(entries)
        };
        self.run_on_threads(QueryKind::Upkeep, snapshot, work).await
    }

    /// The lowest sequence number of a snapshot; none without entries.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn chain_start(&self, snapshot: &Snapshot) -> Result<Option<i64>> {
        let session = self.session_of(QueryKind::Upkeep, snapshot);
        let work = async move {
            let lowest = datafusion::functions_aggregate::expr_fn::min(ident(activity::SEQUENCE));
            let lowest = session.rows_where(lit(true))?.aggregate(vec![], vec![lowest])?;
            let collected = session.collect(lowest).await?;
            let values = collected.batches.iter().filter_map(|batch| {
                let column = batch.column(0).as_primitive_opt::<Int64Type>()?;
                column.iter().flatten().min()
            });
            Ok(values.min())
        };
        self.run_on_threads(QueryKind::Upkeep, snapshot, work).await
    }
}

async fn chain_end(session: &QuerySession, before_us: Option<i64>) -> datafusion::common::Result<ChainHead> {
    let wanted = before_us.map_or_else(
        || lit(true),
        |before_us| ident(columns::INGESTED_TIMESTAMP).lt(timestamp_literal(before_us)),
    );
    let newest = session
        .rows_where(wanted)?
        .select([ident(activity::SEQUENCE), ident(activity::HASH)])?
        .sort(vec![ident(activity::SEQUENCE).sort(false, false)])?
        .limit(0, Some(1))?;
    for batch in &session.collect(newest).await?.batches {
        if batch.num_rows() == 0 {
            continue;
        }
        let sequence = batch.column(0).as_primitive_opt::<Int64Type>().map(|column| column.value(0));
        let hash =
            batch.column(1).as_fixed_size_binary_opt().and_then(|column| column.value(0).try_into().ok());
        return match sequence.zip(hash) {
            Some((sequence, hash)) => Ok(ChainHead { sequence, hash }),
            None => internal_err!("links of a chain of other types"),
        };
    }
    Ok(ChainHead::default())
}
