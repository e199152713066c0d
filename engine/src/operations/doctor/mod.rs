//! `doctor`: whether a stopped folder's catalog, manifests, log and objects agree, and what is damaged.
//!
//! | module | what it does |
//! |---|---|
//! | `finding` | what is reported |
//! | `catalog_check` | catalog against manifests, intents, the write-ahead log |
//! | `object_check` | catalog against objects and footers, objects that nobody knows |
//! | `deep` | every page of a file |
//! | `repair` | the few things that are safe to mend |
//!
//! Looking changes nothing. Only with `repair` something is written, and only what is listed there.

mod catalog_check;
mod deep;
mod finding;
mod object_check;
mod repair;

use uuid::Uuid;

use super::evidence::ObjectList;
use super::folder::StoppedFolder;
use crate::catalog::{CatalogImage, read_manifests};
use crate::clock::Clock;
use crate::config::EngineConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::wal;

pub use finding::{DoctorReport, Finding, FindingKind};

/// What a check does beyond looking.
#[derive(Clone, Debug, Default)]
pub struct DoctorOptions {
    /// Decode every page of every column of every data file, and check the pages' checksums.
    pub deep: bool,
    /// Mend what is safe to mend.
    pub repair: bool,
    /// With `repair`: the objects that the catalog does not know are not needed, and are removed.
    pub confirm: bool,
    /// Data files, missing or damaged, that are to leave the catalog: their rows are given up. Objects that are
    /// there move to `_quarantine/`.
    pub drop: Vec<Uuid>,
}

/// Checks a stopped folder.
///
/// # Errors
/// `InvalidRequest` when the path is no data folder, or a file is to be dropped that is in order; `Unavailable` when
/// a server uses the folder or the store does not answer; `CorruptData` when manifests of a later version are there.
pub async fn doctor(
    config: &EngineConfig,
    clock: &dyn Clock,
    options: &DoctorOptions,
) -> Result<DoctorReport> {
    let folder = StoppedFolder::open(config).await?;
    let objects = ObjectList::read(&folder.storage).await?;
    let manifests = read_manifests(&folder.storage).await?;
    let log = wal::inspect(&folder.wal_directory())?;
    let mut report = DoctorReport::default();
    let image = match CatalogImage::of_folder(&folder.data_dir).await {
        Ok(image) => Some(image),
        Err(error) if error.kind() == ErrorKind::CorruptData => {
            report.add(
                FindingKind::CatalogDamaged,
                crate::catalog::CATALOG_FILE_NAME,
                error.to_string(),
                Some("`timberline catalog rebuild` makes it anew"),
            );
            None
        }
        Err(error) => return Err(error),
    };
    catalog_check::check_log(&log, &mut report);
    match &image {
        Some(image) => {
            catalog_check::check_manifests(image, &manifests, &mut report);
            catalog_check::check_intents(image, &mut report);
            object_check::check_files(&folder.storage, image, &objects, options.deep, &mut report).await?;
            object_check::check_unknown(image, &objects, &mut report);
            if image.is_sweep_paused {
                report.notes.push(
                    "the catalog was rebuilt or restored: until `doctor --repair` has found nothing unknown, or \
                     `doctor --repair --confirm`, nothing is swept"
                        .to_owned(),
                );
            }
        }
        None => {
            catalog_check::check_manifests_alone(&manifests, &mut report);
            object_check::check_all(&folder.storage, &objects, options.deep, &mut report).await?;
        }
    }
    for path in &objects.others {
        report.notes.push(format!("{path}: Timberline gives no object such a name; it is left alone"));
    }
    if options.repair || !options.drop.is_empty() {
        let Some(image) = image else {
            return if options.drop.is_empty() { Ok(report) } else { Err(no_catalog()) };
        };
        repair::repair(&folder, &image, &objects, clock, options, &mut report).await?;
    }
    Ok(report)
}

fn no_catalog() -> Error {
    Error::invalid_request(
        "a file cannot leave a catalog that is missing or damaged: rebuild the catalog first",
    )
}
