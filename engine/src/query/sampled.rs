//! What a drop rule would have done to rows that are stored.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Int32Type, TimestampMicrosecondType, UInt32Type};
use datafusion::common::internal_err;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::prelude::{Expr, ident};
use futures::StreamExt;

use super::context::QueryContext;
use super::filter::in_range;
use super::session::QuerySession;
use super::settings::QueryKind;
use super::time_range::TimeRange;
use crate::catalog::Snapshot;
use crate::error::Result;
use crate::rules::{CompiledSampling, Moment, SamplingRule};
use crate::schema::columns;

/// Rows of more services than this are counted without their services.
const MAX_SERVICES: usize = 10_000;

/// What a drop rule would have done to some rows. The counts are of all rows and add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampledRows {
    /// All rows.
    pub total: KeptAndDropped,
    /// By severity.
    pub severities: BTreeMap<String, KeptAndDropped>,
    /// By service, of the first services that were met.
    pub services: BTreeMap<String, KeptAndDropped>,
    /// Whether there were more services than are told apart.
    pub services_truncated: bool,
    /// Rows without a trace that the rule decides about by chance as they come in: here their ids decide, which may
    /// be otherwise for a row, and the same on average.
    pub rows_by_chance: u64,
}

/// Numbers of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptAndDropped {
    /// Rows that the rule leaves.
    pub kept_rows: u64,
    /// Rows that it drops.
    pub dropped_rows: u64,
    /// Their uncompressed size.
    pub dropped_bytes: u64,
}

impl KeptAndDropped {
    fn add(&mut self, is_dropped: bool, bytes: u64) {
        if is_dropped {
            self.dropped_rows += 1;
            self.dropped_bytes += bytes;
        } else {
            self.kept_rows += 1;
        }
    }
}

impl QueryContext {
    /// What a drop rule alone would have done to the rows of `range`. A rate limit begins with all its tokens, and
    /// sees the rows in the order and at the times in which they came in.
    ///
    /// # Errors
    /// `InvalidRequest` or `LimitExceeded` when the rule means nothing or too much, and as [`Self::count`].
    pub async fn simulate_sampling(
        &self,
        snapshot: &Snapshot,
        rule: SamplingRule,
        range: TimeRange,
    ) -> Result<SampledRows> {
        let session = self.session(snapshot);
        let work = async move {
            let rule =
                CompiledSampling::new(rule).map_err(|error| DataFusionError::External(Box::new(error)))?;
            simulate(&session, &rule, range).await
        };
        self.run_on_threads(QueryKind::Aggregate, snapshot, work).await
    }
}

async fn simulate(
    session: &QuerySession,
    rule: &CompiledSampling,
    range: TimeRange,
) -> DataFusionResult<SampledRows> {
    let mut sampled = SampledRows::default();
    if range.is_empty() {
        return Ok(sampled);
    }
    let always = [
        columns::SEVERITY_TEXT,
        columns::SERVICE_NAME,
        columns::BYTES_UNCOMPRESSED,
        columns::INGESTED_TIMESTAMP,
        columns::UUID,
    ];
    let mut names = rule.columns();
    names.extend(always.map(str::to_owned));
    names.sort();
    names.dedup();
    let mut rows =
        session.rows_where(in_range(range))?.select(names.iter().map(ident).collect::<Vec<Expr>>())?;
    if rule.is_rate_limit() {
        let ascending = |name: &str| ident(name).sort(true, false);
        rows = rows.sort(vec![ascending(columns::INGESTED_TIMESTAMP), ascending(columns::UUID)])?;
    }
    let mut stream = session.execute(rows).await?;
    let external = |error| DataFusionError::External(Box::new(error));
    let rule = rule.over(&stream.schema()).map_err(external)?;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let Some(stored) = StoredRows::of(&batch) else {
            return internal_err!("rows of a simulation have other types than they should");
        };
        let moment = Moment::Stored { ingested_us: stored.ingested_us, uuid: stored.uuid };
        let open = BooleanBuffer::new_set(batch.num_rows());
        let verdict = rule.decide(&batch, &open, &moment).map_err(external)?;
        sampled.rows_by_chance += verdict.num_by_chance;
        stored.count(&verdict.dropped, &mut sampled);
    }
    Ok(sampled)
}

/// The columns of a batch that are counted by.
struct StoredRows<'b> {
    num_rows: usize,
    severities: arrow::array::TypedDictionaryArray<'b, Int32Type, arrow::array::StringArray>,
    services: arrow::array::TypedDictionaryArray<'b, Int32Type, arrow::array::StringArray>,
    sizes: &'b arrow::array::UInt32Array,
    ingested_us: &'b [i64],
    uuid: &'b arrow::array::FixedSizeBinaryArray,
}

impl<'b> StoredRows<'b> {
    fn of(batch: &'b RecordBatch) -> Option<Self> {
        let texts =
            |name: &str| batch.column_by_name(name)?.as_dictionary_opt::<Int32Type>()?.downcast_dict();
        let ingested = batch.column_by_name(columns::INGESTED_TIMESTAMP)?;
        Some(Self {
            num_rows: batch.num_rows(),
            severities: texts(columns::SEVERITY_TEXT)?,
            services: texts(columns::SERVICE_NAME)?,
            sizes: batch.column_by_name(columns::BYTES_UNCOMPRESSED)?.as_primitive_opt::<UInt32Type>()?,
            ingested_us: ingested.as_primitive_opt::<TimestampMicrosecondType>()?.values(),
            uuid: batch.column_by_name(columns::UUID)?.as_fixed_size_binary_opt()?,
        })
    }

    fn count(&self, dropped: &BooleanBuffer, sampled: &mut SampledRows) {
        use arrow::array::ArrayAccessor;
        for row in 0..self.num_rows {
            let (is_dropped, bytes) = (dropped.value(row), u64::from(self.sizes.value(row)));
            sampled.total.add(is_dropped, bytes);
            let severity = sampled.severities.entry(self.severities.value(row).to_owned());
            severity.or_default().add(is_dropped, bytes);
            let service = self.services.value(row);
            let is_full = sampled.services.len() >= MAX_SERVICES;
            match sampled.services.get_mut(service) {
                Some(counts) => counts.add(is_dropped, bytes),
                None if is_full => sampled.services_truncated = true,
                None => sampled.services.entry(service.to_owned()).or_default().add(is_dropped, bytes),
            }
        }
    }
}
