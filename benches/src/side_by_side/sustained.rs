//! Ingestion without a break: the same ready-made bodies sent over and over, and what the server takes up meanwhile.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use reqwest::Method;
use serde_json::json;

use super::dataset::Dataset;
use super::load::Rows;
use super::timberline::{Sent, Timberline};
use crate::machine::{Machine, memory_bytes_of};
use crate::size::FolderSize;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Parts of the time of sending that the report tells apart.
const NUM_PARTS: usize = 10;
const MIB: f64 = 1_048_576.0;

/// What to send.
#[derive(Clone, Debug)]
pub struct Ingestion {
    /// The rows.
    pub dataset: Dataset,
    /// So many of them at most, made once; their bodies are sent again and again.
    pub max_rows: u64,
    /// For so long; no body is begun after it.
    pub duration: Duration,
    /// The server's `memory.total_bytes`; its default when left out.
    pub memory: Option<String>,
    /// A program that runs the server's commands after the word `timberline`.
    pub program: PathBuf,
}

/// What came of it.
#[derive(Debug)]
pub struct Sustained {
    machine: Machine,
    dataset: String,
    memory: String,
    num_rows: u64,
    num_body_bytes: u64,
    num_sent_bytes: u64,
    sent: Sent,
    /// From the last acknowledgement until nothing was left to merge.
    settled: Duration,
    looks: Vec<Look>,
    peak_memory_bytes: Option<u64>,
    size: FolderSize,
}

/// The server at one moment.
#[derive(Clone, Copy, Debug)]
struct Look {
    after: Duration,
    /// Rows of the bodies that were begun.
    num_rows: u64,
    /// Resident.
    memory_bytes: u64,
}

/// Sends, waits until the server has nothing left to do, and checks that it has every row.
///
/// # Errors
/// When the server fails, refuses a body, or has not as many rows as it has acknowledged.
pub async fn ingest(ingestion: &Ingestion) -> Result<Sustained> {
    let folder = tempfile::tempdir()?;
    eprintln!("preparing rows");
    let rows = Rows::prepare(&ingestion.dataset, ingestion.max_rows, folder.path(), false)?;
    let bodies = rows.counted_bodies()?.collect::<Result<Vec<_>>>()?;
    ensure!(!bodies.is_empty(), "there is nothing to send");
    let data_dir = folder.path().join("timberline");
    let settings: Vec<_> =
        ingestion.memory.iter().map(|memory| ("TIMBERLINE_MEMORY__TOTAL_BYTES", memory.clone())).collect();
    let mut server = Timberline::start(&ingestion.program, &data_dir, &settings)?;
    eprintln!("sending for {:?}", ingestion.duration);
    let (sent, num_rows, looks) = send(&server, &bodies, ingestion.duration).await?;
    let settling = Instant::now();
    server.restart()?;
    server.settle().await?;
    let settled = settling.elapsed();
    let everything = json!({"query": {"dateRange": {"date_from": "all"}}});
    let (_, answer) = server.ask(Method::POST, "logs/count", Some(&everything)).await?;
    ensure!(answer["count"] == num_rows, "{num_rows} rows were acknowledged, and the server has {answer}");
    let peak_memory_bytes = server.peak_memory_bytes();
    server.stop()?;
    let times = num_rows as f64 / rows.chosen.num_rows as f64;
    Ok(Sustained {
        machine: Machine::look(),
        dataset: ingestion.dataset.to_string(),
        memory: ingestion.memory.clone().unwrap_or_else(|| "the default".to_owned()),
        num_rows,
        num_body_bytes: (rows.num_body_bytes as f64 * times) as u64,
        num_sent_bytes: (rows.num_sent_bytes as f64 * times) as u64,
        sent,
        settled,
        looks,
        peak_memory_bytes,
        size: FolderSize::of(&data_dir)?,
    })
}

