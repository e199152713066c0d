//! `timberline retention`: how long a project keeps its rows.
//!
//! `show` and `set` touch only the metadata, so that they work beside a running server, which notices by itself.
//! `preview` looks at the rows and needs the folder for itself.

use std::str::FromStr;
use std::sync::Arc;

use clap::{Args, Subcommand};
use engine::clock::{Clock, SystemClock};
use engine::query::RetentionPreview;
use engine::retention::{MAX_RETENTION_DAYS, RetentionPolicy};
use engine::schema::{ProjectId, TableId};
use engine::{Engine, EngineConfig};
use serde_json::{Value, json};

use super::CliError;
use super::folder::{FolderArgs, open_meta, print};
use crate::api::iso_time;
use crate::config::ServerConfig;
use crate::meta::Meta;

#[derive(Debug, Args)]
pub(super) struct RetentionArgs {
    #[command(subcommand)]
    command: RetentionCommand,
}

#[derive(Debug, Subcommand)]
enum RetentionCommand {
    /// Print for how many days a project keeps its rows
    Show(ProjectArgs),
    /// Set for how many days a project keeps its rows, also those that are there; a running server follows within
    /// seconds, and then removes what has expired for good
    Set(DaysArgs),
    /// Count what a number of days would take away. The folder must not be served meanwhile: a running server is
    /// asked by `POST /api/projects/:id/retention/preview`
    Preview(DaysArgs),
}

#[derive(Debug, Args)]
struct ProjectArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Number of the project
    #[arg(long, value_name = "N")]
    project: i64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct DaysArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// Whole days from 1 to 36500, or forever
    #[arg(long, value_name = "DAYS")]
    days: Days,
}

/// A number of days, or for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Days(Option<u32>);

impl FromStr for Days {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "forever" {
            return Ok(Self(None));
        }
        match text.parse() {
            Ok(days) if (1..=MAX_RETENTION_DAYS).contains(&days) => Ok(Self(Some(days))),
            _ => Err(format!("a whole number from 1 to {MAX_RETENTION_DAYS}, or forever")),
        }
    }
}

pub(super) async fn run(args: &RetentionArgs) -> Result<(), CliError> {
    let project = match &args.command {
        RetentionCommand::Show(project) => project,
        RetentionCommand::Set(args) | RetentionCommand::Preview(args) => &args.project,
    };
    let config = project.folder.load()?;
    let meta = open_meta(&config).await?;
    let answered = answer(&args.command, ProjectId(project.project), &config, &meta).await;
    meta.close().await;
    let (json, lines) = answered?;
    print(project.json, &json, &lines)
}

async fn answer(
    command: &RetentionCommand,
    id: ProjectId,
    config: &ServerConfig,
    meta: &Meta,
) -> Result<(Value, Vec<String>), CliError> {
    let current = meta.retention_of_project(id).await?.ok_or(CliError::NoProject { id: id.0 })?;
    match command {
        RetentionCommand::Show(_) => Ok(kept(id, current)),
        RetentionCommand::Set(args) => {
            let Days(days) = args.days;
            if !meta.set_retention_of_project(id, days, SystemClock.now_us()).await? {
                return Err(CliError::NoProject { id: id.0 });
            }
            Ok(kept(id, days))
        }
        RetentionCommand::Preview(args) => {
            let preview = preview(config, id, current, args.days).await?;
            Ok((json_of(&preview), table(&preview)))
        }
    }
}

async fn preview(
    config: &ServerConfig,
    id: ProjectId,
    current: Option<u32>,
    Days(days): Days,
) -> Result<RetentionPreview, CliError> {
    let config = EngineConfig { compaction: false, ..config.engine.clone() };
    let engine = Engine::open(config, Arc::new(SystemClock)).await?;
    let table = TableId::logs(id);
    engine.set_retention(table, RetentionPolicy::of_days(current))?;
    // The engine is dropped, not shut down: rows that wait in its log stay there.
    Ok(engine.retention_preview(table, RetentionPolicy::of_days(days)).await?)
}

fn kept(project: ProjectId, days: Option<u32>) -> (Value, Vec<String>) {
    (json!({ "project_id": project.0, "retention_days": days }), vec![sentence(project, days)])
}

fn sentence(ProjectId(id): ProjectId, days: Option<u32>) -> String {
    match days {
        None => format!("project {id} keeps its rows for ever"),
        Some(1) => format!("project {id} keeps its rows for 1 day"),
        Some(days) => format!("project {id} keeps its rows for {days} days"),
    }
}

fn json_of(preview: &RetentionPreview) -> Value {
    let total = &preview.total;
    json!({
        "num_rows": total.rows,
        "num_bytes_uncompressed": total.bytes_uncompressed,
        "num_files_dropped": preview.files_dropped,
        "oldest": total.oldest_us.map(iso_time::format),
        "newest": total.newest_us.map(iso_time::format),
    })
}

fn table(preview: &RetentionPreview) -> Vec<String> {
    let time = |us: Option<i64>| us.map_or_else(|| "-".to_owned(), iso_time::format);
    let total = &preview.total;
    let lines = [
        ("rows that would expire", total.rows.to_string()),
        ("their uncompressed bytes", total.bytes_uncompressed.to_string()),
        ("data files removed whole", preview.files_dropped.to_string()),
        ("oldest of these rows", time(total.oldest_us)),
        ("newest of these rows", time(total.newest_us)),
    ];
    lines.iter().map(|(name, value)| format!("{name:<26}{value}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_a_number_or_forever() {
        for (text, days) in [("forever", None), ("1", Some(1)), ("30", Some(30)), ("36500", Some(36_500))] {
            assert_eq!(text.parse(), Ok(Days(days)));
        }
        for text in ["0", "-1", "36501", "1.5", "", "for ever", "null", "30d"] {
            assert!(text.parse::<Days>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_preview_is_a_table() {
        let lines = table(&RetentionPreview {
            total: engine::query::ExpiredRows {
                rows: 12,
                bytes_uncompressed: 345,
                oldest_us: Some(0),
                newest_us: None,
            },
            rules: Vec::new(),
            rest: engine::query::ExpiredRows::default(),
            files_dropped: 2,
        });
        let lines: Vec<Vec<&str>> = lines.iter().map(|line| line.split_whitespace().collect()).collect();
        let values: Vec<&str> = lines.iter().map(|line| *line.last().unwrap()).collect();
        assert_eq!(values, ["12", "345", "2", "1970-01-01T00:00:00Z", "-"]);
    }
}
