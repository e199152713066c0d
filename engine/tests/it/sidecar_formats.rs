//! Sidecars of version 1, frozen: what later versions read in them, and that they still make the same of the same rows.
//!
//! `engine/tests/fixtures/sidecar-v1-records.sidecar` is of log records and has their words and ids;
//! `sidecar-v1-entries.sidecar` is of entries of the audit trail and has words, ids and an overview. Until a release has
//! frozen the formats `TIMBERLINE_WRITE_FIXTURES=1 cargo test -p engine --test it sidecar_formats` makes them anew. Those
//! of rollups and values are read by `engine/src/index/tests/fixture.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::activity::{ActivityEntry, ChainHead, Delivery};
use engine::clock::{Clock, ManualClock};
use engine::index::Sidecar;
use engine::index::ids::{DETAIL_VALUES, IdSource, number_in_detail, text_in_detail};
use engine::index::overview::{ClassValues, FieldType};
use engine::index::words::{BLOCK_ROWS, Needle};
use engine::ingest::{RecordLimits, decode_otlp_json};
use engine::schema::{OrganizationId, ProjectId, TableId, activity};
use engine::storage::DataFile;
use engine::{Engine, EngineConfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

const NOW_US: i64 = 1_765_881_156_184_820;
/// More than one block of words.
const NUM_ROWS: usize = BLOCK_ROWS as usize + 500;
const ORGANIZATION: OrganizationId = OrganizationId(Uuid::from_u128(7));

const RECORDS: &str = "sidecar-v1-records.sidecar";
const ENTRIES: &str = "sidecar-v1-entries.sidecar";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn request_id(number: usize) -> String {
    format!("{:032x}", (number as u128 + 7) * 0x1234_5678_9abc_def1)
}

fn trace_id(number: usize) -> u128 {
    (number as u128 / 6 + 1) << 64
}

fn record(number: usize) -> Value {
    let rare = if number == 2_100 { " zanzibar" } else { "" };
    let mut record = json!({
        "timeUnixNano": (NOW_US + number as i64 * 1_000_003) * 1000,
        "severityNumber": 9,
        "body": { "stringValue": format!("Request {number} timed-out{rare} — ünïcode") },
        "attributes": [{ "key": "request_id", "value": { "stringValue": request_id(number) } }],
    });
    if number.is_multiple_of(3) {
        record["traceId"] = json!(format!("{:032x}", trace_id(number)));
    }
    record
}

fn entry(number: usize) -> ActivityEntry {
    let detail = json!({
        "name": format!("thing {number}"),
        "changes": [{ "field": "enabled", "before": null, "after": number }],
        "context": if number == 2_100 { json!({ "level": "administrator" }) } else { Value::Null },
    });
    ActivityEntry {
        id: Uuid::from_u128(number as u128 + 1),
        timestamp_us: NOW_US + number as i64,
        project: (!number.is_multiple_of(3)).then_some(ProjectId(1 + number as i64 % 3)),
        user_id: (!number.is_multiple_of(5)).then_some(number as i64 % 4),
        was_impersonated: Some(number.is_multiple_of(2)),
        is_system: Some(number.is_multiple_of(5)),
        client: number.is_multiple_of(7).then(|| "web".to_owned()),
        ip_address: None,
        scope: ["Role", "FeatureFlag"][number % 2].to_owned(),
        activity: ["created", "updated", "deleted"][number % 3].to_owned(),
        item_id: Some(format!("item-{number}")),
        detail: Some(detail.to_string()),
    }
}

fn sidecar_of(folder: &Path, files: &[Arc<DataFile>]) -> Vec<u8> {
    assert_eq!(files.len(), 1);
    fs::read(folder.join(files[0].sidecar_path().as_ref())).unwrap()
}

/// The sidecars that this version makes.
async fn made() -> [Vec<u8>; 2] {
    let folder = TempDir::new().unwrap();
    let config = EngineConfig { compaction: false, min_sidecar_rows: 1, ..EngineConfig::new(folder.path()) };
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW_US));
    let engine = Engine::open(config, clock).await.unwrap();
    let records: Vec<Value> = (0..NUM_ROWS).map(record).collect();
    let resource = json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": "api" } }] });
    let request = json!({ "resourceLogs": [
        { "resource": resource, "scopeLogs": [{ "scope": { "name": "x" }, "logRecords": records }] },
    ] });
    let logs = decode_otlp_json(request.to_string().as_bytes(), NOW_US, &RecordLimits::default()).unwrap();
    engine.ingest(TableId::logs(ProjectId(1)), logs).await.unwrap();
    let entries = (0..NUM_ROWS).map(entry).collect();
    let floor = ChainHead::default();
    engine.append_activity(ORGANIZATION, entries, Delivery::First, floor).await.unwrap();
    engine.flush().await.unwrap();
    let records = sidecar_of(folder.path(), &engine.snapshot(ProjectId(1)).files);
    let entries = sidecar_of(folder.path(), &engine.activity_snapshot(ORGANIZATION).files);
    [records, entries]
}

