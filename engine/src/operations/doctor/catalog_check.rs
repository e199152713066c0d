//! The catalog against the manifests, the intents and the write-ahead log.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::finding::{DoctorReport, FindingKind};
use crate::catalog::{CATALOG_FILE_NAME, CatalogImage, MANIFEST_FOLDER, ManifestImage, ManifestSet};
use crate::schema::TableId;
use crate::storage::DataFile;
use crate::wal::WalContents;

/// What mends manifests while the catalog is right.
const NEW_CHECKPOINT: &str = "--repair writes a new checkpoint from the catalog";
const REBUILD: &str = "`timberline catalog rebuild` makes the catalog anew";

/// Segments that refuse a start.
pub(super) fn check_log(log: &WalContents, report: &mut DoctorReport) {
    for (path, problem) in &log.problems {
        let restore = "restore the file, or move it away to give up what it holds";
        report.add(
            FindingKind::LogDamaged,
            path.display(),
            format!("write-ahead log: {problem}"),
            Some(restore),
        );
    }
}

/// Objects that an earlier life meant to write and did not commit.
pub(super) fn check_intents(image: &CatalogImage, report: &mut DoctorReport) {
    let is_live = |id: &Uuid| image.files.iter().any(|file| file.file.id == *id);
    for (id, path) in image.intents.iter().filter(|(id, _)| !is_live(id)) {
        let message = format!("object {id} was never committed");
        let repair = "--repair removes the object, if it is there, and forgets the intent";
        report.add(FindingKind::DeadIntent, path, message, Some(repair));
    }
}

/// What is wrong with the manifests themselves.
pub(super) fn check_manifests_alone(manifests: &ManifestSet, report: &mut DoctorReport) {
    for problem in &manifests.problems {
        report.add(FindingKind::ManifestDamaged, &problem.object, &problem.message, Some(NEW_CHECKPOINT));
    }
}

/// Manifests must tell what the catalog holds, up to where they go.
pub(super) fn check_manifests(image: &CatalogImage, manifests: &ManifestSet, report: &mut DoctorReport) {
    check_manifests_alone(manifests, report);
    if manifests.last_snapshot > image.last_snapshot {
        let (newest, known) = (manifests.last_snapshot, image.last_snapshot);
        let message = format!("the catalog ends with snapshot {known}, and the manifests with {newest}");
        report.add(FindingKind::CatalogOutdated, CATALOG_FILE_NAME, message, Some(REBUILD));
        return;
    }
    if image.last_checkpoint == 0 && image.is_sweep_paused {
        // A rebuilt catalog: its first start writes the checkpoint that tells of it.
        return;
    }
    let Some(told) = manifests.whole() else {
        if manifests.problems.is_empty() && image.last_published > 0 {
            let message = "there are no manifests, and the catalog has published some";
            report.add(FindingKind::ManifestDamaged, MANIFEST_FOLDER, message, Some(NEW_CHECKPOINT));
        }
        return;
    };
    if told.snapshot < image.last_published {
        let (told, published) = (told.snapshot, image.last_published);
        let message = format!("manifests end with snapshot {told}, and {published} was published");
        report.add(FindingKind::ManifestDamaged, MANIFEST_FOLDER, message, Some(NEW_CHECKPOINT));
    }
    compare(image, told, report);
}

/// The catalog as it was after the manifests' last snapshot, file by file.
fn compare(image: &CatalogImage, told: &ManifestImage, report: &mut DoctorReport) {
    let then_live: BTreeMap<Uuid, (TableId, &DataFile)> = image
        .files
        .iter()
        .filter(|file| file.added_snapshot <= told.snapshot)
        .filter(|file| file.removed_snapshot.is_none_or(|removed| removed > told.snapshot))
        .map(|file| (file.file.id, (file.table, &file.file)))
        .collect();
    let mut differ = |path: &str, message: &str| {
        report.add(FindingKind::ManifestsDiffer, path, message, Some(NEW_CHECKPOINT));
    };
    for (id, (table, file)) in &then_live {
        match told.live.get(id) {
            None => differ(file.path.as_ref(), "the catalog has this data file, and the manifests do not"),
            // Sidecars come and go without a transaction.
            Some((told_table, told_file))
                if (told_table, told_file)
                    != (table, &DataFile { sidecar_bytes: told_file.sidecar_bytes, ..(*file).clone() }) =>
            {
                differ(file.path.as_ref(), "the manifests tell otherwise of this data file than the catalog");
            }
            Some(_) => {}
        }
    }
    for (_, file) in told.live.iter().filter(|(id, _)| !then_live.contains_key(id)).map(|(_, live)| live) {
        differ(file.path.as_ref(), "the manifests have this data file, and the catalog does not");
    }
}
