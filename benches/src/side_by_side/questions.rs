//! The questions, each for every engine.

use chrono::DateTime;
use engine::query::interval::Interval;
use reqwest::Method;
use serde_json::{Value, json};

use super::answer::Form;
use super::peer::Dialect;
use super::traits::Chosen;

/// How many rows the newest are.
const NEWEST: usize = 100;
/// Into how many buckets Timberline cuts the range of a sparkline, more or less.
const SPARKLINE_BUCKETS: u64 = 50;
/// Into how many buckets a range is cut to drill down.
const TARGET_BUCKETS: u64 = 24;

/// A question of the report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) name: &'static str,
    /// The most it may take, as a share of ClickHouse's time.
    pub(super) target: f64,
    pub(super) form: Form,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    CountAll,
    CountErrorsOfDay,
    CountAttribute,
    SparklineAll,
    SparklineErrors,
    CountText,
    CountNoText,
    CountRegex,
    NewestAll,
    NewestErrors,
    NewestText,
    Keys,
    FewValues,
    ManyValues,
    Services,
    ById,
    ByTrace,
    Ranges,
    Top,
}

/// A request to Timberline.
#[derive(Clone, Debug)]
pub(super) struct HttpQuestion {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

pub(super) const QUESTIONS: [Question; 19] = {
    const fn question(name: &'static str, target: f64, form: Form, kind: Kind) -> Question {
        Question { name, target, form, kind }
    }
    [
        question("count, whole range", 0.25, Form::Count, Kind::CountAll),
        question("count, a seventh of it, errors", 0.15, Form::Count, Kind::CountErrorsOfDay),
        question("count, a service and an attribute's value", 0.05, Form::Count, Kind::CountAttribute),
        question("sparkline, whole range, by severity", 0.02, Form::Sparkline, Kind::SparklineAll),
        question("sparkline, a service, errors", 0.06, Form::Sparkline, Kind::SparklineErrors),
        question("count, text in 0.2 % of bodies", 0.10, Form::Count, Kind::CountText),
        question("count, text that is nowhere", 0.02, Form::Count, Kind::CountNoText),
        question("count, regex with a literal part", 0.25, Form::Count, Kind::CountRegex),
        question("newest 100", 0.03, Form::Rows, Kind::NewestAll),
        question("newest 100, a service, errors", 0.08, Form::Rows, Kind::NewestErrors),
        question("newest 100, text", 0.05, Form::Rows, Kind::NewestText),
        question("attribute keys", 0.002, Form::Names, Kind::Keys),
        question("values of an attribute with few", 0.01, Form::Values, Kind::FewValues),
        question("values with a text, of an attribute with many", 0.10, Form::Values, Kind::ManyValues),
        question("services with counts and errors", 0.03, Form::Services, Kind::Services),
        question("rows by request id", 0.10, Form::Rows, Kind::ById),
        question("rows by trace id", 0.30, Form::Rows, Kind::ByTrace),
        question("count ranges, an attribute's value, a seventh", 0.06, Form::Ranges, Kind::Ranges),
        question("top 10 of an attribute with many values", 0.35, Form::Groups, Kind::Top),
    ]
};

/// A question as it is asked once: its window moves with the repetition, so that no answer can be a remembered one.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    chosen: &'a Chosen,
    kind: Kind,
    /// Microseconds.
    start_us: i64,
    /// Exclusive.
    end_us: i64,
    width_us: i64,
    id: &'a str,
    trace: &'a str,
    part: &'a str,
}

impl Question {
    /// Whether the rows have what it asks for.
    pub(super) fn can_be_asked(&self, chosen: &Chosen) -> bool {
        !matches!(self.kind, Kind::ByTrace) || !chosen.traces.is_empty()
    }

