//! `timberline generate`: generated logs as a file, the same bytes for the same seed.

use std::fs::File;
use std::io::{self, BufWriter, Write, stdout};

use clap::{Args, ValueEnum};
use data::encode::{self, Encoding};
use data::{ActivityGenerator, ActivitySpec, AttributeKeys, LogGenerator, LogSpec};

use super::CliError;

#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    /// Number of log records, or of activity entries
    #[arg(long, default_value_t = 10_000)]
    rows: u64,
    /// Seed; the same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// Number of distinct log attribute keys: 20, 500 or 5000
    #[arg(long, default_value = "20", value_parser = str::parse::<AttributeKeys>)]
    keys: AttributeKeys,
    /// File to write, - for standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// One OTLP protobuf request
    OtlpProtobuf,
    /// One OTLP/JSON document
    OtlpJson,
    /// OTLP/JSON documents, one per line
    Ndjson,
    /// Activity entries instead of logs, as a JSON array
    ActivityJson,
}

pub(super) fn run(args: &GenerateArgs) -> Result<(), CliError> {
    let write_error = |error| CliError::Write { path: args.out.clone(), error };
    let output: Box<dyn Write> = if args.out == "-" {
        Box::new(stdout())
    } else {
        Box::new(File::create(&args.out).map_err(write_error)?)
    };
    let mut output = BufWriter::new(output);
    let encoding = match args.format {
        Format::OtlpProtobuf => Encoding::Protobuf,
        Format::OtlpJson => Encoding::Json,
        Format::Ndjson => Encoding::NdJson,
        Format::ActivityJson => {
            let spec = ActivitySpec { seed: args.seed, entries: args.rows, ..ActivitySpec::default() };
            let written = encode::write_activity(ActivityGenerator::new(spec)?, &mut output);
            return finish(written, &mut output).map_err(write_error);
        }
    };
    let spec =
        LogSpec { seed: args.seed, rows: args.rows, num_attribute_keys: args.keys, ..LogSpec::default() };
    let written = encode::write_requests(LogGenerator::new(spec)?, encoding, &mut output);
    finish(written, &mut output).map_err(write_error)
}

/// A reader that has seen enough, like `head`, is no error.
fn finish(written: io::Result<u64>, output: &mut impl Write) -> io::Result<()> {
    match written.and_then(|_| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
