//! Timberline's storage and query engine: everything that is true without HTTP.
//!
//! ```text
//! request bytes --ingest--> rows --group commit--> write-ahead log
//!                            |
//!                            v
//!                         buffer --flush--> data files (Parquet) + catalog + manifests
//!                            \________________ snapshot ________________/
//!                                                 |
//! LogQuery --filter translation--> expression --> DataFusion --> rows, counts, sparklines
//! ```
//!
//! Modules in reading order: [`schema`] (what a row is), [`ingest`] (bytes to rows), `wal` and `committer`
//! (durability), [`buffer`] (fresh rows), [`storage`] (data files), [`index`] (their sidecars), [`catalog`] (which
//! rows exist), `data_file_writer`, `flush`, `compaction` and `maintenance` (from memory to files, from small files to
//! large ones), [`activity`] (the audit trail), [`retention`] and `expire` (which rows have expired, and how their files leave), [`pattern`] (what
//! bodies have in common), [`query`] (questions), [`rules`] (what is dropped before it is stored), [`tail`] (rows as
//! they come in), and [`Engine`], all of it behind one handle (its questions are in `questions` and `sql_questions`).
//! [`stats`] say how it fares. [`operations`] work on a folder as a whole: rebuild, check, back up,
//! restore.
//! [`error`], [`limits`], [`config`], [`clock`], [`scrub`] and [`database`] stand below them all.

pub mod activity;
mod background;
pub mod buffer;
pub mod catalog;
pub mod clock;
mod committer;
mod compaction;
pub mod config;
mod data_file_writer;
pub mod database;
mod engine;
pub mod error;
mod expire;
mod flush;
mod folder_lock;
pub mod index;
pub mod ingest;
pub mod limits;
mod maintenance;
pub mod operations;
pub mod pattern;
pub mod query;
mod questions;
mod recovery;
pub mod retention;
pub mod rules;
pub mod schema;
pub mod scrub;
#[cfg(test)]
mod simulation;
pub mod sql;
mod sql_questions;
pub mod stats;
pub mod storage;
pub mod tail;
mod wal;

pub use config::EngineConfig;
pub use engine::Engine;
pub use error::{Error, ErrorKind, Result};
