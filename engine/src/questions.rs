//! The engine's questions about logs: the rows themselves, what they have in common, and rows as they come in.

use std::sync::Arc;

use crate::engine::Engine;
use crate::error::Result;
use crate::query::model::{LogFilter, LogQuery};
use crate::query::{
    AttributeKeys, AttributeKeysRequest, CellCount, CountRange, CountRanges, CountRangesRequest,
    FacetsRequest, Groups, GroupsRequest, Impact, ImpactRequest, LogExport, LogPage, PatternsAnswer,
    PatternsDiff, PatternsDiffRequest, PatternsRequest, ResolvedRange, SampledRows, Services,
    ServicesRequest, SparklineEntry, SparklineRequest, TimeRange, ValueCount, ValuesRequest,
};
use crate::rules::SamplingRule;
use crate::schema::{ProjectId, TableId};
use crate::tail::{LogTail, TailRequest, TailSource};

impl Engine {
    /// Whether a project has any log record that has not expired.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn has_logs(&self, project: ProjectId) -> Result<bool> {
        self.queries.has_rows(&self.snapshot(project)).await
    }

    /// The earliest `timestamp` of a project's logs that have not expired, microseconds.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn earliest_timestamp_us(&self, project: ProjectId) -> Result<Option<i64>> {
        self.queries.earliest_timestamp_us(&self.snapshot(project)).await
    }

    /// The same, if a time range begins with it.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn earliest_of(&self, project: ProjectId, range: &ResolvedRange) -> Result<Option<i64>> {
        self.queries.earliest_of(&self.snapshot(project), range).await
    }

    /// An instant, in ingest time, below which every record of a project has come in, microseconds.
    pub fn live_checkpoint_us(&self, project: ProjectId) -> Option<i64> {
        self.tables.newest_us(TableId::logs(project))
    }

    /// The rows of a project that a query asks for, in its order.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn query_logs(&self, project: ProjectId, query: LogQuery) -> Result<LogPage> {
        self.queries.rows(&self.snapshot(project), &query).await
    }

    /// Every row of a project that a query asks for at this moment, to be read in pieces. Relative dates in its
    /// filter count from `as_of_us`.
    ///
    /// # Errors
    /// As [`QueryContext::export`](crate::query::QueryContext::export).
    pub async fn export_logs(
        &self,
        project: ProjectId,
        query: &LogQuery,
        as_of_us: i64,
    ) -> Result<LogExport> {
        self.queries.export(&self.snapshot(project), query, as_of_us).await
    }

    /// How many rows of a project pass a filter in a time range.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn count_logs(&self, project: ProjectId, filter: LogFilter, range: TimeRange) -> Result<u64> {
        self.queries.count(&self.snapshot(project), &filter, range).await
    }

    /// Rows of a project per time bucket and series.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn sparkline(
        &self,
        project: ProjectId,
        request: SparklineRequest,
    ) -> Result<Vec<SparklineEntry>> {
        self.queries.sparkline(&self.snapshot(project), &request).await
    }

    /// How many rows of a project pass a filter, per time bucket.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn count_ranges(
        &self,
        project: ProjectId,
        request: &CountRangesRequest,
    ) -> Result<CountRanges> {
        self.queries.count_ranges(&self.snapshot(project), request).await
    }

    /// How many rows of `range` pass a filter, per bucket of so many minutes.
    ///
    /// # Errors
    /// As [`QueryContext::count_every`](crate::query::QueryContext::count_every).
    pub async fn count_every(
        &self,
        project: ProjectId,
        filter: &LogFilter,
        range: TimeRange,
        minutes: u32,
    ) -> Result<Vec<CountRange>> {
        self.queries.count_every(&self.snapshot(project), filter, range, minutes).await
    }

    /// How many rows of `range` pass a filter, per bucket of so many minutes, service and severity.
    ///
    /// # Errors
    /// As [`QueryContext::count_cells`](crate::query::QueryContext::count_cells).
    pub async fn count_cells(
        &self,
        project: ProjectId,
        filter: &LogFilter,
        range: TimeRange,
        minutes: u32,
    ) -> Result<Vec<CellCount>> {
        self.queries.count_cells(&self.snapshot(project), filter, range, minutes).await
    }

    /// The services of a project's rows, with how much each logs and when.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn services(&self, project: ProjectId, request: &ServicesRequest) -> Result<Services> {
        self.queries.services(&self.snapshot(project), request).await
    }

    /// The rows of a project by the values of attributes or columns.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn groups(&self, project: ProjectId, request: &GroupsRequest) -> Result<Groups> {
        self.queries.groups(&self.snapshot(project), request).await
    }

    /// How many sessions and users the rows of a project are about.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn impact(&self, project: ProjectId, request: &ImpactRequest) -> Result<Impact> {
        self.queries.impact(&self.snapshot(project), request).await
    }

    /// What a drop rule would have done to the rows of a project in a time range.
    ///
    /// # Errors
    /// As [`QueryContext::simulate_sampling`](crate::query::QueryContext::simulate_sampling).
    pub async fn simulate_sampling(
        &self,
        project: ProjectId,
        rule: SamplingRule,
        range: TimeRange,
    ) -> Result<SampledRows> {
        self.queries.simulate_sampling(&self.snapshot(project), rule, range).await
    }

    /// The attribute keys that rows of a project have.
    ///
    /// # Errors
    /// As [`QueryContext::attribute_keys`](crate::query::QueryContext::attribute_keys).
    pub async fn attribute_keys(
        &self,
        project: ProjectId,
        request: AttributeKeysRequest,
    ) -> Result<AttributeKeys> {
        self.queries.attribute_keys(&self.snapshot(project), &request).await
    }

    /// The values of a facet of a project's rows, those of the most rows first.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn values(&self, project: ProjectId, request: ValuesRequest) -> Result<Vec<ValueCount>> {
        self.queries.values(&self.snapshot(project), &request).await
    }

    /// The values of several facets of a project's rows, each as if nothing was asked of it.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn facets(&self, project: ProjectId, request: FacetsRequest) -> Result<Vec<Vec<ValueCount>>> {
        self.queries.facets(&self.snapshot(project), &request).await
    }

    /// What the bodies of some rows of a project have in common; see [`PatternsAnswer`].
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn patterns(&self, project: ProjectId, request: PatternsRequest) -> Result<PatternsAnswer> {
        self.queries.patterns(&self.snapshot(project), &request).await
    }

    /// How the patterns of a project's rows differ between two stretches of time.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn patterns_diff(
        &self,
        project: ProjectId,
        request: PatternsDiffRequest,
    ) -> Result<PatternsDiff> {
        self.queries.patterns_diff(&self.snapshot(project), &request).await
    }

    /// Follows the rows of a project that pass a filter, in order of ingestion, as they come in. What one subscription
    /// costs is the test of each new row and `max_queue_bytes` of query memory.
    ///
    /// # Errors
    /// `InvalidRequest` or `LimitExceeded` when the filter means nothing or too much; `ResourcesExhausted` without
    /// memory for one more.
    pub async fn tail(&self, project: ProjectId, request: TailRequest) -> Result<LogTail> {
        let source = TailSource {
            tables: Arc::clone(&self.tables),
            retention: Arc::clone(&self.retention),
            queries: Arc::clone(&self.queries),
            stop: self.stop.clone(),
        };
        LogTail::begin(source, TableId::logs(project), request).await
    }
}
