//! The rows as they are loaded: compressed requests in one file, and all rows in a Parquet file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use engine::ingest::{RecordLimits, decode_otlp_protobuf};
use engine::schema::decoded_logs_schema;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as ParquetCompression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::bodies::{Bodies, BodyWriter};
use super::dataset::{Dataset, encoded};
use super::timberline::{Sent, Timberline};
use super::traits::{Chosen, Traits};

/// Rows made ready before anything is measured.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) chosen: Chosen,
    /// Of requests before compression.
    pub(super) num_body_bytes: u64,
    /// Of compressed requests.
    pub(super) num_sent_bytes: u64,
    /// The Parquet file, if it was wanted.
    pub(super) file: PathBuf,
    bodies: Bodies,
}

impl Rows {
    /// Writes the files into a folder.
    pub(super) fn prepare(dataset: &Dataset, max_rows: u64, folder: &Path, has_peers: bool) -> Result<Self> {
        let file = folder.join("rows.parquet");
        let properties =
            WriterProperties::builder().set_compression(ParquetCompression::ZSTD(ZstdLevel::default()));
        let mut parquet = match has_peers {
            true => Some(ArrowWriter::try_new(
                File::create(&file)?,
                Arc::clone(&decoded_logs_schema()),
                Some(properties.build()),
            )?),
            false => None,
        };
        let mut bodies = BodyWriter::create(folder.join("bodies"))?;
        let (mut traits, mut num_rows) = (Traits::default(), 0);
        let (mut num_body_bytes, mut num_sent_bytes) = (0, 0);
        for request in dataset.requests()? {
            let (num_records, body) = encoded(&request?);
            if num_rows + num_records > max_rows {
                break;
            }
            num_rows += num_records;
            num_body_bytes += body.len() as u64;
            num_sent_bytes += bodies.add(num_records, &body)?;
            let decoded = decode_otlp_protobuf(&body, 0, &RecordLimits::default())?;
            ensure!(decoded.rejected.count == 0, "{:?} are no records", decoded.rejected);
            traits.add(decoded.rows())?;
            if let Some(parquet) = &mut parquet {
                parquet.write(decoded.rows())?;
            }
        }
        let bodies = bodies.finish()?;
        if let Some(parquet) = parquet {
            parquet.close()?;
        }
        Ok(Self { chosen: traits.choose()?, num_body_bytes, num_sent_bytes, file, bodies })
    }

    fn bodies(&self) -> Result<impl Iterator<Item = Result<Bytes>>> {
        Ok(self.counted_bodies()?.map(|counted| counted.map(|(_, body)| body)))
    }

    /// Each body with the number of its rows.
    pub(super) fn counted_bodies(&self) -> Result<impl Iterator<Item = Result<(u64, Bytes)>>> {
        self.bodies.read()
    }
}

/// What loading Timberline took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loaded {
    /// Until everything was acknowledged.
    pub(super) sent: Sent,
    /// From there until everything was in data files and none was left to merge.
    pub(super) settled: Duration,
}

impl Loaded {
    /// Sends all rows, and leaves a server that was started on them and has nothing left to do.
    pub(super) async fn load(timberline: &mut Timberline, rows: &Rows) -> Result<Self> {
        let sent = timberline.send(rows.bodies()?).await?;
        let started = Instant::now();
        timberline.restart()?;
        timberline.settle().await?;
        Ok(Self { sent, settled: started.elapsed() })
    }
}
