//! What goes wrong, and when.

/// One incident: during its window, the named services behave differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// What happens.
    pub kind: IncidentKind,
    /// The values of `service.name` it concerns.
    pub services: &'static [&'static str],
    /// Its start, microseconds, inclusive.
    pub start_us: i64,
    /// Its end, microseconds, exclusive. A deploy is complete by then, and stays.
    pub end_us: i64,
}

impl Incident {
    /// Whether the incident is going on at a time.
    pub fn covers(&self, time_us: i64) -> bool {
        (self.start_us..self.end_us).contains(&time_us)
    }
}

/// The kinds of incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentKind {
    /// Nearly half of what the services do fails.
    ErrorBurst,
    /// Everything the services do takes about eight times as long.
    LatencyStep,
    /// Pod after pod moves to the next `service.version`, with new pod names.
    Deploy,
}

const MAX_INCIDENT_US: i64 = 2 * 3_600 * 1_000_000;

/// Deploy at 40 %, error burst at 55 %, latency step at 70 % of the range, each a twelfth of it, at most two hours.
pub(crate) fn staged(start_us: i64, end_us: i64) -> Vec<Incident> {
    let length_us = end_us - start_us;
    let lasting_us = (length_us / 12).clamp(1, MAX_INCIDENT_US);
    let at = |kind, percent: i64, services| {
        let start_us = start_us + length_us / 100 * percent;
        Incident { kind, services, start_us, end_us: start_us + lasting_us }
    };
    vec![
        at(IncidentKind::Deploy, 40, &["orders"]),
        at(IncidentKind::ErrorBurst, 55, &["payment", "orders", "api-gateway"]),
        at(IncidentKind::LatencyStep, 70, &["postgres", "catalog", "inventory"]),
    ]
}
