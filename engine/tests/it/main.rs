//! Integration tests of the engine: one binary, because each would link DataFusion again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod activity;
mod attributes;
mod compaction;
mod counting_store;
mod durability;
mod facets;
mod file_counts;
mod formats;
mod licences;
mod objects;
mod operations;
mod outside_readers;
mod places;
mod query;
mod retention;
mod s3;
mod sidecar_formats;
mod sidecars;
mod storage;
mod tail;
mod tidy;
mod waiting;
