//! A data folder that no engine has open.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::catalog::{CATALOG_FILE_NAME, MANIFEST_FOLDER};
use crate::config::EngineConfig;
use crate::error::{Error, Result};
use crate::folder_lock::{LOCK_FILE_NAME, lock_folder};
use crate::storage::{CACHE_DIRECTORY, Storage, StorageConfig};

/// Name of the write-ahead log's directory in a data folder.
const WAL_DIRECTORY: &str = "wal";

/// A folder and its objects, held against every engine.
#[derive(Debug)]
pub(super) struct StoppedFolder {
    pub(super) data_dir: PathBuf,
    pub(super) storage: Storage,
    /// Released when this is dropped.
    _lock: File,
}

impl StoppedFolder {
    /// Holds a data folder.
    ///
    /// # Errors
    /// `InvalidRequest` when it is none; `Unavailable` when a server has it open.
    pub(super) async fn open(config: &EngineConfig) -> Result<Self> {
        if !is_data_folder(&config.data_dir) {
            return Err(Error::invalid_request(format!("{} is no data folder", config.data_dir.display())));
        }
        Self::claim(config).await
    }

    /// Holds a folder that may be new.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be used or a server has it open.
    pub(super) async fn claim(config: &EngineConfig) -> Result<Self> {
        let lock = lock_folder(&config.data_dir).map_err(|error| {
            Error::new(error.kind(), format!("{error}; this works only while no server uses the folder"))
        })?;
        // Operations are about what a store has, and may write an object anew under its name, as a sidecar is: what
        // was cached of it must not outlive that.
        let uncached = StorageConfig { cache_bytes: 0, ..config.storage.clone() };
        let storage = Storage::open(&uncached, &config.data_dir).await?;
        if storage.is_remote() {
            let cache = config.data_dir.join(CACHE_DIRECTORY);
            match std::fs::remove_dir_all(&cache) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    let message = format!("cannot empty the cache {}", cache.display());
                    return Err(Error::unavailable(message).with_source(error));
                }
                _ => {}
            }
        }
        Ok(Self { data_dir: config.data_dir.clone(), storage, _lock: lock })
    }

    pub(super) fn wal_directory(&self) -> PathBuf {
        self.data_dir.join(WAL_DIRECTORY)
    }
}

/// Whether an engine has ever used a folder.
pub fn is_data_folder(path: &Path) -> bool {
    let names = [LOCK_FILE_NAME, CATALOG_FILE_NAME, WAL_DIRECTORY, MANIFEST_FOLDER];
    names.iter().any(|name| path.join(name).exists())
}

/// Whether a path is a folder with nothing in it, or nothing at all.
///
/// # Errors
/// `InvalidRequest` when it is a file, `Unavailable` when it cannot be read.
pub(super) fn is_vacant(path: &Path) -> Result<bool> {
    if !path.exists() {
        return Ok(true);
    }
    if !path.is_dir() {
        return Err(Error::invalid_request(format!("{} is not a folder", path.display())));
    }
    let mut entries = std::fs::read_dir(path)
        .map_err(|error| Error::unavailable(format!("cannot read {}", path.display())).with_source(error))?;
    Ok(entries.next().is_none())
}
