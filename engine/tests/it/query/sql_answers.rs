//! Answers in their forms, with their limits; statements in the list, and their end.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use bytes::Bytes;
use engine::Engine;
use engine::error::{Error, ErrorKind};
use engine::query::QuerySettings;
use engine::sql::{SqlCaller, SqlFormat, SqlQuery, SqlSources, SqlState, SqlValue};
use futures::StreamExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use serde_json::{Value, json};

use super::corpus::{Corpus, Row, small_settings};
use crate::waiting::until;

const FORMATS: [SqlFormat; 5] =
    [SqlFormat::Json, SqlFormat::Ndjson, SqlFormat::Csv, SqlFormat::Arrow, SqlFormat::Parquet];

async fn corpus_of(num_rows: u128) -> Corpus {
    let rows = (0..num_rows).map(|id| {
        Row::new(id, id as i64 * 1_000_000, &format!("row {id}")).with_attributes(&[("n", &id.to_string())])
    });
    Corpus::new(&[rows.collect()], &[]).await
}

/// The pieces of an answer, and what it ends with.
async fn pieces(corpus: &Corpus, query: SqlQuery, format: SqlFormat) -> (Vec<Bytes>, Option<Error>) {
    let answer = match corpus.context.run_sql(SqlSources::logs(&corpus.snapshot), query).await {
        Ok(answer) => answer,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut encoded = match answer.encode(format) {
        Ok(encoded) => Box::pin(encoded),
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut pieces = Vec::new();
    while let Some(piece) = encoded.next().await {
        match piece {
            Ok(piece) => pieces.push(piece),
            Err(error) => return (pieces, Some(error)),
        }
    }
    (pieces, None)
}

async fn whole(corpus: &Corpus, sql: &str, format: SqlFormat) -> Vec<u8> {
    let (pieces, error) = pieces(corpus, SqlQuery::of(sql), format).await;
    assert!(error.is_none(), "{sql}: {error:?}");
    pieces.concat()
}

fn num_rows(batches: impl Iterator<Item = Result<RecordBatch, arrow::error::ArrowError>>) -> usize {
    batches.map(|batch| batch.unwrap().num_rows()).sum()
}

#[tokio::test]
async fn an_answer_has_the_same_rows_in_every_form() {
    let corpus = corpus_of(2_000).await;
    let sql = "SELECT uuid, timestamp, body, severity_text, attributes, trace_flags FROM logs ORDER BY uuid";
    let document: Value = serde_json::from_slice(&whole(&corpus, sql, SqlFormat::Json).await).unwrap();
    assert_eq!((&document["row_count"], &document["error"]), (&json!(2_000), &json!(null)));
    let types: Vec<&str> = document["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["bytes", "timestamp", "text", "text", "map", "integer"]);
    assert_eq!(
        document["rows"][7],
        json!(["00000000000000000000000000000007", "1970-01-01T00:00:07Z", "row 7", "info", { "n": "7" }, 1])
    );
    let lines = String::from_utf8(whole(&corpus, sql, SqlFormat::Ndjson).await).unwrap();
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((lines.lines().count(), &last["body"]), (2_000, &json!("row 1999")));
    let csv = String::from_utf8(whole(&corpus, sql, SqlFormat::Csv).await).unwrap();
    let mut records = csv.split_terminator("\r\n");
    assert_eq!(records.next(), Some("uuid,timestamp,body,severity_text,attributes,trace_flags"));
    assert_eq!(
        records.next(),
        Some("00000000000000000000000000000000,1970-01-01T00:00:00Z,row 0,info,\"{\"\"n\"\":\"\"0\"\"}\",1")
    );
    assert_eq!(records.count(), 1_999);
    let arrow = whole(&corpus, sql, SqlFormat::Arrow).await;
    assert_eq!(num_rows(StreamReader::try_new(arrow.as_slice(), None).unwrap()), 2_000);
    let parquet = Bytes::from(whole(&corpus, sql, SqlFormat::Parquet).await);
    assert_eq!(num_rows(ParquetRecordBatchReader::try_new(parquet, 1024).unwrap()), 2_000);
}

#[tokio::test]
async fn every_type_has_a_form() {
    let corpus = corpus_of(1).await;
    let sql = "SELECT NULL AS n, true AS b, 1.5 AS f, 'NaN'::double AS nan, '' AS e, 'a,\"b' AS q, X'00ff' AS x, \
               DATE '2025-01-02' AS d, INTERVAL '1 day' AS i, [1, NULL] AS l, CAST(1.25 AS DECIMAL(5, 2)) AS c, \
               TIME '10:00:00' AS t, named_struct('k', 'v') AS s";
    let document: Value = serde_json::from_slice(&whole(&corpus, sql, SqlFormat::Json).await).unwrap();
    let row = document["rows"][0].as_array().unwrap();
    assert_eq!(row[..4], [json!(null), json!(true), json!(1.5), json!(null)]);
    assert_eq!(row[4..8], [json!(""), json!("a,\"b"), json!("00ff"), json!("2025-01-02")]);
    assert_eq!((&row[9], &row[10], &row[12]), (&json!([1, null]), &json!(1.25), &json!({ "k": "v" })));
    let csv = String::from_utf8(whole(&corpus, sql, SqlFormat::Csv).await).unwrap();
    let record = csv.split_terminator("\r\n").nth(1).unwrap();
    assert!(record.starts_with(",true,1.5,NaN,\"\",\"a,\"\"b\",00ff,2025-01-02,"), "{record}");
    for format in FORMATS {
        let empty = whole(&corpus, "SELECT body, timestamp FROM logs WHERE false", format).await;
        assert_eq!(empty.is_empty(), format == SqlFormat::Ndjson, "{format:?}");
    }
}

#[tokio::test]
async fn two_columns_of_one_name_are_refused_where_they_would_be_one() {
    let corpus = corpus_of(2).await;
    let sql = "SELECT a.body, b.body FROM logs a JOIN logs b USING (uuid)";
    let document: Value = serde_json::from_slice(&whole(&corpus, sql, SqlFormat::Json).await).unwrap();
    assert_eq!(document["row_count"], 2);
    let (sent, error) = pieces(&corpus, SqlQuery::of(sql), SqlFormat::Ndjson).await;
    assert!(sent.is_empty() && error.unwrap().message().contains("\"body\""));
}

#[tokio::test]
async fn the_first_rows_come_before_the_last_are_made() {
    let settings = QuerySettings { deadline: Duration::from_secs(24 * 3600), ..small_settings() };
    let corpus = Corpus::with_settings(&[], &[vec![Row::new(1, 1, "x")]], settings).await;
    let endless = "SELECT value FROM generate_series(1, 1000000000000)";
    for format in [SqlFormat::Json, SqlFormat::Ndjson, SqlFormat::Csv, SqlFormat::Arrow] {
        let query = SqlQuery::of(endless);
        let answer = corpus.context.run_sql(SqlSources::logs(&corpus.snapshot), query).await.unwrap();
        let id = answer.id();
        let mut pieces = Box::pin(answer.encode(format).unwrap());
        assert!(!pieces.next().await.unwrap().unwrap().is_empty());
        drop(pieces);
        // Nobody reads on: it ends.
        let end = async || {
            let listed = corpus.context.sql_statements(corpus.snapshot.table, &SqlCaller::default());
            let listed = listed.iter().find(|statement| statement.id == id).map(|statement| statement.state);
            listed.filter(|state| *state != SqlState::Running)
        };
        assert_eq!(until("the statement ends", end).await, SqlState::GivenUp);
    }
}

#[tokio::test]
async fn an_error_after_the_first_rows_is_seen_in_every_form() {
    let settings = QuerySettings { deadline: Duration::from_secs(60), ..small_settings() };
    let corpus = Corpus::with_settings(&[], &[vec![Row::new(1, 1, "x")]], settings).await;
    let failing = "SELECT 1 / (100000 - value) AS q FROM generate_series(1, 200000)";
    for format in FORMATS {
        let (sent, error) = pieces(&corpus, SqlQuery::of(failing), format).await;
        let error = error.unwrap_or_else(|| panic!("{format:?}"));
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{format:?}: {error}");
        // A row group is sent when it is whole.
        assert!(!sent.is_empty() || format == SqlFormat::Parquet, "{format:?}");
        let text = sent.concat();
        match format {
            SqlFormat::Json => {
                let document: Value = serde_json::from_slice(&text).unwrap();
                assert_eq!(document["error"]["code"], "invalid_request");
            }
            SqlFormat::Ndjson => {
                let last = text.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap();
                let last: Value = serde_json::from_slice(last).unwrap();
                assert_eq!(last["error"]["code"], "invalid_request");
            }
            SqlFormat::Parquet => assert!(!text.ends_with(b"PAR1")),
            SqlFormat::Csv | SqlFormat::Arrow => {}
        }
    }
}

#[tokio::test]
async fn an_answer_of_too_many_rows_is_no_answer() {
    let corpus = corpus_of(100).await;
    let query = |max_rows| SqlQuery { max_rows: Some(max_rows), ..SqlQuery::of("SELECT body FROM logs") };
    let (_, error) = pieces(&corpus, query(99), SqlFormat::Csv).await;
    let error = error.unwrap();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert!(error.message().contains("99"), "{error}");
    assert!(pieces(&corpus, query(100), SqlFormat::Csv).await.1.is_none());
}

#[tokio::test]
async fn parameters_are_values_and_never_text() {
    let corpus = corpus_of(10).await;
    let ask = |sql: &str, parameters: Vec<SqlValue>| SqlQuery { parameters, ..SqlQuery::of(sql) };
    let text = |text: &str| SqlValue::Text(text.to_owned());
    for (sql, parameters, expected) in [
        ("SELECT count(*) FROM logs WHERE body = $1", vec![text("row 3")], json!(1)),
        ("SELECT count(*) FROM logs WHERE body = $1", vec![text("x' OR '1'='1")], json!(0)),
        ("SELECT count(*) FROM logs WHERE timestamp >= $1", vec![SqlValue::Timestamp(4_000_000)], json!(6)),
        ("SELECT count(*) FROM logs WHERE timestamp >= $1", vec![text("1970-01-01T00:00:04Z")], json!(6)),
        ("SELECT count(*) FROM (SELECT 1 FROM logs LIMIT $1) l", vec![SqlValue::Integer(3)], json!(3)),
        ("SELECT $1 * 2", vec![SqlValue::Number(1.25)], json!(2.5)),
        ("SELECT $1 IS NULL", vec![SqlValue::Null], json!(true)),
        (
            "SELECT count(*) FROM logs WHERE uuid IN ($1, $2)",
            vec![text("00000000000000000000000000000003"), text("00000000-0000-0000-0000-000000000004")],
            json!(2),
        ),
    ] {
        let (sent, error) = pieces(&corpus, ask(sql, parameters), SqlFormat::Json).await;
        assert!(error.is_none(), "{sql}: {error:?}");
        let document: Value = serde_json::from_slice(&sent.concat()).unwrap();
        assert_eq!(document["rows"][0][0], expected, "{sql}");
    }
}

#[tokio::test]
async fn a_killed_statement_says_so() {
    let settings = QuerySettings { deadline: Duration::from_secs(24 * 3600), ..small_settings() };
    let corpus = Corpus::with_settings(&[], &[vec![Row::new(1, 1, "x")]], settings).await;
    let caller = SqlCaller { name: "me".to_owned(), sees_all: false };
    let sources = SqlSources { caller: caller.clone(), ..SqlSources::logs(&corpus.snapshot) };
    let query = SqlQuery::of("SELECT value FROM generate_series(1, 1000000000000)");
    let answer = corpus.context.run_sql(sources, query).await.unwrap();
    let id = answer.id();
    let mut pieces = Box::pin(answer.encode(SqlFormat::Csv).unwrap());
    pieces.next().await.unwrap().unwrap();
    let table = corpus.snapshot.table;
    let other = SqlCaller { name: "other".to_owned(), sees_all: false };
    assert!(!corpus.context.kill_sql(table, &other, id));
    assert!(corpus.context.kill_sql(table, &caller, id));
    let error = loop {
        match pieces.next().await.expect("an end") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(error.message().contains("ended by a request"), "{error}");
    let listed = corpus.context.sql_statements(table, &caller);
    assert_eq!((listed[0].id, listed[0].state), (id, SqlState::Killed));
}

#[tokio::test]
async fn statements_beyond_the_places_wait_and_other_questions_do_not() {
    let settings = QuerySettings { max_sql_statements: 1, ..small_settings() };
    let corpus = Corpus::with_settings(&[], &[vec![Row::new(1, 1, "x")]], settings).await;
    let endless = SqlQuery::of("SELECT value FROM generate_series(1, 1000000000000)");
    let first = corpus.context.run_sql(SqlSources::logs(&corpus.snapshot), endless).await.unwrap();
    let hasty = SqlQuery { max_time: Some(Duration::from_millis(50)), ..SqlQuery::of("SELECT 1") };
    let error = corpus.context.run_sql(SqlSources::logs(&corpus.snapshot), hasty).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let filter = engine::query::model::LogFilter { search_term: "x".into(), ..Default::default() };
    let all_time = engine::query::TimeRange { start_us: i64::MIN, end_us: i64::MAX };
    assert_eq!(corpus.context.count(&corpus.snapshot, &filter, all_time).await.unwrap(), 1);
    drop(first);
    let second = corpus.context.run_sql(SqlSources::logs(&corpus.snapshot), SqlQuery::of("SELECT 1")).await;
    assert!(second.is_ok(), "{second:?}");
}

/// The engine is one of the doors.
#[tokio::test]
async fn the_engine_asks_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let config = engine::EngineConfig::new(folder.path());
    let engine = Engine::open(config, std::sync::Arc::new(engine::clock::SystemClock)).await.unwrap();
    let project = engine::schema::ProjectId(1);
    let caller = SqlCaller::default();
    let endless = SqlQuery::of("SELECT value FROM generate_series(1, 1000000000000)");
    let answer = engine.run_sql(project, None, Vec::new(), caller.clone(), endless).await.unwrap();
    let id = answer.id();
    drop(answer);
    let end = async || {
        let listed = engine.sql_statements(project, &caller).remove(0);
        (listed.state != SqlState::Running).then_some((listed.id, listed.state))
    };
    assert_eq!(until("the statement ends", end).await, (id, SqlState::GivenUp));
    assert!(!engine.kill_sql(project, &caller, id));
}
