//! Writing a data file: rows in, a durable object out.

use std::sync::Arc;

use arrow::array::RecordBatch;
use object_store::path::Path;

use super::{
    DataFile, DataFileEncoder, Effort, FileOrigin, ObjectUpload, Promotion, RowAddress, Storage, gather_slice,
};
use crate::error::{Error, Result};

/// One data file on its way. Encoding happens on blocking threads; memory is bounded by one row group and the parts
/// of the upload. Dropping it unfinished leaves no object, or one that is removed by its intent.
pub(crate) struct DataFileWriter {
    /// Always there between calls.
    encoder: Option<DataFileEncoder>,
    upload: ObjectUpload,
    path: Path,
}

impl DataFileWriter {
    pub(crate) fn create(storage: &Storage, path: Path, promotion: Promotion, effort: Effort) -> Self {
        let upload = storage.upload(&path);
        Self { encoder: Some(DataFileEncoder::new(promotion, effort)), upload, path }
    }

    /// Adds rows of `batches`, given in order of time, as the next slice. Returns the bytes of the file so far.
    pub(crate) async fn write_slice(
        &mut self,
        batches: Arc<Vec<RecordBatch>>,
        rows: Vec<RowAddress>,
    ) -> Result<u64> {
        let mut encoder = self.take_encoder()?;
        let encoded = blocking(move || {
            let batches: Vec<&RecordBatch> = batches.iter().collect();
            encoder.write_slice(&gather_slice(&batches, &rows)?)?;
            let bytes = encoder.take_bytes();
            Ok((encoder, bytes))
        });
        let (encoder, bytes) = encoded.await?;
        let size_bytes = encoder.size_bytes();
        self.encoder = Some(encoder);
        self.upload.write(bytes).await?;
        Ok(size_bytes)
    }

    /// Ends the file; when this returns it is durable.
    pub(crate) async fn finish(mut self, origin: FileOrigin) -> Result<DataFile> {
        let encoder = self.take_encoder()?;
        let (id, level) = (origin.file_id, origin.level);
        let (bytes, facts) = blocking(move || encoder.finish(&origin)).await?;
        self.upload.write(bytes).await?;
        self.upload.finish().await?;
        Ok(DataFile {
            id,
            path: self.path,
            level,
            min_timestamp_us: facts.min_timestamp_us,
            max_timestamp_us: facts.max_timestamp_us,
            min_ingested_us: facts.min_ingested_us,
            max_ingested_us: facts.max_ingested_us,
            num_rows: facts.num_rows,
            size_bytes: facts.size_bytes,
            metadata_bytes: facts.metadata_bytes,
            sidecar_bytes: 0,
        })
    }

    fn take_encoder(&mut self) -> Result<DataFileEncoder> {
        self.encoder.take().ok_or_else(|| Error::internal("an earlier write of the data file has failed"))
    }
}

/// Runs CPU work where it does not hold up other tasks.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("background work was ended").with_source(error))?
}
