//! Questions while rows come in: many explorers ask at one time, and a sender keeps a steady rate beside them.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use data::LogSpec;
use tokio::time::{Instant as Tick, sleep_until};

use super::dataset::Dataset;
use super::load::{Loaded, Rows};
use super::questions::{QUESTIONS, Question};
use super::timberline::Timberline;
use super::traits::Chosen;
use crate::machine::Machine;

/// Different windows that a question is asked of, before they come round again.
const NUM_WINDOWS: usize = 200;

/// Who asks, and what comes in meanwhile.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// The rows that are there before. What comes in follows them in time.
    pub spec: LogSpec,
    /// Explorers who each ask one question after the other.
    pub explorers: usize,
    /// Records that come in a second.
    pub rate: u64,
    /// For so long.
    pub duration: Duration,
    /// The server's `memory.total_bytes`; its default when left out.
    pub memory: Option<String>,
    /// A program that runs the server's commands after the word `timberline`.
    pub program: PathBuf,
}

/// What came of it.
#[derive(Debug)]
pub struct Explored {
    machine: Machine,
    exploration: Exploration,
    sent: Steady,
    timed: Vec<(Question, Vec<Duration>)>,
    peak_memory_bytes: Option<u64>,
}

/// What a steady sender did.
#[derive(Clone, Debug, Default)]
struct Steady {
    num_rows: u64,
    elapsed: Duration,
    /// From the moment a body was due until it was acknowledged.
    latencies: Vec<Duration>,
}

/// Loads rows, then asks and sends at the same time.
///
/// # Errors
/// When the server fails, or refuses anything.
pub async fn explore(exploration: &Exploration) -> Result<Explored> {
    ensure!(exploration.explorers > 0, "there must be an explorer");
    let folder = tempfile::tempdir()?;
    let (before, fresh) = (folder.path().join("before"), folder.path().join("fresh"));
    for folder in [&before, &fresh] {
        std::fs::create_dir(folder)?;
    }
    eprintln!("preparing rows");
    let rows = prepare(&exploration.spec, &before)?;
    let fresh = prepare(&fresh_spec(exploration)?, &fresh)?;
    let fresh = fresh.counted_bodies()?.collect::<Result<Vec<_>>>()?;
    let settings: Vec<_> =
        exploration.memory.iter().map(|memory| ("TIMBERLINE_MEMORY__TOTAL_BYTES", memory.clone())).collect();
    let mut server = Timberline::start(&exploration.program, &folder.path().join("timberline"), &settings)?;
    eprintln!("loading {} rows", rows.chosen.num_rows);
    Loaded::load(&mut server, &rows).await?;
    eprintln!("exploring for {:?}", exploration.duration);
    let until = Instant::now() + exploration.duration;
    let sending = send(&server, &fresh, exploration.rate);
    let asking = futures::future::try_join_all(
        (0..exploration.explorers).map(|explorer| ask(&server, &rows.chosen, explorer, until)),
    );
    let (sent, asked) = tokio::try_join!(sending, asking)?;
    let mut timed: Vec<(Question, Vec<Duration>)> =
        QUESTIONS.into_iter().map(|question| (question, Vec::new())).collect();
    for (question, time) in asked.into_iter().flatten() {
        timed[question].1.push(time);
    }
    timed.retain(|(_, times)| !times.is_empty());
    let peak_memory_bytes = server.peak_memory_bytes();
    server.stop()?;
    let exploration = exploration.clone();
    Ok(Explored { machine: Machine::look(), exploration, sent, timed, peak_memory_bytes })
}

fn prepare(spec: &LogSpec, folder: &std::path::Path) -> Result<Rows> {
    Rows::prepare(&Dataset::Generated(spec.clone()), spec.rows, folder, false)
}

/// What comes in while questions are asked: of the time after everything else, as fresh records are.
fn fresh_spec(exploration: &Exploration) -> Result<LogSpec> {
    let duration_us = i64::try_from(exploration.duration.as_micros())?;
    let spec = &exploration.spec;
    Ok(LogSpec {
        seed: spec.seed + 1,
        rows: (exploration.rate * exploration.duration.as_secs()).max(1),
        start_us: spec.end_us,
        end_us: spec.end_us + duration_us.max(1),
        ..spec.clone()
    })
}

