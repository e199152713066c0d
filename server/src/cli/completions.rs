//! `timberline completions`: what a shell needs to complete the program's arguments.

use std::io::{Write, stdout};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, CliError};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  timberline completions bash > ~/.local/share/bash-completion/completions/timberline
  timberline completions zsh > ~/.zfunc/_timberline
  timberline completions fish > ~/.config/fish/completions/timberline.fish")]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "timberline", &mut script);
    let mut out = stdout();
    out.write_all(&script).and_then(|()| out.flush()).map_err(CliError::Print)
}
