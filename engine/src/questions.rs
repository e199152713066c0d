//! The engine's questions that count rows by time, by service and by value.

use crate::engine::Engine;
use crate::error::Result;
use crate::query::{
    CountRanges, CountRangesRequest, Groups, GroupsRequest, Impact, ImpactRequest, Services, ServicesRequest,
};
use crate::schema::ProjectId;

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
}
