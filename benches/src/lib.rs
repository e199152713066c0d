//! The query-set runner: generates logs, loads them into an engine, asks questions and reports what it took.
//!
//! In reading order: [`query_set`] reads `queries/`, [`load`] fills an engine, [`questions`] asks it,
//! [`report`] writes what was measured. It uses the engine's public interface only, and is a library so that
//! tests and micro benches share these parts.
//! [`side_by_side`] compares a server over HTTP with other engines on the same rows.
//! [`size`] counts what rows cost on the disk, [`activity`] fills an audit trail and asks it.
//! [`layout`] stands apart: it compares ways to lay out a data file, with Parquet alone.

pub mod activity;
pub mod layout;
pub mod load;
pub mod machine;
pub mod query_set;
pub mod questions;
pub mod report;
pub mod side_by_side;
pub mod size;
