//! Object stores that stand before another one and change some of what it does.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// A store before another one. What it does not say itself, the one below does.
pub(super) trait StoreLayer: fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// The store that does the work.
    fn below(&self) -> &Arc<dyn ObjectStore>;

    /// See [`ObjectStore::put_opts`]. `options` never ask for a condition.
    fn put<'a>(
        &'a self,
        path: &'a Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> BoxFuture<'a, Result<PutResult>> {
        self.below().put_opts(path, payload, options)
    }

    /// See [`ObjectStore::put_multipart_opts`].
    fn put_multipart<'a>(
        &'a self,
        path: &'a Path,
        options: PutMultipartOptions,
    ) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        self.below().put_multipart_opts(path, options)
    }

    /// See [`ObjectStore::get_opts`].
    fn get<'a>(&'a self, path: &'a Path, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        self.below().get_opts(path, options)
    }

    /// See [`ObjectStore::get_ranges`].
    fn get_ranges<'a>(
        &'a self,
        path: &'a Path,
        ranges: &'a [Range<u64>],
    ) -> BoxFuture<'a, Result<Vec<Bytes>>> {
        self.below().get_ranges(path, ranges)
    }

    /// See [`ObjectStore::delete_stream`].
    fn delete(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.below().delete_stream(paths)
    }

    /// See [`ObjectStore::list`].
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.below().list(prefix)
    }

    /// See [`ObjectStore::list_with_delimiter`].
    fn list_folder<'a>(&'a self, prefix: Option<&'a Path>) -> BoxFuture<'a, Result<ListResult>> {
        self.below().list_with_delimiter(prefix)
    }
}

/// A layer as an object store.
#[derive(Debug)]
pub(super) struct Layered<L>(pub(super) L);

impl<L: StoreLayer> fmt::Display for Layered<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<L: StoreLayer> Layered<L> {
    fn unsupported<T: Send + 'static>(&self, operation: &str) -> BoxFuture<'static, Result<T>> {
        let error = Error::NotImplemented { operation: operation.to_owned(), implementer: self.to_string() };
        Box::pin(std::future::ready(Err(error)))
    }
}

impl<L: StoreLayer> ObjectStore for Layered<L> {
    /// Refuses conditions: some stores accept them and ignore them, so that code which relied on one would be
    /// right in tests and wrong in production.
    fn put_opts<'life0, 'life1, 'async_trait>(
        &'life0 self,
        path: &'life1 Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> BoxFuture<'async_trait, Result<PutResult>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        match options.mode {
            PutMode::Overwrite => self.0.put(path, payload, options),
            _ => self.unsupported("a conditional put"),
        }
    }

    fn put_multipart_opts<'life0, 'life1, 'async_trait>(
        &'life0 self,
        path: &'life1 Path,
        options: PutMultipartOptions,
    ) -> BoxFuture<'async_trait, Result<Box<dyn MultipartUpload>>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        self.0.put_multipart(path, options)
    }

    fn get_opts<'life0, 'life1, 'async_trait>(
        &'life0 self,
        path: &'life1 Path,
        options: GetOptions,
    ) -> BoxFuture<'async_trait, Result<GetResult>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        self.0.get(path, options)
    }

    fn get_ranges<'life0, 'life1, 'life2, 'async_trait>(
        &'life0 self,
        path: &'life1 Path,
        ranges: &'life2 [Range<u64>],
    ) -> BoxFuture<'async_trait, Result<Vec<Bytes>>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        Self: 'async_trait,
    {
        self.0.get_ranges(path, ranges)
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.0.delete(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    fn list_with_delimiter<'life0, 'life1, 'async_trait>(
        &'life0 self,
        prefix: Option<&'life1 Path>,
    ) -> BoxFuture<'async_trait, Result<ListResult>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        self.0.list_folder(prefix)
    }

    /// Objects are immutable and have one name, so that nothing copies them.
    fn copy_opts<'life0, 'life1, 'life2, 'async_trait>(
        &'life0 self,
        _from: &'life1 Path,
        _to: &'life2 Path,
        _options: CopyOptions,
    ) -> BoxFuture<'async_trait, Result<()>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        Self: 'async_trait,
    {
        self.unsupported("copying an object")
    }
}
