//! How fast the API's questions are answered over 100,000 rows in data files.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use benches::load::load;
use benches::questions;
use criterion::{Criterion, criterion_group, criterion_main};
use data::LogSpec;
use engine::Engine;
use engine::clock::SystemClock;
use engine::config::EngineConfig;
use tokio::runtime::Runtime;

const NUM_ROWS: u64 = 100_000;
/// Windows move by a step per repetition; after this many they would leave most of the data behind.
const NUM_WINDOWS: u32 = 100;

fn ask(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let runtime = Runtime::new().expect("a runtime can be started");
    let spec = LogSpec { rows: NUM_ROWS, ..LogSpec::default() };
    let engine = runtime.block_on(fill(folder.path(), spec.clone())).expect("the engine takes the rows");
    let mut group = criterion.benchmark_group("ask_100k_rows");
    for question in questions::all(Vec::new()) {
        let mut repetition = 0;
        group.bench_function(&question.name, |bencher| {
            bencher.iter(|| {
                repetition = (repetition + 1) % NUM_WINDOWS;
                runtime.block_on(question.ask(&engine, &spec, repetition)).expect("the engine answers")
            });
        });
    }
    group.finish();
}

async fn fill(folder: &Path, spec: LogSpec) -> Result<Arc<Engine>> {
    let engine = Engine::open(EngineConfig::new(folder), Arc::new(SystemClock)).await?;
    load(&engine, spec).await?;
    Ok(engine)
}

criterion_group!(benches, ask);
criterion_main!(benches);
