//! The little that stays in memory for every data file, and its bytes in the catalog.
//!
//! | content | |
//! |---|---|
//! | version of these facts | varint |
//! | number of rows | varint |
//! | earliest and latest timestamp | two signed |
//! | sum of `bytes_uncompressed` | varint |
//! | services, then severities | two tables |
//! | number of recipes | varint |
//! | directory of the sidecar, 32 bytes each | as in the sidecar |
//! | CRC-32 of all bytes before | 4 bytes |
//!
//! A table is a varint: one more than the number of names, each with its number of rows (varint), the names as
//! a list; or 0, and a varint: the lower bound of the number of names.

use object_store::path::Path;

use super::attribute_values::{KeyLookup, KeyTable, Values};
use super::bytes::{Decoded, Reader, Refused, ensure, push_signed, push_varint};
use super::format::RecipeEntry;
use super::recipes::Recipes;
use super::sidecar::absence;
use super::text_list::TextList;
use crate::error::{Error, Result};
use crate::schema::columns;

/// The version that this program writes; it reads all up to it.
const FACTS_VERSION: u64 = 1;
/// Memory that the severities may take; the schema's seven fit. The services have what is left.
const MAX_SEVERITY_BYTES: usize = 240;
/// More recipes than this are found through the sidecar's own directory.
const MAX_RESIDENT_RECIPES: usize = 8;

/// Facts about a data file: all that is known of it without reading anything. At most 1 KiB.
#[derive(Clone, Debug, PartialEq)]
pub struct FileFacts {
    /// Number of rows; at least 1.
    pub num_rows: u64,
    /// Earliest `timestamp`, microseconds.
    pub min_timestamp_us: i64,
    /// Latest `timestamp`, microseconds, inclusive.
    pub max_timestamp_us: i64,
    /// Sum of `bytes_uncompressed`.
    pub bytes_uncompressed: u64,
    /// Rows of each service.
    pub services: FewCounts,
    /// Rows of each severity.
    pub severities: FewCounts,
    /// Where the recipes lie in the sidecar, so that one is read with one request. The sidecar may have been
    /// made again since; its own directory decides.
    pub recipes: Box<[RecipeEntry]>,
}

/// Rows by name, when the names are few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FewCounts {
    /// All names in order, each with its number of rows.
    All(Box<[(Box<str>, u64)]>),
    /// There are more than are kept here.
    TooMany {
        /// At least as many.
        min_distinct: u64,
    },
}

impl FewCounts {
    fn of(table: &KeyTable, column: &str, max_bytes: usize) -> Self {
        match table.get(column) {
            KeyLookup::Counted(counts) => match counts.values {
                Values::NotKept { min_distinct } => Self::TooMany { min_distinct },
                Values::Kept(values) => {
                    let name_bytes = |(name, _): (&str, u64)| size_of::<(Box<str>, u64)>() + name.len();
                    if values.iter().map(name_bytes).sum::<usize>() > max_bytes {
                        return Self::TooMany { min_distinct: values.num_distinct() as u64 };
                    }
                    Self::All(values.iter().map(|(name, num_rows)| (name.into(), num_rows)).collect())
                }
            },
            KeyLookup::NoRow | KeyLookup::Unknown => Self::TooMany { min_distinct: 1 },
        }
    }

