//! Statements of somebody who wants more than to read: none of them gets it, through any door, because all doors are
//! this one.

use std::time::Duration;

use engine::error::{Error, ErrorKind};
use engine::query::QuerySettings;

use super::corpus::{Corpus, Row, small_settings};
use super::sql::run;

async fn corpus() -> Corpus {
    let settings = QuerySettings {
        deadline: Duration::from_secs(5),
        max_memory_bytes: 64 << 20,
        max_spill_bytes: 1 << 20,
        ..small_settings()
    };
    let rows = (0..200).map(|id| Row::new(id, id as i64, &"x".repeat(100)));
    Corpus::with_settings(&[rows.collect()], &[], settings).await
}

async fn refused(corpus: &Corpus, sql: &str) -> Error {
    match run(corpus, sql).await {
        Err(error) => error,
        Ok(answer) => panic!("{sql}: {answer}"),
    }
}

#[tokio::test]
async fn nothing_is_changed_and_nothing_but_rows_is_read() {
    let corpus = corpus().await;
    for sql in [
        "CREATE TABLE a AS SELECT 1",
        "CREATE EXTERNAL TABLE a STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE VIEW logs AS SELECT 1",
        "CREATE FUNCTION f(x INT) RETURNS INT RETURN x",
        "CREATE SCHEMA a",
        "CREATE DATABASE a",
        "DROP TABLE logs",
        "DROP SCHEMA system CASCADE",
        "ALTER TABLE logs ADD COLUMN a INT",
        "INSERT INTO logs SELECT * FROM logs",
        "UPDATE logs SET body = ''",
        "DELETE FROM logs",
        "TRUNCATE logs",
        "MERGE INTO logs USING logs l ON true WHEN MATCHED THEN DELETE",
        "COPY logs TO '/tmp/timberline-hostile.csv'",
        "COPY (SELECT * FROM logs) TO 's3://somewhere/else.parquet'",
        "COPY logs FROM '/etc/passwd'",
        "SET datafusion.execution.batch_size = 1",
        "SET TIME ZONE 'UTC'",
        "RESET datafusion.execution.batch_size",
        "SHOW ALL",
        "SHOW TABLES",
        "SHOW CREATE TABLE logs",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "DEALLOCATE p",
        "BEGIN",
        "COMMIT",
        "CALL f()",
        "GRANT ALL ON logs TO x",
        "ATTACH DATABASE 'a' AS b",
        "PRAGMA a",
        "VACUUM",
        "ANALYZE TABLE logs",
        "INSTALL httpfs",
        "LOAD 'a'",
        "EXPLAIN COPY logs TO 'a'",
        "EXPLAIN EXPLAIN SELECT 1",
        "SELECT 1 INTO a",
        "SELECT 1; DROP TABLE logs",
        "WITH a AS (DELETE FROM logs RETURNING *) SELECT * FROM a",
    ] {
        assert_eq!(refused(&corpus, sql).await.kind(), ErrorKind::InvalidRequest, "{sql}");
    }
    assert!(!std::path::Path::new("/tmp/timberline-hostile.csv").exists());
}

#[tokio::test]
async fn files_addresses_and_other_catalogs_have_no_name() {
    let corpus = corpus().await;
    for sql in [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * FROM 'file:///etc/passwd'",
        "SELECT * FROM 's3://bucket/x.parquet'",
        "SELECT * FROM 'https://example.com/x.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_parquet('x')",
        "SELECT * FROM parquet_metadata('x')",
        "SELECT * FROM metadata_cache()",
        "SELECT * FROM TABLE(glob('/*'))",
        "SELECT * FROM logs, LATERAL read_text('/etc/passwd')",
        "SELECT read_text('/etc/passwd')",
        "SELECT load_extension('a')",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM information_schema.df_settings",
        "SELECT * FROM pg_catalog.pg_tables",
        "SELECT * FROM datafusion.information_schema.tables",
        "SELECT * FROM other.public.logs",
        "SELECT * FROM public.other",
        "SELECT * FROM activity",
        "SELECT * FROM system.settings",
        "SELECT * FROM system.metrics",
        "SELECT @@version",
        "SELECT @secret",
        "SELECT $1",
    ] {
        assert_eq!(refused(&corpus, sql).await.kind(), ErrorKind::InvalidRequest, "{sql}");
    }
}

