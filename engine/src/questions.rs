//! The engine's questions about what rows have in common, and the one about rows as they come in.

use std::sync::Arc;

use crate::engine::Engine;
use crate::error::Result;
use crate::query::model::LogFilter;
use crate::query::{
    AttributeKeys, AttributeKeysRequest, CellCount, CountRange, CountRanges, CountRangesRequest,
    FacetsRequest, Groups, GroupsRequest, Impact, ImpactRequest, PatternsAnswer, PatternsDiff,
    PatternsDiffRequest, PatternsRequest, SampledRows, Services, ServicesRequest, TimeRange, ValueCount,
    ValuesRequest,
};
use crate::rules::SamplingRule;
use crate::schema::{ProjectId, TableId};
use crate::tail::{LogTail, TailRequest, TailSource};

impl Engine {
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