/// Sends bodies for a while, and looks at the server meanwhile. Returns the rows that were sent as well.
async fn send(
    server: &Timberline,
    bodies: &[(u64, Bytes)],
    duration: Duration,
) -> Result<(Sent, u64, Vec<Look>)> {
    let process = server.process().context("the server runs")?;
    let (started, num_rows) = (Instant::now(), AtomicU64::new(0));
    let endless = bodies.iter().cycle().take_while(|_| started.elapsed() < duration);
    let counted = endless.map(|(num_records, body)| {
        num_rows.fetch_add(*num_records, Ordering::Relaxed);
        Ok(body.clone())
    });
    let mut sending = Box::pin(server.send(counted));
    let (mut looks, mut ticks) = (Vec::new(), tokio::time::interval(LOOK));
    let sent = loop {
        tokio::select! {
            sent = &mut sending => break sent?,
            _ = ticks.tick() => {
                let memory_bytes = memory_bytes_of(process).context("the server's memory is not known")?;
                let (after, num_rows) = (started.elapsed(), num_rows.load(Ordering::Relaxed));
                looks.push(Look { after, num_rows, memory_bytes });
            }
        }
    };
    drop(sending);
    Ok((sent, num_rows.load(Ordering::Relaxed), looks))
}

impl Sustained {
    /// Rows that were acknowledged.
    pub fn num_rows(&self) -> u64 {
        self.num_rows
    }

    /// The report.
    pub fn to_markdown(&self, command: &str) -> String {
        let mut text = String::new();
        self.write(&mut text, command).expect("BUG: writing to a string does not fail");
        text
    }

    fn write(&self, text: &mut String, command: &str) -> std::fmt::Result {
        let (sending, all) = (self.sent.elapsed, self.sent.elapsed + self.settled);
        let per_second = |duration: Duration| self.num_rows as f64 / duration.as_secs_f64();
        let mib_per_second = |bytes: u64| bytes as f64 / MIB / sending.as_secs_f64();
        writeln!(text, "# Ingestion without a break\n\n`{command}`\n")?;
        writeln!(
            text,
            "Ready-made bodies (gzipped OTLP protobuf over HTTP) of {}, sent again and again by 8 senders on the same \
             machine; every reply comes after an fsync. `memory.total_bytes` is {}. At the end the server was asked \
             for the number of its rows, and it was that of the acknowledged ones.\n",
            self.dataset, self.memory
        )?;
        writeln!(text, "| what | value |\n|---|---|")?;
        self.machine.write_rows(text)?;
        writeln!(text, "| rows | {} |", self.num_rows)?;
        writeln!(text, "| time until the last acknowledgement | {:.1} s |", sending.as_secs_f64())?;
        writeln!(text, "| rows/s to the acknowledgement | {:.0} |", per_second(sending))?;
        writeln!(text, "| MiB/s before compression | {:.1} |", mib_per_second(self.num_body_bytes))?;
        writeln!(text, "| MiB/s as sent | {:.1} |", mib_per_second(self.num_sent_bytes))?;
        writeln!(text, "| times a sender was told to come again | {} |", self.sent.num_retries)?;
        writeln!(
            text,
            "| time from there until nothing was left to merge | {:.1} s |",
            self.settled.as_secs_f64()
        )?;
        writeln!(text, "| rows/s until nothing was left to merge | {:.0} |", per_second(all))?;
        writeln!(
            text,
            "| bytes per row, all in | {:.2} |",
            self.size.num_bytes() as f64 / self.num_rows as f64
        )?;
        let peak = self.peak_memory_bytes.map_or_else(|| "unknown".to_owned(), mib);
        writeln!(text, "| peak resident memory | {peak} |\n")?;
        writeln!(text, "Resident memory while rows came in:\n")?;
        writeln!(text, "| from | rows/s | lowest | median | highest |\n|---|---|---|---|---|")?;
        for part in self.looks.chunks(self.looks.len().div_ceil(NUM_PARTS).max(1)) {
            let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
            let mut memory: Vec<u64> = part.iter().map(|look| look.memory_bytes).collect();
            memory.sort_unstable();
            let seconds = (last.after - first.after).as_secs_f64().max(f64::MIN_POSITIVE);
            let rate = (last.num_rows - first.num_rows) as f64 / seconds;
            let [low, middle, high] = [0, memory.len() / 2, memory.len() - 1].map(|place| mib(memory[place]));
            let rate = if part.len() > 1 { format!("{rate:.0}") } else { String::new() };
            writeln!(text, "| {:.0} s | {rate} | {low} | {middle} | {high} |", first.after.as_secs_f64())?;
        }
        Ok(())
    }
}

fn mib(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / MIB)
}
