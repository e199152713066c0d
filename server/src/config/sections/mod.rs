//! Every setting there is: one file per section.

mod ai;
mod alerts;
mod auth;
mod delivery;
mod engine;
mod export;
mod ingest;
mod log;
mod memory;
mod metadata;
mod metrics;
mod oidc;
mod query;
mod rate_limits;
mod secrets;
mod server;
mod smtp;
mod sql;
mod storage;
mod tail;
mod traces;

use super::setting::Setting;

/// The sections in the order in which they are applied: a part of the memory can be set on its own after the whole has
/// been shared out.
const SECTIONS: &[&[Setting]] = &[
    memory::SETTINGS,
    server::SETTINGS,
    ingest::SETTINGS,
    engine::SETTINGS,
    metadata::SETTINGS,
    storage::SETTINGS,
    query::SETTINGS,
    sql::SETTINGS,
    tail::SETTINGS,
    export::SETTINGS,
    alerts::SETTINGS,
    ai::SETTINGS,
    auth::SETTINGS,
    oidc::SETTINGS,
    secrets::SETTINGS,
    delivery::SETTINGS,
    smtp::SETTINGS,
    log::SETTINGS,
    traces::SETTINGS,
    metrics::SETTINGS,
    rate_limits::SETTINGS,
];

/// Every setting there is, in the order in which they are applied.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.iter().copied().flatten()
}
