//! Writing an object piece by piece, in bounded memory.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{
    MultipartUpload, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutPayload, PutPayloadMut,
};
use tokio::task::JoinSet;

use super::failure::cannot;
use crate::error::{Error, Result};

/// Bytes of a part. Stores want at least 5 MiB of every part but the last, some want all of them to be equal, and
/// allow 10,000: objects may have 80 GiB.
const PART_BYTES: usize = 8 << 20;

/// Parts on their way at a time: the next one is encoded while the last two travel.
const MAX_PARTS_IN_FLIGHT: usize = 2;

/// Pieces smaller than this are copied together: each that is kept as it is costs an allocation and a write.
const MIN_KEPT_PIECE_BYTES: usize = 16 << 10;

/// An object that is being written. It is there, durable and whole, when [`finish`](Self::finish) returns, and not
/// before. Up to `PART_BYTES` it is put at once, beyond in parts.
///
/// The name of an object is used once, ever. So it is harmless when a store gets a request twice, because a
/// connection broke and the client repeated it: both write the same bytes under the same name.
///
/// Dropped unfinished, it leaves no object, and its parts are taken back. If the process ends first, parts stay
/// behind on some stores until a lifecycle rule of the bucket removes them.
pub struct ObjectUpload {
    store: Arc<dyn ObjectStore>,
    path: Path,
    /// What no part holds yet; at most one part.
    pending: PutPayloadMut,
    size_bytes: u64,
    /// Stays set when a write was dropped half-way: bytes are missing then.
    is_writing: bool,
    state: State,
}

enum State {
    /// All of the object is pending.
    Small,
    /// Parts are on their way.
    Parts(PartUpload),
    /// Finished, or failed.
    Ended,
}

struct PartUpload {
    upload: Box<dyn MultipartUpload>,
    parts: JoinSet<object_store::Result<()>>,
}

impl fmt::Debug for ObjectUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectUpload")
            .field("path", &self.path)
            .field("size_bytes", &self.size_bytes)
            .finish_non_exhaustive()
    }
}

impl ObjectUpload {
    pub(super) fn new(store: Arc<dyn ObjectStore>, path: Path) -> Self {
        Self {
            store,
            path,
            pending: PutPayloadMut::new(),
            size_bytes: 0,
            is_writing: false,
            state: State::Small,
        }
    }

    /// Adds bytes. Waits while enough parts are on their way.
    ///
    /// # Errors
    /// `Unavailable` when the store fails: the upload has ended, and nothing is left of it.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<()> {
        self.check_whole()?;
        self.is_writing = true;
        self.size_bytes += bytes.len() as u64;
        while self.pending.content_length() + bytes.len() > PART_BYTES {
            let piece = bytes.split_to(PART_BYTES - self.pending.content_length());
            self.keep(piece);
            let part = std::mem::take(&mut self.pending).freeze();
            let sent = self.send(part).await;
            self.end_on_error(sent).await?;
        }
        self.keep(bytes);
        self.is_writing = false;
        Ok(())
    }

    /// Makes the object durable and whole. Returns its size.
    ///
    /// # Errors
    /// `Unavailable` when the store fails: the object may then be there, whole, or not be there. Deleting it makes
    /// that sure.
    pub async fn finish(mut self) -> Result<u64> {
        self.check_whole()?;
        let rest = std::mem::take(&mut self.pending).freeze();
        let finished = self.send_rest(rest).await;
        self.end_on_error(finished).await?;
        self.state = State::Ended;
        Ok(self.size_bytes)
    }

    fn check_whole(&self) -> Result<()> {
        if self.is_writing || matches!(self.state, State::Ended) {
            return Err(Error::internal(format!("an earlier write of {} was not completed", self.path)));
        }
        Ok(())
    }

    fn keep(&mut self, piece: Bytes) {
        if piece.len() < MIN_KEPT_PIECE_BYTES {
            self.pending.extend_from_slice(&piece);
        } else {
            self.pending.push(piece);
        }
    }

    /// Sends a part on its way.
    async fn send(&mut self, part: PutPayload) -> object_store::Result<()> {
        if matches!(self.state, State::Small) {
            let upload = self.store.put_multipart_opts(&self.path, PutMultipartOptions::default()).await?;
            self.state = State::Parts(PartUpload { upload, parts: JoinSet::new() });
        }
        let State::Parts(PartUpload { upload, parts }) = &mut self.state else { return Ok(()) };
        wait_below(parts, MAX_PARTS_IN_FLIGHT).await?;
        parts.spawn(upload.put_part(part));
        Ok(())
    }

    async fn send_rest(&mut self, rest: PutPayload) -> object_store::Result<()> {
        match &mut self.state {
            State::Small => self.store.put(&self.path, rest).await.map(drop),
            State::Parts(_) => {
                self.send(rest).await?;
                let State::Parts(PartUpload { upload, parts }) = &mut self.state else { return Ok(()) };
                wait_below(parts, 1).await?;
                upload.complete().await.map(drop)
            }
            State::Ended => Ok(()),
        }
    }

    async fn end_on_error(&mut self, result: object_store::Result<()>) -> Result<()> {
        let Err(error) = result else { return Ok(()) };
        if let State::Parts(parts) = std::mem::replace(&mut self.state, State::Ended) {
            parts.abort(&self.path).await;
        }
        Err(cannot("write", &self.path, error))
    }
}

impl Drop for ObjectUpload {
    fn drop(&mut self) {
        let State::Parts(parts) = std::mem::replace(&mut self.state, State::Ended) else { return };
        // Without a runtime the process ends, and what that means is said above.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let path = self.path.clone();
            runtime.spawn(async move { parts.abort(&path).await });
        }
    }
}

