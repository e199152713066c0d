//! The audit trail at size: many entries in an engine in this process, and the questions that readers of a trail ask.

mod load;
mod questions;
mod report;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use data::ActivitySpec;
use engine::Engine;
use engine::clock::SystemClock;
use engine::config::EngineConfig;

use self::load::Loaded;
pub use self::load::{append_few, organization};
use self::questions::Question;
use crate::machine::peak_memory_bytes;
use crate::size::FolderSize;

/// The range of time that the entries are spread over.
const YEAR_US: i64 = 365 * 24 * 3_600 * 1_000_000;

/// What is measured.
#[derive(Clone, Debug)]
pub struct Trail {
    /// Entries to generate.
    pub entries: u64,
    /// Seed of the generator.
    pub seed: u64,
    /// Times each question is asked.
    pub repetitions: u32,
}

/// One question with its answers.
#[derive(Clone, Debug)]
struct Asked {
    name: &'static str,
    /// The goal: less than this at ten million entries.
    goal: Option<Duration>,
    /// Every time, in order.
    elapsed: Vec<Duration>,
    /// Entries, or values, of the last answer.
    size: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct TrailReport {
    trail: Trail,
    loaded: Loaded,
    size: FolderSize,
    peak_memory_bytes: Option<u64>,
    asked: Vec<Asked>,
}

/// Loads the entries, merges their files and asks.
///
/// # Errors
/// What the engine answers, a file that cannot be read, or an answer that is not what it must be.
pub async fn measure(trail: Trail) -> Result<TrailReport> {
    ensure!(trail.repetitions > 0, "repetitions must be at least 1, not 0");
    let folder = tempfile::tempdir()?;
    let engine = Engine::open(EngineConfig::new(folder.path()), Arc::new(SystemClock)).await?;
    let start_us = ActivitySpec::default().start_us;
    let spec = ActivitySpec {
        seed: trail.seed,
        entries: trail.entries,
        start_us,
        end_us: start_us + YEAR_US,
        team_ids: vec![1, 2, 3],
        ..ActivitySpec::default()
    };
    let loaded = load::load(&engine, spec).await.context("cannot load the entries")?;
    let size = FolderSize::of(folder.path())?;
    let mut asked = Vec::new();
    for question in questions::all(&loaded) {
        asked.push(ask(&engine, &question, trail.repetitions).await.context(question.name)?);
    }
    engine.shutdown().await?;
    Ok(TrailReport { trail, loaded, size, peak_memory_bytes: peak_memory_bytes(), asked })
}

async fn ask(engine: &Engine, question: &Question, repetitions: u32) -> Result<Asked> {
    eprintln!("asking: {}", question.name);
    let (mut elapsed, mut size) = (Vec::new(), 0);
    for _ in 0..repetitions {
        let begun = Instant::now();
        size = question.ask(engine).await?;
        elapsed.push(begun.elapsed());
    }
    ensure!(question.is_right(size), "{size} is not what the entries have");
    Ok(Asked { name: question.name, goal: question.goal, elapsed, size })
}