async fn frozen(name: &str) -> Sidecar {
    if std::env::var_os("TIMBERLINE_WRITE_FIXTURES").is_some() {
        static WRITTEN: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
        let write = async || {
            let [records, entries] = made().await;
            fs::write(fixture(RECORDS), records).unwrap();
            fs::write(fixture(ENTRIES), entries).unwrap();
        };
        WRITTEN.get_or_init(write).await;
    }
    open(fs::read(fixture(name)).unwrap())
}

fn open(bytes: Vec<u8>) -> Sidecar {
    Sidecar::open(&"v1.sidecar".into(), bytes.into()).unwrap()
}

/// The blocks that may have a text, each with its number of rows where that is known.
fn blocks(sidecar: &Sidecar, text: &str) -> Option<Vec<(u32, Option<u64>)>> {
    let blocks = sidecar.words().present().unwrap().blocks_with(&Needle::new(text))?;
    Some(blocks.into_iter().map(|block| (block.block, block.num_rows)).collect())
}

fn stretches(sidecar: &Sidecar, source: IdSource<'_>, id: &[u8]) -> Option<Vec<u32>> {
    sidecar.ids().present().unwrap().stretches_with(source, &[id])
}

#[tokio::test(flavor = "multi_thread")]
async fn words_and_ids_of_records_of_version_1_are_read() {
    let sidecar = frozen(RECORDS).await;
    assert_eq!(sidecar.num_rows(), NUM_ROWS as u64);
    let both = vec![(0, Some(BLOCK_ROWS)), (1, Some(500))];
    assert_eq!(blocks(&sidecar, "quest"), Some(both));
    assert_eq!(blocks(&sidecar, "ZANZIBAR"), Some(vec![(1, Some(1))]));
    assert_eq!(blocks(&sidecar, "timed-out"), Some(vec![(0, None), (1, None)]));
    assert_eq!(blocks(&sidecar, "timeout"), Some(vec![]));
    assert_eq!(blocks(&sidecar, "42"), None);
    let by_request = IdSource::Attribute("request_id");
    for number in [0, 1_000, NUM_ROWS - 1] {
        assert_eq!(stretches(&sidecar, by_request, request_id(number).as_bytes()), Some(vec![0]));
    }
    assert_eq!(stretches(&sidecar, IdSource::TraceId, &trace_id(3).to_be_bytes()), Some(vec![0]));
    let strangers = (0..200).filter(|number| {
        let id = request_id(NUM_ROWS + number);
        stretches(&sidecar, by_request, id.as_bytes()).unwrap() == [0]
    });
    assert!(strangers.count() < 8);
    assert_eq!(stretches(&sidecar, IdSource::Attribute("other"), b"x"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_ids_and_the_overview_of_entries_of_version_1_are_read() {
    let sidecar = frozen(ENTRIES).await;
    assert_eq!(sidecar.num_rows(), NUM_ROWS as u64);
    assert_eq!(blocks(&sidecar, "\"level\": \"Administrator\""), Some(vec![(1, None)]));
    assert_eq!(blocks(&sidecar, "nothing of it"), Some(vec![]));
    let column = |name, id: &[u8]| stretches(&sidecar, IdSource::Column(name), id);
    assert_eq!(column(activity::ITEM_ID, b"item-2100"), Some(vec![0]));
    assert_eq!(column(activity::SCOPE, b"Role"), Some(vec![0]));
    assert_eq!(column(activity::SCOPE, b"Organization"), Some(vec![]));
    assert_eq!(column(activity::USER_ID, &3_i64.to_le_bytes()), Some(vec![0]));
    assert_eq!(column(activity::PROJECT_ID, &9_i64.to_le_bytes()), Some(vec![]));
    assert_eq!(column(DETAIL_VALUES, &text_in_detail("thing 77")), Some(vec![0]));
    assert_eq!(
        column(DETAIL_VALUES, &number_in_detail(&serde_json::Number::from_f64(77.0).unwrap())),
        Some(vec![0])
    );
    assert_eq!(column(DETAIL_VALUES, &text_in_detail("thing x")), Some(vec![]));
    let overview = sidecar.overview().present().unwrap();
    let seen = overview.values_of(|class| class.project == Some(2) && class.was_impersonated == Some(true));
    let expected = ClassValues {
        users: vec![0, 2],
        scopes: vec!["Role"],
        activities: vec!["updated"],
        clients: vec!["web"],
    };
    assert_eq!(seen, expected);
    let of_role = &overview.fields()["Role"];
    assert!(of_role["context"].iter().eq(&[FieldType::Null, FieldType::Object]));
    assert!(of_role["changes[].after"].iter().eq(&[FieldType::Number]));
    assert!(sidecar.rollup().present().is_none() && sidecar.attribute_values().present().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_rows_still_make_the_same_recipes() {
    let [records, entries] = made().await.map(open);
    for (name, made) in [(RECORDS, records), (ENTRIES, entries)] {
        let frozen = frozen(name).await;
        assert_eq!(frozen.words(), made.words(), "{name}");
        assert_eq!(frozen.ids(), made.ids(), "{name}");
        assert_eq!(frozen.overview(), made.overview(), "{name}");
        assert_eq!(frozen.attribute_values(), made.attribute_values(), "{name}");
        assert_eq!(frozen.rollup(), made.rollup(), "{name}");
    }
}
