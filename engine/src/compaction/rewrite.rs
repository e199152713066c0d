//! Files some of whose rows have expired: merges leave such rows out, and a file that no merge takes is rewritten
//! alone when that frees enough.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{Compactor, Keep, Merge};
use crate::catalog::Transaction;
use crate::error::{Error, Result};
use crate::query::QueryContext;
use crate::retention::{FileFate, Recount, RetentionCutoff, RetentionTables};
use crate::schema::TableId;
use crate::storage::DataFile;

/// Files of a table whose rows are counted at one look.
const MAX_FILES_PER_LOOK: usize = 64;

/// What says which rows have expired, and how many of them a file has.
#[derive(Debug)]
pub(crate) struct Expiry {
    retention: Arc<RetentionTables>,
    queries: Arc<QueryContext>,
    /// When the files of each table were counted.
    recounts: Mutex<HashMap<TableId, Recount>>,
}

impl Expiry {
    pub(crate) fn new(retention: Arc<RetentionTables>, queries: Arc<QueryContext>) -> Self {
        Self { retention, queries, recounts: Mutex::default() }
    }

    /// The rows of a table that a merge keeps; `None` when all.
    pub(super) fn keep(&self, table: TableId) -> Option<Arc<Keep>> {
        self.retention.removal_cutoff(table).map(keep_by)
    }
}

fn keep_by(cutoff: Arc<RetentionCutoff>) -> Arc<Keep> {
    Arc::new(move |rows: &RecordBatch| cutoff.keep(rows))
}

impl Compactor {
    /// Counts the expired rows of the files that are due for it, and rewrites or drops those that are worth it.
    /// Returns whether any was.
    ///
    /// # Errors
    /// The first failure; the other files have been tried, and each is tried again when it is due again.
    pub(crate) async fn rewrite_expired(&self, stop: &CancellationToken) -> Result<bool> {
        let _turn = self.turn.lock().await;
        let mut result = Ok(false);
        for (table, cutoff, file) in self.due_for_count() {
            if stop.is_cancelled() {
                return Err(Error::unavailable("compaction was stopped"));
            }
            match self.rewrite_if_worth_it(table, &cutoff, file, stop).await {
                Ok(changed) => result = result.map(|any| any || changed),
                Err(error) => result = result.and(Err(error)),
            }
        }
        result
    }

    fn due_for_count(&self) -> Vec<(TableId, Arc<RetentionCutoff>, Arc<DataFile>)> {
        let in_doubt = self.in_doubt.lock();
        let damaged = self.damaged.lock();
        let mut recounts = self.expiry.recounts.lock();
        let mut all_due = Vec::new();
        for (table, files) in self.tables.files() {
            let Some(cutoff) = self.expiry.retention.removal_cutoff(table) else {
                recounts.remove(&table);
                continue;
            };
            if in_doubt.contains(&table) {
                continue;
            }
            let readable: Vec<_> = files.iter().filter(|file| !damaged.contains(&file.id)).cloned().collect();
            let due = recounts.entry(table).or_default().due(&cutoff, &readable, MAX_FILES_PER_LOOK);
            all_due.extend(due.into_iter().map(|file| (table, Arc::clone(&cutoff), file)));
        }
        all_due
    }

    async fn rewrite_if_worth_it(
        &self,
        table: TableId,
        cutoff: &Arc<RetentionCutoff>,
        file: Arc<DataFile>,
        stop: &CancellationToken,
    ) -> Result<bool> {
        let fate = self.expiry.queries.fate(table, cutoff, &file).await?;
        match fate {
            FileFate::Keep => return Ok(false),
            FileFate::Drop => self.drop_file(table, &file).await?,
            FileFate::Rewrite => {
                let merge = Merge { inputs: vec![Arc::clone(&file)], is_last: true };
                self.merge(table, &merge, Some(keep_by(Arc::clone(cutoff))), stop).await?;
            }
        }
        tracing::debug!(%table, path = %file.path, ?fate, "removed expired rows");
        Ok(true)
    }

    async fn drop_file(&self, table: TableId, file: &DataFile) -> Result<()> {
        let (committed_us, removed) = (self.clock.now_us(), vec![file.id]);
        let transaction = Transaction { table, committed_us, added: Vec::new(), removed, flushed: None };
        let snapshot = self.commit(&transaction).await?;
        self.tables.replace_files(table, &transaction.removed, Vec::new(), snapshot);
        Ok(())
    }
}
