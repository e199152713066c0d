//! The API as its callers see it: through the router, and through the program on a real socket.

mod auth;
mod datadog;
mod explain;
mod export_assets;
mod export_streams;
mod grpc;
mod harness;
mod ingest_bounds;
mod ingest_forms;
mod keys;
mod members;
mod operations;
mod organizations;
mod pages;
mod patterns;
mod people;
mod process;
mod process_refusals;
mod process_stop;
mod processing;
mod questions;
mod refusals;
mod retention;
mod routes;
mod tail;
mod views;
