//! The recipe `attribute_values`: which keys rows have, and which values those with few have.
//!
//! Three tables of one form: the attributes of records, those of resources, and four columns of text, which
//! are keys that every row has. All numbers are exact. What is left out is marked: a table can be incomplete
//! (its keys are right, and there may be others), and a key can be without its values.

mod builder;
mod format;
mod key_table;
mod merge;
mod shedding;

pub(super) use builder::ValuesBuilder;
pub use key_table::{KeyCounts, KeyLookup, KeyTable, ValueCounts, Values};

use crate::schema::columns;

/// The columns that are counted as keys.
pub(super) const COUNTED_COLUMNS: [&str; 4] =
    [columns::SERVICE_NAME, columns::SEVERITY_TEXT, columns::EVENT_NAME, columns::INSTRUMENTATION_SCOPE];

/// How many rows have which keys and values.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeValues {
    num_rows: u64,
    columns: KeyTable,
    attributes: KeyTable,
    resource_attributes: KeyTable,
}

impl AttributeValues {
    /// Number of all rows, with attributes or without.
    pub fn num_rows(&self) -> u64 {
        self.num_rows
    }

    /// The columns `service_name`, `severity_text`, `event_name` and `instrumentation_scope`, by their names.
    /// The empty text is a value like others.
    pub fn columns(&self) -> &KeyTable {
        &self.columns
    }

    /// The records' own attributes.
    pub fn attributes(&self) -> &KeyTable {
        &self.attributes
    }

    /// The attributes of the records' resources.
    pub fn resource_attributes(&self) -> &KeyTable {
        &self.resource_attributes
    }

    /// Memory that it takes.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.tables().into_iter().map(KeyTable::memory_bytes).sum::<usize>()
    }

    fn tables(&self) -> [&KeyTable; 3] {
        [&self.columns, &self.attributes, &self.resource_attributes]
    }

    fn from_tables(num_rows: u64, [columns, attributes, resource_attributes]: [KeyTable; 3]) -> Self {
        Self { num_rows, columns, attributes, resource_attributes }
    }
}
