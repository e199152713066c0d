//! How fast sidecars are made and read, and how large they are: a million generated rows in one
//! sidecar, with 20, 500 and 5,000 attribute keys.
//!
//! The sizes are printed once for each number of keys, before its times.

use std::sync::Arc;

use anyhow::Result;
use arrow::array::{ArrayRef, RecordBatch, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;
use benches::load::{PROJECT, load};
use criterion::{BatchSize, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use data::{AttributeKeys, LogSpec};
use engine::Engine;
use engine::clock::SystemClock;
use engine::config::EngineConfig;
use engine::index::attribute_values::{KeyTable, Values};
use engine::index::{BuiltSidecar, Sidecar, SidecarBuilder, SidecarLimits};
use futures::TryStreamExt;
use tokio::runtime::Runtime;

const NUM_ROWS: u64 = 1_000_000;

fn sidecars(criterion: &mut Criterion) {
    for num_attribute_keys in [AttributeKeys::K20, AttributeKeys::K500, AttributeKeys::K5000] {
        let spec = LogSpec { rows: NUM_ROWS, num_attribute_keys, ..LogSpec::default() };
        let batches = generate(spec).expect("the rows are generated, stored and read");
        let without_attributes: Vec<RecordBatch> = batches.iter().map(with_empty_maps).collect();
        let built = build(&batches);
        let num_keys = num_attribute_keys.num_keys();
        report(num_keys, &built);

        let mut group = criterion.benchmark_group(format!("sidecar_1m_rows_{num_keys}_keys"));
        group.sample_size(10).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(NUM_ROWS));
        group.bench_function("make", |bencher| bencher.iter(|| build(&batches)));
        group
            .bench_function("make_without_attributes", |bencher| bencher.iter(|| build(&without_attributes)));
        let open = || Sidecar::open(&"bench.sidecar".into(), built.bytes.clone()).expect("it was just made");
        group.bench_function("read_rollup", |bencher| {
            bencher.iter_batched(open, |sidecar| sidecar.rollup().clone(), BatchSize::SmallInput);
        });
        group.bench_function("read_attribute_values", |bencher| {
            bencher.iter_batched(open, |sidecar| sidecar.attribute_values().clone(), BatchSize::SmallInput);
        });
        group.finish();
    }
}

fn build(batches: &[RecordBatch]) -> BuiltSidecar {
    let mut builder = SidecarBuilder::new(&SidecarLimits::default());
    for batch in batches {
        builder.add(batch).expect("the rows have the columns of the schema");
    }
    builder.finish(Default::default(), NUM_ROWS).expect("all rows were added")
}

/// Generated rows as they come out of data files.
fn generate(spec: LogSpec) -> Result<Vec<RecordBatch>> {
    let folder = tempfile::tempdir()?;
    Runtime::new()?.block_on(async {
        let engine = Engine::open(EngineConfig::new(folder.path()), Arc::new(SystemClock)).await?;
        load(&engine, spec).await?;
        let rows = engine.sql(PROJECT, "SELECT * FROM logs").await?;
        let batches = rows.try_collect().await?;
        engine.shutdown().await?;
        Ok(batches)
    })
}

/// Rows without attributes, so that little but the rollup is made.
fn with_empty_maps(batch: &RecordBatch) -> RecordBatch {
    let columns = batch.columns().iter().map(|column| match column.data_type() {
        DataType::Map(entries, is_sorted) => {
            let none = new_empty_array(entries.data_type());
            let none = none.as_any().downcast_ref().cloned().expect("BUG: a map's entries are a struct");
            let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(0, batch.num_rows()));
            let maps = arrow::array::MapArray::new(Arc::clone(entries), offsets, none, None, *is_sorted);
            Arc::new(maps) as ArrayRef
        }
        _ => Arc::clone(column),
    });
    RecordBatch::try_new(batch.schema(), columns.collect()).expect("BUG: empty maps are maps")
}

fn report(num_keys: usize, built: &BuiltSidecar) {
    let per_row = |num_bytes: u64| num_bytes as f64 / NUM_ROWS as f64;
    println!("{num_keys} keys: {:.3} bytes/row", per_row(built.bytes.len() as u64));
    for entry in &built.facts.recipes {
        if let Some(id) = entry.id() {
            println!("  {id:?} {:.3} bytes/row", per_row(entry.num_bytes()));
        }
    }
    println!("  facts {} bytes in memory", built.facts.memory_bytes());
    let sidecar = Sidecar::open(&"bench.sidecar".into(), built.bytes.clone()).expect("it was just made");
    if let Some(rollup) = sidecar.rollup().present() {
        let (num_cells, grain_secs) = (rollup.num_cells(), rollup.width_us() / 1_000_000);
        println!("  {num_cells} cells of {grain_secs} s, {} bytes in memory", rollup.memory_bytes());
    }
    if let Some(values) = sidecar.attribute_values().present() {
        describe("attributes", values.attributes());
        describe("resource attributes", values.resource_attributes());
        println!("  values take {} bytes in memory", values.memory_bytes());
    }
}

fn describe(name: &str, table: &KeyTable) {
    let kept: Vec<usize> = table
        .keys()
        .filter_map(|counts| match counts.values {
            Values::Kept(values) => Some(values.num_distinct()),
            Values::NotKept { .. } => None,
        })
        .collect();
    let (num_keys, num_kept, num_values) = (table.num_keys(), kept.len(), kept.iter().sum::<usize>());
    println!("  {num_keys} {name}, {num_kept} of them with all their {num_values} values");
}

criterion_group!(benches, sidecars);
criterion_main!(benches);
