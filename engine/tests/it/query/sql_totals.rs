//! Totals in SQL: what the catalog and sidecars answer equals what the rows say.

use engine::retention::{CompiledRetention, RetentionCutoff, RetentionPolicy};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::sync::Arc;
use tokio::runtime::Runtime;

use super::corpus::{Corpus, Row};
use super::properties::{SECOND, config, layout};
use super::sql::{cells, run};

const DAY: i64 = 86_400 * SECOND;
const GROUPS: [&str; 3] = ["service_name", "severity_text", "bucket"];

/// A statement that no row needs to be read for, and one with the same answer that reads rows.
#[derive(Clone, Debug)]
struct Asked {
    quick: String,
    naive: String,
}

fn condition() -> impl Strategy<Value = String> {
    let time = (-25 * SECOND..45 * SECOND, select(&[">", ">=", "<", "<=", "="][..])).prop_map(|(us, op)| {
        let time = chrono_text(us);
        format!("timestamp {op} '{time}'")
    });
    let cells = select(
        &[
            "service_name = 'web'",
            "service_name <> ''",
            "severity_text IN ('error', 'info')",
            "lower(service_name) LIKE '%b'",
            "service_name = 'web' OR severity_text = 'error'",
            "(service_name = 'db') IS NOT TRUE",
            "length(service_name) > 2",
        ][..],
    )
    .prop_map(str::to_owned);
    // With one of these the rows are read, and the answer is the same all the same.
    let others =
        select(&["bytes_uncompressed >= 0", "body LIKE '%e%'", "random() >= 0"][..]).prop_map(str::to_owned);
    prop_oneof![4 => time, 3 => cells, 1 => others]
}

fn chrono_text(us: i64) -> String {
    let (seconds, rest) = (us.div_euclid(SECOND), us.rem_euclid(SECOND));
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Within a day of the epoch.
    let date = if days < 0 { "1969-12-31" } else { "1970-01-01" };
    format!("{date}T{:02}:{:02}:{:02}.{rest:06}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

fn asked() -> impl Strategy<Value = Asked> {
    let groups = subsequence(&GROUPS[..], 0..=3);
    let width = select(&["1 second", "7 seconds", "1 minute", "1 hour", "1 day"][..]);
    let wrapped = select(&["logs", "(SELECT * FROM logs) l", "logs l"][..]);
    (groups, width, vec(condition(), 0..3), any::<bool>(), wrapped).prop_map(
        |(groups, width, conditions, with_bytes, table)| {
            let bucket = format!("date_bin(INTERVAL '{width}', timestamp)");
            let named: Vec<&str> =
                groups.iter().map(|group| if *group == "bucket" { bucket.as_str() } else { group }).collect();
            let condition = match conditions.is_empty() {
                true => String::new(),
                false => format!("WHERE ({})", conditions.join(") AND (")),
            };
            let statement = |numbers: &str| {
                let columns: Vec<&str> = named.iter().copied().chain([numbers]).collect();
                let (columns, by) = (columns.join(", "), named.join(", "));
                let group_by = if named.is_empty() { String::new() } else { format!("GROUP BY {by}") };
                let order_by = if named.is_empty() { String::new() } else { format!("ORDER BY {by}") };
                format!("SELECT {columns} FROM {table} {condition} {group_by} {order_by}")
            };
            let (quick, naive) = match with_bytes {
                true => ("count(*), sum(bytes_uncompressed)", "count(body), sum(bytes_uncompressed * 2) / 2"),
                false => ("count(*)", "count(body)"),
            };
            Asked { quick: statement(quick), naive: statement(naive) }
        },
    )
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn totals_are_what_the_rows_say(
        layout in layout(),
        expiry in prop_oneof![Just(None), (-21 * SECOND..12 * SECOND).prop_map(Some)],
        statements in vec(asked(), 1..5),
    ) {
        Runtime::new().unwrap().block_on(async {
            let mut corpus = Corpus::new(&layout.files, &layout.segments).await;
            corpus.snapshot.retention = expiry.map(|us| {
                let retention = CompiledRetention::new(RetentionPolicy::of_days(Some(1))).unwrap();
                Arc::new(RetentionCutoff::new(Arc::new(retention), DAY + us))
            });
            for Asked { quick, naive } in &statements {
                let found = run(&corpus, quick).await.unwrap();
                let expected = run(&corpus, naive).await.unwrap();
                assert_eq!(cells(&found), cells(&expected), "{quick}");
            }
        });
    }
}

/// Two files with sidecars, of rows a second apart.
async fn corpus() -> Corpus {
    let file = |number: i64| -> Vec<Row> {
        let row = |id: i64| {
            let uuid = (number * 1000 + id) as u128;
            let service = if id % 2 == 0 { "web" } else { "db" };
            Row {
                service: service.to_owned(),
                bytes: 10,
                ..Row::new(uuid, (number * 3600 + id) * SECOND, "x")
            }
        };
        (0..60).map(row).collect()
    };
    let corpus = Corpus::new(&[file(0), file(1), file(2), file(3)], &[]).await;
    assert!(corpus.snapshot.files.iter().any(|file| file.sidecar_bytes > 0));
    corpus
}

async fn explained(corpus: &Corpus, sql: &str) -> String {
    run(corpus, &format!("EXPLAIN ANALYZE {sql}")).await.unwrap()
}

#[tokio::test]
async fn an_explanation_tells_what_answered() {
    let corpus = corpus().await;
    let count = explained(&corpus, "SELECT count(*) FROM logs").await;
    assert!(
        count.contains("facts=4") && count.contains("scanned=0") && count.contains(": the catalog"),
        "{count}"
    );
    let by_service = "SELECT service_name, count(*), sum(bytes_uncompressed) FROM logs GROUP BY 1 ORDER BY 1";
    assert_eq!(
        cells(&run(&corpus, by_service).await.unwrap()),
        [["db", "120", "1200"], ["web", "120", "1200"]]
    );
    let with_sidecar = corpus.snapshot.files.iter().filter(|file| file.sidecar_bytes > 0).count();
    let explained_service = explained(&corpus, by_service).await;
    assert!(explained_service.contains(&format!("sidecars={with_sidecar} ")), "{explained_service}");
    assert!(explained_service.contains(": its sidecar"), "{explained_service}");
    // What is around the totals is as it was asked.
    let shaped = "WITH t AS (SELECT time_bucket('1h', timestamp) AS hour, count(*) AS n FROM logs \
                  WHERE timestamp >= '1970-01-01T01:00:00Z' AND service_name = 'web' GROUP BY hour HAVING count(*) > 1) \
                  SELECT max(hour), sum(n), count(*) FROM t";
    assert_eq!(cells(&run(&corpus, shaped).await.unwrap()), [["1970-01-01T03:00:00Z", "90", "3"]]);
    let nothing = "SELECT count(*) FROM logs WHERE timestamp < '1960-01-01T00:00:00Z'";
    assert_eq!(cells(&run(&corpus, nothing).await.unwrap()), [["0"]]);
    let contradiction = "SELECT severity_text, count(*) FROM logs WHERE timestamp < '1970-01-01T00:00:00Z' \
                         AND timestamp > '1970-01-01T00:10:00Z' GROUP BY 1";
    assert!(cells(&run(&corpus, contradiction).await.unwrap()).is_empty());
}
