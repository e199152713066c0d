//! The audit trail: stored once, chained, read as a naive evaluator reads it, and never changed.

mod life;
mod naive;
mod properties;
mod pruned;
mod sql;

use std::path::Path;
use std::sync::Arc;

use engine::activity::{ActivityEntry, ChainHead, Delivery, StoredEntry, entry_hash};
use engine::clock::{Clock, ManualClock};
use engine::query::{ActivityFilter, ActivityOrder, ActivityQuery};
use engine::schema::{OrganizationId, ProjectId};
use engine::{Engine, EngineConfig};
use uuid::Uuid;

const NOW_US: i64 = 1_765_881_156_184_820;
const DAY_US: i64 = 86_400_000_000;
const ORGANIZATION: OrganizationId = OrganizationId(Uuid::from_u128(7));
const OTHER: OrganizationId = OrganizationId(Uuid::from_u128(8));

fn config(data_dir: &Path) -> EngineConfig {
    EngineConfig {
        wal_segment_bytes: 64 << 10,
        max_wal_bytes: 16 << 20,
        compaction: false,
        // However few entries a file has, what its sidecar leaves out is tried.
        min_sidecar_rows: 1,
        query_timeout: std::time::Duration::from_secs(600),
        ..EngineConfig::new(data_dir)
    }
}

async fn open(data_dir: &Path, clock: &Arc<ManualClock>) -> Arc<Engine> {
    Engine::open(config(data_dir), Arc::clone(clock) as Arc<dyn Clock>).await.unwrap()
}

fn entry(number: u128) -> ActivityEntry {
    ActivityEntry {
        id: Uuid::from_u128(number),
        timestamp_us: NOW_US + number as i64,
        project: Some(ProjectId(1)),
        user_id: Some(3),
        was_impersonated: Some(false),
        is_system: Some(false),
        client: None,
        ip_address: None,
        scope: "Role".into(),
        activity: "created".into(),
        item_id: Some(number.to_string()),
        detail: Some(r#"{"name": "x"}"#.into()),
    }
}

async fn append(engine: &Arc<Engine>, organization: OrganizationId, entries: Vec<ActivityEntry>) {
    let floor = ChainHead::default();
    engine.append_activity(organization, entries, Delivery::First, floor).await.unwrap();
}

async fn page(engine: &Engine, filter: ActivityFilter) -> Vec<StoredEntry> {
    let query =
        ActivityQuery { filter, order: ActivityOrder::Earliest, after: None, offset: 0, limit: 100_000 };
    let page = engine.activity_page(ORGANIZATION, &query).await.unwrap();
    assert!(!page.has_more);
    page.entries
}

/// Checks every link of the chain behind `previous`, and returns how many there are.
async fn check_chain(engine: &Engine, organization: OrganizationId, mut previous: ChainHead) -> usize {
    let part = engine.chain_part(organization, 0..i64::MAX).await.unwrap();
    for stored in &part {
        assert_eq!(stored.link.sequence, previous.sequence + 1);
        let hash = entry_hash(stored.link.version, &previous, organization, &stored.entry);
        assert_eq!(hash, Some(stored.link.hash), "entry {}", stored.link.sequence);
        previous = ChainHead { sequence: stored.link.sequence, hash: stored.link.hash };
    }
    assert_eq!(engine.chain_head(organization).await.unwrap(), previous);
    part.len()
}
