//! How fast a request body becomes rows.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use data::{AttributeKeys, LogGenerator, LogSpec, encode};
use engine::ingest::{RecordLimits, decode_otlp_json, decode_otlp_protobuf};

const NUM_RECORDS: u64 = 1_000;

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode_1000_records");
    group.throughput(Throughput::Elements(NUM_RECORDS));
    for num_attribute_keys in [AttributeKeys::K20, AttributeKeys::K5000] {
        let spec = LogSpec { rows: NUM_RECORDS, num_attribute_keys, ..LogSpec::default() };
        let request = LogGenerator::new(spec).ok().and_then(|mut requests| requests.next());
        let request = request.expect("BUG: the default spec is valid and has rows");
        let (protobuf, json) = (encode::to_protobuf(&request), encode::to_json(&request));
        let limits = RecordLimits::default();
        let num_keys = num_attribute_keys.num_keys();
        group.bench_function(format!("protobuf_{num_keys}_keys"), |bencher| {
            bencher.iter(|| decode_otlp_protobuf(&protobuf, 0, &limits));
        });
        group.bench_function(format!("json_{num_keys}_keys"), |bencher| {
            bencher.iter(|| decode_otlp_json(&json, 0, &limits));
        });
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
