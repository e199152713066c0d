//! The few things that are safe to mend.
//!
//! - Intents of lives that have ended: their objects were never committed.
//! - Objects that the catalog does not know, once somebody has confirmed that they are not needed.
//! - Sidecars: made anew from data files that are in order.
//! - Manifests, while nothing is wrong with the catalog: a checkpoint tells all of it anew.
//! - With an explicit id: a data file that is missing or damaged leaves the catalog. What is there of it moves to
//!   `_quarantine/`.

use std::collections::BTreeSet;

use object_store::path::Path;
use uuid::Uuid;

use super::DoctorOptions;
use super::finding::{DoctorReport, Finding, FindingKind};
use super::object_check::unknown_objects;
use crate::catalog::{
    CatalogFile, CatalogImage, CatalogStore, Transaction, publish_manifest, write_checkpoint,
};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::MIN_SIDECAR_ROWS;
use crate::operations::evidence::ObjectList;
use crate::operations::folder::StoppedFolder;
use crate::operations::sidecars::remake;
use crate::storage::{Storage, sidecar_path};

/// Where files are kept that have left the catalog for their damage.
const QUARANTINE: &str = "_quarantine";

/// What makes a catalog untrustworthy.
const CATALOG_FAULTS: &[FindingKind] =
    &[FindingKind::CatalogDamaged, FindingKind::CatalogOutdated, FindingKind::FileDiffers];

/// Mends what the options allow, and notes it in the report.
pub(super) async fn repair(
    folder: &StoppedFolder,
    image: &CatalogImage,
    objects: &ObjectList,
    clock: &dyn Clock,
    options: &DoctorOptions,
    report: &mut DoctorReport,
) -> Result<()> {
    let dropped = files_to_drop(image, &options.drop, report)?;
    if report.has(&[FindingKind::CatalogOutdated]) {
        return Ok(());
    }
    let (catalog, _) = CatalogStore::open(&folder.data_dir).await?;
    let storage = &folder.storage;
    let done = async {
        drop_files(&catalog, storage, &dropped, objects, clock.now_us(), report).await?;
        if options.repair {
            mend(&catalog, storage, image, objects, options.confirm, report).await?;
        }
        Ok(())
    };
    let done: Result<()> = done.await;
    catalog.close().await;
    done
}

async fn mend(
    catalog: &CatalogStore,
    storage: &Storage,
    image: &CatalogImage,
    objects: &ObjectList,
    is_confirmed: bool,
    report: &mut DoctorReport,
) -> Result<()> {
    let unknown = unknown_objects(image, objects);
    let may_sweep = is_confirmed || !image.is_sweep_paused;
    if may_sweep {
        for (file_id, path) in &image.intents {
            // One that the catalog holds was committed, whatever its intent says.
            if !image.files.iter().any(|file| file.file.id == *file_id) {
                storage.delete(path).await?;
                storage.delete(&sidecar_path(path)).await?;
            }
            catalog.forget_intent(*file_id).await?;
        }
        mark_repaired(report, FindingKind::DeadIntent, |_| true);
    }
    if is_confirmed {
        for path in &unknown {
            storage.delete(path).await?;
        }
        mark_repaired(report, FindingKind::UnknownObject, |_| true);
    }
    let is_nothing_unknown = unknown.is_empty() && image.intents.is_empty();
    if image.is_sweep_paused && (is_confirmed || is_nothing_unknown) {
        catalog.resume_sweep().await?;
        report.notes.push("objects of lives that have ended are swept again".to_owned());
    }
    mend_sidecars(catalog, storage, image, report).await?;
    let is_manifest = [FindingKind::ManifestDamaged, FindingKind::ManifestsDiffer];
    if report.has(&is_manifest) && !report.has(CATALOG_FAULTS) {
        while publish_manifest(catalog, storage).await?.is_some_and(|published| published.has_more) {}
        write_checkpoint(catalog, storage).await?;
        is_manifest.iter().for_each(|kind| mark_repaired(report, *kind, |_| true));
    }
    Ok(())
}

