//! Queries over snapshots of Parquet files and rows in memory.

mod corpus;
mod damage;
mod filters;
mod oracle;
mod pages;
mod plans;
mod properties;
mod sparklines;
mod sql;