    /// Number of rows with a name; none when it is not known here.
    pub fn count(&self, name: &str) -> Option<u64> {
        match self {
            Self::All(counts) => {
                let found = counts.binary_search_by(|(known, _)| known.as_ref().cmp(name));
                Some(found.map_or(0, |place| counts[place].1))
            }
            Self::TooMany { .. } => None,
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Self::All(counts) => {
                size_of_val::<[_]>(counts) + counts.iter().map(|(name, _)| name.len()).sum::<usize>()
            }
            Self::TooMany { .. } => 0,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::All(counts) => {
                push_varint(out, counts.len() as u64 + 1);
                counts.iter().for_each(|(_, num_rows)| push_varint(out, *num_rows));
                counts.iter().map(|(name, _)| name.as_ref()).collect::<TextList>().encode(out);
            }
            Self::TooMany { min_distinct } => {
                push_varint(out, 0);
                push_varint(out, *min_distinct);
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let Some(count) = reader.count()?.checked_sub(1) else {
            return Ok(Self::TooMany { min_distinct: reader.varint()? });
        };
        let num_rows = reader.varints(count)?;
        let names = TextList::decode(reader, count)?;
        ensure(names.iter().is_sorted_by(|left, right| left < right), "names are not in order")?;
        Ok(Self::All(names.iter().map(Box::from).zip(num_rows).collect()))
    }
}

impl FileFacts {
    /// What facts take at most, in memory and in the catalog.
    pub const MAX_BYTES: usize = 1024;

    pub(super) fn of(recipes: &Recipes, mut directory: Box<[RecipeEntry]>) -> Self {
        let counts = |column, max_bytes| match recipes.attribute_values.present() {
            Some(values) => FewCounts::of(values.columns(), column, max_bytes),
            None => FewCounts::TooMany { min_distinct: 1 },
        };
        let severities = counts(columns::SEVERITY_TEXT, MAX_SEVERITY_BYTES);
        let others =
            size_of::<Self>() + MAX_RESIDENT_RECIPES * size_of::<RecipeEntry>() + severities.memory_bytes();
        let services = counts(columns::SERVICE_NAME, Self::MAX_BYTES - others);
        if directory.len() > MAX_RESIDENT_RECIPES {
            directory = directory[..MAX_RESIDENT_RECIPES].into();
        }
        let totals = recipes.totals;
        Self {
            num_rows: totals.num_rows,
            min_timestamp_us: totals.min_timestamp_us,
            max_timestamp_us: totals.max_timestamp_us,
            bytes_uncompressed: totals.bytes_uncompressed,
            services,
            severities,
            recipes: directory,
        }
    }

    /// Memory that they take.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.services.memory_bytes()
            + self.severities.memory_bytes()
            + size_of_val::<[RecipeEntry]>(&self.recipes)
    }

    /// The bytes to keep in the catalog.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        push_varint(&mut out, FACTS_VERSION);
        push_varint(&mut out, self.num_rows);
        push_signed(&mut out, self.min_timestamp_us);
        push_signed(&mut out, self.max_timestamp_us);
        push_varint(&mut out, self.bytes_uncompressed);
        self.services.encode(&mut out);
        self.severities.encode(&mut out);
        push_varint(&mut out, self.recipes.len() as u64);
        self.recipes.iter().for_each(|entry| entry.encode(&mut out));
        let checksum = crc32fast::hash(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads what [`Self::encode`] made of the data file at `path`.
    ///
    /// # Errors
    /// `CorruptData` when the bytes are damaged, or of a newer version than this program knows; with the path.
    pub fn decode(path: &Path, bytes: &[u8]) -> Result<Self> {
        Self::try_decode(bytes).map_err(|refused| {
            Error::corrupt_data(format!("facts in the catalog: {}", absence(path, refused)))
        })
    }

    fn try_decode(bytes: &[u8]) -> Decoded<Self> {
        let (content, checksum) = bytes.split_last_chunk().ok_or(Refused::Damaged("it ends too early"))?;
        let mut reader = Reader::new(content);
        let version = reader.varint()?;
        ensure(crc32fast::hash(content) == u32::from_le_bytes(*checksum), "its checksum does not match")?;
        if version > FACTS_VERSION {
            let version = u32::try_from(version).unwrap_or(u32::MAX);
            return Err(Refused::Newer { version, known: FACTS_VERSION as u32 });
        }
        let num_rows = reader.varint()?;
        let (min_timestamp_us, max_timestamp_us) = (reader.signed()?, reader.signed()?);
        let bytes_uncompressed = reader.varint()?;
        let (services, severities) = (FewCounts::decode(&mut reader)?, FewCounts::decode(&mut reader)?);
        let num_recipes = reader.count()?;
        let recipes = (0..num_recipes).map(|_| RecipeEntry::decode(&mut reader)).collect::<Decoded<_>>()?;
        reader.end()?;
        Ok(Self {
            num_rows,
            min_timestamp_us,
            max_timestamp_us,
            bytes_uncompressed,
            services,
            severities,
            recipes,
        })
    }
}
