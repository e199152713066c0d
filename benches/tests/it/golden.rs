//! Every query of `queries/` gives the answer that `queries/golden/` holds.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::{env, fs};

use benches::activity::{append_few, organization};
use benches::load::PROJECT;
use benches::query_set;
use data::samples;
use engine::Engine;
use engine::clock::{Clock, SystemClock};
use engine::config::EngineConfig;
use engine::ingest::{RecordLimits, decode_otlp_json, decode_otlp_protobuf};
use engine::schema::TableId;

/// Set to write the answers anew instead of comparing them.
const UPDATE: &str = "UPDATE_GOLDEN";

async fn open(folder: &Path) -> Arc<Engine> {
    Engine::open(EngineConfig::new(folder), Arc::new(SystemClock)).await.unwrap()
}

/// The entries of the audit trail.
async fn append_entries(engine: &Arc<Engine>) {
    let entries: Vec<data::ActivityEntry> = serde_json::from_slice(samples::ACTIVITY_JSON).unwrap();
    append_few(engine, entries).await.unwrap();
}

async fn ingest_protobuf(engine: &Engine) {
    let limits = RecordLimits::default();
    let logs = decode_otlp_protobuf(samples::LOGS_PROTOBUF, SystemClock.now_us(), &limits).unwrap();
    assert_eq!((logs.num_rows(), logs.rejected.count), (300, 0));
    engine.ingest(TableId::logs(PROJECT), logs).await.unwrap();
}

#[tokio::test]
async fn every_query_gives_its_golden_answer() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path()).await;
    ingest_protobuf(&engine).await;
    append_entries(&engine).await;
    let mut wrong = Vec::new();
    for query in query_set::read_all().unwrap() {
        let answer = query.answer(&engine, PROJECT, organization()).await.unwrap();
        let path = query.golden_path();
        if env::var_os(UPDATE).is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &answer).unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        if answer != golden {
            wrong.push(format!("{}\n{answer}\ninstead of\n{golden}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "set {UPDATE}=1 to accept:\n{}", wrong.join("\n"));
    engine.shutdown().await.unwrap();
}

#[tokio::test]
async fn answers_are_the_same_in_memory_and_in_files_and_from_json() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let flushed = open(first.path()).await;
    ingest_protobuf(&flushed).await;
    append_entries(&flushed).await;
    flushed.flush().await.unwrap();
    let from_json = open(second.path()).await;
    let limits = RecordLimits::default();
    let logs = decode_otlp_json(samples::LOGS_NDJSON, SystemClock.now_us(), &limits).unwrap();
    from_json.ingest(TableId::logs(PROJECT), logs).await.unwrap();
    append_entries(&from_json).await;
    for query in query_set::read_all().unwrap() {
        let golden = fs::read_to_string(query.golden_path()).unwrap();
        for (engine, source) in [(&flushed, "files"), (&from_json, "JSON")] {
            let answer = query.answer(engine, PROJECT, organization()).await.unwrap();
            assert_eq!(answer, golden, "{} from {source}", query.name);
        }
    }
    flushed.shutdown().await.unwrap();
    from_json.shutdown().await.unwrap();
}

#[test]
fn every_golden_answer_belongs_to_a_query() {
    let queries = query_set::read_all().unwrap();
    assert!(!queries.is_empty());
    let expected: HashSet<_> = queries.iter().map(query_set::SetQuery::golden_path).collect();
    let folders: HashSet<_> = expected.iter().filter_map(|path| path.parent()).collect();
    for folder in folders {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            assert!(expected.contains(&path), "{} answers no query", path.display());
        }
    }
}
