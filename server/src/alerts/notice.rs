//! What people are told of an alert: as data for programs, and in words.

use engine::query::TimeRange;
use engine::schema::ProjectId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::condition::NoData;
use super::machine::{Notice, ThresholdOperator};
use super::schedule;
use super::settings::AlertSettings;
use crate::api::iso_time;
use crate::config::ServerConfig;
use crate::delivery::{Message, Notification};
use crate::meta::alert::Alert;
use crate::meta::destination::EventKind;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told<'t> {
    /// The alert fires: so many rows are in the newest window.
    Firing(u64),
    /// It fires no more.
    Resolved(u64),
    /// It cannot be checked, for so many times, and why.
    Errored(u32, &'t str),
    /// It is not checked any more, after so many failures, and why.
    Broken(u32, &'t str),
    /// Somebody wants to see that notifications arrive.
    Test,
}

impl<'t> Told<'t> {
    /// What a decision tells.
    pub(crate) fn of(notice: Notice, count: u64, failures: u32, error: &'t str) -> Self {
        match notice {
            Notice::Fire => Self::Firing(count),
            Notice::Resolve => Self::Resolved(count),
            Notice::Error => Self::Errored(failures, error),
            Notice::Broken => Self::Broken(failures, error),
        }
    }

    /// The destinations that are told.
    pub(crate) fn event(self) -> EventKind {
        match self {
            Self::Firing(_) | Self::Test => EventKind::AlertFiring,
            Self::Resolved(_) => EventKind::AlertResolved,
            Self::Errored(..) => EventKind::AlertErrored,
            Self::Broken(..) => EventKind::AlertBroken,
        }
    }

    fn webhook_type(self) -> &'static str {
        match self {
            Self::Firing(_) => "logs_alert.firing",
            Self::Resolved(_) => "logs_alert.resolved",
            Self::Errored(..) => "logs_alert.errored",
            Self::Broken(..) => "logs_alert.auto_disabled",
            Self::Test => "logs_alert.test",
        }
    }
}

/// Where people reach the server.
pub(crate) fn public_url(config: &ServerConfig) -> String {
    let url = config.public_url.clone().unwrap_or_else(|| format!("http://{}", config.listen));
    url.trim_end_matches('/').to_owned()
}

/// What a notification is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    /// The alert.
    pub(crate) alert: &'a Alert,
    /// Its service, when each has a state of its own.
    pub(crate) service: Option<&'a str>,
    /// Where people reach the server.
    pub(crate) public_url: &'a str,
}

/// The notification of what a check at `at_us` found that counted up to `date_to_us`.
pub(crate) fn notification(
    about: &About<'_>,
    told: Told<'_>,
    (at_us, date_to_us): (i64, i64),
) -> Notification {
    let about = Written::new(about, schedule::whole(&about.alert.settings, date_to_us));
    let (title, lines, sees_logs) = about.words(told);
    let button = match sees_logs {
        true => ("See logs".to_owned(), about.logs_url.clone()),
        false => ("See alert".to_owned(), about.alert_url.clone()),
    };
    Notification {
        id: Uuid::now_v7(),
        webhook_type: told.webhook_type().to_owned(),
        at_us,
        data: about.data(told),
        message: Message { title, lines, context: about.context(), button: Some(button) },
    }
}

/// What every notification of an alert says.
struct Written<'a> {
    alert: &'a Alert,
    service: Option<&'a str>,
    severity_levels: Value,
    service_names: Value,
    alert_url: String,
    logs_url: String,
}

impl<'a> Written<'a> {
    fn new(about: &About<'a>, range: TimeRange) -> Self {
        let About { alert, service, public_url } = *about;
        let mut filters = alert.settings.filters_json();
        if let Some(service) = service
            && filters.is_object()
        {
            filters["serviceNames"] = json!([service]);
        }
        let list = |member: &str| match &filters[member] {
            Value::Array(list) => Value::Array(list.clone()),
            _ => json!([]),
        };
        let base = project_url(public_url, alert.project);
        Self {
            alert,
            service,
            severity_levels: list("severityLevels"),
            service_names: list("serviceNames"),
            alert_url: format!("{base}/logs/alerts/{}", alert.id),
            logs_url: logs_url(&base, &filters, range),
        }
    }

    fn data(&self, told: Told<'_>) -> Value {
        let mut data = self.data_of_all(told);
        if let Some(service) = self.service {
            data["service_name"] = json!(service);
        }
        data
    }

