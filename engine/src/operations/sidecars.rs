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
use crate::error::{Error, ErrorKind, Result};
use crate::index::{Absence, Sidecar, SidecarBuilder, SidecarLimits};
use crate::schema::{Dataset, TableId};
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
    for (table, file) in live.map(|file| (file.table, file.file)) {
        if file.num_rows < config.min_sidecar_rows {
            report.num_small += 1;
            continue;
        }
        // What cannot be read now is made anew, which says why it cannot.
        if !all && matches!(fault_of(&folder.storage, &file).await, Ok(None)) {
            report.num_kept += 1;
            report.num_bytes += file.sidecar_bytes;
            continue;
        }
        match remake(&catalog, &folder.storage, table, &file, config.min_sidecar_rows).await {
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

/// What is wrong with a file's sidecar: that it is missing, damaged or another's.
///
/// # Errors
/// `Unavailable` when the store does not answer.
pub(super) async fn fault_of(storage: &Storage, file: &DataFile) -> Result<Option<String>> {
    let path = file.sidecar_path();
    let bytes = match storage.get(&path).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Some("sidecar is missing".to_owned()));
        }
        Err(error) => return Err(error),
    };
    let (found, expected) = (bytes.len() as u64, file.sidecar_bytes);
    if found != expected {
        return Ok(Some(format!("sidecar has {found} bytes and should have {expected}")));
    }
    let sidecar = match Sidecar::open(&path, bytes) {
        Ok(sidecar) => sidecar,
        Err(error) => return Ok(Some(error.message().to_owned())),
    };
    if (sidecar.file_id(), sidecar.num_rows()) != (file.id, file.num_rows) {
        return Ok(Some(format!("sidecar is that of data file {}", sidecar.file_id())));
    }
    let absences = [
        sidecar.rollup().absence(),
        sidecar.attribute_values().absence(),
        sidecar.words().absence(),
        sidecar.ids().absence(),
        sidecar.overview().absence(),
    ];
    let damage = absences.into_iter().flatten().find(|absence| matches!(absence, Absence::Damaged(_)));
    Ok(damage.map(Absence::to_string))
}

/// Makes the sidecar of a file anew, or removes it from a file that should have none. Returns its bytes.
///
/// # Errors
/// `CorruptData` naming the data file; `Unavailable` when the store or the catalog does not answer.
pub(super) async fn remake(
    catalog: &CatalogStore,
    storage: &Storage,
    table: TableId,
    file: &DataFile,
    min_sidecar_rows: u64,
) -> Result<u64> {
    let mut num_bytes = 0;
    if file.num_rows < min_sidecar_rows {
        storage.delete(&file.sidecar_path()).await?;
    } else {
        let bytes = build(storage, table.dataset(), file).await?;
        num_bytes = bytes.len() as u64;
        storage.put(&file.sidecar_path(), bytes).await?;
    }
    catalog.set_sidecar_bytes(file.id, num_bytes).await?;
    Ok(num_bytes)
}

/// The sidecar of a data file.
async fn build(storage: &Storage, dataset: Dataset, file: &DataFile) -> Result<Bytes> {
    let reader = storage.parquet_reader(file);
    let unreadable = |error| cannot_read(file, error);
    let mut batches = ParquetRecordBatchStreamBuilder::new(reader)
        .await
        .map_err(unreadable)?
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(unreadable)?;
    let mut builder = SidecarBuilder::of(dataset, &SidecarLimits::of(dataset));
    while let Some(columns) = batches.try_next().await.map_err(unreadable)? {
        let columns: Arc<RecordBatch> = Arc::new(columns);
        builder = blocking(move || {
            builder.add(&to_whole_rows(dataset, &columns)?)?;
            Ok(builder)
        })
        .await?;
    }
    Ok(builder.finish(file.id, file.num_rows)?.bytes)
}
