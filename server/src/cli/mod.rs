//! The command line.

mod activity;
mod backup;
mod catalog;
mod completions;
mod config;
mod demo;
mod doctor;
mod export;
mod folder;
mod generate;
mod import;
mod index;
mod init;
mod key;
mod logging;
mod organization;
mod project;
mod query;
mod remote;
mod restore;
mod retention;
mod serve;
mod sql;
mod stop;
mod user;
mod welcome;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::accounts::AccountError;
use crate::config::{DEFAULT_DATA_DIR, ServerConfig, SettingError, Sources};
use crate::error::ApiError;
use crate::meta::MetaError;
use crate::state::OpenError;

/// What the program's end says, below its help.
const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong arguments or settings.
Settings come from flags, TIMBERLINE_<SECTION>__<KEY> variables and a TOML file (--config); see `timberline config check`.";

/// Columnar log analytics: OpenTelemetry logs in, answers over HTTP out, open Parquet files in between.
#[derive(Debug, Parser)]
#[command(name = "timberline", version, about, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a data folder over HTTP; makes the folder when it does not exist
    Serve(SettingArgs),
    /// Serve a folder with generated logs and a light live stream, and show what can be asked
    Demo(demo::DemoArgs),
    /// Make a new data folder and print its first credentials
    Init(init::InitArgs),
    /// Write generated logs to a file
    Generate(generate::GenerateArgs),
    /// Ask a running server for rows
    Query(query::QueryArgs),
    /// Ask in SQL: of a running server, or straight of a data folder or bucket
    Sql(sql::SqlArgs),
    /// Take records of a file in
    Import(import::ImportArgs),
    /// Write every row of a query of a running server to a file
    Export(export::ExportArgs),
    /// Show, set or try out how long a project keeps its rows
    Retention(retention::RetentionArgs),
    /// Make organizations
    Organization(organization::OrganizationArgs),
    /// Make projects
    Project(project::ProjectArgs),
    /// Make users and set their passwords
    User(user::UserArgs),
    /// Make, list and revoke personal API keys
    Key(key::KeyArgs),
    /// Prove what the audit trails of a stopped data folder hold
    Activity(activity::ActivityArgs),
    /// Check a stopped data folder, and mend what is safe to mend
    Doctor(doctor::DoctorArgs),
    /// Work on the catalog of a stopped data folder
    Catalog(catalog::CatalogArgs),
    /// Work on the sidecars of a stopped data folder
    Index(index::IndexArgs),
    /// Copy a stopped data folder, consistently
    Backup(backup::BackupArgs),
    /// Make a new data folder from a backup
    Restore(restore::RestoreArgs),
    /// Check settings before a server starts with them
    Config(config::ConfigArgs),
    /// Print what a shell needs to complete arguments
    Completions(completions::CompletionsArgs),
}

/// Where settings come from, for the commands that serve.
#[derive(Debug, Args)]
struct SettingArgs {
    /// TOML file with settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder that holds everything [default: ./timberline-data, for demo ./timberline-demo]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Address and port to listen on; port 0 picks a free one [default: 127.0.0.1:4318]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Address and port that take OTLP over gRPC, usually 127.0.0.1:4317 [default: none]
    #[arg(long, value_name = "ADDR")]
    grpc_listen: Option<String>,
}

impl SettingArgs {
    /// Reads file, environment and flags, in this order of strength.
    fn load(&self) -> Result<ServerConfig, CliError> {
        self.load_over(ServerConfig::new(DEFAULT_DATA_DIR))
    }

    /// The same over other defaults.
    fn load_over(&self, defaults: ServerConfig) -> Result<ServerConfig, CliError> {
        let sources = self.sources()?;
        let mut config = ServerConfig::load(defaults.clone(), &sources)?;
        config.listed = ServerConfig::effective(defaults, &sources)?;
        // A folder that is named relative to here is shown as what it is.
        if let Ok(path) = std::path::absolute(config.data_dir()) {
            config.engine.data_dir = path;
        }
        Ok(config)
    }

    fn sources(&self) -> Result<Sources, CliError> {
        let file = match &self.config {
            Some(path) => match std::fs::read_to_string(path) {
                Ok(text) => Some((path.clone(), text)),
                Err(error) => return Err(CliError::Config { path: path.clone(), error }),
            },
            None => None,
        };
        let flag = |name: &'static str, value: &Option<String>| value.clone().map(|value| (name, value));
        let flags = [
            flag("server.data_dir", &self.data_dir),
            flag("server.listen", &self.listen),
            flag("server.grpc_listen", &self.grpc_listen),
        ];
        // A variable that is not text cannot be one of ours: their names and values are.
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        });
        Ok(Sources { file, environment: environment.collect(), flags: flags.into_iter().flatten().collect() })
    }
}

