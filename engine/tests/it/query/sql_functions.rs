//! Functions, operators and tables of SQL beside those of DataFusion.

use super::corpus::{Corpus, Row};
use super::sql::{cells, run};

async fn corpus() -> Corpus {
    let mut rows = [
        Row::new(1, 1_000_000, r#"{"user": {"name": "Ann", "tags": ["a", "b"]}, "ms": 12.5, "ok": true}"#)
            .with_attributes(&[("ms", "12"), ("ok", "true"), ("at", "2025-12-16T10:33:00Z")]),
        Row::new(2, 301_000_000, "request 4711 took 12 ms")
            .with_attributes(&[("ms", "fast"), ("ok", "no"), ("at", "1765881180")])
            .with_resource(&[("host.name", "h1")]),
    ];
    rows[0].trace_id = [0xAB; 16];
    rows[1].severity = "error";
    Corpus::new(&[rows[..1].to_vec()], &[rows[1..].to_vec()]).await
}

#[track_caller]
fn check(answer: Result<String, engine::Error>, expected: &[&str]) {
    let answer = answer.unwrap();
    let flat: Vec<&str> = cells(&answer).into_iter().flatten().collect();
    assert_eq!(flat, expected, "{answer}");
}

#[tokio::test]
async fn attributes_have_types() {
    let corpus = corpus().await;
    let sql = "SELECT attribute_number(attributes, 'ms'), attribute_boolean(attributes, 'ok'), \
               attribute_timestamp(attributes, 'at'), attribute(attributes, 'none') FROM logs ORDER BY timestamp";
    check(
        run(&corpus, sql).await,
        &["12.0", "true", "2025-12-16T10:33:00Z", "", "", "", "2025-12-16T10:33:00Z", ""],
    );
    let sql = "SELECT count(*) FROM logs WHERE attribute_number(attributes, 'ms') > 5 \
               AND array_has(attribute_keys(attributes), 'ok')";
    check(run(&corpus, sql).await, &["1"]);
    let sql = "SELECT DISTINCT CAST(key AS VARCHAR) AS key FROM \
               (SELECT unnest(attribute_keys(attributes)) AS key FROM (SELECT attributes FROM logs LIMIT 9) r) k \
               ORDER BY 1";
    check(run(&corpus, sql).await, &["at", "ms", "ok"]);
}

#[tokio::test]
async fn bodies_are_looked_into_as_json() {
    let corpus = corpus().await;
    for (sql, expected) in [
        ("SELECT body -> 'user' ->> 'name' FROM logs ORDER BY timestamp", &["Ann", ""][..]),
        ("SELECT count(*) FROM logs WHERE body -> 'user' ->> 'name' = 'Ann'", &["1"]),
        ("SELECT json_text(body, 'user', 'tags', -1) FROM logs ORDER BY timestamp", &["b", ""]),
        ("SELECT json_get(body, 'user', 'tags') FROM logs ORDER BY timestamp LIMIT 1", &["[\"a\",\"b\"]"]),
        (
            "SELECT json_number(body, 'ms'), json_boolean(body, 'ok') FROM logs ORDER BY 1 LIMIT 1",
            &["12.5", "true"],
        ),
        (
            "SELECT json_length(body), json_length(body, 'user', 'tags') FROM logs ORDER BY 1 LIMIT 1",
            &["3", "2"],
        ),
        (
            "SELECT array_to_string(json_keys(body, 'user'), ',') FROM logs ORDER BY timestamp LIMIT 1",
            &["name,tags"],
        ),
        ("SELECT json_get('{\"a\": null}', 'a'), json_text('{\"a\": null}', 'a')", &["null", ""]),
        ("SELECT json_text('7'), json_text('x'), json_text('{')", &["7", "", ""]),
    ] {
        check(run(&corpus, sql).await, expected);
    }
}

#[tokio::test]
async fn functions_that_analysts_expect_are_there() {
    let corpus = corpus().await;
    for (sql, expected) in [
        (
            "SELECT time_bucket('5m', timestamp) AS b, count(*) FROM logs GROUP BY b ORDER BY b",
            &["1970-01-01T00:00:00Z", "1", "1970-01-01T00:05:00Z", "1"][..],
        ),
        (
            "SELECT time_bucket(INTERVAL '5 minutes', timestamp, '1970-01-01T00:01:00Z') FROM logs ORDER BY 1",
            &["1969-12-31T23:56:00Z", "1970-01-01T00:01:00Z"],
        ),
        ("SELECT date_bin(INTERVAL '5 minutes', max(timestamp)) FROM logs", &["1970-01-01T00:05:00Z"]),
        (
            "SELECT approx_distinct(body), approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY severity_number) FROM logs",
            &["2", "0.0"],
        ),
        (
            "SELECT regexp_match('a1b22', '[0-9]+')[1], regexp_like('abc', 'B', 'i'), regexp_replace('a1', '[0-9]', '#'), \
          regexp_count('aXbX', 'X')",
            &["1", "true", "a#", "2"],
        ),
        (
            "SELECT parse_severity('WARNING'), parse_severity('17'), parse_severity(NULL)",
            &["warn", "error", ""],
        ),
        ("SELECT uuid_text(uuid) FROM logs ORDER BY 1 LIMIT 1", &["00000000-0000-0000-0000-000000000001"]),
        (
            "SELECT 'a' || NULL, 'a' || 1, severity_text || '!' FROM logs ORDER BY 3 LIMIT 1",
            &["", "a1", "error!"],
        ),
        (
            "SELECT template(body) = template('request 99 took 7 ms') FROM logs ORDER BY timestamp DESC LIMIT 1",
            &["true"],
        ),
        ("SELECT array_concat([1], [2]) AS a, [1] || [2] AS b", &["[1, 2]", "[1, 2]"]),
    ] {
        check(run(&corpus, sql).await, expected);
    }
}

#[tokio::test]
async fn ids_are_compared_with_their_text() {
    let corpus = corpus().await;
    let trace = "abababababababababababababababab";
    for condition in [
        format!("trace_id = '{trace}'"),
        format!("'{}' = trace_id", trace.to_uppercase()),
        format!("trace_id IN ('{}', '{trace}')", "0".repeat(31) + "1"),
        format!("trace_id NOT IN ('{}')", "0".repeat(32)),
        "trace_id <> '00000000-0000-0000-0000-000000000000'".to_owned(),
        "uuid = '00000000-0000-0000-0000-000000000001'".to_owned(),
        "uuid < '00000000-0000-0000-0000-000000000002'".to_owned(),
    ] {
        check(run(&corpus, &format!("SELECT count(*) FROM logs WHERE {condition}")).await, &["1"]);
    }
    for text in ["abc", "", "+1", "zz", &"ab".repeat(17)] {
        let error = run(&corpus, &format!("SELECT 1 FROM logs WHERE trace_id = '{text}'")).await.unwrap_err();
        assert!(error.message().contains("no id of 16 bytes"), "{error}");
    }
}

#[tokio::test]
async fn the_system_schema_says_what_there_is() {
    let corpus = corpus().await;
    check(
        run(&corpus, "SELECT name FROM system.tables ORDER BY name").await,
        &[
            "logs",
            "system.columns",
            "system.data_files",
            "system.functions",
            "system.memory",
            "system.queries",
            "system.tables",
        ],
    );
    check(run(&corpus, "SELECT rows, level FROM system.data_files").await, &["1", "0"]);
    check(run(&corpus, "SELECT rows FROM system.memory").await, &["1"]);
    check(
        run(
            &corpus,
            "SELECT type FROM system.columns WHERE table_name = 'logs' AND column_name = 'attributes'",
        )
        .await,
        &["map"],
    );
    check(
        run(
            &corpus,
            "SELECT count(*) FROM system.functions WHERE name IN ('approx_distinct', 'time_bucket')",
        )
        .await,
        &["2"],
    );
    check(run(&corpus, "SELECT state FROM system.queries WHERE text LIKE '%queries%'").await, &["running"]);
    let undescribed = "SELECT count(*) FROM system.columns WHERE description IS NULL OR type = 'other'";
    check(run(&corpus, undescribed).await, &["0"]);
}

#[tokio::test]
async fn an_explanation_names_what_is_pruned_and_what_is_read() {
    let corpus = corpus().await;
    for (condition, expected) in [
        ("true", "logs: 1 of 1 data files read, 0 pruned; 1 rows in memory"),
        ("timestamp > '1980-01-01T00:00:00Z'", "logs: 0 of 1 data files read, 1 pruned; 0 rows in memory"),
    ] {
        for explain in ["EXPLAIN", "EXPLAIN ANALYZE"] {
            let sql = format!("{explain} SELECT body FROM logs WHERE {condition}");
            let answer = run(&corpus, &sql).await.unwrap();
            assert!(answer.contains(expected) && answer.contains("cost: questions="), "{answer}");
        }
    }
}
