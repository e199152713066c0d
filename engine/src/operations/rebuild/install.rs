//! Putting a rebuilt catalog into its place.

use std::fs::{File, remove_file, rename};
use std::io;
use std::path::{Path, PathBuf};

use crate::catalog::{
    CATALOG_FILE_NAME, CatalogStore, FlushedRange, WriterMarks, checkpoint_if_due, create_rebuilt,
};
use crate::error::{Error, Result};
use crate::operations::folder::StoppedFolder;
use crate::schema::TableId;
use crate::storage::{DataFile, sync_directory};

/// What SQLite keeps beside a database.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

/// Copies of a catalog that may be set aside.
const MAX_SET_ASIDE: u32 = 1000;

/// Writes a catalog with these files and sets aside the one that is there, then tells of it in a checkpoint. Returns
/// where the old one is now.
///
/// A stop on the way leaves the old catalog, or none, with which an engine does not start, or one whose first start
/// writes the checkpoint; this can be repeated.
pub(in crate::operations) async fn write_catalog(
    folder: &StoppedFolder,
    marks: &WriterMarks,
    snapshot: i64,
    live: &[(TableId, DataFile)],
    ranges: &[FlushedRange],
    now_us: i64,
) -> Result<Option<PathBuf>> {
    let data_dir = folder.data_dir.as_path();
    let (path, new) = (data_dir.join(CATALOG_FILE_NAME), data_dir.join(format!("{CATALOG_FILE_NAME}.new")));
    for leftover in SUFFIXES.map(|suffix| with_suffix(&new, suffix)) {
        match remove_file(&leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(cannot("remove", &leftover, error));
            }
            _ => {}
        }
    }
    create_rebuilt(&new, marks, snapshot, live, ranges, now_us).await?;
    File::open(&new).and_then(|file| file.sync_all()).map_err(|error| cannot("sync", &new, error))?;
    let set_aside = set_aside(&path)?;
    rename(&new, &path).map_err(|error| cannot("rename", &new, error))?;
    sync_directory(data_dir).map_err(|error| cannot("sync", data_dir, error))?;
    let (catalog, _) = CatalogStore::open(data_dir).await?;
    let told = checkpoint_if_due(&catalog, &folder.storage).await;
    catalog.close().await;
    told.map(|()| set_aside)
}

/// Renames the catalog and what belongs to it, if anything is there.
fn set_aside(path: &Path) -> Result<Option<PathBuf>> {
    if !SUFFIXES.iter().any(|suffix| with_suffix(path, suffix).exists()) {
        return Ok(None);
    }
    let free = (1..=MAX_SET_ASIDE)
        .map(|number| with_suffix(path, &format!(".old{number}")))
        .find(|candidate| !SUFFIXES.iter().any(|suffix| with_suffix(candidate, suffix).exists()));
    let target = free.ok_or_else(|| {
        Error::unavailable(format!("{MAX_SET_ASIDE} old copies of {} are in the way", path.display()))
    })?;
    // The database first: without it an engine does not start, with a half of it one would.
    for suffix in SUFFIXES {
        let (from, to) = (with_suffix(path, suffix), with_suffix(&target, suffix));
        match rename(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(cannot("rename", &from, error));
            }
            _ => {}
        }
    }
    Ok(Some(target))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn cannot(action: &str, path: &Path, error: io::Error) -> Error {
    Error::unavailable(format!("cannot {action} {}", path.display())).with_source(error)
}
