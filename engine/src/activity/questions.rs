//! The engine's questions about the audit trail of an organization.

use std::ops::Range;

use super::chain::ChainHead;
use super::entry::StoredEntry;
use crate::Engine;
use crate::catalog::Snapshot;
use crate::error::Result;
use crate::query::{
    ActivityFilter, ActivityPage, ActivityQuery, ActivityTenant, ActivityValues, DetailFields, HiddenEntries,
};
use crate::schema::{OrganizationId, TableId};

impl Engine {
    /// The entries of an organization at this moment that have not expired.
    pub fn activity_snapshot(&self, organization: OrganizationId) -> Snapshot {
        let table = TableId::activity(organization);
        self.tables.snapshot(table, self.retention.cutoff(table))
    }

    /// A page of an organization's entries.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn activity_page(
        &self,
        organization: OrganizationId,
        query: &ActivityQuery,
    ) -> Result<ActivityPage> {
        self.queries.activity_page(&self.activity_snapshot(organization), query).await
    }

    /// How many of an organization's entries pass a filter.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn activity_count(&self, organization: OrganizationId, filter: &ActivityFilter) -> Result<u64> {
        self.queries.activity_count(&self.activity_snapshot(organization), filter).await
    }

    /// The different values of the entries that pass a filter.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn activity_values(
        &self,
        organization: OrganizationId,
        filter: &ActivityFilter,
    ) -> Result<ActivityValues> {
        self.queries.activity_values(&self.activity_snapshot(organization), filter).await
    }

    /// The fields of the details of the entries that pass a filter.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn detail_fields(
        &self,
        organization: OrganizationId,
        filter: &ActivityFilter,
    ) -> Result<DetailFields> {
        self.queries.detail_fields(&self.activity_snapshot(organization), filter).await
    }

    /// The different values of the entries that a reader sees, and the fields of the details of all entries of the
    /// organization.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn activity_overview(
        &self,
        organization: OrganizationId,
        tenant: ActivityTenant,
        hidden: &[HiddenEntries],
    ) -> Result<(ActivityValues, DetailFields)> {
        self.queries.activity_overview(&self.activity_snapshot(organization), tenant, hidden).await
    }

    /// Where the chain of an organization ends; the beginning when it has no entries that have not expired.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn chain_head(&self, organization: OrganizationId) -> Result<ChainHead> {
        self.queries.chain_head(&self.activity_snapshot(organization)).await
    }

    /// Where the part of the chain ends that was stored before an instant, microseconds.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn chain_head_before(
        &self,
        organization: OrganizationId,
        instant_us: i64,
    ) -> Result<ChainHead> {
        self.queries.chain_head_before(&self.activity_snapshot(organization), instant_us).await
    }

    /// Where the chain of a snapshot ends; the beginning when it has no entries.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn chain_head_in(&self, snapshot: &Snapshot) -> Result<ChainHead> {
        self.queries.chain_head(snapshot).await
    }

    /// The lowest sequence number of a snapshot; none without entries.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn chain_start_in(&self, snapshot: &Snapshot) -> Result<Option<i64>> {
        self.queries.chain_start(snapshot).await
    }

    /// The entries of a snapshot with these sequence numbers, in their order. They are held in memory.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn chain_part_in(
        &self,
        snapshot: &Snapshot,
        sequences: Range<i64>,
    ) -> Result<Vec<StoredEntry>> {
        self.queries.chain_part(snapshot, sequences).await
    }

    /// The lowest sequence number of an organization's entries that have not expired; none without entries.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn chain_start(&self, organization: OrganizationId) -> Result<Option<i64>> {
        self.queries.chain_start(&self.activity_snapshot(organization)).await
    }

    /// The entries of an organization with these sequence numbers, in their order. They are held in memory.
    ///
    /// # Errors
    /// As [`QueryContext::count`](crate::query::QueryContext::count).
    pub async fn chain_part(
        &self,
        organization: OrganizationId,
        sequences: Range<i64>,
    ) -> Result<Vec<StoredEntry>> {
        self.queries.chain_part(&self.activity_snapshot(organization), sequences).await
    }

    /// The time by which rows leave the storage, microseconds: that of the machine's clock, or an earlier one when
    /// that has jumped.
    pub fn removal_time_us(&self) -> i64 {
        self.retention.removal_time_us()
    }
}
