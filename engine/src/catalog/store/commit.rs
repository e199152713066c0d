//! Changes to the catalog, all or nothing.

use uuid::Uuid;

use super::columns::{column, failed};
use super::{CatalogStore, SqlTransaction, files, ranges};
use crate::catalog::Transaction;
use crate::error::{Error, Result};

impl CatalogStore {
    /// Commits changes, all or nothing, and returns the number of the snapshot that they make.
    ///
    /// # Errors
    /// `Unavailable` when the database fails, when a file to be removed is not live, or when another life of the
    /// writer has begun.
    pub(crate) async fn commit(&self, changes: &Transaction) -> Result<i64> {
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        self.advance_writer(&mut transaction, changes).await?;
        let snapshot_id = next_snapshot(&mut transaction, changes.committed_us).await?;
        for file in &changes.added {
            files::insert(&mut transaction, changes.table, file, snapshot_id).await?;
            sqlx::query("DELETE FROM intents WHERE file_id = $1")
                .bind(file.id.to_string())
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
        }
        for &file_id in &changes.removed {
            files::remove(&mut transaction, changes.table, file_id, snapshot_id).await?;
        }
        if let Some(flushed) = &changes.flushed {
            ranges::insert(&mut transaction, &flushed.range, snapshot_id).await?;
        }
        transaction.commit().await.map_err(failed)?;
        #[cfg(test)]
        self.lose_answer()?;
        Ok(snapshot_id)
    }

    /// The snapshot that a transaction has made, if it has been committed: for when its answer was lost.
    pub(crate) async fn committed_as(&self, changes: &Transaction) -> Result<Option<i64>> {
        if let Some(file) = changes.added.first() {
            let query = "SELECT added_snapshot FROM data_files WHERE file_id = $1";
            return self.snapshot_of(query, file.id).await;
        }
        // Another transaction may have removed some of the files, but not have removed these together.
        let mut committed = None;
        for &id in &changes.removed {
            let query =
                "SELECT removed_snapshot FROM data_files WHERE file_id = $1 AND removed_snapshot IS NOT NULL";
            let removed = self.snapshot_of(query, id).await?;
            if removed.is_none() || committed.is_some_and(|committed| removed != Some(committed)) {
                return Ok(None);
            }
            committed = removed;
        }
        Ok(committed)
    }

    /// Those of some files that are live no more, and the snapshots that removed them.
    pub(crate) async fn removed_among(&self, file_ids: &[Uuid]) -> Result<Vec<(Uuid, i64)>> {
        let mut removed = Vec::new();
        for &id in file_ids {
            let query =
                "SELECT removed_snapshot FROM data_files WHERE file_id = $1 AND removed_snapshot IS NOT NULL";
            removed.extend(self.snapshot_of(query, id).await?.map(|snapshot| (id, snapshot)));
        }
        Ok(removed)
    }

    async fn snapshot_of(&self, query: &'static str, file_id: Uuid) -> Result<Option<i64>> {
        let query = sqlx::query(query).bind(file_id.to_string());
        let row = query.fetch_optional(&self.pool).await.map_err(failed)?;
        #[cfg(test)]
        self.lose_answer()?;
        row.map(|row| column(&row, 0)).transpose()
    }

    #[cfg(test)]
    fn lose_answer(&self) -> Result<()> {
        use std::sync::atomic::Ordering::SeqCst;
        let lost = self.lost_answers.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        lost.map_or(Ok(()), |_| Err(Error::unavailable("the answer of the catalog was lost")))
    }

    /// Checks that this life is still the writer's and moves its high-water marks.
    async fn advance_writer(&self, transaction: &mut SqlTransaction, changes: &Transaction) -> Result<()> {
        let flushed = changes.flushed.as_ref();
        let updated = sqlx::query(
            "UPDATE writers SET \
             last_sequence = CASE WHEN last_sequence < $1 THEN $1 ELSE last_sequence END, \
             last_ingested_us = CASE WHEN last_ingested_us < $2 THEN $2 ELSE last_ingested_us END \
             WHERE writer_id = $3 AND epoch = $4",
        )
        .bind(flushed.map_or(0, |flushed| flushed.range.last_sequence as i64))
        .bind(flushed.map_or(i64::MIN, |flushed| flushed.last_ingested_us))
        .bind(self.writer.to_string())
        .bind(self.epoch as i64)
        .execute(&mut **transaction)
        .await
        .map_err(failed)?;
        if updated.rows_affected() != 1 {
            return Err(Error::unavailable("another process has taken over this data folder"));
        }
        Ok(())
    }
}

async fn next_snapshot(transaction: &mut SqlTransaction, committed_us: i64) -> Result<i64> {
    let row = sqlx::query("SELECT COALESCE(MAX(snapshot_id), 0) + 1 FROM snapshots")
        .fetch_one(&mut **transaction)
        .await
        .map_err(failed)?;
    let snapshot_id = column(&row, 0)?;
    sqlx::query("INSERT INTO snapshots (snapshot_id, committed_us, is_published) VALUES ($1, $2, 0)")
        .bind(snapshot_id)
        .bind(committed_us)
        .execute(&mut **transaction)
        .await
        .map_err(failed)?;
    Ok(snapshot_id)
}

#[cfg(test)]
mod tests {
    use object_store::path::Path as ObjectPath;

    use super::*;
    use crate::schema::{ProjectId, TableId};
    use crate::storage::DataFile;

    fn file() -> DataFile {
        let id = Uuid::now_v7();
        DataFile {
            id,
            path: ObjectPath::from(id.to_string()),
            level: 0,
            min_timestamp_us: 1,
            max_timestamp_us: 2,
            min_ingested_us: 1,
            max_ingested_us: 2,
            num_rows: 1,
            size_bytes: 1,
            metadata_bytes: 1,
            sidecar_bytes: 0,
        }
    }

    fn changes(added: Vec<DataFile>, removed: &[Uuid]) -> Transaction {
        let table = TableId::logs(ProjectId(1));
        Transaction { table, committed_us: 5, added, removed: removed.to_vec(), flushed: None }
    }

    #[tokio::test]
    async fn a_removal_is_committed_when_one_snapshot_has_removed_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, _) = CatalogStore::open(folder.path()).await.unwrap();
        let files = [file(), file(), file()];
        let [first, second, third] = [files[0].id, files[1].id, files[2].id];
        catalog.commit(&changes(files.to_vec(), &[])).await.unwrap();
        let snapshot = catalog.commit(&changes(Vec::new(), &[first, third])).await.unwrap();
        assert_eq!(
            catalog.committed_as(&changes(Vec::new(), &[first, third])).await.unwrap(),
            Some(snapshot)
        );
        // The first file is gone, and yet this transaction did not remove it: the second one is live.
        let late = changes(Vec::new(), &[first, second]);
        catalog.commit(&late).await.unwrap_err();
        assert_eq!(catalog.committed_as(&late).await.unwrap(), None);
        assert_eq!(catalog.removed_among(&late.removed).await.unwrap(), [(first, snapshot)]);
        catalog.commit(&changes(Vec::new(), &[second])).await.unwrap();
        assert_eq!(catalog.committed_as(&changes(Vec::new(), &[first, second])).await.unwrap(), None);
    }
}
