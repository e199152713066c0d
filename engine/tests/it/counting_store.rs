//! A store that counts what it is asked for.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;

/// Size of the blocks of a data file that have a checksum each: what is read is widened to whole ones.
const CHECKSUM_BLOCK_BYTES: u64 = 16 << 10;

/// The least that a read can have been about, without what it was widened by.
pub(crate) fn asked_bytes(range: &Range<u64>) -> u64 {
    (range.end - range.start).saturating_sub(2 * CHECKSUM_BLOCK_BYTES)
}

/// Counts reads, and the rounds that they come in: a read that begins while another one is under way does not depend on
/// its answer.
#[derive(Debug)]
pub(crate) struct CountingStore {
    below: Arc<dyn ObjectStore>,
    in_flight: AtomicUsize,
    rounds: Mutex<Vec<Vec<Range<u64>>>>,
}

impl CountingStore {
    pub(crate) fn new(below: Arc<dyn ObjectStore>) -> Self {
        Self { below, in_flight: AtomicUsize::new(0), rounds: Mutex::default() }
    }

    /// The byte ranges of each round since the last time.
    pub(crate) fn rounds(&self) -> Vec<Vec<Range<u64>>> {
        std::mem::take(&mut self.rounds.lock())
    }

    async fn note(&self, ranges: Vec<Range<u64>>) {
        {
            let mut rounds = self.rounds.lock();
            if self.in_flight.fetch_add(1, Ordering::SeqCst) == 0 {
                rounds.push(Vec::new());
            }
            rounds.last_mut().expect("a round has begun").extend(ranges);
        }
        // Reads that are begun together are all under way before one is answered.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Display for CountingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "counting {}", self.below)
    }
}

impl ObjectStore for CountingStore {
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
        self.below.put_opts(path, payload, options)
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
        self.below.put_multipart_opts(path, options)
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
        async move {
            let range = match &options.range {
                Some(GetRange::Bounded(range)) => range.clone(),
                _ => 0..u64::MAX,
            };
            self.note(vec![range]).await;
            self.below.get_opts(path, options).await
        }
        .boxed()
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
        async move {
            self.note(ranges.to_vec()).await;
            self.below.get_ranges(path, ranges).await
        }
        .boxed()
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.below.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.below.list(prefix)
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
        self.below.list_with_delimiter(prefix)
    }

    fn copy_opts<'life0, 'life1, 'life2, 'async_trait>(
        &'life0 self,
        from: &'life1 Path,
        to: &'life2 Path,
        options: CopyOptions,
    ) -> BoxFuture<'async_trait, Result<()>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        Self: 'async_trait,
    {
        self.below.copy_opts(from, to, options)
    }
}
