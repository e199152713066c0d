//! `timberline doctor`: checks a stopped folder, and mends what is safe to mend.

use clap::Args;
use engine::clock::SystemClock;
use engine::operations::{DoctorOptions, DoctorReport, Finding, doctor};
use serde_json::{Value, json};
use uuid::Uuid;

use super::CliError;
use super::folder::{FolderArgs, print};

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Read every data file whole: finds flipped bits
    #[arg(long)]
    deep: bool,
    /// Mend what is safe to mend
    #[arg(long)]
    repair: bool,
    /// Remove the objects that the catalog does not know: they are not needed
    #[arg(long, requires = "repair")]
    confirm: bool,
    /// Give up the rows of a data file that is missing or damaged; may be repeated
    #[arg(long, value_name = "FILE_ID", requires = "repair")]
    drop: Vec<Uuid>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &DoctorArgs) -> Result<(), CliError> {
    let config = args.folder.load()?;
    let options = DoctorOptions {
        deep: args.deep,
        repair: args.repair,
        confirm: args.confirm,
        drop: args.drop.clone(),
    };
    let report = doctor(&config.engine, &SystemClock, &options).await?;
    print(args.json, &json_of(&report), &lines_of(&report))?;
    let count = report.findings.iter().filter(|finding| !finding.is_repaired).count();
    if count > 0 { Err(CliError::Findings { count }) } else { Ok(()) }
}

fn json_of(report: &DoctorReport) -> Value {
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            json!({
                "kind": finding.kind.as_str(),
                "object": finding.object,
                "message": finding.message,
                "repair": finding.repair,
                "is_repaired": finding.is_repaired,
            })
        })
        .collect();
    json!({
        "is_clean": report.is_clean(),
        "num_files": report.num_files,
        "num_rows": report.num_rows,
        "findings": findings,
        "notes": report.notes,
    })
}

fn lines_of(report: &DoctorReport) -> Vec<String> {
    let mut lines: Vec<String> = report.findings.iter().map(line_of).collect();
    lines.extend(report.notes.iter().map(|note| format!("note: {note}")));
    lines.push(format!("looked at {} data files with {} rows", report.num_files, report.num_rows));
    if report.findings.is_empty() {
        lines.push("nothing is wrong".to_owned());
    }
    lines
}

/// One line for each finding, with the file in front.
fn line_of(finding: &Finding) -> String {
    let Finding { object, message, repair, is_repaired, .. } = finding;
    match repair {
        _ if *is_repaired => format!("{object}: {message} (repaired)"),
        Some(repair) => format!("{object}: {message} ({repair})"),
        None => format!("{object}: {message}"),
    }
}
