//! The bytes of a sidecar; the only place that makes or reads them. What is in a recipe, it says itself.
//!
//! All integers are little-endian. The head:
//!
//! | bytes | content |
//! |---|---|
//! | 8 | magic `TMBRLSDC` |
//! | 4 | format version |
//! | 16 | id of the data file |
//! | 8 | number of rows of the data file |
//! | 4 | number of entries in the directory, at most 64 |
//! | 32 each | the directory |
//! | 8 | XXH3 of all bytes before |
//!
//! An entry of the directory:
//!
//! | bytes | content |
//! |---|---|
//! | 2 | recipe id |
//! | 2 | recipe version |
//! | 2 | 0 when the recipe is there; else why not: 1 as large as the data, 2 over its budget |
//! | 2 | zero |
//! | 4 | offset from the start of the object |
//! | 4 | length |
//! | 4 | length once decompressed |
//! | 4 | zero |
//! | 8 | XXH3 of the recipe's bytes |
//!
//! Then each recipe's bytes, compressed with zstd on their own, so that one can be read without the others.
//!
//! A newer program reads older versions; a program refuses a newer format version, passes over recipes that
//! it does not know, and does without a recipe of a newer recipe version. The frozen sidecar in
//! `engine/tests/fixtures` has to stay readable.

use bytes::Bytes;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::absence::Absence;
use super::bytes::{Decoded, Reader, Refused, ensure};

/// The version this code writes; it reads all up to it.
const FORMAT_VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"TMBRLSDC";
const MAX_RECIPES: usize = 64;
const HEAD_BYTES_WITHOUT_DIRECTORY: usize = 48;
const ENTRY_BYTES: usize = 32;
/// No head is longer.
pub(super) const MAX_HEAD_BYTES: usize = HEAD_BYTES_WITHOUT_DIRECTORY + MAX_RECIPES * ENTRY_BYTES;
/// What a recipe decompresses to at most: above what any budget allows, and no danger to memory.
const MAX_RECIPE_BYTES: usize = 32 << 20;
/// zstd's default level: higher ones save a few percent and cost several times the time.
const ZSTD_LEVEL: i32 = 3;

/// The recipes that this program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecipeId {
    /// [`Rollup`](super::Rollup).
    Rollup,
    /// [`AttributeValues`](super::AttributeValues).
    AttributeValues,
    /// [`Words`](super::Words).
    Words,
    /// [`Ids`](super::Ids).
    Ids,
    /// [`Overview`](super::Overview).
    Overview,
}

impl RecipeId {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Rollup, Self::AttributeValues, Self::Words, Self::Ids, Self::Overview];

    fn number(self) -> u16 {
        match self {
            Self::Rollup => 1,
            Self::AttributeValues => 2,
            Self::Words => 3,
            Self::Ids => 4,
            Self::Overview => 5,
        }
    }

    /// The version that this program writes; it reads all up to it.
    fn version(self) -> u16 {
        match self {
            Self::Rollup | Self::AttributeValues | Self::Words | Self::Ids | Self::Overview => 1,
        }
    }
}

/// Where a recipe lies in its sidecar, or why it is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecipeEntry {
    pub(super) number: u16,
    pub(super) version: u16,
    /// 0 when the recipe is there.
    pub(super) state: u16,
    pub(super) offset: u32,
    pub(super) length: u32,
    pub(super) uncompressed_length: u32,
    pub(super) checksum: u64,
}

const PRESENT: u16 = 0;
const AS_LARGE_AS_DATA: u16 = 1;
const OVER_BUDGET: u16 = 2;

impl RecipeEntry {
    /// Which recipe it is; none when this program does not know it.
    pub fn id(&self) -> Option<RecipeId> {
        RecipeId::ALL.into_iter().find(|id| id.number() == self.number)
    }

    /// How many bytes of the object it takes; 0 when it is not there.
    pub fn num_bytes(&self) -> u64 {
        u64::from(self.length)
    }

    /// The recipe's bytes in the object, or why this program has to do without it.
    pub(super) fn range(&self, id: RecipeId) -> Result<std::ops::Range<u64>, Absence> {
        match self.state {
            PRESENT if self.version > id.version() => {
                let (version, known) = (self.version, id.version());
                let message =
                    format!("{id:?} has version {version}, and this program knows versions up to {known}");
                Err(Absence::Newer(message.into()))
            }
            PRESENT => {
                let start = u64::from(self.offset);
                Ok(start..start + u64::from(self.length))
            }
            AS_LARGE_AS_DATA => Err(Absence::AsLargeAsData),
            OVER_BUDGET => Err(Absence::OverBudget),
            _ => Err(Absence::NotMade),
        }
    }

    /// Decompresses the recipe's bytes.
    pub(super) fn unpack(&self, bytes: &[u8]) -> Decoded<Vec<u8>> {
        ensure(bytes.len() == self.length as usize, "a recipe is cut off")?;
        ensure(xxh3_64(bytes) == self.checksum, "the checksum of a recipe does not match")?;
        let length = self.uncompressed_length as usize;
        ensure(length <= MAX_RECIPE_BYTES, "a recipe claims to be too large")?;
        let unpacked = zstd::bulk::decompress(bytes, length)
            .map_err(|_| Refused::Damaged("a recipe cannot be decompressed"))?;
        ensure(unpacked.len() == length, "a recipe has not the length it claims")?;
        Ok(unpacked)
    }

