//! psql, and what it asks when somebody types a command.

use std::process::{Command, Stdio};

use tokio::io::AsyncWriteExt;

use super::Doors;

/// Whether the program is there that people type into; that it is not is said, and fails in the continuous integration.
pub(super) fn has_psql() -> bool {
    let is_there = Command::new("psql").arg("--version").output().is_ok();
    if !is_there {
        assert!(std::env::var_os("CI").is_none(), "psql is not installed");
        eprintln!("skipped: psql is not installed");
    }
    is_there
}

/// What psql prints for a text of statements or commands, and whether it says that all went well.
async fn psql(doors: &Doors, text: &str) -> (bool, String) {
    let port = doors.postgres.port().to_string();
    let arguments =
        ["-h", "127.0.0.1", "-p", &port, "-U", "ann", "-d", "1", "-X", "-A", "-v", "ON_ERROR_STOP=1"];
    let mut command = tokio::process::Command::new("psql");
    command.args(arguments).env("PGPASSWORD", doors.server.key()).env("PGCONNECT_TIMEOUT", "60");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    running.stdin.take().unwrap().write_all(text.as_bytes()).await.unwrap();
    let output = running.wait_with_output().await.unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.success(), said)
}

#[tokio::test]
async fn psql_describes_and_reads_tables() {
    if !has_psql() {
        return;
    }
    let doors = Doors::open().await;
    for (text, expected) in [
        ("SELECT body FROM logs ORDER BY body;", &["failed", "(3 rows)"][..]),
        ("\\d", &["public|logs|table", "public|activity|table"]),
        ("\\dt", &["public|logs|table"]),
        ("\\d logs", &["service_name|", "timestamp|timestamp with time zone", "body|"]),
        ("\\d activity", &["item_id|", "sequence|bigint"]),
        ("\\d system.queries", &["caller|text"]),
        ("\\dt system.*", &["system|tables", "system|queries"]),
        ("\\l", &["1|"]),
        ("\\dn", &["public|timberline", "system|"]),
        ("\\conninfo", &["database \"1\""]),
        ("SHOW server_version;", &["Timberline"]),
        ("EXPLAIN SELECT count(*) FROM logs;", &["sources"]),
        ("SELECT version();", &["(1 row)"]),
        ("SELECT current_database(), current_schema();", &["1|public"]),
        ("SELECT 1 AS a \\gdesc", &["a|bigint"]),
        ("\\timing on\nSELECT 1;", &["Time:"]),
        ("\\x\nSELECT service_name FROM logs WHERE service_name = 'web';", &["service_name|web"]),
        ("BEGIN;\nSELECT 1;\nCOMMIT;", &["BEGIN", "COMMIT"]),
        ("SELECT 1; SELECT 2;", &["1", "2"]),
        ("\\set FETCH_COUNT 2\nSELECT value FROM generate_series(1, 5) ORDER BY value;", &["5", "(5 rows)"]),
    ] {
        let (is_well, said) = psql(&doors, text).await;
        assert!(is_well, "{text}: {said}");
        for part in expected {
            assert!(said.contains(part), "{text}: {part} is not in {said}");
        }
    }
    for (text, expected) in [
        ("\\copy logs TO '/dev/null'", "SELECT"),
        ("\\copy logs FROM '/dev/null'", "SELECT"),
        ("DROP TABLE logs;", "SELECT"),
        ("SELECT nothing FROM logs;", "nothing"),
        ("SET work_mem = '1GB';", "work_mem"),
        ("LISTEN a;", "ERROR"),
    ] {
        let (is_well, said) = psql(&doors, text).await;
        assert!(!is_well && said.contains(expected), "{text}: {said}");
    }
    doors.close().await;
}

/// Commands that tell what there is, and what they have to say.
const COMMANDS: &[(&str, &[&str])] = &[
    ("\\d+ logs", &["service_name|text", "the log's body as text"]),
    ("\\d+ system.queries", &["who asked"]),
    ("\\d+", &["public|logs|table|timberline"]),
    ("\\dt+", &["public|logs|table|timberline|permanent||", "the project's log records"]),
    ("\\dtS+ logs", &["logs"]),
    ("\\df", &["public|time_bucket|timestamp with time zone|'5 minutes', timestamp|func", "template"]),
    ("\\df+ template", &["public|template|text|body|func"]),
    ("\\df *.array_to_string", &["pg_catalog|array_to_string"]),
    ("\\da", &["(0 rows)"]),
    ("\\l+", &["1|"]),
    ("\\dn+", &["public|timberline||"]),
    ("\\du", &["Role name"]),
    ("\\du+", &["Role name"]),
    ("\\dg", &["Role name"]),
    ("\\dv", &["Did not find any relations."]),
    ("\\di", &["Did not find any relations."]),
    ("\\ds", &["Did not find any relations."]),
    ("\\dm", &["Did not find any relations."]),
    ("\\dE", &["Did not find any relations."]),
    ("\\dv information_schema.*", &["information_schema|columns|view"]),
    ("\\d information_schema.tables", &["table_name|text"]),
    ("\\d pg_class", &["relname|text"]),
    ("\\di+", &["Did not find any relations."]),
    ("\\conninfo", &["database \"1\""]),
    ("\\z", &["public|logs|table"]),
    ("\\dp logs", &["public|logs|table"]),
    ("\\ddp", &["(0 rows)"]),
    ("\\dT", &["(0 rows)"]),
    ("\\dT+ text", &["pg_catalog|text"]),
    ("\\dD", &["(0 rows)"]),
    ("\\dx", &["Name"]),
    ("\\dy", &["(0 rows)"]),
    ("\\db", &["pg_default"]),
    ("\\dA", &["heap"]),
    ("\\dc", &["(0 rows)"]),
    ("\\dC", &["Source type"]),
    ("\\dd", &["(0 rows)"]),
    ("\\dL", &["Name"]),
    ("\\do", &["(0 rows)"]),
    ("\\dO", &["(0 rows)"]),
    ("\\dF", &["english"]),
    ("\\dRp", &["(0 rows)"]),
    ("\\dew", &["(0 rows)"]),
    ("\\des", &["(0 rows)"]),
    ("\\det", &["(0 rows)"]),
    ("\\drds", &["Did not find any settings."]),
    ("\\dconfig server_version", &["server_version|16"]),
    ("\\dX", &["(0 rows)"]),
    ("\\dP", &["List of partitioned relations"]),
];

#[tokio::test]
async fn every_command_that_describes_is_answered() {
    if !has_psql() {
        return;
    }
    let doors = Doors::open().await;
    let mut wrong = Vec::new();
    for (command, expected) in COMMANDS {
        let (is_well, said) = psql(&doors, command).await;
        if !is_well || said.contains("ERROR") || !expected.iter().all(|part| said.contains(part)) {
            wrong.push(format!("{command}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    doors.close().await;
}
