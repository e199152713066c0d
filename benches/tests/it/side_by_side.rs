//! The runner loads all engines, asks all questions, and the engines agree.

use std::path::PathBuf;

use benches::side_by_side::{Comparison, Dataset, compare, default_python};
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
        program: PathBuf::from(env!("CARGO_BIN_EXE_benches")),
    };
    let measured = compare(&comparison).await.unwrap();
    assert_eq!(measured.questions().count(), 19);
    let report = measured.to_markdown("the command");
    for expected in
        [&format!("# {rows} log records"), "| newest 100 | 100 rows |", "bytes/row all in", "`the command`"]
    {
        assert!(report.contains(expected), "{expected:?} is missing in\n{report}");
    }
    let plot = measured.to_svg();
    assert!(plot.starts_with("<svg") && plot.contains("rows by trace id"), "{plot}");
}