    pub(super) fn asked<'a>(&self, chosen: &'a Chosen, repetition: usize) -> Asked<'a> {
        let span_us = chosen.max_us - chosen.min_us + 1;
        // Seven minutes of a week.
        let step_us = span_us / 1_440 * repetition as i64;
        let (start_us, mut end_us) = (chosen.min_us + step_us, chosen.max_us + 1 + step_us);
        let mut asked = Asked {
            chosen,
            kind: self.kind,
            start_us,
            end_us,
            width_us: 0,
            id: nth(&chosen.id.1, repetition),
            trace: nth(&chosen.traces, repetition),
            part: nth(&chosen.many.1, repetition),
        };
        match self.kind {
            Kind::CountErrorsOfDay | Kind::Ranges => {
                asked.start_us += span_us / 3;
                end_us = asked.start_us + span_us / 7;
                asked.end_us = end_us;
                asked.width_us = Interval::choose(asked.start_us, end_us, TARGET_BUCKETS).width_us();
            }
            // Buckets at the edges count whole, so that the edges are put where buckets begin.
            Kind::SparklineAll | Kind::SparklineErrors => {
                let interval = Interval::choose(0, span_us, SPARKLINE_BUCKETS);
                asked.width_us = interval.width_us();
                asked.start_us = interval.floor(chosen.min_us) + asked.width_us * repetition as i64;
                asked.end_us = asked.start_us + span_us.div_euclid(asked.width_us).max(1) * asked.width_us;
            }
            _ => {}
        }
        asked
    }
}

fn nth(texts: &[String], index: usize) -> &str {
    texts.get(index % texts.len().max(1)).map_or("", String::as_str)
}

