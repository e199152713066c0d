//! The API as its callers see it: through the router, and through the program on a real socket.

mod auth;
mod datadog;
mod grpc;
mod harness;
mod ingest_bounds;
mod ingest_forms;
mod keys;
mod members;
mod operations;
mod organizations;
mod pages;
mod people;
mod process;
mod process_refusals;
mod process_stop;
mod processing;
mod questions;
mod refusals;
mod retention;
mod routes;
mod rules_metric;
mod rules_retention;
mod rules_sampling;
mod views;