    fn data_of_all(&self, told: Told<'_>) -> Value {
        let AlertSettings { name, threshold_count, threshold_operator, window_minutes, .. } =
            &self.alert.settings;
        let of_condition = |count: Option<u64>| {
            json!({
                "alert_id": self.alert.id,
                "alert_name": name,
                "result_count": count,
                "threshold_count": threshold_count,
                "threshold_operator": threshold_operator.as_str(),
                "window_minutes": window_minutes,
                "service_names": self.service_names,
                "severity_levels": self.severity_levels,
                "logs_url": self.logs_url,
                "alert_url": self.alert_url,
            })
        };
        let of_failure = |failures: u32, member: &str, error: &str| {
            let mut data = json!({
                "alert_id": self.alert.id,
                "alert_name": name,
                "consecutive_failures": failures,
                "service_names": self.service_names,
                "severity_levels": self.severity_levels,
                "alert_url": self.alert_url,
            });
            data[member] = json!(error);
            data
        };
        match told {
            Told::Firing(count) | Told::Resolved(count) => of_condition(Some(count)),
            Told::Test => of_condition(None),
            Told::Errored(failures, error) => of_failure(failures, "error_message", error),
            Told::Broken(failures, error) => of_failure(failures, "last_error_message", error),
        }
    }

    /// The title, the details, and whether the logs say more than the alert.
    fn words(&self, told: Told<'_>) -> (String, Vec<String>, bool) {
        let AlertSettings { name, threshold_count, threshold_operator, window_minutes, .. } =
            &self.alert.settings;
        let threshold = match threshold_operator {
            ThresholdOperator::Above => format!("It fires above {threshold_count}"),
            ThresholdOperator::Below => format!("It fires below {threshold_count}"),
        };
        let threshold = match self.alert.settings.no_data {
            NoData::Fire => format!("{threshold} and without data."),
            NoData::Zero | NoData::Keep => format!("{threshold}."),
        };
        let name = match self.service {
            Some("") => format!("{name} (no service name)"),
            Some(service) => format!("{name} ({service})"),
            None => name.clone(),
        };
        let counted =
            |count: u64| vec![format!("{count} logs in {window_minutes} minutes."), threshold.clone()];
        match told {
            Told::Firing(count) => (format!("Firing: {name}"), counted(count), true),
            Told::Resolved(count) => (format!("Resolved: {name}"), counted(count), true),
            Told::Errored(failures, error) => {
                let lines = vec![format!("Reason: {error}"), format!("Failures in a row: {failures}.")];
                (format!("Cannot be checked: {name}"), lines, false)
            }
            Told::Broken(failures, error) => {
                let lines = vec![
                    format!("It failed {failures} times in a row; reset it once it is mended."),
                    format!("Last error: {error}"),
                ];
                (format!("Not checked any more: {name}"), lines, false)
            }
            Told::Test => {
                let lines = vec!["Notifications of this alert arrive here.".to_owned(), threshold];
                (format!("Test: {name}"), lines, false)
            }
        }
    }

    fn context(&self) -> String {
        let words = |list: &Value, all: &str| {
            let words: Vec<&str> = list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            if words.is_empty() { all.to_owned() } else { words.join(", ") }
        };
        let severities = words(&self.severity_levels, "all severities");
        format!("{severities} · {}", words(&self.service_names, "all services"))
    }
}

/// Where people see a project.
fn project_url(public_url: &str, project: ProjectId) -> String {
    format!("{public_url}/project/{}", project.0)
}

/// Where people see the rows that were counted.
fn logs_url(base: &str, filters: &Value, range: TimeRange) -> String {
    let is_filled = |value: &Value| match value {
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => false,
    };
    let mut parts: Vec<(&str, Value)> = ["severityLevels", "serviceNames", "filterGroup"]
        .into_iter()
        .map(|member| (member, filters[member].clone()))
        .filter(|(_, value)| is_filled(value))
        .collect();
    let range = json!({
        "date_from": iso_time::format(range.start_us),
        "date_to": iso_time::format(range.end_us),
    });
    parts.push(("dateRange", range));
    let parts: Vec<String> =
        parts.iter().map(|(name, value)| format!("{name}={}", encoded(&value.to_string()))).collect();
    format!("{base}/logs?{}", parts.join("&"))
}

