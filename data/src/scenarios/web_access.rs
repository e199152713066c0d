//! Web access logs: the storefront's in the combined format, the CDN's as key=value pairs.

use chrono::DateTime;

use super::{http_status, severity_of_status, site_path};
use crate::keys;
use crate::line::{Line, say};

const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (X11; Linux x86_64) Firefox/133.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1) Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64) Chrome/131.0",
    "Mozilla/5.0 (Android 15; Mobile) Chrome/131.0",
    "curl/8.11.1",
];
const EDGES: [&str; 6] = ["fra3", "ams1", "lhr2", "iad5", "sin1", "gru1"];

/// nginx in front of the site.
pub(super) fn storefront(line: &mut Line<'_>) {
    let (method, path) = site_path(line);
    let status = http_status(line, method);
    let size = line.random.between(180, 48_000);
    let duration_us = line.takes_us(14_000);
    let client = line.request.client_address();
    let agent = line.random.pick(&AGENTS);
    let time = access_log_time(line.time_us);
    line.severity = severity_of_status(status);
    line.is_traced = line.random.chance(400);
    say!(line, "{client} - - [{time}] \"{method} {path} HTTP/2.0\" {status} {size} \"-\" \"{agent}\"");
    line.text(keys::METHOD, method);
    line.text(keys::PATH, path);
    line.int(keys::STATUS, status);
    line.int(keys::RESPONSE_SIZE, size);
    line.duration(duration_us);
    line.text(keys::CLIENT_ADDRESS, client);
    line.request_id();
}

/// The cache at the edge.
pub(super) fn cdn_edge(line: &mut Line<'_>) {
    let (method, path) = site_path(line);
    let status = http_status(line, method);
    let is_hit = method == "GET" && line.random.chance(850);
    let duration_us = line.takes_us(if is_hit { 900 } else { 35_000 });
    let size = line.random.between(90, 250_000);
    let edge = line.random.pick(&EDGES);
    let cache = if is_hit { "HIT" } else { "MISS" };
    let tls = line.random.pick(&["TLSv1.3", "TLSv1.2"]);
    line.severity = severity_of_status(status);
    say!(
        line,
        "edge={edge} cache={cache} method={method} uri={path} status={status} bytes={size} ttfb_us={duration_us} proto=h3 {tls}"
    );
    line.text(keys::METHOD, method);
    line.text(keys::PATH, path);
    line.int(keys::STATUS, status);
    line.flag(keys::CACHE_HIT, is_hit);
    line.duration(duration_us);
    line.request_id();
}

/// The time as access logs print it: `14/Jan/2026:18:03:59 +0000`.
fn access_log_time(time_us: i64) -> String {
    let time = DateTime::from_timestamp_micros(time_us).unwrap_or_default();
    time.format("%d/%b/%Y:%H:%M:%S +0000").to_string()
}
