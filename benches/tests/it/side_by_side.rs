//! The runner loads all engines, asks all questions, and the engines agree.

use std::path::PathBuf;
use std::time::Duration;

use benches::side_by_side::{
    Comparison, Dataset, Exploration, Ingestion, compare, default_python, explore, ingest,
};
use data::{LogSpec, RecordShape};

/// More where somebody wants to wait: an unoptimised build takes a second for some thousand rows.
const ROWS: u64 = 20_000;

#[tokio::test(flavor = "multi_thread")]
async fn all_engines_agree_on_all_questions() {
    let rows = std::env::var("TIMBERLINE_BENCH_ROWS").map_or(ROWS, |rows| rows.parse().unwrap());
    let spec = LogSpec { rows, shape: RecordShape::Sizing, ..LogSpec::default() };
    let comparison = Comparison {
        dataset: Dataset::Generated(spec),
        max_rows: rows,
        repetitions: 1,
        python: default_python().filter(|python| python.exists()),
        victorialogs: None,
        program: PathBuf::from(env!("CARGO_BIN_EXE_benches")),
    };
    let measured = compare(&comparison).await.unwrap();
    assert_eq!(measured.questions().count(), 22);
    let report = measured.to_markdown("the command");
    for expected in
        [&format!("# {rows} log records"), "| newest 100 | 100 rows |", "bytes/row all in", "`the command`"]
    {
        assert!(report.contains(expected), "{expected:?} is missing in\n{report}");
    }
    let plot = measured.to_svg();
    assert!(plot.starts_with("<svg") && plot.contains("rows by trace id"), "{plot}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_that_was_sent_without_a_break_is_there() {
    let ingestion = Ingestion {
        dataset: Dataset::Generated(LogSpec { rows: 2_000, ..LogSpec::default() }),
        max_rows: 2_000,
        duration: Duration::from_secs(1),
        memory: Some("512MiB".to_owned()),
        program: PathBuf::from(env!("CARGO_BIN_EXE_benches")),
    };
    let measured = ingest(&ingestion).await.unwrap();
    assert!(measured.num_rows() > 0);
    let report = measured.to_markdown("the command");
    for expected in
        [&format!("| rows | {} |", measured.num_rows()), "512MiB", "| peak resident memory |", "MiB |\n"]
    {
        assert!(report.contains(expected), "{expected:?} is missing in\n{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn explorers_are_answered_while_rows_come_in() {
    let exploration = Exploration {
        spec: LogSpec { rows: 2_000, shape: RecordShape::Sizing, ..LogSpec::default() },
        explorers: 3,
        rate: 1_000,
        duration: Duration::from_secs(1),
        memory: None,
        program: PathBuf::from(env!("CARGO_BIN_EXE_benches")),
    };
    let measured = explore(&exploration).await.unwrap();
    assert!(measured.questions().any(|(name, asked)| name == "count, whole range" && asked > 0));
    let report = measured.to_markdown("the command");
    for expected in ["# 3 explorers while records come in", "`the command`", "| 1000 in ", "| all |"] {
        assert!(report.contains(expected), "{expected:?} is missing in\n{report}");
    }
}
