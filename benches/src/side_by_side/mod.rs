//! Timberline side by side with other engines: the same rows, the same questions, in the same run.
//!
//! | module | what |
//! |---|---|
//! | `dataset`, `plain_record` | where rows come from |
//! | `traits` | what is in them, and so what to ask for |
//! | `load`, `bodies` | the rows as bodies for Timberline, and as a file for the others |
//! | `timberline` | a server, spoken to over HTTP |
//! | `peer` | the other engines: two in Python processes, and a VictoriaLogs server that runs somewhere |
//! | `questions` | what is asked, in every engine's language |
//! | `answer` | answers in one form, to be compared |
//! | `report`, `growth`, `plot` | what came of it |
//! | `sustained` | the server alone, while rows come in without a break |
//! | `explore` | the server alone, while rows come in at a steady rate and many ask |
//!
//! Every question is asked several times, the engines in turn, each time of a window that has moved. The run fails when
//! two engines disagree.

mod answer;
mod bodies;
mod dataset;
mod explore;
mod growth;
mod load;
mod peer;
mod plain_record;
mod plot;
mod questions;
mod report;
mod sustained;
mod timberline;
mod traits;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

pub use dataset::Dataset;
pub use explore::{Exploration, Explored, explore};
pub use growth::Growth;
pub use peer::{VictoriaLogsUrl, default_python};
pub use report::SideBySide;
pub use sustained::{Ingestion, Sustained, ingest};

use self::answer::{Answer, Form};
use self::load::{Loaded, Rows};
use self::peer::{Dialect, Peer, PythonPeer, VictoriaLogs};
use self::questions::{QUESTIONS, Question};
use self::timberline::Timberline;
use self::traits::Chosen;
use crate::machine::Machine;
use crate::size::FolderSize;

/// What to compare, and with what.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The rows.
    pub dataset: Dataset,
    /// At most so many of a file.
    pub max_rows: u64,
    /// Times that every question is asked; at least 1.
    pub repetitions: usize,
    /// The Python that may have the other engines; none for Timberline alone.
    pub python: Option<PathBuf>,
    /// A VictoriaLogs server to compare with too.
    pub victorialogs: Option<VictoriaLogsUrl>,
    /// A program that runs the server's commands after the word `timberline`.
    pub program: PathBuf,
}

/// The times of one question, by engine, Timberline first.
#[derive(Clone, Debug)]
struct Timed {
    question: Question,
    /// None of an engine that could not answer it exactly.
    times: Vec<Vec<Duration>>,
    /// The last answer.
    answer: Answer,
}

/// Loads all engines and asks all questions.
///
/// # Errors
/// When an engine fails, or two disagree.
pub async fn compare(comparison: &Comparison) -> Result<SideBySide> {
    ensure!(comparison.repetitions > 0, "repetitions must be at least 1, not 0");
    let folder = tempfile::tempdir()?;
    let dialects: Vec<Dialect> = Dialect::ALL
        .into_iter()
        .filter(|dialect| {
            comparison.python.as_ref().is_some_and(|python| PythonPeer::is_installed(python, *dialect))
        })
        .collect();
    let victorialogs = match &comparison.victorialogs {
        Some(url) => Some(VictoriaLogs::reach(url).await?),
        None => None,
    };
    eprintln!("preparing rows");
    let has_peers = !dialects.is_empty() || victorialogs.is_some();
    let rows = Rows::prepare(&comparison.dataset, comparison.max_rows, folder.path(), has_peers)?;
    eprintln!("loading Timberline with {} rows", rows.chosen.num_rows);
    let data_dir = folder.path().join("timberline");
    let mut timberline = Timberline::start(&comparison.program, &data_dir, &[])?;
    let loaded = Loaded::load(&mut timberline, &rows).await?;
    let size = FolderSize::of(&data_dir)?;
    let mut peers = Vec::new();
    for dialect in dialects {
        eprintln!("loading {}", dialect.name());
        let python = comparison.python.as_ref().context("peers without Python")?;
        peers.push(Peer::Python(PythonPeer::start(python, dialect, folder.path(), &rows.file)?));
    }
    if let Some(mut victorialogs) = victorialogs {
        eprintln!("loading VictoriaLogs");
        victorialogs.load(&rows, folder.path()).await?;
        peers.push(Peer::VictoriaLogs(victorialogs));
    }
    let timed = ask_all(&timberline, &mut peers, &rows.chosen, comparison.repetitions).await?;
    let peak_memory_bytes = timberline.peak_memory_bytes();
    timberline.stop()?;
    let mut facts = Vec::with_capacity(peers.len());
    for peer in &peers {
        facts.push(peer.facts().await);
    }
    Ok(SideBySide::new(Machine::look(), comparison, rows, loaded, size, peak_memory_bytes, facts, timed))
}

async fn ask_all(
    timberline: &Timberline,
    peers: &mut [Peer],
    chosen: &Chosen,
    repetitions: usize,
) -> Result<Vec<Timed>> {
    let asked = QUESTIONS.into_iter().filter(|question| question.can_be_asked(chosen));
    let mut timed: Vec<Timed> = asked
        .map(|question| Timed {
            question,
            times: vec![Vec::new(); peers.len() + 1],
            answer: Answer::default(),
        })
        .collect();
    // The first round warms every engine up and does not count.
    for repetition in 0..=repetitions {
        eprintln!("asking {} questions, {repetition} of {repetitions}", timed.len());
        for timed in &mut timed {
            let times = ask(timberline, peers, chosen, timed, repetition).await;
            let times = times.with_context(|| timed.question.name)?;
            if repetition > 0 {
                timed.times.iter_mut().zip(times).for_each(|(all, time)| all.extend(time));
            }
        }
    }
    Ok(timed)
}

async fn ask(
    timberline: &Timberline,
    peers: &mut [Peer],
    chosen: &Chosen,
    timed: &mut Timed,
    repetition: usize,
) -> Result<Vec<Option<Duration>>> {
    let asked = timed.question.asked(chosen, repetition);
    let form = timed.question.form;
    let http = asked.http();
    let (elapsed, reply) = timberline.ask(http.method, &http.path, http.body.as_ref()).await?;
    timed.answer = Answer::of_reply(&reply, form)?;
    let mut times = vec![Some(elapsed)];
    for peer in peers {
        let Some(replied) = peer.ask(&asked).await? else {
            times.push(None);
            continue;
        };
        let answer = peer.compared(replied.answer, &asked, form);
        let ours = peer.compared(timed.answer.clone(), &asked, form);
        if !answer.agrees(&ours, form) {
            let version = peer.facts().await.version;
            let difference = difference(&answer, &ours, form);
            let (summary, question) = (timed.answer.summary(), replied.question);
            bail!("{version} does not agree: {difference} against {summary} of Timberline, to {question}");
        }
        times.push(Some(replied.elapsed));
    }
    Ok(times)
}

/// Where two answers differ first.
fn difference(answer: &Answer, other: &Answer, form: Form) -> String {
    let place = answer.first_difference(other, form).unwrap_or_default();
    format!("{}, row {place} {:?} against {:?}", answer.summary(), answer.0.get(place), other.0.get(place))
}