/// Percent-encoded, but for letters, digits and what never needs it.
pub(crate) fn encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::machine::Standing;

    /// 2025-12-16T10:33:00Z.
    const NOW: i64 = 1_765_881_180_000_000;

    fn alert(filters: &Value) -> Alert {
        let settings = AlertSettings {
            name: "5xx".into(),
            filters: filters.to_string(),
            threshold_count: 10,
            window_minutes: 15,
            evaluation_periods: 3,
            ..AlertSettings::default()
        };
        Alert {
            id: "0199".into(),
            project: ProjectId(7),
            settings,
            standing: Standing::NEW,
            next_check_us: None,
            last_checked_us: None,
            first_enabled_us: None,
            created_by: None,
            created_us: NOW,
            updated_us: NOW,
            revision: 1,
        }
    }

    fn of(told: Told<'_>, filters: &Value) -> Notification {
        of_service(None, told, filters)
    }

    fn of_service(service: Option<&str>, told: Told<'_>, filters: &Value) -> Notification {
        let alert = alert(filters);
        let about = About { alert: &alert, service, public_url: "https://logs.example.org" };
        notification(&about, told, (NOW, NOW))
    }

    #[test]
    fn a_notice_about_one_service_is_of_that_service() {
        let filters = json!({ "severityLevels": ["error"] });
        let notification = of_service(Some("web"), Told::Firing(12), &filters);
        assert_eq!(notification.data["service_name"], "web");
        assert_eq!(notification.data["service_names"], json!(["web"]));
        let url = notification.data["logs_url"].as_str().unwrap();
        assert!(url.contains("serviceNames=%5B%22web%22%5D"), "{url}");
        assert_eq!(notification.message.title, "Firing: 5xx (web)");
        let nameless = of_service(Some(""), Told::Resolved(0), &filters);
        assert_eq!(nameless.message.title, "Resolved: 5xx (no service name)");
        assert!(of(Told::Firing(1), &filters).data.get("service_name").is_none());
    }

    #[test]
    fn a_notice_about_the_condition_has_the_numbers_and_both_links() {
        let filters = json!({ "severityLevels": ["error"], "serviceNames": ["a b"] });
        for (told, kind) in
            [(Told::Firing(12), "logs_alert.firing"), (Told::Resolved(12), "logs_alert.resolved")]
        {
            let notification = of(told, &filters);
            assert_eq!((notification.webhook_type.as_str(), notification.at_us), (kind, NOW));
            assert_eq!(
                notification.data,
                json!({
                    "alert_id": "0199", "alert_name": "5xx", "result_count": 12, "threshold_count": 10,
                    "threshold_operator": "above", "window_minutes": 15, "service_names": ["a b"],
                    "severity_levels": ["error"],
                    "logs_url": "https://logs.example.org/project/7/logs?severityLevels=%5B%22error%22%5D\
                                 &serviceNames=%5B%22a%20b%22%5D&dateRange=%7B%22date_from%22%3A%222025-12-16T10%3A08\
                                 %3A00Z%22%2C%22date_to%22%3A%222025-12-16T10%3A33%3A00Z%22%7D",
                    "alert_url": "https://logs.example.org/project/7/logs/alerts/0199",
                })
            );
            assert_eq!(notification.message.context, "error · a b");
            assert_eq!(notification.message.button.map(|(name, _)| name).as_deref(), Some("See logs"));
        }
    }

    #[test]
    fn a_notice_about_failures_says_why() {
        let errored = of(Told::Errored(1, "too slow"), &json!({}));
        assert_eq!(
            errored.data,
            json!({
                "alert_id": "0199", "alert_name": "5xx", "consecutive_failures": 1, "service_names": [],
                "severity_levels": [], "error_message": "too slow",
                "alert_url": "https://logs.example.org/project/7/logs/alerts/0199",
            })
        );
        assert_eq!(errored.message.context, "all severities · all services");
        let broken = of(Told::Broken(5, "too slow"), &json!({}));
        assert_eq!(broken.webhook_type, "logs_alert.auto_disabled");
        assert_eq!(broken.data["last_error_message"], "too slow");
        assert!(broken.data.get("error_message").is_none());
    }

    #[test]
    fn every_notice_goes_to_the_destinations_of_its_kind() {
        for (notice, kind, event) in [
            (Notice::Fire, "logs_alert.firing", EventKind::AlertFiring),
            (Notice::Resolve, "logs_alert.resolved", EventKind::AlertResolved),
            (Notice::Error, "logs_alert.errored", EventKind::AlertErrored),
            (Notice::Broken, "logs_alert.auto_disabled", EventKind::AlertBroken),
        ] {
            let told = Told::of(notice, 1, 2, "x");
            assert_eq!((told.webhook_type(), told.event()), (kind, event));
        }
    }
}
