//! A catalog from manifests that are whole, and what the files say that manifests do not know.
//!
//! Manifests follow the catalog by a moment. What was committed after the last one is not lost: the rows of a flush
//! are still in the write-ahead log, and the inputs of a compaction are still there, because both wait for the
//! manifest. So an object that no manifest knows is left out, if that holds for it.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{OnAmbiguity, Plan, RebuildFindingKind, Sources};
use crate::catalog::{FlushedRange, ManifestImage};
use crate::error::{Error, Result};
use crate::operations::evidence::{DataObject, read_footers};
use crate::storage::{FileSource, Footer};

/// Plans the catalog that the manifests tell of.
pub(super) async fn plan(sources: &Sources<'_>) -> Result<Plan> {
    let image = sources.manifests.whole().ok_or_else(|| Error::internal("manifests that are not whole"))?;
    let mut plan = Plan {
        live: image.live.values().cloned().collect(),
        ranges: image.ranges.clone(),
        marks: sources.manifests.marks,
        ..Plan::default()
    };
    for problem in &sources.manifests.problems {
        plan.find(RebuildFindingKind::Note, &problem.object, &problem.message);
    }
    check_live(sources, &mut plan);
    judge_unknown(sources, image, &mut plan).await?;
    Ok(plan)
}

/// Live files that are missing stay in the catalog: a query that needs one must fail, not answer without it.
fn check_live(sources: &Sources<'_>, plan: &mut Plan) {
    let mut findings = Vec::new();
    for (_, file) in &plan.live {
        let message = match sources.objects.data_files.get(&file.path) {
            None => "data file is missing; queries that need it will fail".to_owned(),
            Some(object) if object.size_bytes != file.size_bytes => {
                let (found, expected) = (object.size_bytes, file.size_bytes);
                format!(
                    "data file has {found} bytes and should have {expected}; queries that need it will fail"
                )
            }
            Some(_) => continue,
        };
        findings.push((file.path.to_string(), message));
    }
    for (path, message) in findings {
        plan.find(RebuildFindingKind::Damage, path, message);
    }
}

/// Looks at the objects that no manifest knows.
async fn judge_unknown(sources: &Sources<'_>, image: &ManifestImage, plan: &mut Plan) -> Result<()> {
    let is_known = |id: &Uuid| image.live.contains_key(id) || image.removed.contains(id);
    let objects = &sources.objects.data_files;
    let unknown: Vec<DataObject> = objects.values().filter(|object| !is_known(&object.id)).cloned().collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let epoch = sources.manifests.marks.map_or(0, |marks| marks.epoch);
    let superseded = inputs_of_live(sources, image).await?;
    let footers = read_footers(&sources.folder.storage, unknown).await?;
    let footers: BTreeMap<_, _> = footers.into_iter().collect();
    for (path, read) in footers {
        let footer = match read {
            Ok(footer) => footer,
            Err(error) => {
                plan.find(RebuildFindingKind::Note, &path, format!("no manifest knows it; {error}"));
                continue;
            }
        };
        match why_left_out(&footer, sources, image, epoch, &superseded) {
            Some(reason) => plan.find(RebuildFindingKind::Note, &path, reason),
            None => {
                let message = "no manifest knows it, and what it was made from is not there: the newest manifests may \
                               be lost; a rebuild from footers can tell";
                plan.find(RebuildFindingKind::Ambiguous, &path, message);
                if sources.on_ambiguity == OnAmbiguity::Keep {
                    let sidecar_bytes = sources.objects.sidecar_bytes(&path);
                    plan.live.push((footer.origin.table, footer.data_file(path, sidecar_bytes)));
                }
            }
        }
    }
    Ok(())
}

/// The files that live ones stand for, as their footers say.
async fn inputs_of_live(sources: &Sources<'_>, image: &ManifestImage) -> Result<BTreeSet<Uuid>> {
    let compacted = image.live.values().filter(|(_, file)| file.level > 0);
    let there = compacted.filter_map(|(_, file)| sources.objects.data_files.get(&file.path)).cloned();
    let footers = read_footers(&sources.folder.storage, there).await?;
    let mut inputs = BTreeSet::new();
    for footer in footers.into_values().flatten() {
        if let FileSource::Compaction { inputs: replaced, .. } = footer.origin.source {
            inputs.extend(replaced);
        }
    }
    Ok(inputs)
}

/// Why an object is not live although no manifest says so; `None` when that cannot be told.
fn why_left_out(
    footer: &Footer,
    sources: &Sources<'_>,
    image: &ManifestImage,
    epoch: u64,
    superseded: &BTreeSet<Uuid>,
) -> Option<String> {
    let origin = &footer.origin;
    if superseded.contains(&origin.file_id) {
        return Some("its rows are in other files".to_owned());
    }
    if origin.epoch < epoch {
        return Some("it was never committed, or has been replaced".to_owned());
    }
    match &origin.source {
        FileSource::Flush { first_sequence, last_sequence, .. } => {
            let (first, last) = (*first_sequence, *last_sequence);
            let log = &sources.log;
            let is_in_log =
                log.holds(origin.writer, origin.table, first) && log.holds(origin.writer, origin.table, last);
            let is_flushed = |range: &FlushedRange| {
                (range.writer, range.table) == (origin.writer, origin.table)
                    && range.first_sequence <= first
                    && last <= range.last_sequence
            };
            if is_in_log {
                return Some("no manifest knows it, and the write-ahead log has its rows".to_owned());
            }
            let is_repeated = image.ranges.iter().any(is_flushed);
            is_repeated.then(|| "its rows were flushed to other files".to_owned())
        }
        FileSource::Compaction { inputs, .. } => {
            let is_accounted = |input: &Uuid| {
                image.live.contains_key(input) || image.removed.contains(input) || superseded.contains(input)
            };
            inputs
                .iter()
                .all(is_accounted)
                .then(|| "no manifest knows it, and its inputs are there".to_owned())
        }
    }
}