impl PartUpload {
    async fn abort(mut self, path: &Path) {
        self.parts.shutdown().await;
        if let Err(error) = self.upload.abort().await {
            tracing::warn!(%error, %path, "cannot take back the parts of an object that was not finished");
        }
    }
}

/// Waits until fewer than `count` parts are on their way.
async fn wait_below(parts: &mut JoinSet<object_store::Result<()>>, count: usize) -> object_store::Result<()> {
    while parts.len() >= count {
        match parts.join_next().await {
            Some(sent) => sent.map_err(object_store::Error::from)??,
            None => break,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use futures::FutureExt;
    use futures::future::BoxFuture;
    use object_store::memory::InMemory;
    use object_store::{PutResult, UploadPart};
    use parking_lot::Mutex;
    use tokio::sync::Notify;

    use super::*;
    use crate::storage::layer::{Layered, StoreLayer};

    /// What a store has seen of an upload.
    #[derive(Debug, Default)]
    struct Seen {
        parts: Mutex<Vec<usize>>,
        in_flight: AtomicUsize,
        most_in_flight: AtomicUsize,
        is_failing: AtomicBool,
        aborted: Notify,
    }

    #[derive(Debug)]
    struct Watched {
        below: Arc<dyn ObjectStore>,
        seen: Arc<Seen>,
    }

    impl fmt::Display for Watched {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("watched")
        }
    }

    impl StoreLayer for Watched {
        fn below(&self) -> &Arc<dyn ObjectStore> {
            &self.below
        }

        fn put_multipart<'a>(
            &'a self,
            path: &'a Path,
            options: PutMultipartOptions,
        ) -> BoxFuture<'a, object_store::Result<Box<dyn MultipartUpload>>> {
            async move {
                let upload = self.below.put_multipart_opts(path, options).await?;
                let watched = WatchedUpload { upload, seen: Arc::clone(&self.seen) };
                Ok(Box::new(watched) as Box<dyn MultipartUpload>)
            }
            .boxed()
        }
    }

    #[derive(Debug)]
    struct WatchedUpload {
        upload: Box<dyn MultipartUpload>,
        seen: Arc<Seen>,
    }

    impl MultipartUpload for WatchedUpload {
        fn put_part(&mut self, data: PutPayload) -> UploadPart {
            let seen = Arc::clone(&self.seen);
            seen.parts.lock().push(data.content_length());
            let sent = self.upload.put_part(data);
            async move {
                let in_flight = seen.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
                seen.most_in_flight.fetch_max(in_flight, Ordering::SeqCst);
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                seen.in_flight.fetch_sub(1, Ordering::SeqCst);
                if seen.is_failing.load(Ordering::SeqCst) {
                    return Err(object_store::Error::Generic { store: "watched", source: "broken".into() });
                }
                sent.await
            }
            .boxed()
        }

        fn complete<'life0, 'async_trait>(
            &'life0 mut self,
        ) -> BoxFuture<'async_trait, object_store::Result<PutResult>>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            self.upload.complete()
        }

        fn abort<'life0, 'async_trait>(&'life0 mut self) -> BoxFuture<'async_trait, object_store::Result<()>>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            self.seen.aborted.notify_one();
            self.upload.abort()
        }
    }

    fn upload() -> (Arc<Seen>, ObjectUpload) {
        let seen = Arc::<Seen>::default();
        let watched = Watched { below: Arc::new(InMemory::new()), seen: Arc::clone(&seen) };
        (seen, ObjectUpload::new(Arc::new(Layered(watched)), Path::from("a")))
    }

    async fn write(upload: &mut ObjectUpload, length: usize) -> Result<()> {
        upload.write(Bytes::from(vec![1; length])).await
    }

    #[tokio::test]
    async fn parts_are_equal_and_few_are_on_their_way() {
        let (seen, mut upload) = upload();
        for _ in 0..7 {
            write(&mut upload, PART_BYTES - 1000).await.unwrap();
        }
        assert_eq!(upload.finish().await.unwrap(), 7 * (PART_BYTES as u64 - 1000));
        let mut expected = vec![PART_BYTES; 6];
        expected.push(PART_BYTES - 7000);
        assert_eq!(*seen.parts.lock(), expected);
        assert_eq!(seen.most_in_flight.load(Ordering::SeqCst), MAX_PARTS_IN_FLIGHT);
    }

    #[tokio::test]
    async fn one_part_is_put_at_once() {
        let (seen, mut upload) = upload();
        write(&mut upload, PART_BYTES).await.unwrap();
        upload.finish().await.unwrap();
        assert!(seen.parts.lock().is_empty());
    }

    #[tokio::test]
    async fn what_is_dropped_or_fails_is_taken_back() {
        let (seen, mut dropped) = upload();
        write(&mut dropped, PART_BYTES + 1).await.unwrap();
        drop(dropped);
        seen.aborted.notified().await;

        let (seen, mut failing) = upload();
        seen.is_failing.store(true, Ordering::SeqCst);
        write(&mut failing, PART_BYTES + 1).await.unwrap();
        let error = failing.finish().await.unwrap_err();
        assert_eq!(error.message(), "cannot write a");
        seen.aborted.notified().await;
    }

    #[tokio::test]
    async fn a_write_that_was_dropped_half_way_is_not_forgotten() {
        let (_seen, mut upload) = upload();
        {
            let mut interrupted = Box::pin(write(&mut upload, 4 * PART_BYTES));
            assert!(futures::poll!(interrupted.as_mut()).is_pending());
        }
        assert!(write(&mut upload, 1).await.is_err());
        assert!(upload.finish().await.is_err(), "bytes are missing");
    }
}
