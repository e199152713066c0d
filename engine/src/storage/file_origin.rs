//! Where the rows of a data file come from: written into its footer, so that a catalog can be made anew from files
//! alone.
//!
//! | key | value |
//! |---|---|
//! | `timberline.layout_version` | version of the layout |
//! | `timberline.file_id`, `.table`, `.level` | as in the catalog |
//! | `timberline.writer`, `.epoch` | who wrote the file, in which life |
//! | `timberline.first_sequence`, `.last_sequence` | of a flush: the batches of the table that it took |
//! | `timberline.compaction` | of a compaction: its id |
//! | `timberline.part`, `.is_last_part` | its how manieth file this is, from 0, and whether it is the last |
//! | `timberline.inputs` | ids of the files that it replaces, separated by commas |

use parquet::file::metadata::KeyValue;
use uuid::Uuid;

use super::LAYOUT_VERSION;
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
            FileSource::Flush { first_sequence, last_sequence } => entries.extend([
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
}
