//! A data folder made from a backup.

use std::collections::BTreeSet;
use std::fs::{File, copy};
use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use object_store::path::Path as ObjectPath;

use super::copy::{cannot, hash_file};
use super::description::{Description, Entry, EntryKind};
use crate::background::blocking;
use crate::catalog::{MANIFEST_FOLDER, read_manifests};
use crate::clock::Clock;
use crate::config::EngineConfig;
use crate::error::{Error, Result};
use crate::operations::folder::{StoppedFolder, is_vacant};
use crate::operations::rebuild::{next_epoch, write_catalog};
use crate::schema::Dataset;
use crate::storage::{Storage, sync_directory};

/// Bytes that are copied at once.
const PIECE_BYTES: usize = 8 << 20;

/// What a restore brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreSummary {
    /// Data files.
    pub num_files: u64,
    /// Their rows.
    pub num_rows: u64,
    /// Bytes of everything.
    pub num_bytes: u64,
    /// When the backup was finished, microseconds.
    pub finished_us: i64,
    /// The epoch that the new catalog begins with.
    pub epoch: u64,
}

/// Makes a data folder from a backup. Every checksum is verified before anything is written; the catalog comes last,
/// so that a folder whose restore was interrupted is refused by every start.
///
/// # Errors
/// `InvalidRequest` when the folder is not empty or `backup` is no whole backup; `CorruptData` naming a file that is
/// missing or damaged.
pub async fn restore(backup: &Path, config: &EngineConfig, clock: &dyn Clock) -> Result<RestoreSummary> {
    if !is_vacant(&config.data_dir)? {
        return Err(Error::invalid_request(format!("{} is not empty", config.data_dir.display())));
    }
    let description = Description::read(backup)?;
    for entry in &description.entries {
        verify(backup, entry).await?;
    }
    let folder = StoppedFolder::claim(config).await?;
    refuse_used_store(&folder.storage).await?;
    for entry in &description.entries {
        match entry.kind {
            EntryKind::Object => upload(backup, entry, &folder.storage).await?,
            EntryKind::Local => copy_local(backup, entry, &folder.data_dir).await?,
        }
    }
    let manifests = read_manifests(&folder.storage).await?;
    let image = manifests.whole().ok_or_else(|| {
        let reasons = manifests.problems.iter().map(|problem| problem.message.as_str());
        let reasons = reasons.collect::<Vec<_>>().join("; ");
        Error::corrupt_data(format!("the backup's checkpoint does not tell what it holds: {reasons}"))
    })?;
    let there: BTreeSet<&str> = description.entries.iter().map(|entry| entry.path.as_str()).collect();
    let live: Vec<_> = image.live.values().cloned().collect();
    if let Some((_, missing)) = live.iter().find(|(_, file)| !there.contains(file.path.as_ref())) {
        return Err(Error::corrupt_data(format!("the backup lacks the data file {}", missing.path)));
    }
    let marks = next_epoch(manifests.marks)?;
    let snapshot = manifests.last_snapshot + 1;
    write_catalog(&folder, &marks, snapshot, &live, &[], clock.now_us()).await?;
    Ok(RestoreSummary {
        num_files: live.len() as u64,
        num_rows: live.iter().map(|(_, file)| file.num_rows).sum(),
        num_bytes: description.entries.iter().map(|entry| entry.size_bytes).sum(),
        finished_us: description.finished_us,
        epoch: marks.epoch,
    })
}

async fn verify(backup: &Path, entry: &Entry) -> Result<()> {
    let path = backup.join(&entry.path);
    let (size_bytes, xxh3) = hash_file(&path).await?;
    let reason = if size_bytes != entry.size_bytes {
        format!("it has {size_bytes} bytes and should have {}", entry.size_bytes)
    } else if xxh3 != entry.xxh3 {
        "it has another checksum".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::corrupt_data(format!("{} of the backup is damaged: {reason}", path.display())))
}

/// A store elsewhere may hold another folder's objects.
async fn refuse_used_store(storage: &Storage) -> Result<()> {
    for folder in Dataset::ALL.iter().map(|dataset| dataset.as_str()).chain([MANIFEST_FOLDER]) {
        if storage.has_objects(folder).await? {
            return Err(Error::invalid_request(format!("the store already has objects in {folder}/")));
        }
    }
    Ok(())
}

async fn upload(backup: &Path, entry: &Entry, storage: &Storage) -> Result<()> {
    let source = backup.join(&entry.path);
    let path = ObjectPath::parse(&entry.path)
        .map_err(|error| Error::corrupt_data(format!("bad path {:?}", entry.path)).with_source(error))?;
    let mut upload = storage.upload(&path);
    let mut file = File::open(&source).map_err(|error| cannot("read", &source, error))?;
    loop {
        let (name, same_file) = (source.clone(), file);
        let (rest, piece) = blocking(move || {
            let mut piece = Vec::new();
            let mut file = same_file;
            let read = (&mut file).take(PIECE_BYTES as u64).read_to_end(&mut piece);
            read.map_err(|error| cannot("read", &name, error))?;
            Ok((file, Bytes::from(piece)))
        })
        .await?;
        if piece.is_empty() {
            return upload.finish().await.map(drop);
        }
        upload.write(piece).await?;
        file = rest;
    }
}

async fn copy_local(backup: &Path, entry: &Entry, data_dir: &Path) -> Result<()> {
    let (from, to) = (backup.join(&entry.path), data_dir.join(&entry.path));
    let data_dir = data_dir.to_owned();
    blocking(move || {
        let copied = copy(&from, &to).and_then(|_| File::open(&to)?.sync_all());
        copied.and_then(|()| sync_directory(&data_dir)).map_err(|error| cannot("write", &to, error))
    })
    .await
}
