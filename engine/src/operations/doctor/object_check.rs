//! The catalog against the objects, and each data file against itself.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;

use super::deep::decode_all;
use super::finding::{DoctorReport, FindingKind};
use crate::catalog::{CatalogFile, CatalogImage};
use crate::error::{ErrorKind, Result};
use crate::operations::evidence::{DataObject, ObjectList, read_footers};
use crate::operations::sidecars::fault_of;
use crate::storage::{DataFile, Footer, Storage, sidecar_path};

const DROP: &str = "restore it from a backup, or give up its rows with --repair --drop";
const REMAKE_SIDECAR: &str = "--repair or `timberline index rebuild` makes it anew from its data file";

/// Files whose footers are read at once.
const FILES_AT_ONCE: usize = 1024;

/// Sidecars that are read at the same time.
const SIDECARS_AT_ONCE: usize = 8;

/// Every live data file: there, readable, and the one the catalog says.
pub(super) async fn check_files(
    storage: &Storage,
    image: &CatalogImage,
    objects: &ObjectList,
    is_deep: bool,
    report: &mut DoctorReport,
) -> Result<()> {
    let live: Vec<&CatalogFile> = image.files.iter().filter(|file| file.removed_snapshot.is_none()).collect();
    let epoch = image.marks.map_or(0, |marks| marks.epoch);
    for files in live.chunks(FILES_AT_ONCE) {
        let mut there = Vec::new();
        for file in files {
            report.num_files += 1;
            report.num_rows += file.file.num_rows;
            there.extend(check_presence(file, objects, report));
        }
        check_sidecars(storage, files, objects, report).await?;
        let footers = read_footers(storage, there).await?;
        for known in files {
            let Some(read) = footers.get(&known.file.path) else { continue };
            match read {
                Err(error) => {
                    report.add(FindingKind::FileDamaged, &known.file.path, error.to_string(), Some(DROP));
                }
                Ok(footer) => {
                    check_footer(known, footer, epoch, report);
                    if is_deep {
                        check_pages(storage, &known.file.path, footer, report).await?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Every data file in the store, when there is no catalog to go by.
pub(super) async fn check_all(
    storage: &Storage,
    objects: &ObjectList,
    is_deep: bool,
    report: &mut DoctorReport,
) -> Result<()> {
    let all: Vec<&DataObject> = objects.data_files.values().collect();
    for files in all.chunks(FILES_AT_ONCE) {
        let footers = read_footers(storage, files.iter().copied().cloned()).await?;
        for object in files {
            report.num_files += 1;
            match footers.get(&object.path) {
                Some(Ok(footer)) => {
                    report.num_rows += footer.facts.num_rows;
                    if is_deep {
                        check_pages(storage, &object.path, footer, report).await?;
                    }
                }
                Some(Err(error)) => {
                    report.add(FindingKind::FileDamaged, &object.path, error.to_string(), None);
                }
                None => {}
            }
        }
    }
    Ok(())
}

/// Objects that the catalog does not hold, live or to be deleted, and that have no intent.
pub(super) fn check_unknown(image: &CatalogImage, objects: &ObjectList, report: &mut DoctorReport) {
    for path in unknown_objects(image, objects) {
        let repair = "--repair --confirm removes it";
        report.add(FindingKind::UnknownObject, &path, "the catalog does not know this object", Some(repair));
    }
}

/// The same as paths.
pub(super) fn unknown_objects(image: &CatalogImage, objects: &ObjectList) -> Vec<Path> {
    let files = image.files.iter().map(|file| &file.file.path);
    let known: BTreeSet<&Path> = files.chain(image.intents.iter().map(|(_, path)| path)).collect();
    let known_sidecars: BTreeSet<Path> = known.iter().map(|path| sidecar_path(path)).collect();
    let data_files = objects.data_files.keys().filter(|path| !known.contains(path));
    let sidecars = objects.sidecars.keys().filter(|path| !known_sidecars.contains(*path));
    data_files.chain(sidecars).cloned().collect()
}

/// The object of a file, if it is there and of the right size.
fn check_presence(
    known: &CatalogFile,
    objects: &ObjectList,
    report: &mut DoctorReport,
) -> Option<DataObject> {
    let file = &known.file;
    let Some(object) = objects.data_files.get(&file.path) else {
        let message = format!("data file is missing, with {} rows of {}", file.num_rows, known.table);
        report.add(FindingKind::FileMissing, &file.path, message, Some(DROP));
        return None;
    };
    if object.size_bytes != file.size_bytes {
        let (found, expected) = (object.size_bytes, file.size_bytes);
        let message = format!("data file has {found} bytes and should have {expected}");
        report.add(FindingKind::FileDamaged, &file.path, message, Some(DROP));
        return None;
    }
    Some(object.clone())
}

/// Every sidecar that is there or should be.
async fn check_sidecars(
    storage: &Storage,
    files: &[&CatalogFile],
    objects: &ObjectList,
    report: &mut DoctorReport,
) -> Result<()> {
    let has_one = |file: &&DataFile| file.sidecar_bytes > 0 || objects.sidecar_bytes(&file.path) > 0;
    let checked = files.iter().map(|known| &known.file).filter(has_one);
    let mut faults = stream::iter(checked)
        .map(|file| async move { fault_of(storage, file).await.map(|fault| (file, fault)) })
        .buffered(SIDECARS_AT_ONCE);
    while let Some((file, fault)) = faults.try_next().await? {
        if let Some(message) = fault {
            report.add(FindingKind::SidecarDamaged, file.sidecar_path(), message, Some(REMAKE_SIDECAR));
        }
    }
    Ok(())
}

/// What the footer says must be what the catalog says.
fn check_footer(known: &CatalogFile, footer: &Footer, epoch: u64, report: &mut DoctorReport) {
    let file = &known.file;
    let found = footer.data_file(file.path.clone(), file.sidecar_bytes);
    let mut differences = Vec::new();
    let mut compare = |name: &str, footer: String, catalog: String| {
        if footer != catalog {
            differences.push(format!("{name} is {footer} in its footer and {catalog} in the catalog"));
        }
    };
    compare("table", footer.origin.table.to_string(), known.table.to_string());
    compare("id", found.id.to_string(), file.id.to_string());
    compare("level", found.level.to_string(), file.level.to_string());
    compare("num_rows", found.num_rows.to_string(), file.num_rows.to_string());
    compare("metadata_bytes", found.metadata_bytes.to_string(), file.metadata_bytes.to_string());
    for (name, footer, catalog) in [
        ("min_timestamp_us", found.min_timestamp_us, file.min_timestamp_us),
        ("max_timestamp_us", found.max_timestamp_us, file.max_timestamp_us),
        ("min_ingested_us", found.min_ingested_us, file.min_ingested_us),
        ("max_ingested_us", found.max_ingested_us, file.max_ingested_us),
    ] {
        compare(name, footer.to_string(), catalog.to_string());
    }
    if footer.origin.epoch > epoch {
        let written = footer.origin.epoch;
        differences.push(format!("it was written in epoch {written}, and the catalog is at {epoch}"));
    }
    if !differences.is_empty() {
        let message = format!("data file is another one than the catalog says: {}", differences.join("; "));
        let repair = "`timberline catalog rebuild` makes the catalog anew";
        report.add(FindingKind::FileDiffers, &file.path, message, Some(repair));
    }
}

async fn check_pages(
    storage: &Storage,
    path: &Path,
    footer: &Footer,
    report: &mut DoctorReport,
) -> Result<()> {
    match decode_all(storage, path, footer).await {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::CorruptData => {
            report.add(FindingKind::FileDamaged, path, error.to_string(), Some(DROP));
            Ok(())
        }
        Err(error) => Err(error),
    }
}
