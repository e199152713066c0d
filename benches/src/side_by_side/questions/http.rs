//! Questions as requests to Timberline.

use chrono::DateTime;
use reqwest::Method;
use serde_json::{Value, json};

use super::sql::quoted;
use super::{Asked, HttpQuestion, Kind, NEWEST, TARGET_BUCKETS, TOP};

impl Asked<'_> {
    /// As a request to Timberline.
    pub(in crate::side_by_side) fn http(&self) -> HttpQuestion {
        let chosen = self.chosen;
        let errors = json!(["error", "fatal"]);
        let service = json!([chosen.service]);
        match self.kind {
            Kind::CountAll => self.post("count", json!({})),
            Kind::CountErrorsOfDay => self.post("count", json!({ "severityLevels": errors })),
            Kind::CountAttribute => {
                self.post("count", json!({ "serviceNames": service, "filterGroup": self.few() }))
            }
            Kind::SparklineAll => self.post("sparkline", json!({})),
            Kind::SparklineErrors => {
                self.post("sparkline", json!({ "serviceNames": service, "severityLevels": errors }))
            }
            Kind::CountText => self.post("count", json!({ "searchTerm": chosen.words.0 })),
            Kind::CountNoText => self.post("count", json!({ "searchTerm": self.nowhere() })),
            Kind::CountRegex => {
                self.post("count", json!({ "filterGroup": leaf("log", "message", "regex", &self.regex()) }))
            }
            Kind::NewestAll => self.rows(json!({})),
            Kind::NewestErrors => self.rows(json!({ "serviceNames": service, "severityLevels": errors })),
            Kind::NewestText => self.rows(json!({ "searchTerm": chosen.words.0 })),
            Kind::ById => {
                self.rows(json!({ "filterGroup": leaf("log_attribute", &chosen.id.0, "exact", self.id) }))
            }
            Kind::ByTrace => {
                self.rows(json!({ "filterGroup": leaf("log", "trace_id", "exact", self.trace) }))
            }
            Kind::Keys => self.get("attributes", "&limit=10000"),
            Kind::FewValues => self.get("values", &format!("&key={}", escaped(&chosen.few.0))),
            Kind::ManyValues => {
                let (key, part) = (escaped(&chosen.many.0), escaped(self.part));
                self.get("values", &format!("&key={key}&value={part}"))
            }
            Kind::Services => self.post("services", json!({})),
            Kind::Ranges => self
                .post("count-ranges", json!({ "targetBuckets": TARGET_BUCKETS, "filterGroup": self.few() })),
            Kind::Top => self.post("group-by", json!({ "groupBy": chosen.many.0, "limit": TOP })),
            Kind::SqlCount | Kind::SqlTop | Kind::SqlPercentile => self.statement(),
        }
    }

    fn statement(&self) -> HttpQuestion {
        let (start, end) = (iso(self.start_us), iso(self.end_us));
        let within = format!("timestamp >= '{start}' AND timestamp < '{end}'");
        let many = format!("attributes[{}]", quoted(&self.chosen.many.0));
        let number = format!("attribute_number(attributes, {})", quoted(&self.chosen.number));
        let statement = match self.kind {
            Kind::SqlTop => format!(
                "SELECT {many} AS v, count(*) AS n FROM logs WHERE {within} AND {many} <> '' GROUP BY 1 ORDER BY n DESC, v LIMIT {TOP}"
            ),
            Kind::SqlPercentile => format!(
                "SELECT service_name, percentile_cont(0.95) WITHIN GROUP (ORDER BY {number}) FROM logs WHERE {within} AND {number} IS NOT NULL GROUP BY 1"
            ),
            _ => format!("SELECT count(*) FROM logs WHERE {within}"),
        };
        let body = Some(json!({ "query": statement }));
        HttpQuestion { method: Method::POST, path: "sql".to_owned(), body }
    }

    /// The rows of the attribute's value.
    fn few(&self) -> Value {
        let (key, value) = &self.chosen.few;
        leaf("log_attribute", key, "exact", value)
    }

    /// The newest of the rows.
    fn rows(&self, mut query: Value) -> HttpQuestion {
        query["limit"] = json!(NEWEST);
        self.post("query", query)
    }

    fn post(&self, path: &str, mut query: Value) -> HttpQuestion {
        query["dateRange"] = self.range();
        let body = Some(json!({ "query": query }));
        HttpQuestion { method: Method::POST, path: format!("logs/{path}"), body }
    }

    fn get(&self, path: &str, more: &str) -> HttpQuestion {
        let path = format!("logs/{path}?dateRange={}{more}", escaped(&self.range().to_string()));
        HttpQuestion { method: Method::GET, path, body: None }
    }

    fn range(&self) -> Value {
        // Rows and services are of ranges with both ends.
        let has_both_ends = matches!(
            self.kind,
            Kind::NewestAll
                | Kind::NewestErrors
                | Kind::NewestText
                | Kind::ById
                | Kind::ByTrace
                | Kind::Services
        );
        let last_us = self.end_us - i64::from(has_both_ends);
        json!({ "date_from": iso(self.start_us), "date_to": iso(last_us) })
    }
}

fn leaf(kind: &str, key: &str, operator: &str, value: &str) -> Value {
    json!([{ "key": key, "type": kind, "operator": operator, "value": value }])
}

fn iso(us: i64) -> String {
    DateTime::from_timestamp_micros(us).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
