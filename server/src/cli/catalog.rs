//! `timberline catalog rebuild`: the catalog of a stopped folder, made anew.

use clap::{Args, Subcommand, ValueEnum};
use engine::clock::SystemClock;
use engine::operations::{
    OnAmbiguity, RebuildFindingKind, RebuildOptions, RebuildReport, RebuildSource, rebuild_catalog,
};
use serde_json::json;

use super::CliError;
use super::folder::{FolderArgs, print};

#[derive(Debug, Args)]
pub(super) struct CatalogArgs {
    #[command(subcommand)]
    command: CatalogCommand,
}

#[derive(Debug, Subcommand)]
enum CatalogCommand {
    /// Make the catalog anew from the manifests, or from the data files alone; nothing is deleted
    Rebuild(RebuildArgs),
}

#[derive(Debug, Args)]
struct RebuildArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// What to make it from
    #[arg(long, value_enum, default_value_t = From::Auto)]
    from: From,
    /// What to do about files of which it cannot be told whether they are live
    #[arg(long, value_enum, default_value_t = Ambiguous::Refuse)]
    ambiguous: Ambiguous,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum From {
    /// Manifests when they are whole, footers of data files otherwise
    Auto,
    /// Manifests only
    Manifests,
    /// Footers of data files only
    Footers,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Ambiguous {
    /// Report them and write no catalog
    Refuse,
    /// Take them: no row is lost, some may be there twice
    Keep,
    /// Leave them out: no row is there twice, some may be missing
    LeaveOut,
}

pub(super) async fn run(args: &CatalogArgs) -> Result<(), CliError> {
    let CatalogCommand::Rebuild(args) = &args.command;
    let config = args.folder.load()?;
    let options = RebuildOptions {
        source: match args.from {
            From::Auto => RebuildSource::Auto,
            From::Manifests => RebuildSource::Manifests,
            From::Footers => RebuildSource::Footers,
        },
        on_ambiguity: match args.ambiguous {
            Ambiguous::Refuse => OnAmbiguity::Refuse,
            Ambiguous::Keep => OnAmbiguity::Keep,
            Ambiguous::LeaveOut => OnAmbiguity::LeaveOut,
        },
    };
    let report = rebuild_catalog(&config.engine, &SystemClock, options).await?;
    show(&report, args.json)?;
    if !report.is_written {
        return Err(CliError::NotRebuilt);
    }
    let damage = report.findings.iter().filter(|finding| finding.kind == RebuildFindingKind::Damage).count();
    if damage > 0 { Err(CliError::Findings { count: damage }) } else { Ok(()) }
}

fn show(report: &RebuildReport, as_json: bool) -> Result<(), CliError> {
    let source = if report.source == RebuildSource::Manifests { "manifests" } else { "footers" };
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            json!({ "kind": kind(finding.kind), "object": finding.object, "message": finding.message })
        })
        .collect();
    let set_aside = report.set_aside.as_ref().map(|path| path.display().to_string());
    let json = json!({
        "source": source,
        "is_written": report.is_written,
        "num_files": report.num_files,
        "num_rows": report.num_rows,
        "epoch": report.epoch,
        "set_aside": set_aside,
        "findings": findings,
    });
    let mut lines: Vec<String> = report
        .findings
        .iter()
        .map(|finding| match finding.object.as_str() {
            "" => format!("{}: {}", kind(finding.kind), finding.message),
            object => format!("{}: {object}: {}", kind(finding.kind), finding.message),
        })
        .collect();
    if report.is_written {
        let (files, rows) = (report.num_files, report.num_rows);
        lines.push(format!("the catalog was rebuilt from {source}: {files} data files, {rows} rows"));
        lines.extend(set_aside.map(|path| format!("the catalog from before is now {path}")));
        lines
            .push("nothing is swept before `timberline doctor --repair` has looked at the folder".to_owned());
    }
    print(as_json, &json, &lines)
}

fn kind(kind: RebuildFindingKind) -> &'static str {
    match kind {
        RebuildFindingKind::Note => "note",
        RebuildFindingKind::Damage => "damage",
        RebuildFindingKind::Ambiguous => "ambiguous",
    }
}
