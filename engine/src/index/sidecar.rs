//! A whole sidecar in memory, its recipes decoded when they are asked for.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use object_store::path::Path;
use uuid::Uuid;

use super::absence::{Absence, Recipe};
use super::attribute_values::AttributeValues;
use super::bytes::{Decoded, Refused};
use super::format::{self, Head, RecipeEntry, RecipeId};
use super::ids::Ids;
use super::overview::Overview;
use super::rollup::Rollup;
use super::words::Words;
use crate::error::{Error, Result};

/// A sidecar whose head has been checked.
#[derive(Debug)]
pub struct Sidecar {
    path: Path,
    head: Head,
    bytes: Bytes,
    rollup: OnceLock<Recipe<Rollup>>,
    attribute_values: OnceLock<Recipe<AttributeValues>>,
    words: OnceLock<Recipe<Words>>,
    ids: OnceLock<Recipe<Ids>>,
    overview: OnceLock<Recipe<Overview>>,
}

impl Sidecar {
    /// Checks the head of a sidecar; `path` is where it is from.
    ///
    /// # Errors
    /// `CorruptData` when it is damaged, or of a newer version than this program knows; with the path.
    pub fn open(path: &Path, bytes: Bytes) -> Result<Self> {
        let head = Head::decode(&bytes).map_err(|refused| Error::corrupt_data(describe(path, refused)))?;
        Ok(Self {
            path: path.clone(),
            head,
            bytes,
            rollup: OnceLock::new(),
            attribute_values: OnceLock::new(),
            words: OnceLock::new(),
            ids: OnceLock::new(),
            overview: OnceLock::new(),
        })
    }

    /// The data file that it was made of.
    pub fn file_id(&self) -> Uuid {
        self.head.file_id
    }

    /// Number of rows of the data file.
    pub fn num_rows(&self) -> u64 {
        self.head.num_rows
    }

    /// Rows by time, service and severity.
    pub fn rollup(&self) -> &Recipe<Rollup> {
        self.rollup.get_or_init(|| self.decode(RecipeId::Rollup, Rollup::decode))
    }

    /// Keys and values.
    pub fn attribute_values(&self) -> &Recipe<AttributeValues> {
        self.attribute_values.get_or_init(|| self.decode(RecipeId::AttributeValues, AttributeValues::decode))
    }

    /// Words of bodies.
    pub fn words(&self) -> &Recipe<Words> {
        self.words.get_or_init(|| self.decode(RecipeId::Words, Words::decode))
    }

    /// Ids by stretches of rows.
    pub fn ids(&self) -> &Recipe<Ids> {
        self.ids.get_or_init(|| self.decode(RecipeId::Ids, Ids::decode))
    }

    /// What entries can be filtered by.
    pub fn overview(&self) -> &Recipe<Overview> {
        self.overview.get_or_init(|| self.decode(RecipeId::Overview, Overview::decode))
    }

    fn decode<T>(&self, id: RecipeId, decode: fn(&[u8], u64) -> Decoded<T>) -> Recipe<T> {
        let decoded = locate(&self.head.directory, id).and_then(|(entry, range)| {
            let bytes = slice(&self.bytes, range).unwrap_or_default();
            let unpacked = entry.unpack(&bytes);
            unpacked
                .and_then(|unpacked| decode(&unpacked, self.head.num_rows))
                .map_err(|refused| absence(&self.path, refused))
        });
        match decoded {
            Ok(recipe) => Recipe::Present(Arc::new(recipe)),
            Err(absence) => Recipe::Absent(absence),
        }
    }
}

/// A recipe's entry in a directory, and its bytes in the object.
pub(super) fn locate(
    directory: &[RecipeEntry],
    id: RecipeId,
) -> Result<(RecipeEntry, std::ops::Range<u64>), Absence> {
    let entry = format::find(directory, id).ok_or(Absence::NotMade)?;
    Ok((*entry, entry.range(id)?))
}

/// The part of some bytes; none when they do not reach so far.
pub(super) fn slice(bytes: &Bytes, range: std::ops::Range<u64>) -> Option<Bytes> {
    let (start, end) = (usize::try_from(range.start).ok()?, usize::try_from(range.end).ok()?);
    (start <= end && end <= bytes.len()).then(|| bytes.slice(start..end))
}

pub(super) fn absence(path: &Path, refused: Refused) -> Absence {
    let message = describe(path, refused).into();
    match refused {
        Refused::Damaged(_) => Absence::Damaged(message),
        Refused::Newer { .. } => Absence::Newer(message),
    }
}

fn describe(path: &Path, refused: Refused) -> String {
    match refused {
        Refused::Damaged(why) => format!("the sidecar {path} is damaged: {why}"),
        Refused::Newer { version, known } => format!(
            "the sidecar {path} has format version {version}, and this program knows versions up to {known}"
        ),
    }
}