impl Asked<'_> {
    /// As a request to Timberline.
    pub(super) fn http(&self) -> HttpQuestion {
        // Rows and services are of ranges with both ends.
        let last_us = match self.kind {
            Kind::NewestAll
            | Kind::NewestErrors
            | Kind::NewestText
            | Kind::ById
            | Kind::ByTrace
            | Kind::Services => self.end_us - 1,
            _ => self.end_us,
        };
        let range = json!({ "date_from": iso(self.start_us), "date_to": iso(last_us) });
        let post = |path: &str, more: Value| {
            let mut query = json!({ "dateRange": range });
            if let (Some(query), Value::Object(more)) = (query.as_object_mut(), more) {
                query.extend(more);
            }
            HttpQuestion {
                method: Method::POST,
                path: format!("logs/{path}"),
                body: Some(json!({ "query": query })),
            }
        };
        let get = |path: &str, more: &str| {
            let path = format!("logs/{path}?dateRange={}{more}", escaped(&range.to_string()));
            HttpQuestion { method: Method::GET, path, body: None }
        };
        let chosen = self.chosen;
        let errors = json!(["error", "fatal"]);
        let service = json!([chosen.service]);
        let leaf = |kind: &str, key: &str, operator: &str, value: &str| json!([{"key": key, "type": kind, "operator": operator, "value": value}]);
        match self.kind {
            Kind::CountAll => post("count", json!({})),
            Kind::CountErrorsOfDay => post("count", json!({ "severityLevels": errors })),
            Kind::CountAttribute => post(
                "count",
                json!({"serviceNames": service, "filterGroup": leaf("log_attribute", &chosen.few.0, "exact", &chosen.few.1)}),
            ),
            Kind::SparklineAll => post("sparkline", json!({})),
            Kind::SparklineErrors => {
                post("sparkline", json!({"serviceNames": service, "severityLevels": errors}))
            }
            Kind::CountText => post("count", json!({ "searchTerm": chosen.words.0 })),
            Kind::CountNoText => post("count", json!({ "searchTerm": self.nowhere() })),
            Kind::CountRegex => {
                post("count", json!({ "filterGroup": leaf("log", "message", "regex", &self.regex()) }))
            }
            Kind::NewestAll => post("query", json!({ "limit": NEWEST })),
            Kind::NewestErrors => {
                post("query", json!({"limit": NEWEST, "serviceNames": service, "severityLevels": errors}))
            }
            Kind::NewestText => post("query", json!({"limit": NEWEST, "searchTerm": chosen.words.0})),
            Kind::Keys => get("attributes", "&limit=10000"),
            Kind::FewValues => get("values", &format!("&key={}", escaped(&chosen.few.0))),
            Kind::ManyValues => {
                get("values", &format!("&key={}&value={}", escaped(&chosen.many.0), escaped(self.part)))
            }
            Kind::Services => post("services", json!({})),
            Kind::ById => post(
                "query",
                json!({"limit": NEWEST, "filterGroup": leaf("log_attribute", &chosen.id.0, "exact", self.id)}),
            ),
            Kind::ByTrace => post(
                "query",
                json!({"limit": NEWEST, "filterGroup": leaf("log", "trace_id", "exact", self.trace)}),
            ),
            Kind::Ranges => post(
                "count-ranges",
                json!({"targetBuckets": TARGET_BUCKETS, "filterGroup": leaf("log_attribute", &chosen.few.0, "exact", &chosen.few.1)}),
            ),
            Kind::Top => post("group-by", json!({"groupBy": chosen.many.0, "limit": 10})),
        }
    }

    /// As SQL over the table `logs` of a peer.
    pub(super) fn sql(&self, dialect: Dialect) -> String {
        let sql = Sql { dialect };
        let chosen = self.chosen;
        let range =
            format!("timestamp >= {} AND timestamp < {}", sql.time(self.start_us), sql.time(self.end_us));
        let service = format!("service_name = {}", quoted(&chosen.service));
        let errors = "severity_text IN ('error', 'fatal')";
        let few = format!("attributes[{}] = {}", quoted(&chosen.few.0), quoted(&chosen.few.1));
        let count = |condition: &str| format!("SELECT count(*) FROM logs WHERE {range} AND {condition}");
        let sparkline = |condition: &str| {
            format!(
                "SELECT {} AS bucket, severity_text, count(*) FROM logs WHERE {range} AND {condition} GROUP BY 1, 2",
                sql.bucket(self.width_us)
            )
        };
        let rows = |condition: &str| {
            format!(
                "SELECT {} AS t, severity_text, service_name, body, hex(trace_id), hex(span_id), attributes, resource_attributes FROM logs \
                 WHERE {range} AND {condition} ORDER BY timestamp DESC LIMIT {NEWEST}",
                sql.micros()
            )
        };
        let values = |key: &str, condition: &str, limit: usize| {
            let value = format!("attributes[{}]", quoted(key));
            format!(
                "SELECT {value} AS v, count(*) AS n FROM logs WHERE {range} AND {} AND {condition} GROUP BY 1 ORDER BY n DESC, v LIMIT {limit}",
                sql.has_key(key)
            )
        };
        match self.kind {
            Kind::CountAll => count("true"),
            Kind::CountErrorsOfDay => count(errors),
            Kind::CountAttribute => count(&format!("{service} AND {few}")),
            Kind::SparklineAll => sparkline("true"),
            Kind::SparklineErrors => sparkline(&format!("{service} AND {errors}")),
            Kind::CountText => count(&sql.contains(&chosen.words.0)),
            Kind::CountNoText => count(&sql.contains(&self.nowhere())),
            Kind::CountRegex => {
                count(&format!("{} AND {}", sql.contains(&chosen.words.1), sql.matches(&self.regex())))
            }
            Kind::NewestAll => rows("true"),
            Kind::NewestErrors => rows(&format!("{service} AND {errors}")),
            Kind::NewestText => rows(&sql.contains(&chosen.words.0)),
            Kind::Keys => sql.keys(&range),
            Kind::FewValues => values(&chosen.few.0, "true", 100),
            Kind::ManyValues => values(&chosen.many.0, &sql.value_contains(&chosen.many.0, self.part), 100),
            Kind::Services => format!(
                "SELECT service_name, count(*), sum(CASE WHEN {errors} THEN 1 ELSE 0 END) FROM logs WHERE {range} GROUP BY 1"
            ),
            Kind::ById => rows(&sql.has_id(&chosen.id.0, self.id)),
            Kind::ByTrace => rows(&format!("trace_id = unhex('{}')", self.trace)),
            Kind::Ranges => format!(
                "SELECT {} AS bucket, count(*) FROM logs WHERE {range} AND {few} GROUP BY 1 ORDER BY 1",
                sql.bucket(self.width_us)
            ),
            Kind::Top => values(&chosen.many.0, &format!("attributes[{}] <> ''", quoted(&chosen.many.0)), 10),
        }
    }

    /// Different for each window, and in no body.
    fn nowhere(&self) -> String {
        format!("zanzibar pomegranate {}", self.start_us % 1_000)
    }

    /// The case of the word counts in it.
    fn regex(&self) -> String {
        format!("{}[^0-9]{{0,40}}[0-9]", self.chosen.words.1)
    }
}

