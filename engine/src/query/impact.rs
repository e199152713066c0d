//! How many sessions and users rows are about.

use std::num::NonZeroUsize;

use datafusion::prelude::Expr;

use super::context::QueryContext;
use super::count::count;
use super::dimension::Dimension;
use super::groups::{GroupOrder, Groups, GroupsQuestion, groups};
use super::model::LogFilter;
use super::time_range::ResolvedRange;
use crate::catalog::Snapshot;
use crate::error::Result;

/// A request for the sessions and users of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct ImpactRequest {
    /// Which rows.
    pub filter: LogFilter,
    /// Of which time, without its end.
    pub range: ResolvedRange,
    /// What a session's id is.
    pub session: Dimension,
    /// What a user's id is.
    pub user: Dimension,
    /// How many of the sessions and users with the most rows are wanted.
    pub limit: NonZeroUsize,
}

/// The sessions and users of rows, all numbers exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impact {
    /// Number of rows.
    pub num_rows: u64,
    /// The rows by session.
    pub sessions: Groups,
    /// The rows by user.
    pub users: Groups,
}

impl QueryContext {
    /// The sessions and users that the rows of a range which pass the filter are about. Three scans of one snapshot.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn impact(&self, snapshot: &Snapshot, request: &ImpactRequest) -> Result<Impact> {
        let earliest_us = self.earliest_of(snapshot, &request.range).await?;
        let range = request.range.half_open(earliest_us);
        let asked = request.clone();
        let work = move |session, filter: Expr| async move {
            if range.is_empty() {
                return Ok(Impact::default());
            }
            let by = async |dimension: Dimension| {
                let order = GroupOrder::LogCount;
                let question = GroupsQuestion { range, dimensions: &[dimension], order, limit: asked.limit };
                groups(&session, &filter, &question).await
            };
            Ok(Impact {
                num_rows: count(&session, filter.clone(), range).await?,
                sessions: by(asked.session).await?,
                users: by(asked.user).await?,
            })
        };
        self.run(snapshot, &request.filter, work).await
    }
}
