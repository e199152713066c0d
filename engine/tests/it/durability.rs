//! What is acknowledged is there, once: across flushes, stops and damage.

use std::path::Path;
use std::sync::Arc;

use arrow::array::AsArray;
use data::encode;
use engine::clock::{Clock, ManualClock};
use engine::ingest::{RecordLimits, decode_otlp_json};
use engine::schema::{ProjectId, TableId};
use engine::{Engine, EngineConfig, ErrorKind};

const NOW_US: i64 = 1_765_881_156_184_820;
const PROJECT: ProjectId = ProjectId(1);

fn config(data_dir: &Path) -> EngineConfig {
    EngineConfig { wal_segment_bytes: 64 << 10, max_wal_bytes: 16 << 20, ..EngineConfig::new(data_dir) }
}

async fn open(data_dir: &Path) -> Arc<Engine> {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW_US));
    Engine::open(config(data_dir), clock).await.unwrap()
}
