//! A relational database and a cache, as their own log files tell.

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

use crate::keys;
use crate::line::{Line, say};

const TABLES: [&str; 8] =
    ["orders", "order_items", "products", "prices", "stock", "users", "sessions", "payments"];

/// Statements with durations, checkpoints, deadlocks.
pub(super) fn postgres(line: &mut Line<'_>) {
    let process = line.random.between(1_200, 32_000);
    let table = line.random.pick(&TABLES);
    line.int(keys::PROCESS_ID, process);
    if line.fails() {
        conflict(line, process, table);
    } else if line.random.chance(50) {
        checkpoint(line, process);
    } else {
        statement(line, process, table);
    }
}

fn statement(line: &mut Line<'_>, process: u32, table: &str) {
    let operation = line.random.pick(&["SELECT", "SELECT", "SELECT", "INSERT", "UPDATE", "DELETE"]);
    let duration_us = line.takes_us(2_500);
    let millis = duration_us as f64 / 1_000.0;
    let key = line.random.below(9_000_000);
    let sql = match operation {
        "SELECT" => format!("SELECT * FROM {table} WHERE id = {key} LIMIT {}", line.random.between(1, 100)),
        "INSERT" => format!("INSERT INTO {table} (id, updated_at) VALUES ({key}, now())"),
        "UPDATE" => format!("UPDATE {table} SET updated_at = now() WHERE id = {key}"),
        _ => format!("DELETE FROM {table} WHERE id = {key}"),
    };
    line.is_traced = line.random.chance(300);
    line.severity = if duration_us > 30_000 { SeverityNumber::Warn } else { SeverityNumber::Info };
    say!(
        line,
        "{} [{process}] app@shop LOG:  duration: {millis:.3} ms  statement: {sql}",
        line.time_of_day()
    );
    line.text(keys::DB_OPERATION, operation);
    line.text(keys::DB_COLLECTION, table);
    let num_rows = if operation == "SELECT" { line.random.skewed_index(100) as i64 } else { 1 };
    line.int(keys::DB_ROWS, num_rows);
    line.duration(duration_us);
}

fn conflict(line: &mut Line<'_>, process: u32, table: &str) {
    let transaction = line.random.word() as u32;
    line.severity = SeverityNumber::Error;
    let (error_type, text) = if line.random.chance(250) {
        (
            "40P01",
            format!("deadlock detected: process {process} waits for ShareLock on transaction {transaction}"),
        )
    } else {
        (
            "23505",
            format!(
                "duplicate key value violates unique constraint \"{table}_pkey\", key (id)=({transaction})"
            ),
        )
    };
    say!(line, "{} [{process}] app@shop ERROR:  {text}", line.time_of_day());
    line.text(keys::ERROR_TYPE, error_type);
    line.text(keys::DB_COLLECTION, table);
    line.list(keys::TAGS, &["conflict", table]);
}

fn checkpoint(line: &mut Line<'_>, process: u32) {
    let num_buffers = line.random.between(80, 60_000);
    let duration_us = line.takes_us(4_000_000);
    line.severity = SeverityNumber::Debug;
    say!(
        line,
        "{} [{process}] LOG:  checkpoint complete: wrote {num_buffers} buffers; write={:.3} s, sync=0.0{:02} s",
        line.time_of_day(),
        duration_us as f64 / 1e6,
        line.random.below(100)
    );
    line.text(keys::DB_OPERATION, "checkpoint");
    line.duration(duration_us);
    line.list(keys::TAGS, &["maintenance"]);
}

/// Background saves, replication and evictions.
pub(super) fn redis(line: &mut Line<'_>) {
    let process = line.random.between(1, 9);
    let time = line.time_of_day();
    let duration_us = line.takes_us(800);
    let is_hit = line.random.chance(930);
    if line.fails() {
        line.severity = SeverityNumber::Error;
        say!(
            line,
            "{process}:M {time} # OOM command not allowed when used memory > 'maxmemory', client id={} addr={}",
            line.random.below(900_000),
            line.request.client_address()
        );
        line.text(keys::ERROR_TYPE, "OOM");
    } else {
        line.severity = if is_hit { SeverityNumber::Debug } else { SeverityNumber::Info };
        say!(
            line,
            "{process}:M {time} * {} key session:{} ttl={}s size={} elapsed={duration_us}us",
            if is_hit { "served" } else { "missed" },
            line.request.user_id(),
            line.random.between(1, 3_600),
            line.random.between(40, 9_000)
        );
    }
    line.text(keys::DB_OPERATION, if is_hit { "GET" } else { "SETEX" });
    line.flag(keys::CACHE_HIT, is_hit);
    line.int(keys::PROCESS_ID, process);
    line.duration(duration_us);
}
