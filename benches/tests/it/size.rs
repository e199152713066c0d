//! Sizes are counted of all files and all columns.

use benches::size::measure;
use data::{LogSpec, RecordShape};

#[tokio::test(flavor = "multi_thread")]
async fn every_file_and_every_column_is_counted() {
    let spec = LogSpec { rows: 9_000, shape: RecordShape::Sizing, ..LogSpec::default() };
    let report = measure(spec).await.unwrap().to_markdown("the command").unwrap();
    for expected in
        ["# Bytes of 9000 log records", "| `the command` |", "| `body` |", "| `uuid` |", "checksums |"]
    {
        assert!(report.contains(expected), "{expected:?} is missing in\n{report}");
    }
    let merged = |row: &str| -> (u64, f64) {
        let line = report.lines().find(|line| line.starts_with(&format!("| {row} |"))).unwrap();
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        (cells[4].parse().unwrap(), cells[5].parse().unwrap())
    };
    let ((num_files, data), (num_sidecars, sidecars)) = (merged("data files"), merged("sidecars"));
    assert!(num_files >= 1 && num_sidecars >= 1, "{report}");
    assert!((40.0..90.0).contains(&data) && sidecars > 0.0, "{report}");
}
