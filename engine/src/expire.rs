//! Expiry: files whose rows have all expired leave the catalog.
//!
//! Nothing is read, and however many files of a table expire, few transactions tell of it. Their objects are
//! deleted later, when manifests tell of the removal and no snapshot holds the files.

use std::sync::Arc;

use crate::catalog::Transaction;
use crate::error::Result;
use crate::flush::Flusher;
use crate::retention::{RetentionTables, files_to_drop};
use crate::schema::TableId;
use crate::storage::DataFile;

/// Files that one transaction removes; more follow in the next one.
const MAX_FILES_PER_TRANSACTION: usize = 1000;
/// How often a merge may be faster with a file that is to be removed.
const MAX_ATTEMPTS: usize = 5;

/// Lets the removal clock follow by one step, and takes the files away whose rows have all expired by it.
///
/// # Errors
/// The first failure; the other tables have been tried, and what is left is tried again at the next call.
pub(crate) async fn expire(flusher: &Flusher, retention: &RetentionTables) -> Result<()> {
    retention.step_removal_clock();
    let mut result = Ok(());
    for (table, files) in flusher.tables.files() {
        let Some(cutoff) = retention.removal_cutoff(table) else { continue };
        for expired in files_to_drop(&cutoff, &files).chunks(MAX_FILES_PER_TRANSACTION) {
            let dropped = drop_files(flusher, table, expired).await;
            result = result.and(dropped);
        }
    }
    result
}

/// Takes every file of a table away.
///
/// # Errors
/// When the catalog fails, or merges have been faster again and again.
pub(crate) async fn remove_files(flusher: &Flusher, table: TableId) -> Result<()> {
    let mut attempts = 0;
    loop {
        let of_table = flusher.tables.files().into_iter().find(|(other, _)| *other == table);
        let files =
            of_table.map(|(_, files)| files.iter().take(MAX_FILES_PER_TRANSACTION).cloned().collect());
        let files: Vec<Arc<DataFile>> = files.unwrap_or_default();
        if files.is_empty() {
            return Ok(());
        }
        if let Err(error) = drop_files(flusher, table, &files).await {
            attempts += 1;
            if attempts == MAX_ATTEMPTS {
                return Err(error);
            }
        }
    }
}

/// Takes files away in one transaction. When another one has been faster with one of them, all of them stay until
/// the next call.
#[tracing::instrument(name = "expire", skip_all, fields(%table, files = expired.len() as i64))]
async fn drop_files(flusher: &Flusher, table: TableId, expired: &[Arc<DataFile>]) -> Result<()> {
    let removed = expired.iter().map(|file| file.id).collect();
    let committed_us = flusher.clock.now_us();
    let transaction = Transaction { table, committed_us, added: Vec::new(), removed, flushed: None };
    let snapshot = match flusher.catalog.commit(&transaction).await {
        Ok(snapshot) => snapshot,
        Err(error) => match flusher.catalog.committed_as(&transaction).await? {
            Some(snapshot) => snapshot,
            None => {
                // A merge, or an earlier call whose answer was lost: their rows have expired in any case.
                for (file_id, snapshot) in flusher.catalog.removed_among(&transaction.removed).await? {
                    flusher.tables.replace_files(table, &[file_id], Vec::new(), snapshot);
                }
                return Err(error);
            }
        },
    };
    flusher.tables.replace_files(table, &transaction.removed, Vec::new(), snapshot);
    let rows: u64 = expired.iter().map(|file| file.num_rows).sum();
    tracing::info!(%table, files = expired.len(), rows, "removed data files whose rows are not kept any longer");
    Ok(())
}
