//! Objects in a folder: durable and whole when a write returns, and not there before.
//!
//! A file is written in the folder `staging`, synced, moved to its name, and the directories above that are
//! synced. So a name never stands for half of an object, whenever the power goes. What a stop leaves in
//! `staging` is removed at the next start.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path as LocalPath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    Error, MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};

use super::layer::StoreLayer;
use super::local_sync::{sync_directory, sync_name_below};

/// Where files are until they are whole. No object's path begins with it.
const STAGING: &str = "staging";

/// A folder as a store.
#[derive(Debug)]
pub(super) struct LocalStore {
    folder: Arc<Folder>,
    files: Arc<LocalFileSystem>,
    below: Arc<dyn ObjectStore>,
}

#[derive(Debug)]
struct Folder {
    root: PathBuf,
    /// Names of staged files: each is of one upload only.
    next: AtomicU64,
}

impl LocalStore {
    /// Uses a folder, which exists, and removes what an earlier life did not finish.
    pub(super) fn open(root: &LocalPath) -> Result<Self> {
        let files = Arc::new(LocalFileSystem::new_with_prefix(root)?);
        let below: Arc<dyn ObjectStore> = Arc::<LocalFileSystem>::clone(&files);
        // As the folder below names it, so that paths of both can be compared.
        let root = root.canonicalize().map_err(failed)?;
        let staging = root.join(STAGING);
        match fs::remove_dir_all(&staging) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => fs::create_dir_all(&staging).map_err(failed)?,
        }
        let folder = Arc::new(Folder { root, next: AtomicU64::new(0) });
        Ok(Self { folder, files, below })
    }

    async fn stage(&self, path: &Path) -> Result<StagedFile> {
        let (folder, target) = (Arc::clone(&self.folder), self.files.path_to_filesystem(path)?);
        blocking(move || StagedFile::create(folder, target)).await
    }
}

impl fmt::Display for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.folder.root.display().fmt(f)
    }
}

impl StoreLayer for LocalStore {
    fn below(&self) -> &Arc<dyn ObjectStore> {
        &self.below
    }

    fn put<'a>(
        &'a self,
        path: &'a Path,
        payload: PutPayload,
        _options: PutOptions,
    ) -> BoxFuture<'a, Result<PutResult>> {
        async move {
            let staged = self.stage(path).await?;
            blocking(move || {
                staged.write_at(&payload, 0)?;
                staged.publish()
            })
            .await?;
            Ok(PutResult { e_tag: None, version: None })
        }
        .boxed()
    }

    fn put_multipart<'a>(
        &'a self,
        path: &'a Path,
        _options: PutMultipartOptions,
    ) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        async move {
            let upload = LocalUpload { staged: Some(Arc::new(self.stage(path).await?)), num_bytes: 0 };
            Ok(Box::new(upload) as Box<dyn MultipartUpload>)
        }
        .boxed()
    }

    /// Syncs each removal too: the catalog forgets a removed object for ever, and a power cut must not bring it
    /// back.
    fn delete(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let files = Arc::clone(&self.files);
        let synced = self.below.delete_stream(paths).then(move |deleted| {
            let files = Arc::clone(&files);
            async move {
                let path = deleted?;
                let file = files.path_to_filesystem(&path)?;
                blocking(move || sync_removal(&file)).await?;
                Ok(path)
            }
        });
        synced.boxed()
    }
}

/// Waits until a removal is on the disk. With its directory gone too, it is.
fn sync_removal(file: &LocalPath) -> io::Result<()> {
    match file.parent().map_or(Ok(()), sync_directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file that has no name yet. Dropped without one, it is removed.
#[derive(Debug)]
struct StagedFile {
    folder: Arc<Folder>,
    file: File,
    staged: PathBuf,
    target: PathBuf,
    is_published: AtomicBool,
}

impl StagedFile {
    fn create(folder: Arc<Folder>, target: PathBuf) -> io::Result<Self> {
        let number = folder.next.fetch_add(1, Ordering::Relaxed);
        let staged = folder.root.join(STAGING).join(number.to_string());
        let file = File::create(&staged)?;
        Ok(Self { folder, file, staged, target, is_published: AtomicBool::new(false) })
    }

    fn write_at(&self, payload: &PutPayload, mut offset: u64) -> io::Result<()> {
        for bytes in payload {
            self.file.write_all_at(bytes, offset)?;
            offset += bytes.len() as u64;
        }
        Ok(())
    }

    fn publish(&self) -> io::Result<()> {
        self.file.sync_all()?;
        if let Some(parent) = self.target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(&self.staged, &self.target)?;
        self.is_published.store(true, Ordering::Relaxed);
        sync_name_below(&self.folder.root, &self.target)
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.is_published.load(Ordering::Relaxed) {
            // What cannot be removed now is removed at the next start.
            let _ = fs::remove_file(&self.staged);
        }
    }
}

#[derive(Debug)]
struct LocalUpload {
    /// There until the upload has ended.
    staged: Option<Arc<StagedFile>>,
    num_bytes: u64,
}

impl MultipartUpload for LocalUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let offset = self.num_bytes;
        self.num_bytes += data.content_length() as u64;
        let staged = self.staged.clone();
        async move {
            let staged = staged.ok_or_else(ended)?;
            blocking(move || staged.write_at(&data, offset)).await
        }
        .boxed()
    }

    fn complete<'life0, 'async_trait>(&'life0 mut self) -> BoxFuture<'async_trait, Result<PutResult>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let staged = self.staged.take();
        async move {
            let staged = staged.ok_or_else(ended)?;
            blocking(move || staged.publish()).await?;
            Ok(PutResult { e_tag: None, version: None })
        }
        .boxed()
    }

    fn abort<'life0, 'async_trait>(&'life0 mut self) -> BoxFuture<'async_trait, Result<()>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let staged = self.staged.take();
        blocking(move || {
            drop(staged);
            Ok(())
        })
        .boxed()
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await?.map_err(failed)
}

fn failed(error: io::Error) -> Error {
    Error::Generic { store: "local", source: error.into() }
}

fn ended() -> Error {
    Error::Generic { store: "local", source: "the upload has ended".into() }
}
