//! `cargo run --release -p benches -- run --rows N`: measures the engine on generated logs.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use benches::layout::{self, Comparison, Part};
use benches::load::{data_file_bytes, load};
use benches::machine::{Machine, peak_memory_bytes};
use benches::report::RunReport;
use benches::{query_set, questions, size};
use clap::{Args, Parser, Subcommand, ValueEnum};
use data::{AttributeKeys, LogSpec, RecordShape};
use engine::Engine;
use engine::clock::SystemClock;
use engine::config::EngineConfig;

#[derive(Debug, Parser)]
#[command(about = "Measures the engine on generated logs")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Load generated logs into a temporary engine, ask all questions, write a report.
    Run(RunArgs),
    /// Compare ways to lay out data files, without an engine, and write a report.
    Layout(LayoutArgs),
    /// Load generated logs, merge them, and report the bytes per row of data files and sidecars.
    Size(SizeArgs),
}

#[derive(Debug, Args)]
struct SizeArgs {
    /// Log records to generate.
    #[arg(long, default_value_t = 1_048_576)]
    rows: u64,
    /// Distinct log attribute keys: 20, 500 or 5000.
    #[arg(long, default_value = "20")]
    attribute_keys: AttributeKeys,
    /// Seed of the generator.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Shape of the records: sizing or natural.
    #[arg(long, default_value = "sizing")]
    shape: RecordShape,
    /// File of the report; `benches/results/size-<rows>-rows-<keys>-keys.md` when left out.
    #[arg(long)]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct LayoutArgs {
    /// Log records to generate.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Distinct log attribute keys: 20, 500 or 5000.
    #[arg(long, default_value = "20")]
    attribute_keys: AttributeKeys,
    /// Seed of the generator.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Shape of the records: sizing or natural.
    #[arg(long, default_value = "sizing")]
    shape: RecordShape,
    /// What to compare.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Finalists, Part::Steps, Part::Orders, Part::Attributes, Part::Compression, Part::Columns])]
    parts: Vec<Part>,
    /// Rows of one file. The default is what compaction makes; what a flush makes is smaller.
    #[arg(long, default_value_t = 1 << 20)]
    rows_per_file: usize,
    /// Folder, which exists, to leave the files of whole layouts in, for other readers.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// File of the report; `benches/results/layout-<rows>-rows-<keys>-keys.md` when left out.
    #[arg(long)]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Log records to generate.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Distinct log attribute keys: 20, 500 or 5000.
    #[arg(long, default_value = "20")]
    attribute_keys: AttributeKeys,
    /// Seed of the generator.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Times that every question is asked.
    #[arg(long, default_value_t = 5)]
    repetitions: u32,
    /// File of the report; `benches/results/<rows>-rows-<keys>-keys.md` when left out.
    #[arg(long)]
    output: Option<PathBuf>,
}

impl SizeArgs {
    fn spec(&self) -> LogSpec {
        LogSpec {
            seed: self.seed,
            rows: self.rows,
            num_attribute_keys: self.attribute_keys,
            shape: self.shape,
            ..LogSpec::default()
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let (path, report) = match Cli::parse().command {
        Command::Run(args) => run_args(args).await?,
        Command::Size(args) => size::report(args.spec(), args.output).await?,
        Command::Layout(args) => tokio::task::spawn_blocking(move || layout_args(args)).await??,
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(&path, &report).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{report}\nwritten to {}", path.display());
    Ok(())
}

async fn run_args(args: RunArgs) -> Result<(PathBuf, String)> {
    ensure!(args.repetitions > 0, "repetitions must be at least 1, not 0");
    let spec = LogSpec {
        seed: args.seed,
        rows: args.rows,
        num_attribute_keys: args.attribute_keys,
        ..LogSpec::default()
    };
    let report = run(spec, args.repetitions).await?.to_markdown();
    Ok((args.output.unwrap_or_else(|| default_output("", args.rows, args.attribute_keys)), report))
}

fn layout_args(args: LayoutArgs) -> Result<(PathBuf, String)> {
    let spec = LogSpec {
        seed: args.seed,
        rows: args.rows,
        num_attribute_keys: args.attribute_keys,
        shape: args.shape,
        ..LogSpec::default()
    };
    let names = args.parts.iter().filter_map(|part| Some(part.to_possible_value()?.get_name().to_owned()));
    let command = format!(
        "cargo run --release -p benches -- layout --rows {} --attribute-keys {} --seed {} --shape {} --rows-per-file {} --parts {}",
        args.rows,
        args.attribute_keys.num_keys(),
        args.seed,
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
    Ok((args.output.unwrap_or_else(|| default_output("layout-", args.rows, args.attribute_keys)), report))
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
