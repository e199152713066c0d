//! Requests that are sent to the simulated machine, alone and together.

use std::sync::Arc;

use rand::Rng;
use serde_json::json;
use tokio::task::{JoinHandle, yield_now};

use super::Broken;
use super::model::Fate;
use super::reader::body;
use super::world::{DAY_US, World, expect_unavailable};
use crate::error::{Error, Result};
use crate::ingest::{DecodedLogs, RecordLimits, decode_otlp_json};
use crate::schema::{ProjectId, TableId};

impl World {
    /// Sends requests. The first one is on its way to the disk when the others come in, so that these share a
    /// group commit.
    pub(super) async fn ingest(&mut self, num_requests: usize) -> Result<(), Broken> {
        let engine = self.engine();
        if num_requests > 1 {
            self.disk.close_gate();
        }
        let mut sent: Vec<(usize, JoinHandle<Result<()>>)> = Vec::new();
        for _ in 0..num_requests {
            let (request, project, logs) = self.request();
            let running = Arc::clone(&engine);
            let task = tokio::spawn(async move { running.ingest(TableId::logs(project), logs).await });
            // One after another they come to where they wait, or are refused at once.
            let num_waiting = engine.committer().num_waiting();
            let is_first = sent.iter().all(|(_, task)| task.is_finished());
            while num_requests > 1 && !task.is_finished() {
                let is_there = match is_first {
                    true => self.disk.is_gate_reached(),
                    false => engine.committer().num_waiting() > num_waiting,
                };
                if is_there {
                    break;
                }
                yield_now().await;
            }
            sent.push((request, task));
        }
        self.disk.open_gate();
        for (request, task) in sent {
            let answer = task.await.map_err(|error| Broken(format!("an ingestion panicked: {error}")))?;
            let fate = fate(&answer)?;
            if fate != Fate::Stored {
                self.faults.note(format!("    request {request} is {fate:?}"));
            }
            self.model.settle(request, fate);
        }
        // Old records expire as they come in.
        self.note_expired();
        Ok(())
    }

    /// A request of random size, most of its records of now, some late, early or anywhere.
    fn request(&mut self) -> (usize, ProjectId, DecodedLogs) {
        let project = self.project();
        let num_rows = match self.rng.random_range(0..10) {
            0..5 => self.rng.random_range(1..4),
            5..9 => self.rng.random_range(4..20),
            _ => self.rng.random_range(20..80),
        };
        let spread = self.rng.random_range(0..10);
        let timestamps_us: Vec<i64> = (0..num_rows).map(|_| self.timestamp(spread)).collect();
        let padding = if self.rng.random_bool(0.05) { 5000 } else { 20 };
        let request = self.model.send(project.0, &timestamps_us, self.now_us);
        let records = timestamps_us.iter().enumerate().map(|(index, timestamp_us)| {
            let padding = "x".repeat(self.rng.random_range(0..padding));
            json!({
                "timeUnixNano": (timestamp_us * 1000).to_string(),
                "body": {"stringValue": body(request, index, &padding)},
                "attributes": [{"key": "index", "value": {"intValue": index.to_string()}}],
            })
        });
        let records: Vec<_> = records.collect();
        let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).to_string();
        let logs = decode_otlp_json(body.as_bytes(), self.now_us, &RecordLimits::default());
        (request, project, logs.expect("BUG: a request that cannot be decoded"))
    }

    fn timestamp(&mut self, spread: u32) -> i64 {
        let around_us = match spread {
            0 => 40 * DAY_US,
            1..3 => 3 * DAY_US,
            _ => 60_000_000,
        };
        self.now_us + self.rng.random_range(-around_us..around_us)
    }
}

/// What an answer says about a request. Only a write that has begun leaves it open.
fn fate(answer: &Result<()>) -> Result<Fate, Broken> {
    let Err(error) = answer else { return Ok(Fate::Stored) };
    expect_unavailable("an ingestion", error)?;
    Ok(if has_begun_to_write(error) { Fate::Open } else { Fate::Absent })
}

fn has_begun_to_write(error: &Error) -> bool {
    error.message().starts_with("cannot write ")
}
