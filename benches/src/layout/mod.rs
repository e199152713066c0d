//! Compares ways to lay out a data file, on generated rows, with Parquet alone: no engine, no index.
//!
//! In reading order: `rows` makes rows as the engine holds them in memory, `order` sorts them, `promotion`
//! finds the attributes worth a column, `form`, `types` and `variant` turn rows into the columns of a
//! file, `coding` says how columns are encoded, `write` and `read` do it, `questions` asks, `candidates` lists
//! what is compared, `trial` and `trials` do the same for single columns, `report` writes it down.

mod candidates;
mod coding;
mod form;
mod order;
mod promotion;
mod questions;
mod read;
mod report;
mod rows;
mod trial;
mod trials;
mod types;
mod variant;
mod write;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use arrow::array::RecordBatch;
use clap::ValueEnum;
use data::LogSpec;

use candidates::{BY_RESOURCE_128K, BY_TEMPLATE_128K, BY_TIME, Candidate};
use form::FileForm;
use order::{OrderedRows, SortOrder, order_rows};
use promotion::{KeyFacts, choose, key_facts, rarest_text};
use questions::StoredFile;
use read::OpenFile;
use report::{LayoutNumbers, Section};
use rows::RowSource;
use write::write_file;

use crate::machine::Machine;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Sort orders and sizes of row groups.
    Orders,
    /// Ways to store attributes.
    Attributes,
    /// Compression and pages of whole files.
    Compression,
    /// Encodings of single columns; of the first file's rows only.
    Columns,
    /// From version 0 to the decided layout, one improvement after the other.
    Steps,
    /// What is decided between, few enough for many rows.
    Finalists,
}

/// What is generated, and where it is written.
#[derive(Clone, Debug)]
pub struct Comparison<'a> {
    /// What to generate.
    pub spec: &'a LogSpec,
    /// What to compare.
    pub parts: &'a [Part],
    /// Rows of one file: what is in memory at a time.
    pub rows_per_file: usize,
    /// Where files of whole layouts stay; they are removed when it is left out.
    pub folder: Option<&'a Path>,
}

/// Compares layouts and returns the report as Markdown.
///
/// # Errors
/// A spec out of bounds, or files that cannot be written or read.
pub fn compare(comparison: &Comparison<'_>, command: &str) -> Result<String> {
    let Comparison { spec, parts, rows_per_file, folder } = *comparison;
    let temporary = tempfile::tempdir()?;
    let folder = folder.unwrap_or(temporary.path());
    let mut source = RowSource::new(spec.clone())?;
    let mut contests: Vec<Contest> = parts.iter().filter_map(|part| Contest::of(*part)).collect();
    let mut sections = Vec::new();
    let mut num_files = 0;
    let mut rare = String::new();
    loop {
        let rows = source.next_rows(rows_per_file)?;
        if rows.is_empty() {
            break;
        }
        eprintln!("file {num_files}: {} rows made", count_rows(&rows));
        let facts = key_facts(rows.iter())?;
        if num_files == 0 && parts.contains(&Part::Columns) {
            sections.extend(try_columns(folder, &rows, &facts)?);
        }
        if num_files == 0 {
            rare = rarest_text(&facts).context("no attribute is a text")?.key.clone();
        }
        write_all(&mut contests, folder, num_files, &rows, &facts)?;
        num_files += 1;
    }
    ensure!(num_files > 0, "no rows to lay out");
    for (number, contest) in contests.into_iter().enumerate() {
        sections.insert(number, contest.finish(&rare)?);
    }
    Ok(report::to_markdown(&Machine::look(), spec, command, &sections))
}

fn count_rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

/// Candidates that are compared with each other.
#[derive(Debug)]
struct Contest {
    title: &'static str,
    note: &'static str,
    entrants: Vec<Entrant>,
}

/// A layout, its files so far, and what they took.
#[derive(Debug)]
struct Entrant {
    candidate: Candidate,
    files: Vec<StoredFile>,
    numbers: LayoutNumbers,
}

impl Contest {
    fn of(part: Part) -> Option<Self> {
        let (title, note, candidates) = match part {
            Part::Orders => ("Sort order", candidates::ORDERS_NOTE, candidates::orders()),
            Part::Attributes => ("Attributes", candidates::ATTRIBUTES_NOTE, candidates::attributes()),
            Part::Compression => ("Compression", candidates::COMPRESSION_NOTE, candidates::compression()),
            Part::Finalists => ("Finalists", candidates::FINALISTS_NOTE, candidates::finalists()),
            Part::Steps => ("Step by step", candidates::STEPS_NOTE, candidates::steps()),
            Part::Columns => return None,
        };
        let entrants = candidates.into_iter().map(|candidate| {
            let numbers = LayoutNumbers { name: candidate.name.clone(), ..LayoutNumbers::default() };
            Entrant { candidate, files: Vec::new(), numbers }
        });
        Some(Self { title, note, entrants: entrants.collect() })
    }

