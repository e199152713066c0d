//! Queries over snapshots of Parquet files and rows in memory.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod bounds;
mod corpus;
mod damage;
mod exports;
pub(crate) mod filters;
mod groups;
mod oracle;
mod pages;
mod patterns;
mod planned;
mod plans;
mod properties;
mod reads;
mod retained;
mod sliced;
mod sparklines;
mod sql;
mod sql_answers;
mod sql_functions;
mod sql_hostile;
mod sql_totals;
