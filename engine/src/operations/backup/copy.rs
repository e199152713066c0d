//! Getting files into a backup, and their checksums.

use std::fs::{File, create_dir_all, hard_link, read_dir, rename};
use std::io::{self, Read, Write};
use std::path::{Path as LocalPath, PathBuf};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tokio::io::AsyncWriteExt;
use xxhash_rust::xxh3::Xxh3;

use super::BackupMode;
use super::description::{Entry, EntryKind};
use crate::background::blocking;
use crate::error::{Error, Result};
use crate::storage::{Storage, sync_directory};

/// Bytes that are hashed at once.
const READ_BYTES: usize = 1 << 20;

/// An object in a backup.
pub(super) struct CopiedObject {
    pub(super) entry: Entry,
    pub(super) is_linked: bool,
}

/// Puts an object under its own path into a folder. A copy is durable when this returns, its name is not.
///
/// # Errors
/// `CorruptData` naming an object that is not there; `Unavailable` when something cannot be read or written.
pub(super) async fn copy_object(
    storage: &Storage,
    path: &Path,
    folder: &LocalPath,
    mode: BackupMode,
) -> Result<CopiedObject> {
    let target = folder.join(path.as_ref());
    if let Some(parent) = target.parent() {
        create_dir_all(parent).map_err(|error| cannot("create", parent, error))?;
    }
    let is_linked = match storage.local_path(path) {
        Some(source) if mode == BackupMode::Link => hard_link(source, &target).is_ok(),
        _ => false,
    };
    let (size_bytes, xxh3) =
        if is_linked { hash_file(&target).await? } else { download(storage, path, &target).await? };
    let entry = Entry { path: path.to_string(), kind: EntryKind::Object, size_bytes, xxh3 };
    Ok(CopiedObject { entry, is_linked })
}

/// Copies an object into a new file.
async fn download(storage: &Storage, path: &Path, target: &LocalPath) -> Result<(u64, String)> {
    let unreadable = |error: object_store::Error| match error {
        object_store::Error::NotFound { .. } => {
            Error::corrupt_data(format!("data file {path} is missing")).with_source(error)
        }
        error => Error::unavailable(format!("cannot read {path}")).with_source(error),
    };
    let object = storage.object_store().get(path).await.map_err(unreadable)?;
    let mut bytes = object.into_stream();
    let mut file = tokio::fs::File::create(target).await.map_err(|error| cannot("create", target, error))?;
    let (mut hasher, mut size_bytes) = (Xxh3::new(), 0);
    while let Some(piece) = bytes.try_next().await.map_err(unreadable)? {
        hasher.update(&piece);
        size_bytes += piece.len() as u64;
        file.write_all(&piece).await.map_err(|error| cannot("write", target, error))?;
    }
    file.flush().await.map_err(|error| cannot("write", target, error))?;
    file.sync_all().await.map_err(|error| cannot("sync", target, error))?;
    Ok((size_bytes, text_of(&hasher)))
}

/// Length and checksum of a file.
///
/// # Errors
/// `CorruptData` naming a file that is not there; `Unavailable` when it cannot be read.
pub(super) async fn hash_file(path: &LocalPath) -> Result<(u64, String)> {
    let path = path.to_owned();
    blocking(move || {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Error::corrupt_data(format!("{} is missing", path.display())),
            _ => cannot("read", &path, error),
        };
        let mut file = File::open(&path).map_err(failed)?;
        let (mut hasher, mut size_bytes) = (Xxh3::new(), 0);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let num_read = file.read(&mut buffer).map_err(failed)?;
            if num_read == 0 {
                return Ok((size_bytes, text_of(&hasher)));
            }
            hasher.update(&buffer[..num_read]);
            size_bytes += num_read as u64;
        }
    })
    .await
}

fn text_of(hasher: &Xxh3) -> String {
    format!("{:032x}", hasher.digest128())
}

/// Makes all files and names below a folder durable.
pub(super) async fn sync_tree(folder: PathBuf) -> Result<()> {
    fn sync(folder: &LocalPath) -> io::Result<()> {
        for entry in read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                sync(&entry.path())?;
            } else {
                File::open(entry.path())?.sync_all()?;
            }
        }
        sync_directory(folder)
    }
    blocking(move || sync(&folder).map_err(|error| cannot("sync", &folder, error))).await
}

/// Writes a file so that it is there whole or not at all.
pub(super) async fn write_durably(path: PathBuf, bytes: Bytes) -> Result<()> {
    blocking(move || {
        let staged = path.with_extension("new");
        let write = || {
            let mut file = File::create(&staged)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            rename(&staged, &path)?;
            path.parent().map_or(Ok(()), sync_directory)
        };
        write().map_err(|error| cannot("write", &path, error))
    })
    .await
}

pub(super) fn cannot(action: &str, path: &LocalPath, error: io::Error) -> Error {
    Error::unavailable(format!("cannot {action} {}", path.display())).with_source(error)
}