/// What engines spell differently.
struct Sql {
    dialect: Dialect,
}

impl Sql {
    fn time(&self, us: i64) -> String {
        match self.dialect {
            Dialect::ClickHouse => format!("fromUnixTimestamp64Micro({us}, 'UTC')"),
            Dialect::DuckDb => format!("make_timestamptz({us})"),
        }
    }

    fn micros(&self) -> &'static str {
        match self.dialect {
            Dialect::ClickHouse => "toUnixTimestamp64Micro(timestamp)",
            Dialect::DuckDb => "epoch_us(timestamp)",
        }
    }

    fn bucket(&self, width_us: i64) -> String {
        let micros = self.micros();
        match self.dialect {
            Dialect::ClickHouse => format!("intDiv({micros}, {width_us}) * {width_us}"),
            Dialect::DuckDb => format!("{micros} // {width_us} * {width_us}"),
        }
    }

    fn contains(&self, text: &str) -> String {
        let pattern = quoted(&format!("%{}%", text.to_ascii_lowercase()));
        match self.dialect {
            Dialect::ClickHouse => format!("lower(body) LIKE {pattern}"),
            Dialect::DuckDb => format!("body ILIKE {pattern}"),
        }
    }

    fn matches(&self, pattern: &str) -> String {
        match self.dialect {
            Dialect::ClickHouse => format!("match(body, {})", quoted(pattern)),
            Dialect::DuckDb => format!("regexp_matches(body, {})", quoted(pattern)),
        }
    }

    fn has_key(&self, key: &str) -> String {
        match self.dialect {
            Dialect::ClickHouse => format!("mapContains(attributes, {})", quoted(key)),
            Dialect::DuckDb => format!("attributes[{}] IS NOT NULL", quoted(key)),
        }
    }

    fn value_contains(&self, key: &str, part: &str) -> String {
        let (key, pattern) = (quoted(key), quoted(&format!("%{part}%")));
        format!("attributes[{key}] ILIKE {pattern}")
    }

    /// ClickHouse needs to be told where its index of values can help.
    fn has_id(&self, key: &str, id: &str) -> String {
        let equal = format!("attributes[{}] = {}", quoted(key), quoted(id));
        match self.dialect {
            Dialect::ClickHouse => format!("has(mapValues(attributes), {}) AND {equal}", quoted(id)),
            Dialect::DuckDb => equal,
        }
    }

    fn keys(&self, range: &str) -> String {
        match self.dialect {
            Dialect::ClickHouse => {
                format!(
                    "SELECT arrayJoin(mapKeys(attributes)) AS k, count() FROM logs WHERE {range} GROUP BY k"
                )
            }
            Dialect::DuckDb => format!(
                "SELECT k, count(*) FROM (SELECT unnest(map_keys(attributes)) AS k FROM logs WHERE {range}) GROUP BY k"
            ),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
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
