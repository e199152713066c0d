//! Backups: a folder with all data files of one moment, and what else belongs to them.
//!
//! A backup has the objects under their own paths, a checkpoint manifest that tells of them, the files that the
//! caller adds (the metadata), and `backup.json` with the size and checksum of each. That is written last, so that a
//! backup without it is not one. Data files never change, so that on the same disk they are linked, not copied.

mod copy;
mod description;
mod restore;

use std::fs::create_dir_all;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folder::is_vacant;
use crate::catalog::{CatalogStore, write_first_checkpoint};
use crate::error::{Error, Result};
use crate::schema::TableId;
use crate::storage::{DataFile, LAYOUT_VERSION, Storage};
use copy::{copy_object, hash_file, sync_tree, write_durably};
use description::{DESCRIPTION_FILE_NAME, Description, Entry, EntryKind, is_local_name};

pub use restore::{RestoreSummary, restore};

/// How data files come into a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackupMode {
    /// As hard links where the disk is the same, as copies elsewhere.
    #[default]
    Link,
    /// As copies: what damages a file of the data folder does not damage the backup.
    Copy,
}

/// A backup on its way. Dropped before [`finish`](Self::finish) it leaves a folder that restore refuses.
#[derive(Debug)]
pub struct Backup {
    folder: PathBuf,
    mode: BackupMode,
    entries: Vec<Entry>,
    summary: BackupSummary,
}

/// What a backup holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupSummary {
    /// Data files.
    pub num_files: u64,
    /// Their rows.
    pub num_rows: u64,
    /// Bytes of everything.
    pub num_bytes: u64,
    /// Data files and sidecars that share their disk blocks with the data folder.
    pub num_linked: u64,
}

impl Backup {
    /// Begins a backup in a folder that is empty or does not exist.
    pub(crate) fn begin(folder: &Path, mode: BackupMode) -> Result<Self> {
        if !is_vacant(folder)? {
            return Err(Error::invalid_request(format!("{} is not empty", folder.display())));
        }
        create_dir_all(folder).map_err(|error| {
            Error::unavailable(format!("cannot create {}", folder.display())).with_source(error)
        })?;
        let summary = BackupSummary::default();
        Ok(Self { folder: folder.to_owned(), mode, entries: Vec::new(), summary })
    }

    /// Copies data files and their sidecars, and writes the checkpoint that tells of them.
    pub(crate) async fn copy_files(
        mut self,
        storage: &Storage,
        catalog: &CatalogStore,
        tables: &[(TableId, Arc<Vec<Arc<DataFile>>>)],
    ) -> Result<Self> {
        let mut live = Vec::new();
        for (table, files) in tables {
            for file in files.iter() {
                live.push((*table, self.copy_file(storage, file).await?));
            }
        }
        // Read after the files were pinned: never behind them.
        let (marks, snapshot) = (catalog.marks().await?, catalog.last_snapshot().await?);
        let target = Storage::local(&self.folder)?;
        let path = write_first_checkpoint(&target, &marks, snapshot, &live).await?;
        let (size_bytes, xxh3) = hash_file(&self.folder.join(path.as_ref())).await?;
        self.note(Entry { path: path.to_string(), kind: EntryKind::Object, size_bytes, xxh3 });
        Ok(self)
    }

    async fn copy_file(&mut self, storage: &Storage, file: &DataFile) -> Result<DataFile> {
        let mut copied = file.clone();
        let entry = copy_object(storage, &file.path, &self.folder, self.mode).await?;
        if entry.entry.size_bytes != file.size_bytes {
            return Err(Error::corrupt_data(format!(
                "data file {} has {} bytes and should have {}",
                file.path, entry.entry.size_bytes, file.size_bytes
            )));
        }
        self.summary.num_files += 1;
        self.summary.num_rows += file.num_rows;
        self.summary.num_linked += u64::from(entry.is_linked);
        self.note(entry.entry);
        if file.sidecar_bytes > 0 {
            match copy_object(storage, &file.sidecar_path(), &self.folder, self.mode).await {
                Ok(sidecar) => {
                    self.summary.num_linked += u64::from(sidecar.is_linked);
                    copied.sidecar_bytes = sidecar.entry.size_bytes;
                    self.note(sidecar.entry);
                }
                // It is derived from its file and can be made anew.
                Err(error) if error.kind() == crate::ErrorKind::CorruptData => {
                    tracing::warn!(%error, "the backup goes without a sidecar");
                    copied.sidecar_bytes = 0;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(copied)
    }

    /// The folder: files that are to be part of the backup are written there, then added.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds a file that lies in the backup's folder under a plain name ending with `.db`; restore puts it into the
    /// data folder.
    ///
    /// # Errors
    /// `InvalidRequest` for another name, `Unavailable` when it cannot be read.
    pub async fn add_file(&mut self, name: &str) -> Result<()> {
        if !is_local_name(name) {
            return Err(Error::invalid_request(format!("{name:?} cannot be part of a backup")));
        }
        let (size_bytes, xxh3) = hash_file(&self.folder.join(name)).await?;
        self.note(Entry { path: name.to_owned(), kind: EntryKind::Local, size_bytes, xxh3 });
        Ok(())
    }

    /// Makes everything durable and then the backup whole. `now_us` is noted in it.
    ///
    /// # Errors
    /// `Unavailable` when something cannot be written; the backup is none then.
    pub async fn finish(self, now_us: i64) -> Result<BackupSummary> {
        let description = Description::new(LAYOUT_VERSION, now_us, self.entries);
        let bytes = description.encode()?;
        let folder = self.folder.clone();
        sync_tree(folder.clone()).await?;
        write_durably(folder.join(DESCRIPTION_FILE_NAME), bytes).await?;
        Ok(self.summary)
    }

    fn note(&mut self, entry: Entry) {
        self.summary.num_bytes += entry.size_bytes;
        self.entries.push(entry);
    }
}
