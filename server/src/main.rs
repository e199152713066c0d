//! The `timberline` program: reads its arguments, runs the command, and turns an error into one line.

use std::process::ExitCode;

use clap::Parser;
use server::cli::{self, Cli};

/// Better than the system's allocator at the many short-lived columns of queries and ingestion.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("timberline: {}", one_line(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and those of its causes that it does not tell itself.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line.replace('\n', " ")
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let outcome = runtime.block_on(cli::run(cli));
    // What is still running, like a request that outlived its grace, must not hold up the exit.
    runtime.shutdown_background();
    Ok(outcome?)
}
