//! A catalog made anew.

use std::path::Path;

use super::columns::failed;
use super::state::StateName;
use super::{FlushedRange, WriterMarks, files, open_pool, ranges, state};
use crate::error::Result;
use crate::schema::TableId;
use crate::storage::DataFile;

/// More manifests than any number that may follow a checkpoint.
const CHECKPOINT_IS_DUE: i64 = 1 << 40;

/// Makes the database of a catalog at `path`, where nothing is: one snapshot that has been published, and the
/// sweep paused. When this returns it is durable and in one file.
///
/// The next start writes a checkpoint before anything else: only then do the manifests tell what it holds.
pub(crate) async fn create_rebuilt(
    path: &Path,
    marks: &WriterMarks,
    snapshot: i64,
    live: &[(TableId, DataFile)],
    flushed: &[FlushedRange],
    now_us: i64,
) -> Result<()> {
    let pool = open_pool(path).await?;
    let mut transaction = pool.begin().await.map_err(failed)?;
    sqlx::query(
        "INSERT INTO writers (writer_id, epoch, last_sequence, last_ingested_us) VALUES ($1, $2, $3, $4)",
    )
    .bind(marks.writer.to_string())
    .bind(i64::try_from(marks.epoch).unwrap_or(i64::MAX))
    .bind(i64::try_from(marks.last_sequence).unwrap_or(i64::MAX))
    .bind(marks.last_ingested_us)
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    sqlx::query("INSERT INTO snapshots (snapshot_id, committed_us, is_published) VALUES ($1, $2, 1)")
        .bind(snapshot)
        .bind(now_us)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    for (table, file) in live {
        files::insert(&mut transaction, *table, file, snapshot).await?;
    }
    for range in flushed {
        ranges::insert(&mut transaction, range, snapshot).await?;
    }
    state::write(&mut transaction, StateName::SweepPaused, 1).await?;
    state::write(&mut transaction, StateName::ManifestsSinceCheckpoint, CHECKPOINT_IS_DUE).await?;
    transaction.commit().await.map_err(failed)?;
    pool.close().await;
    Ok(())
}
