//! What the command line takes.

use std::path::PathBuf;

use benches::layout::Part;
use clap::{Args, Parser, Subcommand};
use data::{AttributeKeys, LogSpec, RecordShape};

#[derive(Debug, Parser)]
#[command(about = "Measures Timberline on generated logs or a file of one's own")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Load a server and the other engines that are installed with the same rows, ask all of them the same questions,
    /// check that they agree, write a report and a plot.
    Run(RunArgs),
    /// Send rows to a server without a break, and report rows per second and what memory it takes.
    Ingest(IngestArgs),
    /// Ask a server questions from many sides while rows come in, and report how long answers take.
    Explore(ExploreArgs),
    /// Load generated logs into an engine in this process, ask the query sets, write a report.
    Sets(SetsArgs),
    /// The server's own commands; `run` starts its server with it.
    #[command(hide = true)]
    Timberline(TimberlineArgs),
    /// Compare ways to lay out data files, without an engine, and write a report.
    Layout(LayoutArgs),
    /// Load generated logs, merge them, and report the bytes per row of data files and sidecars.
    Size(SizeArgs),
    /// Load a generated audit trail into an engine in this process, ask what its readers ask, and write a report.
    Activity(ActivityArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ActivityArgs {
    /// Entries to generate.
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) entries: u64,
    /// Seed of the generator.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Times each question is asked.
    #[arg(long, default_value_t = 9)]
    pub(crate) repetitions: u32,
    /// File of the report; `benches/results/activity-<entries>-entries.md` when left out.
    #[arg(long)]
    pub(crate) output: Option<PathBuf>,
}

// Not a documentation comment: clap would take it for that of the commands.
// Which log records are generated, however many.
#[derive(Debug, Args)]
pub(crate) struct GeneratorArgs {
    /// Distinct log attribute keys: 20, 500 or 5000.
    #[arg(long, default_value = "20")]
    pub(crate) attribute_keys: AttributeKeys,
    /// Seed of the generator.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

impl GeneratorArgs {
    /// What is generated.
    pub(crate) fn spec(&self, rows: u64) -> LogSpec {
        LogSpec { seed: self.seed, rows, num_attribute_keys: self.attribute_keys, ..LogSpec::default() }
    }
}

#[derive(Debug, Args)]
pub(crate) struct SizeArgs {
    /// Log records to generate.
    #[arg(long, default_value_t = 1_048_576)]
    pub(crate) rows: u64,
    #[command(flatten)]
    pub(crate) generator: GeneratorArgs,
    /// Shape of the records: sizing or natural.
    #[arg(long, default_value = "sizing")]
    pub(crate) shape: RecordShape,
    /// File of the report; `benches/results/size-<rows>-rows-<keys>-keys.md` when left out.
    #[arg(long)]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct LayoutArgs {
    /// Log records to generate.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) rows: u64,
    #[command(flatten)]
    pub(crate) generator: GeneratorArgs,
    /// Shape of the records: sizing or natural.
    #[arg(long, default_value = "sizing")]
    pub(crate) shape: RecordShape,
    /// What to compare.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Finalists, Part::Steps, Part::Orders, Part::Attributes, Part::Compression, Part::Columns])]
    pub(crate) parts: Vec<Part>,
    /// Rows of one file. The default is what compaction makes; what a flush makes is smaller.
    #[arg(long, default_value_t = 1 << 20)]
    pub(crate) rows_per_file: usize,
    /// Folder, which exists, to leave the files of whole layouts in, for other readers.
    #[arg(long)]
    pub(crate) folder: Option<PathBuf>,
    /// File of the report; `benches/results/layout-<rows>-rows-<keys>-keys.md` when left out.
    #[arg(long)]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TimberlineArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// `sizing`, `natural` (generated), or a file: .ndjson, .jsonl, .json, .pb or .parquet.
    #[arg(long, default_value = "sizing")]
    pub(crate) dataset: String,
    /// Log records to generate, or to take of a file at most. Of several numbers each has a run and a report of its own,
    /// and another report says how times grow.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000_000])]
    pub(crate) rows: Vec<u64>,
    /// Distinct log attribute keys of generated records: 20, 500 or 5000.
    #[arg(long, default_value = "20")]
    pub(crate) attribute_keys: AttributeKeys,
    /// Seed of the generator.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Times that every question is asked.
    #[arg(long, default_value_t = 5)]
    pub(crate) repetitions: usize,
    /// Python with chdb and duckdb; `timberline-peers/bin/python` in the user's cache folder when left out.
    #[arg(long)]
    pub(crate) python: Option<PathBuf>,
    /// A VictoriaLogs server to compare with too, such as `http://127.0.0.1:9428`. It has to keep rows of the time that
    /// they are of: for generated ones start it with `-retentionPeriod=100y`. Rows stay there in a tenant of their own. Written from its
    /// documentation and tested against a stand-in only.
    #[arg(long, value_name = "URL")]
    pub(crate) victorialogs: Option<String>,
    /// Leave out what is installed: Timberline alone, or with `--victorialogs`.
    #[arg(long)]
    pub(crate) alone: bool,
    /// Folder of the reports and plots; `benches/results` when left out.
    #[arg(long)]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct IngestArgs {
    /// `sizing`, `natural` (generated), or a file: .ndjson, .jsonl, .json, .pb or .parquet.
    #[arg(long, default_value = "natural")]
    pub(crate) dataset: String,
    /// Log records to make bodies of, which are sent again and again.
    #[arg(long, default_value_t = 500_000)]
    pub(crate) rows: u64,
    /// Seconds of sending.
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u64,
    /// The server's `memory.total_bytes`, like `512MiB`.
    #[arg(long)]
    pub(crate) memory: Option<String>,
    /// Seed of the generator.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// File of the report; `benches/results/ingest-<seconds>-seconds.md` when left out.
    #[arg(long)]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ExploreArgs {
    /// Log records that are there before.
    #[arg(long, default_value_t = 4_000_000)]
    pub(crate) rows: u64,
    /// Explorers, each of whom asks one question after the other.
    #[arg(long, default_value_t = 16)]
    pub(crate) explorers: usize,
    /// Records that come in a second.
    #[arg(long, default_value_t = 20_000)]
    pub(crate) rate: u64,
    /// For how many seconds.
    #[arg(long, default_value_t = 30)]
    pub(crate) seconds: u64,
    /// The server's `memory.total_bytes`, like `512MiB`.
    #[arg(long)]
    pub(crate) memory: Option<String>,
    /// Seed of the generator.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// File of the report; `benches/results/explore-<rows>-rows.md` when left out.
    #[arg(long)]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SetsArgs {
    /// Log records to generate.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) rows: u64,
    #[command(flatten)]
    pub(crate) generator: GeneratorArgs,
    /// Times that every question is asked.
    #[arg(long, default_value_t = 5)]
    pub(crate) repetitions: u32,
    /// File of the report; `benches/results/<rows>-rows-<keys>-keys.md` when left out.
    #[arg(long)]
    pub(crate) output: Option<PathBuf>,
}

impl SizeArgs {
    /// What is generated.
    pub(crate) fn spec(&self) -> LogSpec {
        LogSpec { shape: self.shape, ..self.generator.spec(self.rows) }
    }
}
