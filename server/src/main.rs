//! The `timberline` program: reads its arguments, runs the command, and turns an error into one line.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use clap::Parser;
use server::cli::{self, Cli, CliError};

/// Better than the system's allocator at the many short-lived columns of queries and ingestion.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Settings of the allocator: memory that is free goes back to the system at once. Queries free much of what they
/// take on other threads, and kept for later it was more than twice the whole budget.
const ALLOCATOR_SETTINGS: [(&str, &str); 3] =
    [("MIMALLOC_PURGE_DELAY", "0"), ("MIMALLOC_PURGE_DECOMMITS", "1"), ("MIMALLOC_ARENA_EAGER_COMMIT", "0")];

/// Begins anew with the allocator's settings, which it reads before anything of ours runs. Whoever sets one of them
/// decides.
fn set_up_allocator() {
    if ALLOCATOR_SETTINGS.iter().any(|(name, _)| env::var_os(name).is_some()) {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    // Comes back only when it fails, and then memory is kept longer.
    let _ = Command::new(program).args(env::args_os().skip(1)).envs(ALLOCATOR_SETTINGS).exec();
}

fn main() -> ExitCode {
    set_up_allocator();
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("timberline: {}", one_line(&error));
            ExitCode::from(error.downcast_ref::<CliError>().map_or(1, CliError::exit_code))
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
