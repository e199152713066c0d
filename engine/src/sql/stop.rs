//! When a statement has to end, for work that goes on for long without a pause.

use std::time::Duration;

use datafusion::error::{DataFusionError, Result};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::running::killed_error;
use crate::query::deadline_exceeded;

/// What ends a statement: its time, somebody who kills it, or that nobody reads its answer any more.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    deadline: Duration,
    deadline_at: Instant,
    killed: CancellationToken,
    left: CancellationToken,
}

impl Stop {
    pub(super) fn new(deadline: Duration, deadline_at: Instant, killed: CancellationToken) -> Self {
        Self { deadline, deadline_at, killed, left: CancellationToken::new() }
    }

    /// The statement ends when what this returns is dropped.
    pub(super) fn when_dropped(&self) -> DropGuard {
        self.left.clone().drop_guard()
    }

    /// # Errors
    /// When the statement has to end.
    pub(crate) fn check(&self) -> Result<()> {
        let error = if self.killed.is_cancelled() || self.left.is_cancelled() {
            killed_error()
        } else if Instant::now() >= self.deadline_at {
            deadline_exceeded(self.deadline)
        } else {
            return Ok(());
        };
        Err(DataFusionError::External(Box::new(error)))
    }
}

/// What [`Stop`] is for those who never end early.
impl Default for Stop {
    fn default() -> Self {
        let never = Instant::now() + Duration::from_secs(30 * 365 * 24 * 3600);
        Self::new(Duration::MAX, never, CancellationToken::new())
    }
}