    fn finish(self, rare: &str) -> Result<Section> {
        eprintln!("asking: {}", self.title);
        let files: Vec<_> = self.entrants.iter().map(|entrant| entrant.files.as_slice()).collect();
        let answers = questions::ask_all(&files, rare)?;
        let layouts: Vec<_> = self
            .entrants
            .into_iter()
            .zip(answers)
            .map(|(entrant, answers)| LayoutNumbers { answers, ..entrant.numbers })
            .collect();
        check_answers(&layouts)?;
        Ok(Section {
            title: self.title.to_owned(),
            note: self.note.to_owned(),
            questions: questions::names(rare).to_vec(),
            layouts,
            trials: Vec::new(),
        })
    }
}

/// Every layout holds the same rows, so all answers must agree.
fn check_answers(layouts: &[LayoutNumbers]) -> Result<()> {
    let sizes = |layout: &LayoutNumbers| layout.answers.iter().map(|answer| answer.size).collect::<Vec<_>>();
    for pair in layouts.windows(2) {
        let (left, right) = (sizes(&pair[0]), sizes(&pair[1]));
        ensure!(left == right, "{} answers {left:?}, {} answers {right:?}", pair[0].name, pair[1].name);
    }
    Ok(())
}

/// Writes one file of the same rows for every candidate.
fn write_all(
    contests: &mut [Contest],
    folder: &Path,
    number: usize,
    rows: &[RecordBatch],
    facts: &[KeyFacts],
) -> Result<()> {
    let mut entrants: Vec<&mut Entrant> =
        contests.iter_mut().flat_map(|contest| &mut contest.entrants).collect();
    // Ordering is done once for all that share an order.
    entrants.sort_by_key(|entrant| entrant.candidate.order.name());
    let mut ordered: Option<(SortOrder, OrderedRows)> = None;
    for (place, entrant) in entrants.into_iter().enumerate() {
        let Candidate { order, attributes, form, coding, .. } = &entrant.candidate;
        let rows = match ordered.take() {
            Some((last, rows)) if last == *order => rows,
            _ => order_rows(rows, order)?,
        };
        let attributes = attributes.form(facts, rows.num_rows());
        let form = FileForm { attributes, ..form.clone() };
        let coding = coding.clone().for_attributes(&form);
        let path = folder.join(format!("{place}-{number}.parquet"));
        let file = write_file(&path, &rows, &form, &coding)
            .with_context(|| format!("cannot write {}", entrant.numbers.name))?;
        eprintln!("{}: {:.2} bytes/row", entrant.numbers.name, file.num_bytes as f64 / file.num_rows as f64);
        let numbers = &mut entrant.numbers;
        numbers.num_rows += file.num_rows;
        numbers.num_bytes += file.num_bytes;
        numbers.order += rows.elapsed;
        numbers.write += file.elapsed;
        for (column, bytes) in file.column_bytes {
            *numbers.column_bytes.entry(column).or_default() += bytes;
        }
        entrant.files.push(StoredFile { open: OpenFile::open(&path, &coding)?, attributes: form.attributes });
        ordered = Some((order.clone(), rows));
    }
    Ok(())
}

/// Tries encodings of single columns, in each of three orders.
fn try_columns(folder: &Path, rows: &[RecordBatch], facts: &[KeyFacts]) -> Result<Vec<Section>> {
    let mut sections = Vec::new();
    let hot = choose(facts, count_rows(rows), trials::MAX_PROMOTED, trials::MIN_PROMOTED_SHARE);
    for order in [BY_TIME, BY_RESOURCE_128K, BY_TEMPLATE_128K] {
        eprintln!("columns in {}", order.name());
        let ordered = order_rows(rows, &order)?;
        let mut trials = trials::uuid(folder, &ordered)?;
        trials.extend(trials::times(folder, &ordered)?);
        trials.extend(trials::trace_ids(folder, &ordered)?);
        trials.extend(trials::small(folder, &ordered)?);
        trials.extend(trials::body(folder, &ordered)?);
        trials.extend(trials::promoted(folder, &ordered, &hot)?);
        sections.push(Section {
            title: format!("Single columns, {}", order.name()),
            note: trials::NOTE.to_owned(),
            questions: Vec::new(),
            layouts: Vec::new(),
            trials,
        });
    }
    Ok(sections)
}
