//! `catalog rebuild`: the catalog made anew from manifests, or from the data files' footers.
//!
//! | module | what it does |
//! |---|---|
//! | `from_manifests` | takes the catalog that manifests tell of, and looks at what they do not know |
//! | `from_footers` | takes the files themselves, when manifests are lost or broken |
//! | `compaction_lineage`, `flush_lineage` | which files stand for which rows, by their footers; pure |
//!
//! Nothing is deleted. The catalog that was there is set aside; objects that the new one does not hold stay where
//! they are, and no sweep takes them before `doctor` has been told so.

mod compaction_lineage;
mod flush_lineage;
mod from_footers;
mod from_manifests;
mod install;

use std::error::Error as StdError;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::evidence::ObjectList;
use super::folder::StoppedFolder;
use crate::catalog::{CatalogImage, FlushedRange, ManifestSet, WriterMarks, read_manifests};
use crate::clock::Clock;
use crate::config::EngineConfig;
use crate::database::DatabaseError;
use crate::error::{Error, Result};
use crate::schema::TableId;
use crate::storage::DataFile;
use crate::wal::{self, WalContents};

pub(super) use install::write_catalog;

/// How a catalog is to be rebuilt.
#[derive(Clone, Copy, Debug, Default)]
pub struct RebuildOptions {
    /// From what.
    pub source: RebuildSource,
    /// What happens when that does not say which files are live.
    pub on_ambiguity: OnAmbiguity,
}

/// What a catalog is rebuilt from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RebuildSource {
    /// Manifests when they are whole, footers otherwise.
    #[default]
    Auto,
    /// Manifests; broken ones are an error.
    Manifests,
    /// Footers.
    Footers,
}

/// What a rebuild does about files of which it cannot tell whether they are live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnAmbiguity {
    /// Reports them and writes no catalog.
    #[default]
    Refuse,
    /// Takes them: no row is lost, some may be there twice.
    Keep,
    /// Leaves them out: no row is there twice, some may be missing. The objects stay.
    LeaveOut,
}

/// What a rebuild found and did.
#[derive(Clone, Debug)]
pub struct RebuildReport {
    /// `Manifests` or `Footers`.
    pub source: RebuildSource,
    /// Live files of the new catalog.
    pub num_files: u64,
    /// Their rows.
    pub num_rows: u64,
    /// The epoch that the new catalog begins with.
    pub epoch: u64,
    /// What was found on the way.
    pub findings: Vec<RebuildFinding>,
    /// Whether the catalog was written: it is not when something is ambiguous and that was to be refused.
    pub is_written: bool,
    /// Where the catalog is now that was there before.
    pub set_aside: Option<PathBuf>,
}

impl RebuildReport {
    /// Whether something was found that somebody has to look at.
    pub fn is_clean(&self) -> bool {
        self.findings.iter().all(|finding| finding.kind == RebuildFindingKind::Note)
    }
}

/// Something a rebuild found about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RebuildFinding {
    /// What it means for the catalog.
    pub kind: RebuildFindingKind,
    /// The object's path.
    pub object: String,
    /// What was found.
    pub message: String,
}

/// What a finding means for the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebuildFindingKind {
    /// Nothing: it says why an object is not part of the catalog.
    Note,
    /// Rows are gone or cannot be read.
    Damage,
    /// Whether the object is live cannot be told.
    Ambiguous,
}

/// What the new catalog will hold.
#[derive(Debug, Default)]
struct Plan {
    live: Vec<(TableId, DataFile)>,
    ranges: Vec<FlushedRange>,
    findings: Vec<RebuildFinding>,
    marks: Option<WriterMarks>,
}

impl Plan {
    fn find(&mut self, kind: RebuildFindingKind, object: impl ToString, message: impl Into<String>) {
        self.findings.push(RebuildFinding { kind, object: object.to_string(), message: message.into() });
    }

    /// Takes marks that are ahead of the known ones.
    fn note_marks(&mut self, marks: WriterMarks) {
        self.marks.get_or_insert(marks).advance(marks);
    }
}

/// Everything that a rebuild looks at.
struct Sources<'a> {
    folder: &'a StoppedFolder,
    objects: ObjectList,
    manifests: ManifestSet,
    log: WalContents,
    on_ambiguity: OnAmbiguity,
}

impl Sources<'_> {
    fn is_empty(&self) -> bool {
        self.objects.data_files.is_empty() && self.manifests.last_snapshot == 0 && self.log.num_segments == 0
    }
}

