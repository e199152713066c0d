//! Writing a data file and its sidecar: rows in, durable objects out.

use std::sync::Arc;

use arrow::array::RecordBatch;
use object_store::path::Path;

use crate::background::blocking;
use crate::error::{Error, Result};
use crate::index::{SidecarBuilder, SidecarLimits};
use crate::limits::MIN_SIDECAR_ROWS;
use crate::schema::Dataset;
use crate::storage::{
    DataFile, DataFileEncoder, Effort, FileOrigin, ObjectUpload, Promotion, RowAddress, Storage,
    gather_slice, sidecar_path,
};

/// One data file on its way. Encoding happens on blocking threads; memory is bounded by one row group, the parts of
/// the upload and the sidecar's builder. Dropping it unfinished leaves no object, or one that is removed by its
/// intent.
pub(crate) struct DataFileWriter {
    /// Always there between calls.
    encoding: Option<Encoding>,
    storage: Storage,
    upload: ObjectUpload,
    path: Path,
    min_sidecar_rows: u64,
}

/// What takes the rows in.
struct Encoding {
    encoder: DataFileEncoder,
    sidecar: SidecarBuilder,
    dataset: Dataset,
}

impl DataFileWriter {
    pub(crate) fn create(
        storage: &Storage,
        dataset: Dataset,
        path: Path,
        promotion: Promotion,
        effort: Effort,
    ) -> Self {
        let encoder = DataFileEncoder::new(dataset, promotion, effort);
        let sidecar = SidecarBuilder::of(dataset, &SidecarLimits::of(dataset));
        let upload = storage.upload(&path);
        let encoding = Some(Encoding { encoder, sidecar, dataset });
        Self { encoding, storage: storage.clone(), upload, path, min_sidecar_rows: MIN_SIDECAR_ROWS }
    }

    /// Sets of how many rows a file has to have for a sidecar.
    pub(crate) fn with_min_sidecar_rows(self, min_sidecar_rows: u64) -> Self {
        Self { min_sidecar_rows, ..self }
    }

    /// Adds rows of `batches`, given in order of time, as the next slice. Returns the bytes of the file so far.
    pub(crate) async fn write_slice(
        &mut self,
        batches: Arc<Vec<RecordBatch>>,
        rows: Vec<RowAddress>,
    ) -> Result<u64> {
        let mut encoding = self.take_encoding()?;
        let encoded = blocking(move || {
            let batches: Vec<&RecordBatch> = batches.iter().collect();
            let rows = gather_slice(encoding.dataset, &batches, &rows)?;
            encoding.sidecar.add(&rows)?;
            encoding.encoder.write_slice(&rows)?;
            let bytes = encoding.encoder.take_bytes();
            Ok((encoding, bytes))
        });
        let (encoding, bytes) = encoded.await?;
        let size_bytes = encoding.encoder.size_bytes();
        self.encoding = Some(encoding);
        self.upload.write(bytes).await?;
        Ok(size_bytes)
    }

    /// Ends the file; when this returns it is durable, and so is its sidecar if it is worth one.
    pub(crate) async fn finish(mut self, origin: FileOrigin) -> Result<DataFile> {
        let Encoding { encoder, sidecar, .. } = self.take_encoding()?;
        let (id, level) = (origin.file_id, origin.level);
        let min_sidecar_rows = self.min_sidecar_rows;
        let encoded = blocking(move || {
            let (bytes, facts) = encoder.finish(&origin)?;
            let is_worth_one = facts.num_rows >= min_sidecar_rows;
            let sidecar = is_worth_one.then(|| sidecar.finish(id, facts.num_rows)).transpose()?;
            Ok((bytes, facts, sidecar))
        });
        let (bytes, facts, sidecar) = encoded.await?;
        self.upload.write(bytes).await?;
        self.upload.finish().await?;
        let mut sidecar_bytes = 0;
        if let Some(sidecar) = sidecar {
            sidecar_bytes = sidecar.bytes.len() as u64;
            self.storage.put(&sidecar_path(&self.path), sidecar.bytes).await?;
        }
        Ok(facts.data_file(id, level, self.path, sidecar_bytes))
    }

    fn take_encoding(&mut self) -> Result<Encoding> {
        self.encoding.take().ok_or_else(|| Error::internal("an earlier write of the data file has failed"))
    }
}
