//! Making sidecars again from their data files.

use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;

use super::folder::StoppedFolder;
use crate::background::blocking;
use crate::catalog::CatalogStore;
use crate::config::EngineConfig;
use crate::error::{Error, Result};
use crate::index::{Sidecar, SidecarBuilder, SidecarLimits};
use crate::limits::MIN_SIDECAR_ROWS;
use crate::storage::{DataFile, Storage, cannot_read, to_whole_rows};

/// Rows that are read at a time.
const BATCH_ROWS: usize = 8192;

/// What a rebuild of sidecars did.
#[derive(Debug, Default)]
pub struct SidecarReport {
    /// Sidecars that were made.
    pub num_built: u64,
    /// Sidecars that were whole and were left.
    pub num_kept: u64,
    /// Data files that are too small for one.
    pub num_small: u64,
    /// Bytes of all sidecars afterwards.
    pub num_bytes: u64,
    /// Data files that could not be read, and why.
    pub failures: Vec<(Path, Error)>,
}

/// Makes the sidecars of a stopped folder that are missing or damaged, or `all` of them. Reads each such data file
/// once; memory is bounded by some thousand rows and the builder.
///
/// # Errors
/// When the folder or its catalog cannot be used. A data file that cannot be read is reported, and the others are
/// done.
pub async fn rebuild_sidecars(config: &EngineConfig, all: bool) -> Result<SidecarReport> {
    let folder = StoppedFolder::open(config).await?;
    let (catalog, state) = CatalogStore::open(&folder.data_dir).await?;
    let mut report = SidecarReport::default();
    let live = state.files.into_iter().filter(|file| file.removed_snapshot.is_none());
    for file in live.map(|file| file.file) {
        if file.num_rows < MIN_SIDECAR_ROWS {
            report.num_small += 1;
            continue;
        }
        if !all && is_whole(&folder.storage, &file).await {
            report.num_kept += 1;
            report.num_bytes += file.sidecar_bytes;
            continue;
        }
        let written = async {
            let bytes = build(&folder.storage, &file).await?;
            let num_bytes = bytes.len() as u64;
            folder.storage.put(&file.sidecar_path(), bytes).await?;
            catalog.set_sidecar_bytes(file.id, num_bytes).await?;
            Ok::<u64, Error>(num_bytes)
        };
        match written.await {
            Ok(num_bytes) => {
                report.num_built += 1;
                report.num_bytes += num_bytes;
            }
            Err(error) => report.failures.push((file.path.clone(), error)),
        }
    }
    catalog.close().await;
    Ok(report)
}

/// Whether a file has a sidecar that can be read and is its own.
async fn is_whole(storage: &Storage, file: &DataFile) -> bool {
    let path = file.sidecar_path();
    let Ok(bytes) = storage.get(&path).await else { return false };
    bytes.len() as u64 == file.sidecar_bytes
        && Sidecar::open(&path, bytes)
            .is_ok_and(|sidecar| sidecar.file_id() == file.id && sidecar.num_rows() == file.num_rows)
}

/// The sidecar of a data file.
async fn build(storage: &Storage, file: &DataFile) -> Result<Bytes> {
    let reader = storage.parquet_reader(file);
    let unreadable = |error| cannot_read(file, error);
    let mut batches = ParquetRecordBatchStreamBuilder::new(reader)
        .await
        .map_err(unreadable)?
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(unreadable)?;
    let mut builder = SidecarBuilder::new(&SidecarLimits::default());
    while let Some(columns) = batches.try_next().await.map_err(unreadable)? {
        let columns: Arc<RecordBatch> = Arc::new(columns);
        builder = blocking(move || {
            builder.add(&to_whole_rows(&columns)?)?;
            Ok(builder)
        })
        .await?;
    }
    Ok(builder.finish(file.id, file.num_rows)?.bytes)
}
