//! A run beside a stand-in for VictoriaLogs agrees in all answers, and tells what is wrong with a server.

mod logsql;
mod stand_in;

use std::path::PathBuf;

use benches::side_by_side::{Comparison, Dataset, compare};
use data::{LogSpec, RecordShape};

use self::stand_in::{PASSWORD, Rows, StandIn};

const ROWS: u64 = 20_000;

fn comparison(url: &str, rows: u64) -> Comparison {
    let spec = LogSpec { rows, shape: RecordShape::Sizing, ..LogSpec::default() };
    Comparison {
        dataset: Dataset::Generated(spec),
        max_rows: rows,
        repetitions: 1,
        python: None,
        victorialogs: Some(url.parse().unwrap()),
        program: PathBuf::from(env!("CARGO_BIN_EXE_benches")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_logsql_agrees_on_all_questions_that_it_can_answer() {
    let server = StandIn::start(Rows::Kept).await;
    let measured = compare(&comparison(&server.url, ROWS)).await.unwrap();
    assert_eq!(measured.questions().count(), 22);
    let report = measured.to_markdown("the command");
    for expected in [
        "| beside | VictoriaLogs v9.8.7 |",
        "| victorialogs, load | ",
        "| victorialogs, bytes/row | 2.00 |",
        "| victorialogs, peak memory | 100 MiB |",
        "| question | answer | Timberline | victorialogs | ratio | at most |",
        "| newest 100 | 100 rows |",
    ] {
        assert!(report.contains(expected), "{expected:?} is missing in\n{report}");
    }
    let cells: Vec<Vec<&str>> = report.lines().map(|line| line.split(" | ").collect()).collect();
    let unasked = cells.iter().filter(|cells| cells.get(3) == Some(&"-")).map(|cells| cells[0]);
    assert_eq!(
        unasked.collect::<Vec<_>>(),
        ["| attribute keys", "| SQL: p95 of a number by service"],
        "{report}"
    );
    assert!(measured.to_svg().contains("victorialogs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_the_server_drops_end_the_run() {
    let server = StandIn::start(Rows::OneDropped).await;
    let error = format!("{:#}", compare(&comparison(&server.url, 2_000)).await.unwrap_err());
    for expected in ["has 1999 of 2000 rows", "2026-01-12T", "-retentionPeriod", "-futureRetention"] {
        assert!(error.contains(expected), "{expected:?} is missing in {error}");
    }
    assert!(!error.contains(PASSWORD), "{error}");
}

#[tokio::test]
async fn a_server_that_is_no_victorialogs_is_told_before_anything_is_loaded() {
    let server = StandIn::start(Rows::Kept).await;
    for (url, expected) in [
        (format!("{}/elsewhere", server.url), "404"),
        (server.url.replace(PASSWORD, "wrong"), "401 Unauthorized: who is it?"),
    ] {
        let error = format!("{:#}", compare(&comparison(&url, 1)).await.unwrap_err());
        let asked = error.contains("cannot ask http://127.0.0.1:") && error.contains("* | stats count() n");
        assert!(asked && error.contains(expected), "{error}");
        assert!(!error.contains(PASSWORD) && !error.contains("wrong"), "{error}");
    }
}
