//! The policies of all tables, and the clocks they are read by.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::removal_clock::RemovalClock;
use super::{CompiledRetention, RetentionCutoff, RetentionPolicy, TimeBounds};
use crate::clock::Clock;
use crate::error::Result;
use crate::schema::TableId;

/// The policies of all tables. They are kept by whoever opens the engine, and told to it anew each time: a table of
/// which nothing was told keeps its rows for ever.
#[derive(Debug)]
pub(crate) struct RetentionTables {
    clock: Arc<dyn Clock>,
    /// Only tables some of whose rows expire.
    policies: RwLock<HashMap<TableId, Arc<CompiledRetention>>>,
    removal_clock: Mutex<RemovalClock>,
}

impl RetentionTables {
    /// No policies, and a removal clock that starts by the times of the stored rows.
    pub(crate) fn new(clock: Arc<dyn Clock>, stored: impl Iterator<Item = TimeBounds>) -> Self {
        let removal_clock = Mutex::new(RemovalClock::start(clock.now_us(), stored));
        Self { clock, policies: RwLock::default(), removal_clock }
    }

    /// Sets the policy of a table, from the next snapshot on.
    ///
    /// # Errors
    /// As [`CompiledRetention::new`]; the table keeps the policy that it had.
    pub(crate) fn set(&self, table: TableId, policy: RetentionPolicy) -> Result<()> {
        let compiled = Arc::new(CompiledRetention::of(table.dataset(), policy)?);
        let mut policies = self.policies.write();
        if compiled.policy().keeps_all() {
            policies.remove(&table);
        } else {
            policies.insert(table, compiled);
        }
        Ok(())
    }

    /// Which rows of a table have expired now; `None` when none ever do.
    pub(crate) fn cutoff(&self, table: TableId) -> Option<Arc<RetentionCutoff>> {
        let compiled = self.policies.read().get(&table).cloned()?;
        Some(Arc::new(RetentionCutoff::new(compiled, self.clock.now_us())))
    }

    /// Which rows of a table may be removed from the storage; `None` when none ever may. They are among those that
    /// have expired.
    pub(crate) fn removal_cutoff(&self, table: TableId) -> Option<Arc<RetentionCutoff>> {
        let compiled = self.policies.read().get(&table).cloned()?;
        let now_us = self.removal_clock.lock().now_us(self.clock.now_us());
        Some(Arc::new(RetentionCutoff::new(compiled, now_us)))
    }

    /// The time by which rows leave the storage, microseconds: never after that of the machine's clock.
    pub(crate) fn removal_time_us(&self) -> i64 {
        self.removal_clock.lock().now_us(self.clock.now_us())
    }

    /// Lets the removal clock follow by one step. Once a minute, not more often.
    pub(crate) fn step_removal_clock(&self) {
        self.removal_clock.lock().step(self.clock.now_us());
    }
}
