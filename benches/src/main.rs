//! `cargo run --release -p benches -- run --rows N`: measures Timberline on generated logs or a file of one's own.

mod arguments;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use benches::layout::{self, Comparison};
use benches::load::{data_file_bytes, load};
use benches::machine::{Machine, peak_memory_bytes};
use benches::report::RunReport;
use benches::side_by_side::{self, Dataset, Exploration, Growth, Ingestion, VictoriaLogsUrl, default_python};
use benches::{activity, query_set, questions, size};
use clap::{Parser, ValueEnum};
use data::{ActivityGenerator, ActivitySpec, AttributeKeys, LogSpec, RecordShape};
use engine::Engine;
use engine::clock::SystemClock;
use engine::config::EngineConfig;

use crate::arguments::{
    ActivityArgs, Cli, Command, ExploreArgs, IngestArgs, LayoutArgs, RunArgs, SetsArgs, TimberlineArgs,
};

/// Better than the system's allocator at the many short-lived columns of queries and ingestion, and what the server has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<()> {
    let (path, report) = match Cli::parse().command {
        Command::Timberline(args) => return timberline(args).await,
        Command::Run(args) => run_args(args).await?,
        Command::Ingest(args) => ingest_args(args).await?,
        Command::Explore(args) => explore_args(args).await?,
        Command::Sets(args) => sets_args(args).await?,
        Command::Size(args) => size::report(args.spec(), args.output).await?,
        Command::Activity(args) => activity_args(args).await?,
        Command::Layout(args) => tokio::task::spawn_blocking(move || layout_args(args)).await??,
    };
    write(&path, &report)?;
    println!("{report}\nwritten to {}", path.display());
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

async fn timberline(args: TimberlineArgs) -> Result<()> {
    let arguments = std::iter::once("timberline".to_owned()).chain(args.arguments);
    Ok(server::cli::run(server::cli::Cli::parse_from(arguments)).await?)
}

async fn run_args(args: RunArgs) -> Result<(PathBuf, String)> {
    let name = Path::new(&args.dataset).file_name().unwrap_or_default().to_string_lossy();
    let victorialogs: Option<VictoriaLogsUrl> = args.victorialogs.as_deref().map(str::parse).transpose()?;
    let command = |rows: &str| {
        let peer = victorialogs.as_ref().map_or_else(String::new, |url| format!(" --victorialogs {url}"));
        format!(
            "cargo run --release -p benches -- run --dataset {name} --rows {rows} --attribute-keys {} --seed {} --repetitions {}{peer}",
            args.attribute_keys.num_keys(),
            args.seed,
            args.repetitions
        )
    };
    let python = if args.alone { None } else { args.python.clone().or_else(default_python) };
    let folder =
        args.output.clone().unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results"));
    let mut runs = Vec::with_capacity(args.rows.len());
    let mut last = None;
    for rows in &args.rows {
        let spec = LogSpec {
            seed: args.seed,
            rows: *rows,
            num_attribute_keys: args.attribute_keys,
            ..LogSpec::default()
        };
        let comparison = side_by_side::Comparison {
            dataset: dataset(&args.dataset, spec),
            max_rows: *rows,
            repetitions: args.repetitions,
            python: python.clone(),
            victorialogs: victorialogs.clone(),
            program: std::env::current_exe()?,
        };
        let measured = side_by_side::compare(&comparison).await?;
        let report = measured.to_markdown(&command(&rows.to_string()));
        last = Some(with_plot(
            folder.join(format!("side-by-side-{rows}-rows.md")),
            &report,
            &measured.to_svg(),
        )?);
        runs.push(measured);
    }
    if runs.len() > 1 {
        let growth = Growth::of(&runs);
        let numbers: Vec<String> = args.rows.iter().map(u64::to_string).collect();
        let report = growth.to_markdown(&command(&numbers.join(",")));
        last = Some(with_plot(folder.join("growth.md"), &report, &growth.to_svg())?);
    }
    last.context("--rows names no number of rows")
}

/// Writes a plot beside where a report goes, and returns the report with it.
fn with_plot(path: PathBuf, report: &str, svg: &str) -> Result<(PathBuf, String)> {
    let plot = path.with_extension("svg");
    write(&plot, svg)?;
    let plot = plot.file_name().unwrap_or_default().to_string_lossy();
    let report = format!("{report}\n![times of all questions]({plot})\n");
    write(&path, &report)?;
    Ok((path, report))
}

/// Generated rows of a shape that is named, or those of a file.
fn dataset(name: &str, spec: LogSpec) -> Dataset {
    match name.parse::<RecordShape>() {
        Ok(shape) => Dataset::Generated(LogSpec { shape, ..spec }),
        Err(_) => Dataset::File(PathBuf::from(name)),
    }
}