/// Makes the catalog of a stopped folder anew.
///
/// # Errors
/// `InvalidRequest` when there is no such folder or nothing in it; `Unavailable` when a server uses the folder or the
/// store does not answer; `CorruptData` when something of a later version is there, the write-ahead log is damaged, or manifests were asked for and are not whole.
pub async fn rebuild_catalog(
    config: &EngineConfig,
    clock: &dyn Clock,
    options: RebuildOptions,
) -> Result<RebuildReport> {
    if !config.data_dir.is_dir() {
        return Err(Error::invalid_request(format!("there is no folder {}", config.data_dir.display())));
    }
    let folder = StoppedFolder::claim(config).await?;
    let old = old_catalog(&folder.data_dir).await?;
    let sources = Sources {
        objects: ObjectList::read(&folder.storage).await?,
        manifests: read_manifests(&folder.storage).await?,
        log: readable_log(&folder.wal_directory())?,
        on_ambiguity: options.on_ambiguity,
        folder: &folder,
    };
    if old.is_none() && sources.is_empty() {
        let name = folder.data_dir.display();
        return Err(Error::invalid_request(format!("{name} has nothing that a catalog could be made from")));
    }
    let (source, mut plan) = plan(&sources, options.source).await?;
    note_other_marks(&mut plan, &sources, old.as_ref());
    let is_refused = options.on_ambiguity == OnAmbiguity::Refuse
        && plan.findings.iter().any(|finding| finding.kind == RebuildFindingKind::Ambiguous);
    let marks = next_epoch(plan.marks)?;
    let mut report = RebuildReport {
        source,
        num_files: plan.live.len() as u64,
        num_rows: plan.live.iter().map(|(_, file)| file.num_rows).sum(),
        epoch: marks.epoch,
        findings: std::mem::take(&mut plan.findings),
        is_written: !is_refused,
        set_aside: None,
    };
    if !is_refused {
        let last_snapshot = old.map_or(0, |old| old.last_snapshot).max(sources.manifests.last_snapshot);
        let (live, ranges) = (&plan.live, &plan.ranges);
        let now_us = clock.now_us();
        let snapshot = last_snapshot + 1;
        report.set_aside = write_catalog(&folder, &marks, snapshot, live, ranges, now_us).await?;
    }
    Ok(report)
}

async fn plan(sources: &Sources<'_>, source: RebuildSource) -> Result<(RebuildSource, Plan)> {
    let is_whole = sources.manifests.whole().is_some();
    match source {
        RebuildSource::Manifests if !is_whole => {
            let reasons = sources.manifests.problems.iter().map(|problem| problem.message.as_str());
            let reasons = reasons.collect::<Vec<_>>().join("; ");
            let reasons = if reasons.is_empty() { "there are none" } else { &reasons };
            Err(Error::corrupt_data(format!("the manifests are not whole: {reasons}")))
        }
        RebuildSource::Auto | RebuildSource::Manifests if is_whole => {
            Ok((RebuildSource::Manifests, from_manifests::plan(sources).await?))
        }
        _ => Ok((RebuildSource::Footers, from_footers::plan(sources).await?)),
    }
}

/// The catalog that is there, if it can be read: its numbers must not be given again.
///
/// # Errors
/// `CorruptData` when it is of a later version.
async fn old_catalog(data_dir: &Path) -> Result<Option<CatalogImage>> {
    match CatalogImage::of_folder(data_dir).await {
        Ok(image) => Ok(Some(image)),
        Err(error) if is_newer(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

fn is_newer(error: &Error) -> bool {
    let database = error.source().and_then(|source| source.downcast_ref::<DatabaseError>());
    matches!(database, Some(DatabaseError::NewerSchema { .. }))
}

fn readable_log(directory: &Path) -> Result<WalContents> {
    let log = wal::inspect(directory)?;
    match log.problems.first() {
        None => Ok(log),
        Some((path, problem)) => Err(Error::corrupt_data(format!(
            "write-ahead log {}: {problem}; restore the file, or move it away to give up what it holds",
            path.display()
        ))),
    }
}

/// Takes the marks of everything that is not part of the plan itself.
fn note_other_marks(plan: &mut Plan, sources: &Sources<'_>, old: Option<&CatalogImage>) {
    let marks = sources.manifests.marks.into_iter().chain(old.and_then(|old| old.marks));
    marks.for_each(|marks| plan.note_marks(marks));
    for (_, stamp) in &sources.log.batches {
        plan.note_marks(WriterMarks {
            writer: stamp.writer,
            epoch: stamp.epoch,
            last_sequence: stamp.sequence,
            last_ingested_us: stamp.ingested_us,
        });
    }
    for (_, file) in &plan.live {
        if let Some(marks) = &mut plan.marks {
            marks.last_ingested_us = marks.last_ingested_us.max(file.max_ingested_us);
        }
    }
    // Only what a replay may ask for.
    plan.ranges.retain(|range| {
        sources.log.holds_any(range.writer, range.table, range.first_sequence, range.last_sequence)
    });
}

/// A life after every known one.
pub(super) fn next_epoch(marks: Option<WriterMarks>) -> Result<WriterMarks> {
    let new = || WriterMarks { writer: Uuid::now_v7(), epoch: 0, last_sequence: 0, last_ingested_us: 0 };
    let mut marks = marks.unwrap_or_else(new);
    let next = marks.epoch.checked_add(1).filter(|epoch| i64::try_from(*epoch).is_ok());
    marks.epoch = next.ok_or_else(|| Error::corrupt_data(format!("epoch {} is no epoch", marks.epoch)))?;
    Ok(marks)
}
