//! `timberline query`: rows of a running server, for people and for scripts.

mod table;

use std::io::{Write, stdout};

use clap::{Args, ValueEnum};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::CliError;
use super::remote::{self, DEFAULT_URL, malformed};
use crate::secret::Secret;

/// Most rows of one page.
const PAGE_ROWS: u64 = 2_000;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  timberline query --since -15M --severity error,fatal
  timberline query --service checkout --search 'payment failed' --limit 1000 --output ndjson
  timberline query --since 2025-12-16T10:00:00Z --until 2025-12-16T11:00:00Z --where http.response.status_code=502
  timberline query --service checkout --count

The key is best given as TIMBERLINE_KEY; it needs the scope logs:read.
Relative times: -30s, -15M (minutes), -2h, -7d, -1w; -1m is a month.")]
pub(super) struct QueryArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// Most rows
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Which rows come first
    #[arg(long, value_enum, default_value_t = Order::Latest)]
    order: Order,
    /// Print how many rows there are instead; the end is excluded then
    #[arg(long)]
    count: bool,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// Which rows.
#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// Beginning: a time, a relative time, or all
    #[arg(long, value_name = "TIME", default_value = "-1h", allow_hyphen_values = true)]
    since: String,
    /// End, included; now unless it is given
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
    /// Text that the body contains, ignoring case
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Services, joined by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    service: Vec<String>,
    /// Severities, joined by commas: trace, debug, info, warn, error, fatal
    #[arg(long, value_name = "LEVELS", value_delimiter = ',')]
    severity: Vec<String>,
    /// An attribute of the record and its value; may be repeated
    #[arg(long = "where", value_name = "KEY=VALUE", value_parser = key_and_value)]
    conditions: Vec<(String, String)>,
}

/// Which server, and what opens it.
#[derive(Debug, Args)]
pub(super) struct ServerArgs {
    /// The server's address
    #[arg(long, env = "TIMBERLINE_URL", default_value = DEFAULT_URL)]
    url: String,
    /// A personal API key
    #[arg(long, env = "TIMBERLINE_KEY", hide_env_values = true, value_parser = remote::secret)]
    key: Secret,
    /// The project: its number, or the key owner's current one
    #[arg(long, value_name = "ID", default_value = "@current")]
    project: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Order {
    /// Newest first
    Latest,
    /// Oldest first
    Earliest,
}

impl Order {
    /// As the API calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::Earliest => "earliest",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Columns for people
    Table,
    /// One JSON array, or one object for a count
    Json,
    /// One JSON object per line
    Ndjson,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

pub(super) async fn run(args: &QueryArgs) -> Result<(), CliError> {
    let client = remote::client()?;
    if args.count {
        let answer = ask(&client, args, "count", &args.filter.question()).await?;
        let count = answer["count"].as_u64().ok_or_else(malformed)?;
        return write(&match args.output {
            Output::Table => format!("{count}\n"),
            Output::Json | Output::Ndjson => format!("{}\n", json!({ "count": count })),
        });
    }
    print_rows(&client, args).await
}

impl FilterArgs {
    /// What the arguments ask for, without order and limits.
    pub(super) fn question(&self) -> Value {
        let leaf = |(key, value): &(String, String)| json!({ "key": key, "type": "log_attribute", "operator": "exact", "value": value });
        let mut query = json!({
            "dateRange": { "date_from": self.since, "date_to": self.until },
            "filterGroup": self.conditions.iter().map(leaf).collect::<Vec<_>>(),
            "severityLevels": self.severity,
            "serviceNames": self.service,
        });
        if let Some(text) = &self.search {
            query["searchTerm"] = json!(text);
        }
        query
    }
}

impl ServerArgs {
    /// A request to an endpoint of the project's logs.
    pub(super) fn request(&self, client: &Client, endpoint: &str) -> RequestBuilder {
        let Self { url, key, project } = self;
        let address = remote::address(url, &format!("/api/projects/{project}/logs/{endpoint}"));
        client.post(address).bearer_auth(key.reveal())
    }
}

async fn ask(client: &Client, args: &QueryArgs, endpoint: &str, query: &Value) -> Result<Value, CliError> {
    remote::ask(args.server.request(client, endpoint).json(&json!({ "query": query }))).await
}

/// Prints page after page, so that lines come as they are answered.
async fn print_rows(client: &Client, args: &QueryArgs) -> Result<(), CliError> {
    let mut query = args.filter.question();
    query["orderBy"] = json!(args.order.name());
    let (mut left, mut collected) = (args.limit, Vec::new());
    loop {
        query["limit"] = json!(left.min(PAGE_ROWS));
        let mut answer = ask(client, args, "query", &query).await?;
        let Some(Value::Array(rows)) = answer.get_mut("results").map(Value::take) else {
            return Err(malformed());
        };
        left = left.saturating_sub(rows.len() as u64);
        match args.output {
            Output::Ndjson => write(&rows.iter().map(|row| format!("{row}\n")).collect::<String>())?,
            Output::Table => write(&rows.iter().map(table::line).collect::<String>())?,
            Output::Json => collected.extend(rows),
        }
        let has_more = answer["hasMore"].as_bool().unwrap_or_default();
        if !has_more || left == 0 || !answer["nextCursor"].is_string() {
            break;
        }
        query["after"] = answer["nextCursor"].take();
        // Every page is of the same moment: what came in since must not move the end of a relative range.
        query["dateRange"] = answer["query"]["dateRange"].take();
    }
    if args.output == Output::Json { write(&format!("{}\n", Value::Array(collected))) } else { Ok(()) }
}

fn write(text: &str) -> Result<(), CliError> {
    let mut out = stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::Print)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_a_key_and_a_value() {
        assert_eq!(key_and_value("a.b=c=d"), Ok(("a.b".to_owned(), "c=d".to_owned())));
        assert_eq!(key_and_value("a="), Ok(("a".to_owned(), String::new())));
        for text in ["a", "=b", ""] {
            assert!(key_and_value(text).is_err(), "{text}");
        }
    }
}
