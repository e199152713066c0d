//! Sidecars: what is derived from one data file, so that a question need not read its rows.
//!
//! A sidecar is one small object beside its data file (see [`DataFile::sidecar_path`]). It is made from that file's rows
//! alone, and they never change, so a sidecar never goes stale and can be made again at any time. One that is
//! missing or damaged makes an answer slower, never wrong: what reads it says why it has nothing to say
//! ([`Absence`]), and the caller reads the rows.
//!
//! A sidecar holds *recipes*, each of them an independent piece:
//!
//! | recipe | answers |
//! |---|---|
//! | [`Rollup`] | rows and bytes by time, service and severity |
//! | [`AttributeValues`] | which attribute keys there are, and which values the less varied ones have |
//! | [`Ids`] | in which stretches of rows an id can be: of a trace, of a request |
//! | [`Words`] | which rows can have a text in their body, and of a single word how many have |
//! | [`Overview`] | what entries of the audit trail can be filtered by |
//!
//! [`SidecarBuilder`] makes them from rows, [`Recipes`] is what it made (of a file, or of rows in memory),
//! [`Sidecar`] reads a whole object, [`SidecarCache`] keeps what queries ask for, and [`FileFacts`] is the
//! little that stays in memory for every file. The bytes are drawn in `format` for the object, and in the
//! `format` of each recipe.
//!
//! [`DataFile::sidecar_path`]: crate::storage::DataFile::sidecar_path
//!
//! Knows the schema and what a data file is; does not know the catalog, DataFusion or SQL.

mod absence;
pub mod attribute_values;
mod builder;
mod bytes;
mod cache;
mod columns_of;
mod entries;
mod facts;
mod format;
pub mod ids;
mod limits;
pub mod overview;
mod recipes;
pub mod rollup;
mod sidecar;
#[cfg(test)]
mod tests;
mod text_list;
mod text_table;
pub mod words;

pub use absence::{Absence, Recipe};
pub use attribute_values::AttributeValues;
pub use builder::SidecarBuilder;
pub use cache::{ReadRange, SidecarCache, SidecarSource};
pub use facts::{FewCounts, FileFacts};
pub use format::{RecipeEntry, RecipeId};
pub use ids::Ids;
pub use limits::SidecarLimits;
pub use overview::Overview;
pub use recipes::{BuiltSidecar, Recipes};
pub use rollup::Rollup;
pub use sidecar::Sidecar;
pub use words::Words;