/// Why a command failed; one line for people.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A setting is unknown or out of its bounds.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The file of settings cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {path}: {error}")]
    Write {
        /// The file.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The data folder cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// `init` was asked for a folder that is one already.
    #[error("{} is already a data folder: its credentials were shown when it was made", path.display())]
    AlreadyInitialized {
        /// The folder.
        path: PathBuf,
    },
    /// There is no project with this number.
    #[error("there is no project {id}")]
    NoProject {
        /// The number.
        id: i64,
    },
    /// A command for data folders was given another path.
    #[error("{} is no data folder", path.display())]
    NoDataFolder {
        /// The path.
        path: PathBuf,
    },
    /// A backup was asked for in the folder that is backed up.
    #[error("{} is in the data folder itself", path.display())]
    BackupInside {
        /// Where it was to be.
        path: PathBuf,
    },
    /// A check found something, which has been printed.
    #[error("{count} {} to look at", if *count == 1 { "thing is" } else { "things are" })]
    Findings {
        /// How many.
        count: usize,
    },
    /// A rebuild found files of which it cannot tell whether they are live, which have been printed.
    #[error(
        "the catalog was not written, because some files may be live or not:          --ambiguous keep or --ambiguous leave-out decides"
    )]
    NotRebuilt,
    /// What is asked for of organizations, users, projects or keys cannot be.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The metadata database fails.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The engine fails.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The server fails.
    #[error("the server stopped: {0}")]
    Serve(#[source] io::Error),
    /// Traces cannot be sent as the settings say.
    #[error("traces cannot be sent: {0}")]
    Traces(#[source] opentelemetry_otlp::ExporterBuildError),
    /// Signals cannot be listened for.
    #[error("cannot listen for signals: {0}")]
    Signals(#[source] io::Error),
    /// Standard input has no password.
    #[error("cannot read the password from standard input: {0}")]
    ReadPassword(#[source] io::Error),
    /// Standard output is closed.
    #[error("cannot print: {0}")]
    Print(#[source] io::Error),
    /// What to generate is out of its bounds.
    #[error(transparent)]
    Spec(#[from] data::SpecError),
    /// The demo's own question was not answered.
    #[error("the demo's question was not answered: {0}")]
    Question(#[from] ApiError),
    /// Arguments that do not go together.
    #[error("{0}")]
    Arguments(&'static str),
    /// A command of the shell that is none.
    #[error("{0}")]
    Shell(String),
    /// Records of a file were refused.
    #[error("the records were refused: {0}")]
    Refused(#[source] ApiError),
    /// A running server cannot be reached, or refuses.
    #[error("{0}")]
    Remote(String),
    /// An import ended early.
    #[error("{error}; {taken_bytes} bytes of the file were taken before")]
    Import {
        /// How much of the file is in.
        taken_bytes: u64,
        /// What ended it.
        error: Box<CliError>,
    },
}

impl CliError {
    /// What the program ends with: 2 when what it was told is wrong, as for arguments that it cannot read, else 1.
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::Setting(_) | Self::Config { .. } | Self::Arguments(_)) { 2 } else { 1 }
    }
}

/// Runs a command to its end.
///
/// # Errors
/// Whatever ends the command early.
pub async fn run(cli: Cli) -> Result<(), CliError> {
    match cli.command {
        Command::Serve(args) => serve::run(&args.load()?).await,
        Command::Demo(args) => demo::run(&args).await,
        Command::Init(args) => init::run(&args).await,
        Command::Generate(args) => generate::run(&args),
        Command::Query(args) => query::run(&args).await,
        Command::Sql(args) => sql::run(&args).await,
        Command::Export(args) => export::run(&args).await,
        Command::Import(args) => import::run(&args).await,
        Command::Retention(args) => retention::run(&args).await,
        Command::Organization(args) => organization::run(&args).await,
        Command::Project(args) => project::run(&args).await,
        Command::User(args) => user::run(&args).await,
        Command::Key(args) => key::run(&args).await,
        Command::Doctor(args) => doctor::run(&args).await,
        Command::Catalog(args) => catalog::run(&args).await,
        Command::Activity(args) => activity::run(&args).await,
        Command::Index(args) => index::run(&args).await,
        Command::Backup(args) => backup::run(&args).await,
        Command::Restore(args) => restore::run(&args).await,
        Command::Config(args) => config::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }
}
