//! Loading one recipe from the store.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;

use super::cached::Cached;
use super::entry::{Entry, Key, Part};
use super::{SidecarCache, SidecarSource};
use crate::error::{Error, ErrorKind, Result};
use crate::index::absence::{Absence, Recipe};
use crate::index::bytes::{Decoded, Refused, ensure};
use crate::index::format::{Head, MAX_HEAD_BYTES, RecipeEntry};
use crate::index::sidecar::{absence, locate, slice};

/// What is read of a sidecar of which nothing is known: small ones are whole in it, and a head always is.
const FRONT_BYTES: u64 = 64 << 10;
const _: () = assert!(MAX_HEAD_BYTES as u64 <= FRONT_BYTES);
/// Recipes that decompress to more are decoded on a blocking thread: it takes more than half a millisecond.
const MAX_INLINE_BYTES: u32 = 64 << 10;

/// Reads parts of objects.
pub trait ReadRange: Sync {
    /// The bytes of an object in a range: fewer when the object ends before the range does, none when it ends
    /// before the range begins.
    ///
    /// # Errors
    /// `NotFound` when there is no such object; anything else when it cannot be read now.
    fn read(&self, path: &Path, range: Range<u64>) -> impl Future<Output = Result<Bytes>> + Send;
}

/// One load of a recipe.
pub(super) struct Load<'a, S> {
    pub(super) cache: &'a SidecarCache,
    pub(super) source: &'a SidecarSource<'a>,
    pub(super) store: &'a S,
    pub(super) sidecar: &'a Path,
}

impl<S: ReadRange> Load<'_, S> {
    /// The recipe, or why it cannot be had.
    pub(super) async fn recipe<T: Cached>(&self) -> Result<Recipe<T>> {
        match self.source.facts.map(|facts| locate(&facts.recipes, T::ID)) {
            Some(Ok(located)) => match self.at::<T>(located, None).await? {
                Ok(recipe) => return Ok(Recipe::Present(recipe)),
                Err(Absence::NoSidecar) => return Ok(Recipe::Absent(Absence::NoSidecar)),
                Err(_) => {}
            },
            Some(Err(skipped @ (Absence::AsLargeAsData | Absence::OverBudget))) => {
                return Ok(Recipe::Absent(skipped));
            }
            Some(Err(_)) | None => {}
        }
        // Nothing is known, or the sidecar has been made anew since.
        let (head, front) = match self.head().await? {
            Ok(found) => found,
            Err(absence) => return Ok(Recipe::Absent(absence)),
        };
        let loaded = match locate(&head.directory, T::ID) {
            Ok(located) => self.at::<T>(located, front.as_ref()).await?,
            Err(absence) => Err(absence),
        };
        Ok(loaded.map_or_else(Recipe::Absent, Recipe::Present))
    }

    /// The head of the sidecar, and the front of the object if it was read for that.
    async fn head(&self) -> Result<Result<(Arc<Head>, Option<Bytes>), Absence>> {
        let key = Key { file_id: self.source.file.id, part: Part::Head };
        match self.cache.get::<Head>(key) {
            Some(Recipe::Present(head)) => return Ok(Ok((head, None))),
            Some(Recipe::Absent(absence)) => return Ok(Err(absence)),
            None => {}
        }
        let checked = self.read(0..FRONT_BYTES).await?.and_then(|front| {
            let head = Head::decode(&front).and_then(|head| self.check(head));
            head.map(|head| (Arc::new(head), Some(front))).map_err(|refused| absence(self.sidecar, refused))
        });
        let entry = match &checked {
            Ok((head, _)) => Entry::present(head, size_of::<Head>() + size_of_val::<[_]>(&head.directory)),
            Err(absence) => self.cache.absent(absence),
        };
        self.cache.entries.insert(key, entry);
        Ok(checked)
    }

    /// A sidecar in the wrong place says nothing about the file.
    fn check(&self, head: Head) -> Decoded<Head> {
        ensure(head.file_id == self.source.file.id, "it is of another data file")?;
        ensure(head.num_rows == self.source.file.num_rows, "it has not the rows of its data file")?;
        Ok(head)
    }

    /// The recipe at a place of the object, of which the front may have been read.
    async fn at<T: Cached>(
        &self,
        (entry, range): (RecipeEntry, Range<u64>),
        front: Option<&Bytes>,
    ) -> Result<Result<Arc<T>, Absence>> {
        let bytes = match front.and_then(|front| slice(front, range.clone())) {
            Some(bytes) => bytes,
            None => match self.read(range).await? {
                Ok(bytes) => bytes,
                Err(absence) => return Ok(Err(absence)),
            },
        };
        let num_rows = self.source.file.num_rows;
        let decode = move || entry.unpack(&bytes).and_then(|unpacked| T::decode(&unpacked, num_rows));
        let decoded: Result<T, Refused> = if entry.is_longer_than(MAX_INLINE_BYTES) {
            tokio::task::spawn_blocking(decode)
                .await
                .map_err(|error| Error::internal("decoding a sidecar was ended").with_source(error))?
        } else {
            decode()
        };
        Ok(decoded.map(Arc::new).map_err(|refused| absence(self.sidecar, refused)))
    }

    async fn read(&self, range: Range<u64>) -> Result<Result<Bytes, Absence>> {
        match self.store.read(self.sidecar, range).await {
            Ok(bytes) => Ok(Ok(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Err(Absence::NoSidecar)),
            Err(error) => Err(error),
        }
    }
}