    /// Whether the recipe decompresses to more than so many bytes.
    pub(super) fn is_longer_than(&self, num_bytes: u32) -> bool {
        self.uncompressed_length > num_bytes
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for half in [self.number, self.version, self.state, 0] {
            out.extend_from_slice(&half.to_le_bytes());
        }
        for word in [self.offset, self.length, self.uncompressed_length, 0] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.checksum.to_le_bytes());
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let [number, version, state, _] = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        let [offset, length, uncompressed_length, _] =
            [reader.u32()?, reader.u32()?, reader.u32()?, reader.u32()?];
        let checksum = reader.u64()?;
        Ok(Self { number, version, state, offset, length, uncompressed_length, checksum })
    }
}

/// The entry of a recipe in a directory.
pub(super) fn find(directory: &[RecipeEntry], id: RecipeId) -> Option<&RecipeEntry> {
    directory.iter().find(|entry| entry.number == id.number())
}

/// The head of a sidecar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) file_id: Uuid,
    pub(super) num_rows: u64,
    pub(super) directory: Box<[RecipeEntry]>,
}

impl Head {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(head_bytes(self.directory.len()));
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.extend_from_slice(self.file_id.as_bytes());
        out.extend_from_slice(&self.num_rows.to_le_bytes());
        let num_recipes = u32::try_from(self.directory.len()).expect("BUG: a sidecar has few recipes");
        out.extend_from_slice(&num_recipes.to_le_bytes());
        self.directory.iter().for_each(|entry| entry.encode(&mut out));
        let checksum = xxh3_64(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads the head from the front of a sidecar.
    pub(super) fn decode(sidecar: &[u8]) -> Decoded<Self> {
        let mut reader = Reader::new(sidecar);
        ensure(reader.take(MAGIC.len())? == MAGIC, "it is no sidecar")?;
        let version = reader.u32()?;
        if version > FORMAT_VERSION {
            return Err(Refused::Newer { version, known: FORMAT_VERSION });
        }
        ensure(version == FORMAT_VERSION, "its format version never existed")?;
        let file_id = Uuid::from_slice(reader.take(16)?).expect("BUG: sixteen bytes are a UUID");
        let num_rows = reader.u64()?;
        let num_recipes = reader.u32()? as usize;
        ensure(num_recipes <= MAX_RECIPES, "it claims too many recipes")?;
        let directory =
            (0..num_recipes).map(|_| RecipeEntry::decode(&mut reader)).collect::<Decoded<Box<_>>>()?;
        let checksum = reader.u64()?;
        let summed = &sidecar[..head_bytes(num_recipes) - size_of::<u64>()];
        ensure(checksum == xxh3_64(summed), "the checksum of its head does not match")?;
        Ok(Self { file_id, num_rows, directory })
    }
}

fn head_bytes(num_recipes: usize) -> usize {
    HEAD_BYTES_WITHOUT_DIRECTORY + num_recipes * ENTRY_BYTES
}

/// A recipe to put into a sidecar: its bytes, or why there are none.
#[derive(Debug)]
pub(super) struct PackedRecipe {
    pub(super) id: RecipeId,
    pub(super) content: Result<Vec<u8>, Absence>,
}

/// Makes a sidecar, and tells its directory.
pub(super) fn encode(file_id: Uuid, num_rows: u64, recipes: &[PackedRecipe]) -> (Bytes, Box<[RecipeEntry]>) {
    let mut directory = Vec::with_capacity(recipes.len());
    let mut bodies = Vec::new();
    for recipe in recipes {
        let offset = head_bytes(recipes.len()) + bodies.len();
        let (id, mut entry) = (recipe.id, RecipeEntry::without_body(recipe.id, AS_LARGE_AS_DATA));
        match &recipe.content {
            Ok(content) if content.len() <= MAX_RECIPE_BYTES => {
                let body = zstd::bulk::compress(content, ZSTD_LEVEL)
                    .expect("BUG: zstd compresses anything into a buffer as large as it asks for");
                entry = RecipeEntry {
                    number: id.number(),
                    version: id.version(),
                    state: PRESENT,
                    offset: small(offset),
                    length: small(body.len()),
                    uncompressed_length: small(content.len()),
                    checksum: xxh3_64(&body),
                };
                bodies.extend(body);
            }
            Err(Absence::AsLargeAsData) => {}
            Ok(_) | Err(_) => entry.state = OVER_BUDGET,
        }
        directory.push(entry);
    }
    let head = Head { file_id, num_rows, directory: directory.into_boxed_slice() };
    let mut sidecar = head.encode();
    sidecar.extend(bodies);
    (sidecar.into(), head.directory)
}

impl RecipeEntry {
    fn without_body(id: RecipeId, state: u16) -> Self {
        let (number, version) = (id.number(), id.version());
        Self { number, version, state, offset: 0, length: 0, uncompressed_length: 0, checksum: 0 }
    }
}

fn small(length: usize) -> u32 {
    u32::try_from(length).expect("BUG: the budgets of all recipes are far below 4 GiB")
}