#[tokio::test]
async fn more_memory_than_there_is_is_refused() {
    let corpus = corpus().await;
    let doubled = |depth: usize| {
        (0..depth).fold("SELECT body AS a FROM logs".to_owned(), |sql, _| {
            format!("SELECT a || a AS a FROM ({sql}) t")
        })
    };
    for sql in [
        "SELECT repeat('x', 1000000000)".to_owned(),
        "SELECT repeat(body, 100000000) FROM logs".to_owned(),
        "SELECT length(repeat(repeat('x', 60000000), 60000000))".to_owned(),
        "SELECT lpad('x', 1000000000), rpad('x', 1000000000)".to_owned(),
        "SELECT replace(repeat('a', 1000000), 'a', repeat('b', 1000000))".to_owned(),
        "SELECT regexp_replace(repeat('a', 1000000), 'a', repeat('b', 1000000), 'g')".to_owned(),
        "SELECT concat(repeat('a', 40000000), repeat('a', 40000000))".to_owned(),
        format!("SELECT max(length(a)) FROM ({}) t", doubled(40)),
        "SELECT string_agg(l.body, r.body) FROM logs l, logs r, logs s, logs t".to_owned(),
        "SELECT array_agg(l.body) FROM logs l, logs r, logs s".to_owned(),
        "SELECT DISTINCT l.uuid, r.uuid, s.uuid FROM logs l, logs r, logs s ORDER BY 1, 2, 3".to_owned(),
        "SELECT range(1, 1000000000)".to_owned(),
        "SELECT generate_series(1, 1000000000)".to_owned(),
        "SELECT array_repeat(1, 1000000000)".to_owned(),
        "SELECT array_resize([1], 1000000000)".to_owned(),
    ] {
        let error = refused(&corpus, &sql).await;
        let kind = error.kind();
        let is_meant = matches!(
            kind,
            ErrorKind::InvalidRequest | ErrorKind::LimitExceeded | ErrorKind::ResourcesExhausted
        );
        let is_disk_full = kind == ErrorKind::Unavailable && error.message().contains("disk");
        let is_late = kind == ErrorKind::DeadlineExceeded;
        assert!(is_meant || is_disk_full || is_late, "{sql}: {kind:?} {error}");
    }
    // The next one is answered as if nothing had been.
    assert!(run(&corpus, "SELECT count(*) FROM logs").await.unwrap().contains("200"));
}

#[tokio::test]
async fn statements_without_end_end() {
    let settings = QuerySettings { deadline: Duration::from_millis(300), ..small_settings() };
    let rows = (0..200).map(|id| Row::new(id, id as i64, "x"));
    let corpus = Corpus::with_settings(&[rows.collect()], &[], settings).await;
    for sql in [
        "SELECT count(*) FROM generate_series(1, 1000000000000)",
        "SELECT count(*) FROM logs a, logs b, logs c, logs d, logs e, logs f WHERE a.body || b.body || c.body || d.body || e.body || f.body = 'y'",
        "SELECT count(*) FROM logs a JOIN logs b ON a.severity_text = b.severity_text JOIN generate_series(1, 1000000000) c ON a.body || b.body || c.value = 'y'",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
        "SELECT sum(l.value * r.value) FROM generate_series(1, 1000000) l, generate_series(1, 1000000) r",
    ] {
        let kind = refused(&corpus, sql).await.kind();
        assert!(
            matches!(kind, ErrorKind::DeadlineExceeded | ErrorKind::ResourcesExhausted),
            "{sql}: {kind:?}"
        );
    }
}

#[tokio::test]
async fn what_is_deep_or_long_is_refused_and_nothing_panics() {
    let corpus = corpus().await;
    let nested = |depth: usize| format!("SELECT {}1{}", "(".repeat(depth), ")".repeat(depth));
    let selects = (0..300).fold("SELECT 1 AS a".to_owned(), |sql, _| format!("SELECT a FROM ({sql}) t"));
    let unions = vec!["SELECT 1"; 5_000].join(" UNION ALL ");
    let ors = format!("SELECT count(*) FROM logs WHERE {}", vec!["body = 'x'"; 4_000].join(" OR "));
    // As many operators as may be, and one more.
    let sum = |num_operators: usize| format!("SELECT 1{}", "+1".repeat(num_operators));
    let casts = format!("SELECT 1{}", "::int".repeat(1_000));
    let true_or = format!("SELECT 1 WHERE {}", vec!["true"; 1_000].join(" OR "));
    let all = format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(1_000));
    let text = format!("SELECT '{}'", "x".repeat(100_000));
    let (most, more) = (sum(1_000), sum(1_001));
    for sql in [most, more, casts, true_or, all, nested(500), nested(20_000), selects, text, unions, ors] {
        // Some are answered; what counts is that all of them end.
        if let Err(error) = run(&corpus, &sql).await {
            assert_ne!(error.kind(), ErrorKind::Internal, "{}: {error}", &sql[..40]);
        }
    }
    for sql in [
        "SELECT 'a",
        "SELECT \u{0}",
        "\u{202e}SELECT 1",
        "SELECT 1 FROM",
        ")))",
        "SELECT * FROM logs WHERE '",
        "SELECT x'zz'",
        "SELECT 1e999999",
        "SELECT 99999999999999999999999999999",
        "SELECT interval '1 eon'",
    ] {
        if let Err(error) = run(&corpus, sql).await {
            assert_ne!(error.kind(), ErrorKind::Internal, "{sql}: {error}");
        }
    }
}
