//! The comparison of layouts runs on few rows, and all layouts give the same answers.

use benches::layout::{Comparison, Part, compare};
use data::{AttributeKeys, LogSpec, RecordShape};

#[test]
fn every_layout_answers_alike_over_several_files() {
    let spec = LogSpec {
        rows: 1_500,
        num_attribute_keys: AttributeKeys::K500,
        shape: RecordShape::Sizing,
        ..LogSpec::default()
    };
    let parts = [Part::Steps, Part::Attributes];
    let comparison = Comparison { spec: &spec, parts: &parts, rows_per_file: 700, folder: None };
    // Answers that differ between layouts are an error.
    let report = compare(&comparison, "the command").unwrap();
    for expected in
        ["# Layouts of 1500 log records, 500 attribute keys", "## Step by step", "| `the command` |"]
    {
        assert!(report.contains(expected), "{expected:?} is missing in\n{report}");
    }
}

#[test]
fn no_rows_are_refused() {
    let spec = LogSpec { rows: 0, ..LogSpec::default() };
    let comparison = Comparison { spec: &spec, parts: &[Part::Steps], rows_per_file: 1, folder: None };
    assert_eq!(compare(&comparison, "").unwrap_err().to_string(), "no rows to lay out");
}
