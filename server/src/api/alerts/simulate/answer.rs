//! What a simulation answers.

use serde::Serialize;
use serde_json::Value;

use crate::alerts::grouped_simulation::{GroupedCheck, ServiceSummary};
use crate::alerts::machine::{AlertState, Notice};
use crate::alerts::simulation::{SimulatedCheck, Simulation};
use crate::api::iso_time;
use crate::api::openapi::schema::{boolean, integer, list, moment, object, one_of, text, with_optional};

#[derive(Debug, Serialize)]
pub(super) struct Answer {
    buckets: Vec<Bucket>,
    fire_count: usize,
    resolve_count: usize,
    total_buckets: usize,
    threshold_count: u64,
    threshold_operator: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    services: Option<Vec<Service>>,
}

#[derive(Debug, Serialize)]
struct Bucket {
    timestamp: String,
    count: u64,
    threshold_breached: bool,
    state: &'static str,
    notification: &'static str,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Service {
    service_name: String,
    fire_count: usize,
    resolve_count: usize,
}

/// How it is described.
pub(super) fn described(operator: Value) -> Value {
    let bucket = object(&[
        ("timestamp", moment()),
        ("count", integer()),
        ("threshold_breached", boolean()),
        ("state", one_of(&["not_firing", "firing"])),
        ("notification", one_of(&["none", "fire", "resolve"])),
        ("reason", text()),
    ]);
    let service =
        object(&[("service_name", text()), ("fire_count", integer()), ("resolve_count", integer())]);
    let answer = object(&[
        ("buckets", list(bucket)),
        ("fire_count", integer()),
        ("resolve_count", integer()),
        ("total_buckets", integer()),
        ("threshold_count", integer()),
        ("threshold_operator", operator),
    ]);
    with_optional(answer, &[("services", list(service))])
}

/// All rows together.
pub(super) fn together(simulation: &Simulation, checks: &[SimulatedCheck]) -> Answer {
    let num_sent =
        |notice: Notice| checks.iter().filter(|check| check.decision.notice == Some(notice)).count();
    let buckets = checks.iter().map(|check| bucket(simulation, check)).collect();
    of(simulation, buckets, (num_sent(Notice::Fire), num_sent(Notice::Resolve)), None)
}

/// Each service by itself.
pub(super) fn by_service(
    simulation: &Simulation,
    checks: &[GroupedCheck],
    services: Vec<ServiceSummary>,
) -> Answer {
    let num_sent = (
        services.iter().map(|service| service.num_fired).sum(),
        services.iter().map(|service| service.num_resolved).sum(),
    );
    let services = services.into_iter().map(|service| Service {
        service_name: service.service,
        fire_count: service.num_fired,
        resolve_count: service.num_resolved,
    });
    let buckets = checks.iter().map(grouped_bucket).collect();
    of(simulation, buckets, num_sent, Some(services.collect()))
}

fn of(
    simulation: &Simulation,
    buckets: Vec<Bucket>,
    (fire_count, resolve_count): (usize, usize),
    services: Option<Vec<Service>>,
) -> Answer {
    Answer {
        fire_count,
        resolve_count,
        total_buckets: buckets.len(),
        threshold_count: simulation.condition.threshold_count,
        threshold_operator: simulation.condition.threshold_operator.as_str(),
        buckets,
        services,
    }
}

fn bucket(simulation: &Simulation, check: &SimulatedCheck) -> Bucket {
    Bucket {
        timestamp: timestamp(check.at_us),
        count: check.count,
        threshold_breached: check.is_breached,
        state: state(check.decision.standing.state == AlertState::Firing),
        notification: match check.decision.notice {
            Some(Notice::Fire) => "fire",
            Some(Notice::Resolve) => "resolve",
            _ => "none",
        },
        reason: check.reason(simulation),
    }
}

fn grouped_bucket(check: &GroupedCheck) -> Bucket {
    Bucket {
        timestamp: timestamp(check.at_us),
        count: check.count,
        threshold_breached: check.num_breached > 0,
        state: state(check.num_firing > 0),
        notification: match (check.num_fired, check.num_resolved) {
            (0, 0) => "none",
            (0, _) => "resolve",
            _ => "fire",
        },
        reason: check.reason(),
    }
}

fn state(is_firing: bool) -> &'static str {
    if is_firing { "firing" } else { "not_firing" }
}

fn timestamp(us: i64) -> String {
    iso_time::format(us).replace('Z', "+00:00")
}
