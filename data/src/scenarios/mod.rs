//! The services: who they are, how much they log, and which file knows what they say.

mod auth;
mod batch;
mod database;
mod gateway;
mod host;
mod inventory;
mod payment;
mod queue;
mod recommendations;
mod search;
mod shop;
mod web_access;

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

use crate::line::Line;
use crate::random::Random;
use crate::traffic::is_night;

/// How much more batch jobs log at night, when they run.
const NIGHT_FACTOR: u32 = 12;

/// One service of the generated company.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) platform: Platform,
    /// Name and version of the instrumentation scope.
    pub(crate) scope: (&'static str, &'static str),
    pub(crate) severity_form: SeverityForm,
    /// Share of the traffic, relative to the other services.
    pub(crate) weight: u32,
    pub(crate) num_instances: u32,
    /// How often its operations fail when nothing special happens.
    pub(crate) error_per_mille: u32,
    pub(crate) write: fn(&mut Line<'_>),
}

/// Where a service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platform {
    Kubernetes { namespace: &'static str },
    Host,
}

/// How a service's logging library tells the severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeverityForm {
    NumberAndUpperCase,
    NumberAndLowerCase,
    NumberOnly,
    TextOnly,
}

impl SeverityForm {
    /// The OTLP severity number and text.
    pub(crate) fn write(self, severity: SeverityNumber) -> (i32, String) {
        let text = match severity {
            SeverityNumber::Trace => "TRACE",
            SeverityNumber::Debug => "DEBUG",
            SeverityNumber::Warn => "WARN",
            SeverityNumber::Error => "ERROR",
            SeverityNumber::Fatal => "FATAL",
            _ => "INFO",
        };
        match self {
            Self::NumberAndUpperCase => (severity.into(), text.to_owned()),
            Self::NumberAndLowerCase => (severity.into(), text.to_ascii_lowercase()),
            Self::NumberOnly => (severity.into(), String::new()),
            Self::TextOnly => (0, text.to_owned()),
        }
    }
}

const SHOP: Platform = Platform::Kubernetes { namespace: "shop" };
const EDGE: Platform = Platform::Kubernetes { namespace: "edge" };
const IDENTITY: Platform = Platform::Kubernetes { namespace: "identity" };
const DATA: Platform = Platform::Kubernetes { namespace: "data" };

const JAVA: (&str, &str) = ("io.opentelemetry.logback-appender", "2.11.0");
const PYTHON: (&str, &str) = ("opentelemetry.sdk._logs", "1.29.0");
const NODE: (&str, &str) = ("@opentelemetry/instrumentation-pino", "0.46.0");
const GO: (&str, &str) = ("go.opentelemetry.io/contrib/bridges/otelslog", "0.9.0");
const FILES: (&str, &str) = ("otelcol/filelogreceiver", "0.118.0");

/// A row of [`SERVICES`]; the table stays readable as columns.
#[expect(clippy::too_many_arguments, reason = "one argument per column of the table below")]
const fn service(
    name: &'static str,
    version: &'static str,
    platform: Platform,
    scope: (&'static str, &'static str),
    severity_form: SeverityForm,
    weight: u32,
    num_instances: u32,
    error_per_mille: u32,
    write: fn(&mut Line<'_>),
) -> Service {
    Service { name, version, platform, scope, severity_form, weight, num_instances, error_per_mille, write }
}

use SeverityForm::{NumberAndLowerCase, NumberAndUpperCase, NumberOnly, TextOnly};

/// All services; weights sum to about 100.
#[rustfmt::skip]
pub(crate) static SERVICES: [Service; 16] = [
    service("storefront",      "5.18.2", SHOP,           FILES,  NumberOnly,         17, 8,  6, web_access::storefront),
    service("cdn-edge",        "1.9.4",  EDGE,           FILES,  NumberAndLowerCase, 13, 6,  4, web_access::cdn_edge),
    service("api-gateway",     "3.2.0",  EDGE,           GO,     NumberAndUpperCase, 14, 6, 12, gateway::api_gateway),
    service("orders",          "2.3.0",  SHOP,           NODE,   NumberAndLowerCase,  8, 6, 10, shop::orders),
    service("catalog",         "4.0.7",  SHOP,           GO,     NumberAndUpperCase,  7, 5,  5, shop::catalog),
    service("search",          "1.31.0", SHOP,           JAVA,   NumberAndUpperCase,  6, 4,  7, search::search),
    service("auth",            "2.8.1",  IDENTITY,       GO,     NumberAndUpperCase,  6, 4, 40, auth::auth),
    service("payment",         "7.1.3",  SHOP,           JAVA,   NumberAndUpperCase,  4, 4, 15, payment::payment),
    service("inventory",       "0.44.2", SHOP,           PYTHON, NumberAndUpperCase,  4, 3, 14, inventory::inventory),
    service("recommendations", "0.9.12", SHOP,           PYTHON, NumberAndUpperCase,  3, 3,  8, recommendations::recommendations),
    service("postgres",        "17.2.0", Platform::Host, FILES,  TextOnly,            6, 3,  6, database::postgres),
    service("redis",           "7.4.1",  DATA,           FILES,  NumberOnly,          3, 3,  5, database::redis),
    service("kafka",           "3.9.0",  DATA,           JAVA,   NumberAndUpperCase,  4, 3,  6, queue::kafka),
    service("email-worker",    "1.2.9",  SHOP,           PYTHON, NumberAndUpperCase,  2, 2, 25, queue::email_worker),
    service("billing-batch",   "2.0.5",  SHOP,           JAVA,   NumberAndUpperCase,  1, 1, 12, batch::billing),
    service("node",            "6.12.8", Platform::Host, FILES,  TextOnly,            2, 12, 30, host::node),
];

/// The values of `service.name` in the generated logs.
pub fn service_names() -> impl Iterator<Item = &'static str> {
    SERVICES.iter().map(|service| service.name)
}

