//! Fills an engine with generated logs and measures how long that takes.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use data::{LogGenerator, LogSpec, encode};
use engine::clock::{Clock, SystemClock};
use engine::ingest::{RecordLimits, decode_otlp_protobuf};
use engine::schema::{ProjectId, TableId};
use engine::{Engine, ErrorKind};
use futures::{StreamExt, TryStreamExt};

/// The project that everything is loaded into.
pub const PROJECT: ProjectId = ProjectId(1);

/// Requests in flight at one time, as from several collectors: a group commit serves them together.
const NUM_SENDERS: usize = 8;
/// Requests made before they are sent, so that making them is not measured; bounds the memory.
const REQUESTS_PER_CHUNK: usize = 200;
/// How long a sender waits when the engine asks it to come again.
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// What loading took.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadReport {
    /// Records sent and acknowledged.
    pub num_records: u64,
    /// Bytes of all protobuf bodies, uncompressed.
    pub num_body_bytes: u64,
    /// From body to acknowledgement: decoding, the write-ahead log and its fsync, the buffer.
    pub ingest: Duration,
    /// From the last acknowledgement until everything is in data files.
    pub flush: Duration,
    /// Times a sender was asked to come again.
    pub num_retries: u64,
}

/// Generates the logs of a spec, sends them in OTLP protobuf and flushes.
///
/// # Errors
/// A spec out of bounds, or what the engine answers.
pub async fn load(engine: &Arc<Engine>, spec: LogSpec) -> Result<LoadReport> {
    let mut report = LoadReport::default();
    let mut requests = LogGenerator::new(spec)?;
    loop {
        let mut bodies = Vec::with_capacity(REQUESTS_PER_CHUNK);
        for request in requests.by_ref().take(REQUESTS_PER_CHUNK) {
            report.num_records += encode::num_records(&request);
            bodies.push(encode::to_protobuf(&request));
        }
        if bodies.is_empty() {
            break;
        }
        report.num_body_bytes += bodies.iter().map(|body| body.len() as u64).sum::<u64>();
        let started = Instant::now();
        report.num_retries += send_all(engine, bodies).await?;
        report.ingest += started.elapsed();
    }
    let started = Instant::now();
    engine.flush().await?;
    report.flush = started.elapsed();
    Ok(report)
}

async fn send_all(engine: &Arc<Engine>, bodies: Vec<Vec<u8>>) -> Result<u64> {
    let sends = bodies.into_iter().map(|body| {
        let engine = Arc::clone(engine);
        async move { tokio::spawn(async move { send(&engine, &body).await }).await? }
    });
    futures::stream::iter(sends)
        .buffer_unordered(NUM_SENDERS)
        .try_fold(0, |num_retries, more| async move { Ok(num_retries + more) })
        .await
}

/// Sends one body until it is taken, and returns how often it was refused for the time being.
async fn send(engine: &Engine, body: &[u8]) -> Result<u64> {
    let mut num_retries = 0;
    loop {
        let logs = decode_otlp_protobuf(body, SystemClock.now_us(), &RecordLimits::default())?;
        ensure!(logs.rejected.count == 0, "{} records were rejected", logs.rejected.count);
        match engine.ingest(TableId::logs(PROJECT), logs).await {
            Ok(()) => return Ok(num_retries),
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                num_retries += 1;
                tokio::time::sleep(RETRY_AFTER).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Bytes of all Parquet files below a folder.
///
/// # Errors
/// When the folder cannot be read.
pub fn data_file_bytes(folder: &Path) -> Result<u64> {
    let mut num_bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if path.is_dir() {
            num_bytes += data_file_bytes(&path)?;
        } else if path.extension().is_some_and(|ending| ending == "parquet") {
            num_bytes += entry.metadata()?.len();
        }
    }
    Ok(num_bytes)
}