async fn ingest_args(args: IngestArgs) -> Result<(PathBuf, String)> {
    let spec = LogSpec { seed: args.seed, rows: args.rows, ..LogSpec::default() };
    let ingestion = Ingestion {
        dataset: dataset(&args.dataset, spec),
        max_rows: args.rows,
        duration: Duration::from_secs(args.seconds),
        memory: args.memory,
        program: std::env::current_exe()?,
    };
    let measured = side_by_side::ingest(&ingestion).await?;
    let name = Path::new(&args.dataset).file_name().unwrap_or_default().to_string_lossy();
    let memory = ingestion.memory.map_or_else(String::new, |memory| format!(" --memory {memory}"));
    let command = format!(
        "cargo run --release -p benches -- ingest --dataset {name} --rows {} --seconds {}{memory} --seed {}",
        args.rows, args.seconds, args.seed
    );
    let results = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results");
    let path = args.output.unwrap_or_else(|| results.join(format!("ingest-{}-seconds.md", args.seconds)));
    Ok((path, measured.to_markdown(&command)))
}

async fn explore_args(args: ExploreArgs) -> Result<(PathBuf, String)> {
    let spec = LogSpec { seed: args.seed, rows: args.rows, shape: RecordShape::Sizing, ..LogSpec::default() };
    let exploration = Exploration {
        spec,
        explorers: args.explorers,
        rate: args.rate,
        duration: Duration::from_secs(args.seconds),
        memory: args.memory,
        program: std::env::current_exe()?,
    };
    let measured = side_by_side::explore(&exploration).await?;
    let memory = exploration.memory.map_or_else(String::new, |memory| format!(" --memory {memory}"));
    let command = format!(
        "cargo run --release -p benches -- explore --rows {} --explorers {} --rate {} --seconds {}{memory} --seed {}",
        args.rows, args.explorers, args.rate, args.seconds, args.seed
    );
    let results = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results");
    let path = args.output.unwrap_or_else(|| results.join(format!("explore-{}-rows.md", args.rows)));
    Ok((path, measured.to_markdown(&command)))
}

async fn sets_args(args: SetsArgs) -> Result<(PathBuf, String)> {
    ensure!(args.repetitions > 0, "repetitions must be at least 1, not 0");
    let report = run(args.generator.spec(args.rows), args.repetitions).await?.to_markdown();
    let keys = args.generator.attribute_keys;
    Ok((args.output.unwrap_or_else(|| default_output("", args.rows, keys)), report))
}

async fn activity_args(args: ActivityArgs) -> Result<(PathBuf, String)> {
    let ActivityArgs { entries, seed, repetitions, output } = args;
    let command = format!(
        "cargo run --release -p benches -- activity --entries {entries} --seed {seed} --repetitions {repetitions}"
    );
    let report = activity::measure(activity::Trail { entries, seed, repetitions }).await?;
    let results = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results");
    let path = output.unwrap_or_else(|| results.join(format!("activity-{entries}-entries.md")));
    Ok((path, report.to_markdown(&command)?))
}

fn layout_args(args: LayoutArgs) -> Result<(PathBuf, String)> {
    let (keys, seed) = (args.generator.attribute_keys, args.generator.seed);
    let spec = LogSpec { shape: args.shape, ..args.generator.spec(args.rows) };
    let names = args.parts.iter().filter_map(|part| Some(part.to_possible_value()?.get_name().to_owned()));
    let command = format!(
        "cargo run --release -p benches -- layout --rows {} --attribute-keys {} --seed {} --shape {} --rows-per-file {} --parts {}",
        args.rows,
        keys.num_keys(),
        seed,
        args.shape.as_str(),
        args.rows_per_file,
        names.collect::<Vec<_>>().join(",")
    );
    let comparison = Comparison {
        spec: &spec,
        parts: &args.parts,
        rows_per_file: args.rows_per_file,
        folder: args.folder.as_deref(),
    };
    let report = layout::compare(&comparison, &command)?;
    Ok((args.output.unwrap_or_else(|| default_output("layout-", args.rows, keys)), report))
}

fn default_output(prefix: &str, rows: u64, attribute_keys: AttributeKeys) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results");
    folder.join(format!("{prefix}{rows}-rows-{}-keys.md", attribute_keys.num_keys()))
}

async fn run(spec: LogSpec, repetitions: u32) -> Result<RunReport> {
    let folder = tempfile::tempdir()?;
    let engine = Engine::open(EngineConfig::new(folder.path()), Arc::new(SystemClock)).await?;
    eprintln!("loading {} records", spec.rows);
    let load = load(&engine, spec.clone()).await?;
    // Some entries of the audit trail, for the questions about it; they are few beside the records.
    let entries = ActivitySpec {
        seed: spec.seed,
        entries: (spec.rows / 1_000).clamp(100, 10_000),
        start_us: spec.start_us,
        end_us: spec.end_us,
        ..ActivitySpec::default()
    };
    activity::append_few(&engine, ActivityGenerator::new(entries)?).await?;
    engine.flush().await?;
    let num_data_bytes = data_file_bytes(folder.path())?;
    let questions = questions::all(query_set::read_all()?);
    let mut answers: Vec<_> = questions.iter().map(|question| (question.name.clone(), Vec::new())).collect();
    for repetition in 0..repetitions {
        eprintln!("asking {} questions, {} of {repetitions}", questions.len(), repetition + 1);
        for (question, (_, answers)) in questions.iter().zip(&mut answers) {
            let answer = question.ask(&engine, &spec, repetition).await;
            answers.push(answer.with_context(|| question.name.clone())?);
        }
    }
    engine.shutdown().await?;
    let machine = Machine::look();
    Ok(RunReport { machine, spec, load, num_data_bytes, peak_memory_bytes: peak_memory_bytes(), answers })
}
