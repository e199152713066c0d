//! Group commit: one sync of the write-ahead log for all requests that wait for one.
//!
//! A thread of its own takes waiting requests, gives each table's rows of them a place in the order of
//! ingestion, writes them as one frame, waits for the disk, makes the rows visible and only then answers.
//! While it waits for the disk the next group gathers, so the group's size follows the load.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use arrow::array::RecordBatch;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::buffer::BufferSegment;
use crate::catalog::{Admission, LiveTables};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::limits::{MAX_GROUP_COMMIT_BYTES, MAX_WAITING_COMMITS};
use crate::schema::{BatchStamp, Dataset, TableId};
use crate::wal::{Wal, WalBatch};

/// Rows of one request on their way to being durable.
#[derive(Debug)]
struct CommitRequest {
    table: TableId,
    /// The decoded rows.
    rows: RecordBatch,
    /// The same, encoded for the log.
    payload: Bytes,
    /// The memory they may take.
    admission: Admission,
    reply: oneshot::Sender<Result<()>>,
}

/// Where the order of ingestion stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IngestPosition {
    pub(crate) writer: Uuid,
    pub(crate) epoch: u64,
    pub(crate) last_sequence: u64,
    /// Ingest times never go below this, microseconds.
    pub(crate) last_ingested_us: i64,
}

/// Hands requests to the committing thread.
#[derive(Debug)]
pub(crate) struct Committer {
    requests: Mutex<Option<mpsc::Sender<CommitRequest>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Committer {
    /// Starts the thread.
    pub(crate) fn start(
        wal: Arc<Mutex<Wal>>,
        tables: Arc<LiveTables>,
        clock: Arc<dyn Clock>,
        position: IngestPosition,
    ) -> Result<Self> {
        let (requests, receiver) = mpsc::channel(MAX_WAITING_COMMITS);
        let commits = Commits { wal, tables, clock, position };
        let thread = thread::Builder::new()
            .name("group-commit".to_owned())
            .spawn(move || commits.run(receiver))
            .map_err(|error| Error::unavailable("cannot start the commit thread").with_source(error))?;
        Ok(Self { requests: Mutex::new(Some(requests)), thread: Mutex::new(Some(thread)) })
    }

    /// Returns when the rows are durable and visible.
    pub(crate) async fn commit(
        &self,
        table: TableId,
        rows: RecordBatch,
        payload: Bytes,
        admission: Admission,
    ) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        let requests = self.requests.lock().clone().ok_or_else(stopping)?;
        let request = CommitRequest { table, rows, payload, admission, reply };
        requests.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                Error::unavailable(format!("{MAX_WAITING_COMMITS} requests wait for the write-ahead log"))
            }
            mpsc::error::TrySendError::Closed(_) => stopping(),
        })?;
        drop(requests);
        answer.await.map_err(|_| stopping())?
    }

    /// Requests that no group has taken yet.
    #[cfg(test)]
    pub(crate) fn num_waiting(&self) -> usize {
        let requests = self.requests.lock();
        requests.as_ref().map_or(0, |requests| requests.max_capacity() - requests.capacity())
    }

    /// Takes no more requests, finishes those that wait, and ends the thread.
    pub(crate) fn stop(&self) {
        drop(self.requests.lock().take());
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the commit thread panicked");
        }
    }
}

fn stopping() -> Error {
    Error::unavailable("the engine is stopping")
}

/// What the thread owns.
struct Commits {
    wal: Arc<Mutex<Wal>>,
    tables: Arc<LiveTables>,
    clock: Arc<dyn Clock>,
    position: IngestPosition,
}

/// One table's share of a group.
struct Share {
    batch: WalBatch,
    segments: Vec<BufferSegment>,
}

impl Commits {
    fn run(mut self, mut requests: mpsc::Receiver<CommitRequest>) {
        while let Some(first) = requests.blocking_recv() {
            let mut group = vec![first];
            let mut group_bytes = group[0].payload.len();
            while group_bytes < MAX_GROUP_COMMIT_BYTES
                && let Ok(next) = requests.try_recv()
            {
                group_bytes += next.payload.len();
                group.push(next);
            }
            self.commit_group(group);
        }
    }

    /// Writes a group and answers its requests. A client that went away meanwhile does not undo the commit.
    fn commit_group(&mut self, group: Vec<CommitRequest>) {
        match self.write_group(&group) {
            Ok(shares) => {
                for Share { batch, segments } in shares {
                    self.tables.push(batch.table, segments, batch.stamp.ingested_us);
                }
                for request in group {
                    request.admission.keep();
                    let _ = request.reply.send(Ok(()));
                }
            }
            Err(error) => {
                tracing::error!(%error, requests = group.len(), "a group commit failed");
                for request in group {
                    let _ = request.reply.send(Err(Error::new(error.kind(), error.to_string())));
                }
            }
        }
    }

    fn write_group(&mut self, group: &[CommitRequest]) -> Result<Vec<Share>> {
        let shares = self.stamp(group)?;
        let batches: Vec<WalBatch> = shares.iter().map(|share| share.batch.clone()).collect();
        let began = Instant::now();
        self.wal.lock().append(&batches)?;
        self.tables.meters().wal_commits.record(began.elapsed());
        Ok(shares)
    }

    /// Gives each table's rows of the group their sequence number, ingest time and row ids.
    fn stamp(&mut self, group: &[CommitRequest]) -> Result<Vec<Share>> {
        let mut by_table: BTreeMap<TableId, Vec<&CommitRequest>> = BTreeMap::new();
        for request in group {
            by_table.entry(request.table).or_default().push(request);
        }
        let position = &mut self.position;
        position.last_ingested_us = position.last_ingested_us.max(self.clock.now_us());
        by_table
            .into_iter()
            .map(|(table, requests)| {
                position.last_sequence += 1;
                let stamp = BatchStamp {
                    writer: position.writer,
                    epoch: position.epoch,
                    sequence: position.last_sequence,
                    ingested_us: position.last_ingested_us,
                };
                let payloads = requests.iter().map(|request| request.payload.clone()).collect();
                let rows = requests.iter().map(|request| (&request.rows, request.admission.size_bytes()));
                let segments = stamp_segments(table.dataset(), rows, &stamp)?;
                Ok(Share { batch: WalBatch { table, stamp, payloads }, segments })
            })
            .collect()
    }
}

/// Makes visible rows of one batch's payloads, numbered through in their order.
pub(crate) fn stamp_segments<'r>(
    dataset: Dataset,
    payloads: impl Iterator<Item = (&'r RecordBatch, usize)>,
    stamp: &BatchStamp,
) -> Result<Vec<BufferSegment>> {
    let mut next_ordinal = 0_u32;
    payloads
        .map(|(rows, size_bytes)| {
            let num_rows = u32::try_from(rows.num_rows()).ok();
            let end = num_rows.and_then(|num_rows| next_ordinal.checked_add(num_rows));
            let end = end.ok_or_else(|| Error::internal("a batch of more than 2^32 rows"))?;
            let segment = BufferSegment::stamped(dataset, rows, stamp, next_ordinal..end, size_bytes)?;
            next_ordinal = end;
            Ok(segment)
        })
        .collect()
}
