//! The rows as they are loaded: compressed requests in one file, and all rows in a Parquet file.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use engine::ingest::{RecordLimits, decode_otlp_protobuf};
use engine::schema::decoded_logs_schema;
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as ParquetCompression, ZstdLevel};
use parquet::file::properties::WriterProperties;

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
    bodies: PathBuf,
}

impl Rows {
    /// Writes the files into a folder.
    pub(super) fn prepare(dataset: &Dataset, max_rows: u64, folder: &Path, has_peers: bool) -> Result<Self> {
        let (file, bodies) = (folder.join("rows.parquet"), folder.join("bodies"));
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
        let mut out = BufWriter::new(File::create(&bodies)?);
        let (mut traits, mut num_rows) = (Traits::default(), 0);
        let (mut num_body_bytes, mut num_sent_bytes) = (0, 0);
        for request in dataset.requests()? {
            let (num_records, body) = encoded(&request?);
            if num_rows + num_records > max_rows {
                break;
            }
            num_rows += num_records;
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&body)?;
            let sent = encoder.finish()?;
            out.write_all(&u32::try_from(num_records)?.to_le_bytes())?;
            out.write_all(&u32::try_from(sent.len())?.to_le_bytes())?;
            out.write_all(&sent)?;
            num_body_bytes += body.len() as u64;
            num_sent_bytes += sent.len() as u64;
            let decoded = decode_otlp_protobuf(&body, 0, &RecordLimits::default())?;
            ensure!(decoded.rejected.count == 0, "{:?} are no records", decoded.rejected);
            traits.add(decoded.rows())?;
            if let Some(parquet) = &mut parquet {
                parquet.write(decoded.rows())?;
            }
        }
        out.flush()?;
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
        let mut file = BufReader::new(File::open(&self.bodies)?);
        Ok(std::iter::from_fn(move || {
            let num_records = read_number(&mut file).ok()?;
            Some(read_body(&mut file).map(|body| (u64::from(num_records), body)).context("a body is cut"))
        }))
    }
}

fn read_number(file: &mut impl Read) -> std::io::Result<u32> {
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn read_body(file: &mut impl Read) -> std::io::Result<Bytes> {
    let mut body = vec![0; read_number(file)? as usize];
    file.read_exact(&mut body)?;
    Ok(Bytes::from(body))
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