/// Sends each body when it is due, whatever became of those before.
async fn send(server: &Timberline, bodies: &[(u64, Bytes)], rate: u64) -> Result<Steady> {
    let (started, mut num_due) = (Tick::now(), 0);
    let mut sends = Vec::with_capacity(bodies.len());
    for (num_records, body) in bodies {
        let due = started + Duration::from_secs_f64(num_due as f64 / rate.max(1) as f64);
        num_due += num_records;
        sends.push(async move {
            sleep_until(due).await;
            server.send_one(body.clone()).await?;
            anyhow::Ok(due.elapsed())
        });
    }
    let latencies = futures::future::try_join_all(sends).await?;
    Ok(Steady { num_rows: num_due, elapsed: started.elapsed(), latencies })
}

/// Asks one question after the other, each of another window. Returns their places and times.
async fn ask(
    server: &Timberline,
    chosen: &Chosen,
    explorer: usize,
    until: Instant,
) -> Result<Vec<(usize, Duration)>> {
    let questions: Vec<(usize, Question)> = QUESTIONS
        .into_iter()
        .enumerate()
        .filter(|(_, question)| question.is_of_sidecars() && question.can_be_asked(chosen))
        .collect();
    let mut times = Vec::new();
    // Explorers do not ask the same at the same time.
    for round in (explorer * questions.len() / 16).. {
        if Instant::now() >= until {
            break;
        }
        let (place, question) = questions[round % questions.len()];
        let asked = question.asked(chosen, (explorer + round) % NUM_WINDOWS).http();
        let answer = server.ask(asked.method, &asked.path, asked.body.as_ref()).await;
        times.push((place, answer.with_context(|| question.name)?.0));
    }
    Ok(times)
}

impl Explored {
    /// Questions that were asked, and how often.
    pub fn questions(&self) -> impl Iterator<Item = (&str, usize)> {
        self.timed.iter().map(|(question, times)| (question.name, times.len()))
    }

    /// The report.
    pub fn to_markdown(&self, command: &str) -> String {
        let mut text = String::new();
        self.write(&mut text, command).expect("BUG: writing to a string does not fail");
        text
    }

    fn write(&self, text: &mut String, command: &str) -> std::fmt::Result {
        let Exploration { spec, explorers, rate, memory, .. } = &self.exploration;
        writeln!(text, "# {explorers} explorers while records come in\n\n`{command}`\n")?;
        writeln!(
            text,
            "{} records of a week were there before; {rate} a second of the time after came in (gzipped OTLP over \
             HTTP, each reply after an fsync) while explorers asked one question after the other, each of another \
             window. Everything ran on the same machine: the server, the sender and the explorers. Questions are \
             those that sidecars answer. `memory.total_bytes` is {}.\n",
            spec.rows,
            memory.as_deref().unwrap_or("the default")
        )?;
        writeln!(text, "| what | value |\n|---|---|")?;
        self.machine.write_rows(text)?;
        let seconds = self.sent.elapsed.as_secs_f64();
        writeln!(text, "| records that came in | {} in {seconds:.1} s |", self.sent.num_rows)?;
        let [median, p99, most] = quantiles(&self.sent.latencies);
        writeln!(text, "| from due to acknowledged, ms | median {median}, p99 {p99}, most {most} |")?;
        let num_asked: usize = self.timed.iter().map(|(_, times)| times.len()).sum();
        let per_second = num_asked as f64 / self.exploration.duration.as_secs_f64();
        writeln!(text, "| questions | {num_asked}, {per_second:.0} a second |")?;
        let peak = self.peak_memory_bytes.unwrap_or_default() as f64 / 1_048_576.0;
        writeln!(text, "| peak resident memory | {peak:.0} MiB |\n")?;
        writeln!(text, "Milliseconds over HTTP until the last byte:\n")?;
        writeln!(text, "| question | asked | median | p99 | slowest |\n|---|---:|---:|---:|---:|")?;
        let all: Vec<Duration> = self.timed.iter().flat_map(|(_, times)| times).copied().collect();
        let lines = self.timed.iter().map(|(question, times)| (question.name, times));
        for (name, times) in lines.chain([("all", &all)]) {
            let [median, p99, most] = quantiles(times);
            writeln!(text, "| {name} | {} | {median} | {p99} | {most} |", times.len())?;
        }
        Ok(())
    }
}

/// The median, the 99th percentile and the most, milliseconds.
fn quantiles(times: &[Duration]) -> [String; 3] {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    [0.5, 0.99, 1.0].map(|share| {
        let place = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
        sorted.get(place).map_or_else(String::new, |time| format!("{:.1}", time.as_secs_f64() * 1e3))
    })
}
