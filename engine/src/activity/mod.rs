//! The audit trail: entries that are added, chained and read, and never changed.
//!
//! | module | what |
//! |---|---|
//! | `entry` | what an entry is, and the columns that it is stored in |
//! | `chain` | the hash that ties each entry to all before it |
//! | `spaced_json` | the text of details |
//! | `append` | adding entries to the chain of their organization, each once |
//!
//! The questions about entries are in [`query`](crate::query).

mod append;
mod chain;
mod entry;
mod questions;
mod spaced_json;

pub(crate) use append::ActivityChains;
pub use append::{Appended, Delivery};
pub use chain::{CHAIN_VERSION, ChainHead, Hash, entry_hash};
pub(crate) use entry::decode_entries;
pub use entry::{ActivityEntry, ChainLink, StoredEntry};
pub use spaced_json::spaced_json;
