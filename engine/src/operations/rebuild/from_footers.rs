//! A catalog from the data files alone.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::compaction_lineage::{Ambiguity, FoundFile, resolve_compactions};
use super::flush_lineage::resolve_flushes;
use super::{OnAmbiguity, Plan, RebuildFindingKind, Sources};
use crate::catalog::WriterMarks;
use crate::error::Result;
use crate::operations::evidence::read_footers;
use crate::operations::row_search::find_batches;
use crate::schema::TableId;
use crate::storage::{DataFile, FileSource};

/// Plans the catalog that the footers tell of.
pub(super) async fn plan(sources: &Sources<'_>) -> Result<Plan> {
    let mut plan = Plan::default();
    for problem in &sources.manifests.problems {
        plan.find(RebuildFindingKind::Note, &problem.object, &problem.message);
    }
    let (files, damaged) = found_files(sources, &mut plan).await?;
    let compactions = resolve_compactions(&files);
    let compacted: Vec<(TableId, &DataFile)> = compactions
        .live
        .iter()
        .filter_map(|id| files.get(id))
        .map(|found| (found.origin.table, &found.file))
        .collect();
    let in_compacted = find_batches(&sources.folder.storage, &compacted, &sources.log.batches).await?;
    let flushes = resolve_flushes(&files, &compactions, &sources.log, &in_compacted);

    for (id, path, message) in damaged {
        if compactions.dropped.contains_key(&id) {
            plan.find(RebuildFindingKind::Note, path, format!("{message}; its rows are in other files"));
        } else {
            plan.find(RebuildFindingKind::Ambiguous, path, format!("{message}; it cannot be taken"));
        }
    }
    let name = |id: &Uuid| files.get(id).map_or_else(|| id.to_string(), |found| found.file.path.to_string());
    for (id, reason) in compactions.dropped.iter().chain(&flushes.dropped) {
        if files.contains_key(id) {
            plan.find(RebuildFindingKind::Note, name(id), reason.clone());
        }
    }
    for (id, note) in compactions.notes.iter().chain(&flushes.notes) {
        plan.find(RebuildFindingKind::Note, name(id), note.clone());
    }
    let mut live: Vec<Uuid> = compactions.live.iter().chain(&flushes.live).copied().collect();
    for Ambiguity { files: undecided, message } in compactions.ambiguous.iter().chain(&flushes.ambiguous) {
        if undecided.is_empty() {
            plan.find(RebuildFindingKind::Ambiguous, "", message.clone());
        }
        for id in undecided {
            plan.find(RebuildFindingKind::Ambiguous, name(id), message.clone());
        }
        if sources.on_ambiguity == OnAmbiguity::Keep {
            live.extend(undecided);
        }
    }
    live.sort_unstable();
    live.dedup();
    let taken = live.iter().filter_map(|id| files.get(id));
    plan.live = taken.map(|found| (found.origin.table, found.file.clone())).collect();
    plan.ranges = flushes.ranges;
    Ok(plan)
}

type Damaged = Vec<(Uuid, String, String)>;

/// Every readable file by its id, and what is wrong with the others.
async fn found_files(sources: &Sources<'_>, plan: &mut Plan) -> Result<(BTreeMap<Uuid, FoundFile>, Damaged)> {
    let objects = sources.objects.data_files.values().cloned();
    let footers = read_footers(&sources.folder.storage, objects).await?;
    let (mut files, mut damaged) = (BTreeMap::new(), Vec::new());
    for (path, read) in footers {
        let footer = match read {
            Ok(footer) => footer,
            Err(error) => {
                let id = sources.objects.data_files.get(&path).map(|object| object.id).unwrap_or_default();
                damaged.push((id, path.to_string(), error.to_string()));
                continue;
            }
        };
        let last_sequence = match footer.origin.source {
            FileSource::Flush { last_sequence, .. } => last_sequence,
            FileSource::Compaction { .. } => 0,
        };
        plan.note_marks(WriterMarks {
            writer: footer.origin.writer,
            epoch: footer.origin.epoch,
            last_sequence,
            last_ingested_us: footer.facts.max_ingested_us,
        });
        let sidecar_bytes = sources.objects.sidecar_bytes(&path);
        let file = footer.data_file(path, sidecar_bytes);
        files.insert(file.id, FoundFile { file, origin: footer.origin });
    }
    damaged.sort();
    Ok((files, damaged))
}
