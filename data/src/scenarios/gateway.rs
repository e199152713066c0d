//! The API gateway: routes, upstreams, rate limits and circuit breakers.

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

use super::{http_status, severity_of_status};
use crate::keys;
use crate::line::{Line, say};

const ROUTES: [(&str, &str, &str); 8] = [
    ("GET", "/api/v2/products/{id}", "catalog"),
    ("GET", "/api/v2/search", "search"),
    ("POST", "/api/v2/orders", "orders"),
    ("GET", "/api/v2/orders/{id}", "orders"),
    ("POST", "/api/v2/payments", "payment"),
    ("POST", "/api/v2/session", "auth"),
    ("GET", "/api/v2/stock/{id}", "inventory"),
    ("GET", "/api/v2/recommendations", "recommendations"),
];

/// After this long the gateway gives an upstream up.
const UPSTREAM_TIMEOUT_US: u64 = 5_000_000;

/// Mostly one line per proxied call, sometimes what the gateway does on its own.
pub(super) fn api_gateway(line: &mut Line<'_>) {
    line.is_traced = true;
    match line.random.below(1_000) {
        0..2 => circuit_breaker(line),
        2..20 => rate_limited(line),
        _ => proxied(line),
    }
}

fn proxied(line: &mut Line<'_>) {
    let (method, route, upstream) = ROUTES[line.random.index(ROUTES.len())];
    let path = route.replace("{id}", &line.request.item.to_string());
    let status = http_status(line, method);
    let duration_us = match status {
        502 | 504 => UPSTREAM_TIMEOUT_US + u64::from(line.random.below(20_000)),
        _ => line.takes_us(22_000),
    };
    let millis = duration_us as f64 / 1_000.0;
    let id = line.request_id();
    let short = &id[..12];
    line.severity = severity_of_status(status);
    line.say(match status {
        502 | 504 => format!(
            "upstream timed out while reading response header from {upstream}, request {short} {method} {path} after {millis:.1}ms"
        ),
        _ => format!(
            "{method} {path} -> {upstream} {status} in {millis:.1}ms request={short} user={} attempt=1",
            line.request.user_id()
        ),
    });
    line.text(keys::METHOD, method);
    line.text(keys::PATH, path);
    line.int(keys::STATUS, status);
    line.duration(duration_us);
    line.text(keys::USER_ID, line.request.user_id());
    if status >= 500 {
        line.text(keys::ERROR_TYPE, if status == 504 { "upstream_timeout" } else { "upstream_error" });
    }
}

fn rate_limited(line: &mut Line<'_>) {
    let (method, route, upstream) = ROUTES[line.random.index(ROUTES.len())];
    let limit = line.random.pick(&[&60, &120, &600]);
    let user = line.request.user_id();
    line.severity = SeverityNumber::Warn;
    say!(
        line,
        "rate limit of {limit} requests per minute exceeded by {user} on {method} {route} ({upstream}), retry after {}s",
        line.random.between(1, 59)
    );
    line.text(keys::METHOD, method);
    line.text(keys::PATH, route);
    line.int(keys::STATUS, 429);
    line.text(keys::USER_ID, user);
    line.request_id();
}

/// Rare: about one in 3,500 of all records.
fn circuit_breaker(line: &mut Line<'_>) {
    let (_, route, upstream) = ROUTES[line.random.index(ROUTES.len())];
    let failures = line.random.between(5, 40);
    let total = failures + line.random.below(60);
    line.severity = SeverityNumber::Warn;
    line.event_name = "circuit_breaker.opened";
    say!(
        line,
        "circuit breaker opened for upstream {upstream}: {failures} of the last {total} calls failed, half-open in 30s"
    );
    line.text(keys::PATH, route);
    line.text(keys::ERROR_TYPE, "circuit_open");
    line.list(keys::TAGS, &["resilience", upstream]);
    line.request_id();
}