/// Makes sidecars anew. One whose data file cannot be read stays as it was found.
async fn mend_sidecars(
    catalog: &CatalogStore,
    storage: &Storage,
    image: &CatalogImage,
    report: &mut DoctorReport,
) -> Result<()> {
    let is_open = |finding: &Finding| finding.kind == FindingKind::SidecarDamaged && !finding.is_repaired;
    let found: BTreeSet<String> = report
        .findings
        .iter()
        .filter(|finding| is_open(finding))
        .map(|finding| finding.object.clone())
        .collect();
    let live = image.files.iter().filter(|file| file.removed_snapshot.is_none());
    for CatalogFile { table, file, .. } in live {
        let path = file.sidecar_path();
        if !found.contains(path.as_ref()) {
            continue;
        }
        match remake(catalog, storage, *table, file, MIN_SIDECAR_ROWS).await {
            Ok(_) => mark_repaired(report, FindingKind::SidecarDamaged, |object| object == path.as_ref()),
            Err(error) if error.kind() == ErrorKind::CorruptData => {
                report.notes.push(format!("{path} cannot be made anew: {error}"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn mark_repaired(report: &mut DoctorReport, kind: FindingKind, of: impl Fn(&str) -> bool) {
    let findings = report.findings.iter_mut().filter(|finding| finding.kind == kind);
    findings.filter(|finding| of(&finding.object)).for_each(|finding| finding.is_repaired = true);
}

/// The catalog's entries of files that may be dropped.
///
/// # Errors
/// `InvalidRequest` for a file that is not live, or in order.
fn files_to_drop<'i>(
    image: &'i CatalogImage,
    ids: &[Uuid],
    report: &DoctorReport,
) -> Result<Vec<&'i CatalogFile>> {
    let find = |id: &Uuid| {
        let live = image.files.iter().find(|file| file.file.id == *id && file.removed_snapshot.is_none());
        let file =
            live.ok_or_else(|| Error::invalid_request(format!("the catalog has no data file {id}")))?;
        let is_fault = |kind| matches!(kind, FindingKind::FileMissing | FindingKind::FileDamaged);
        let is_faulty = report
            .findings
            .iter()
            .any(|finding| is_fault(finding.kind) && finding.object == file.file.path.as_ref());
        if !is_faulty {
            let path = &file.file.path;
            return Err(Error::invalid_request(format!(
                "data file {path} is neither missing nor damaged as far as this check has looked"
            )));
        }
        Ok(file)
    };
    ids.iter().map(find).collect()
}

/// Takes files out of the catalog. What is there of one is copied aside before anything else happens to it.
async fn drop_files(
    catalog: &CatalogStore,
    storage: &Storage,
    files: &[&CatalogFile],
    objects: &ObjectList,
    now_us: i64,
    report: &mut DoctorReport,
) -> Result<()> {
    for CatalogFile { table, file, .. } in files {
        let is_there = objects.data_files.contains_key(&file.path);
        if is_there {
            set_aside(storage, &file.path).await?;
        }
        let transaction = Transaction {
            table: *table,
            committed_us: now_us,
            added: Vec::new(),
            removed: vec![file.id],
            flushed: None,
        };
        catalog.commit(&transaction).await?;
        // Objects go only once a manifest tells of the removal.
        while publish_manifest(catalog, storage).await?.is_some_and(|published| published.has_more) {}
        storage.delete(&file.path).await?;
        storage.delete(&file.sidecar_path()).await?;
        catalog.forget_files(&[file.id]).await?;
        mark_repaired(report, FindingKind::FileMissing, |object| object == file.path.as_ref());
        mark_repaired(report, FindingKind::FileDamaged, |object| object == file.path.as_ref());
        mark_repaired(report, FindingKind::SidecarDamaged, |object| object == file.sidecar_path().as_ref());
        report.notes.push(format!("{} rows of {table} were given up with {}", file.num_rows, file.path));
    }
    Ok(())
}

/// Keeps a copy of an object, piece by piece.
async fn set_aside(storage: &Storage, path: &Path) -> Result<()> {
    const PIECE_BYTES: u64 = 8 << 20;
    let size_bytes = storage.size(path).await?;
    let mut upload = storage.upload(&Path::from(format!("{QUARANTINE}/{path}")));
    for start in (0..size_bytes).step_by(PIECE_BYTES as usize) {
        let end = size_bytes.min(start + PIECE_BYTES);
        upload.write(storage.get_range(path, start..end).await?).await?;
    }
    upload.finish().await.map(drop)
}