/// Chooses services by their weight, by day and by night.
#[derive(Clone, Debug)]
pub(crate) struct ServicePicker {
    /// Every service's index as often as its weight says: a choice is one look-up.
    by_day: Vec<usize>,
    by_night: Vec<usize>,
}

impl ServicePicker {
    pub(crate) fn new() -> Self {
        let by_day = slots(|service| service.weight);
        let by_night = slots(|service| match service.name {
            "billing-batch" => service.weight * NIGHT_FACTOR,
            _ => service.weight,
        });
        Self { by_day, by_night }
    }

    /// The index of a service that logs at this time.
    pub(crate) fn pick(&self, random: &mut Random, time_us: i64) -> usize {
        let slots = if is_night(time_us) { &self.by_night } else { &self.by_day };
        slots[random.index(slots.len())]
    }
}

fn slots(weight: impl Fn(&Service) -> u32) -> Vec<usize> {
    let repeat = |(index, service)| std::iter::repeat_n(index, weight(service) as usize);
    SERVICES.iter().enumerate().flat_map(repeat).collect()
}

/// The severity that an HTTP status deserves.
fn severity_of_status(status: u32) -> SeverityNumber {
    match status {
        500.. => SeverityNumber::Error,
        429 | 408 => SeverityNumber::Warn,
        _ => SeverityNumber::Info,
    }
}

/// A method and a path of the shop's site; the item makes most paths distinct.
fn site_path(line: &mut Line<'_>) -> (&'static str, String) {
    let item = line.request.item;
    match line.random.below(10) {
        0 => ("GET", "/".to_owned()),
        1..=4 => ("GET", format!("/products/{item}")),
        5 => (
            "GET",
            format!("/search?q={}&page={}", line.random.pick(&SEARCH_WORDS), line.random.between(1, 9)),
        ),
        6 => ("POST", "/cart/items".to_owned()),
        7 => ("GET", format!("/cart/{:x}", u64::from(item) * 7_919)),
        8 => ("POST", "/checkout".to_owned()),
        _ => ("GET", format!("/assets/{}-{:08x}.js", line.random.pick(&ASSETS), u64::from(item) * 104_729)),
    }
}

/// The status of an HTTP answer under the line's conditions.
fn http_status(line: &mut Line<'_>, method: &str) -> u32 {
    if line.fails() {
        return *line.random.pick(&[&500, &502, &503, &504]);
    }
    match line.random.below(1_000) {
        0..30 => 404,
        30..38 => 401,
        38..44 => 429,
        44..90 => 304,
        _ if method == "POST" => 201,
        _ => 200,
    }
}

const SEARCH_WORDS: [&str; 12] = [
    "lamp",
    "chair",
    "desk",
    "walnut+table",
    "rug",
    "sofa",
    "mirror",
    "shelf",
    "curtain",
    "clock",
    "vase",
    "pillow",
];
const ASSETS: [&str; 5] = ["app", "vendor", "checkout", "runtime", "search"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_jobs_log_more_at_night() {
        let share = |slots: &[usize]| {
            let batch = slots.iter().filter(|&&index| SERVICES[index].name == "billing-batch").count();
            batch as f64 / slots.len() as f64
        };
        let picker = ServicePicker::new();
        assert!(share(&picker.by_night) > 5.0 * share(&picker.by_day));
    }

    #[test]
    fn service_names_are_distinct() {
        let names: std::collections::HashSet<&str> = service_names().collect();
        assert_eq!(names.len(), SERVICES.len());
    }
}
