//! Where the rows of a data file come from: written into its footer, so that a catalog can be made anew from files
//! alone.
//!
//! | key | value |
//! |---|---|
//! | `timberline.layout_version` | version of the layout |
//! | `timberline.file_id`, `.table`, `.level` | as in the catalog |
//! | `timberline.writer`, `.epoch` | who wrote the file, in which life |
//! | `timberline.flush` | of a flush: its id |
//! | `timberline.first_sequence`, `.last_sequence` | of a flush: the batches of the table that it took |
//! | `timberline.compaction` | of a compaction: its id |
//! | `timberline.inputs` | of a compaction: ids of the files that it replaces, separated by commas |
//! | `timberline.part`, `.is_last_part` | its how manieth file this is, from 0, and whether it is the last |

use std::error::Error as StdError;
use std::str::FromStr;

use parquet::file::metadata::KeyValue;
use uuid::Uuid;

use super::LAYOUT_VERSION;
use crate::error::{Error, Result};
use crate::schema::TableId;

/// Where a file's rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileOrigin {
    pub(crate) file_id: Uuid,
    pub(crate) table: TableId,
    pub(crate) level: u32,
    pub(crate) writer: Uuid,
    pub(crate) epoch: u64,
    pub(crate) source: FileSource,
}

/// What made a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileSource {
    /// A flush of these batches, of which the file holds a part.
    Flush {
        id: Uuid,
        part: u32,
        is_last: bool,
        first_sequence: u64,
        /// Inclusive.
        last_sequence: u64,
    },
    /// A compaction, of whose output the file is a part.
    Compaction { id: Uuid, part: u32, is_last: bool, inputs: Vec<Uuid> },
}

impl FileOrigin {
    /// The entries of the footer.
    pub(crate) fn footer(&self) -> Vec<KeyValue> {
        let entry = |key: &str, value: String| KeyValue::new(format!("timberline.{key}"), value);
        let mut entries = vec![
            entry("layout_version", LAYOUT_VERSION.to_string()),
            entry("file_id", self.file_id.to_string()),
            entry("table", self.table.to_string()),
            entry("level", self.level.to_string()),
            entry("writer", self.writer.to_string()),
            entry("epoch", self.epoch.to_string()),
        ];
        match &self.source {
            FileSource::Flush { id, part, is_last, first_sequence, last_sequence } => entries.extend([
                entry("flush", id.to_string()),
                entry("part", part.to_string()),
                entry("is_last_part", is_last.to_string()),
                entry("first_sequence", first_sequence.to_string()),
                entry("last_sequence", last_sequence.to_string()),
            ]),
            FileSource::Compaction { id, part, is_last, inputs } => {
                let inputs: Vec<String> = inputs.iter().map(Uuid::to_string).collect();
                entries.extend([
                    entry("compaction", id.to_string()),
                    entry("part", part.to_string()),
                    entry("is_last_part", is_last.to_string()),
                    entry("inputs", inputs.join(",")),
                ]);
            }
        }
        entries
    }

    /// Reads the entries of a footer; other entries among them are of no interest.
    ///
    /// # Errors
    /// `CorruptData` naming the entry that is missing or no value of its kind, or a layout of a later version.
    pub(crate) fn parse(entries: &[KeyValue]) -> Result<Self> {
        let entries = Entries(entries);
        let layout_version: u32 = entries.parsed("layout_version")?;
        if layout_version > LAYOUT_VERSION {
            return Err(Error::corrupt_data(format!(
                "it has layout version {layout_version}, and this program knows up to {LAYOUT_VERSION}"
            )));
        }
        let source = if entries.find("compaction").is_some() {
            let inputs = entries.text("inputs")?.split(',').filter(|id| !id.is_empty());
            let inputs = inputs.map(|id| Uuid::parse_str(id).map_err(|error| bad_entry("inputs", error)));
            FileSource::Compaction {
                id: entries.parsed("compaction")?,
                part: entries.parsed("part")?,
                is_last: entries.parsed("is_last_part")?,
                inputs: inputs.collect::<Result<_>>()?,
            }
        } else {
            FileSource::Flush {
                id: entries.parsed("flush")?,
                part: entries.parsed("part")?,
                is_last: entries.parsed("is_last_part")?,
                first_sequence: entries.parsed("first_sequence")?,
                last_sequence: entries.parsed("last_sequence")?,
            }
        };
        Ok(Self {
            file_id: entries.parsed("file_id")?,
            table: entries.parsed("table")?,
            level: entries.parsed("level")?,
            writer: entries.parsed("writer")?,
            epoch: entries.parsed("epoch")?,
            source,
        })
    }
}

/// The entries of a footer.
struct Entries<'a>(&'a [KeyValue]);

impl<'a> Entries<'a> {
    fn find(&self, key: &str) -> Option<&'a str> {
        let named = |entry: &&KeyValue| entry.key.strip_prefix("timberline.") == Some(key);
        self.0.iter().find(named)?.value.as_deref()
    }

    fn text(&self, key: &str) -> Result<&'a str> {
        self.find(key).ok_or_else(|| Error::corrupt_data(format!("its footer has no entry timberline.{key}")))
    }

    fn parsed<T>(&self, key: &str) -> Result<T>
    where
        T: FromStr<Err: Into<Box<dyn StdError + Send + Sync>>>,
    {
        self.text(key)?.parse().map_err(|error| bad_entry(key, error))
    }
}

fn bad_entry(key: &str, error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    Error::corrupt_data(format!("its footer has a bad entry timberline.{key}")).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ProjectId;

    fn origin(source: FileSource) -> FileOrigin {
        let table = TableId::logs(ProjectId(7));
        FileOrigin { file_id: Uuid::now_v7(), table, level: 2, writer: Uuid::now_v7(), epoch: 9, source }
    }

    fn flush() -> FileOrigin {
        origin(FileSource::Flush {
            id: Uuid::now_v7(),
            part: 3,
            is_last: true,
            first_sequence: 4,
            last_sequence: u64::MAX,
        })
    }

    #[test]
    fn footers_round_trip() {
        let compaction = |inputs: Vec<Uuid>| {
            origin(FileSource::Compaction { id: Uuid::now_v7(), part: 0, is_last: false, inputs })
        };
        let origins =
            [flush(), compaction(vec![Uuid::now_v7(), Uuid::nil()]), compaction(vec![Uuid::now_v7()])];
        for origin in origins {
            let mut entries = vec![KeyValue::new("ARROW:schema".to_owned(), "x".to_owned())];
            entries.extend(origin.footer());
            assert_eq!(FileOrigin::parse(&entries).unwrap(), origin);
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let whole = flush().footer();
        for absent in 0..whole.len() {
            let mut entries = whole.clone();
            let key = entries.remove(absent).key;
            let error = FileOrigin::parse(&entries).unwrap_err();
            assert!(error.message().ends_with(&key), "{error}");
            let mut entries = whole.clone();
            entries[absent].value = Some("-".to_owned());
            let error = FileOrigin::parse(&entries).unwrap_err();
            assert!(error.message().contains(&key), "{error}");
        }
    }

    #[test]
    fn a_later_layout_is_refused() {
        let mut entries = flush().footer();
        entries[0].value = Some("77".to_owned());
        let error = FileOrigin::parse(&entries).unwrap_err();
        assert!(error.message().contains("layout version 77"), "{error}");
    }
}
