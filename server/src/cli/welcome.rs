//! What a server prints when it starts.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;

use crate::meta::bootstrap::Credentials;

/// One OTLP record, small enough to read in a shell.
const FIRST_LOG: &str = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"hello"}}]},"scopeLogs":[{"logRecords":[{"severityText":"INFO","body":{"stringValue":"hello, Timberline"}}]}]}]}"#;
const FIRST_QUERY: &str = r#"{"query":{"dateRange":{"date_from":"-1h"},"limit":10}}"#;

/// Writes where the data is and, for a new folder, its credentials and how to use them.
pub(super) fn write(
    out: &mut impl Write,
    url: &str,
    data_dir: &Path,
    credentials: Option<&Credentials>,
) -> io::Result<()> {
    writeln!(out, "data folder  {}", data_dir.display())?;
    let Some(credentials) = credentials else { return out.flush() };
    let token = credentials.ingest_token.reveal();
    let key = credentials.personal_api_key.reveal();
    let project = credentials.project_id;
    writeln!(out, "\nThis is a new folder. Its credentials are shown this once:\n")?;
    writeln!(out, "  organization      {}", credentials.organization_id)?;
    writeln!(out, "  project           {project}")?;
    writeln!(out, "  ingest token      {token}    sends logs")?;
    writeln!(out, "  personal API key  {key}    asks and manages: keep it secret")?;
    writeln!(out, "\nSend a log:\n\n  {}", curl(url, "/v1/logs", token, FIRST_LOG))?;
    let path = format!("/api/projects/{project}/logs/query");
    writeln!(out, "\nAsk for it:\n\n  {}\n", curl(url, &path, key, FIRST_QUERY))?;
    out.flush()
}

/// Where a server answers beside its URL.
#[derive(Debug, Default)]
pub(super) struct Doors {
    pub(super) grpc: Option<SocketAddr>,
    pub(super) flight: Option<SocketAddr>,
    pub(super) postgres: Option<SocketAddr>,
}

/// Writes that the server answers; scripts wait for the last line.
pub(super) fn write_listening(out: &mut impl Write, url: &str, doors: &Doors) -> io::Result<()> {
    let told = [
        ("taking OTLP over gRPC", doors.grpc),
        ("answering Flight SQL", doors.flight),
        ("answering PostgreSQL's protocol", doors.postgres),
    ];
    for (does, address) in told {
        if let Some(address) = address {
            writeln!(out, "{does} on {address}")?;
        }
    }
    writeln!(out, "listening on {url}")?;
    out.flush()
}

/// A command line that posts JSON; nothing in the texts needs escaping within single quotes.
pub(super) fn curl(url: &str, path: &str, secret: &str, body: &str) -> String {
    format!(
        "curl -s {url}{path} -H 'Authorization: Bearer {secret}' -H 'Content-Type: application/json' -d '{body}'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_folder_shows_no_credentials() {
        let mut out = Vec::new();
        write(&mut out, "http://127.0.0.1:1", Path::new("/data"), None).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "data folder  /data\n");
    }

    #[test]
    fn the_examples_are_json_that_a_shell_passes_on() {
        for body in [FIRST_LOG, FIRST_QUERY] {
            assert!(serde_json::from_str::<serde_json::Value>(body).is_ok(), "{body}");
            assert!(!body.contains('\''), "{body}");
        }
    }
}
