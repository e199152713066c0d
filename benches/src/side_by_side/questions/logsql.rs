//! Questions in LogsQL, the language of VictoriaLogs.
//!
//! What it cannot answer exactly is not asked:
//!
//! | question | why |
//! |---|---|
//! | attribute keys | `field_names` counts stored blocks as wholes, so that keys of rows beside the window may be among them |
//! | p95 of a number | `quantile` is an estimate |
//! | an attribute's value, when that is empty in some row | an empty value is the same as none |

use chrono::DateTime;

use super::{Asked, Kind, NEWEST, TOP, VALUES};

/// What stands before the keys of attributes, which could have the names of other fields.
pub(in crate::side_by_side) const ATTRIBUTE_PREFIX: &str = "attr.";

/// A query and what is of interest in its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::side_by_side) struct LogsQl {
    pub(in crate::side_by_side) query: String,
    pub(in crate::side_by_side) columns: Vec<Column>,
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::side_by_side) enum Column {
    /// The field `_time`.
    Time,
    /// A whole number.
    Number(&'static str),
    /// A text, which may be empty.
    Text(String),
}

const ERRORS: &str = "severity_text:in(\"error\", \"fatal\")";

impl LogsQl {
    /// How many rows there are.
    pub(in crate::side_by_side) fn count_everything() -> Self {
        Self { query: "* | stats count() n".to_owned(), columns: vec![Column::Number("n")] }
    }
}

impl Asked<'_> {
    /// As LogsQL, if that can answer it exactly.
    pub(in crate::side_by_side) fn logsql(&self) -> Option<LogsQl> {
        let chosen = self.chosen;
        let service = format!("{{service_name={}}}", quoted(&chosen.service));
        let few = format!("{}:={}", attribute(&chosen.few.0), quoted(&chosen.few.1));
        let has_few = !chosen.few.1.is_empty();
        let text = |text: &str| format!("_msg:~{}", quoted(&any_case(text)));
        Some(match self.kind {
            Kind::CountAll | Kind::SqlCount => self.count(""),
            Kind::CountErrorsOfDay => self.count(ERRORS),
            Kind::CountAttribute if has_few => self.count(&format!("{service} {few}")),
            Kind::SparklineAll => self.sparkline(""),
            Kind::SparklineErrors => self.sparkline(&format!("{service} {ERRORS}")),
            Kind::CountText => self.count(&text(&chosen.words.0)),
            Kind::CountNoText => self.count(&text(&self.nowhere())),
            Kind::CountRegex => self.count(&format!("_msg:~{}", quoted(&self.regex()))),
            Kind::NewestAll => self.newest(""),
            Kind::NewestErrors => self.newest(&format!("{service} {ERRORS}")),
            Kind::NewestText => self.newest(&text(&chosen.words.0)),
            Kind::FewValues if !chosen.few_is_ever_empty => self.values(&chosen.few.0, ":*", VALUES),
            Kind::ManyValues => {
                self.values(&chosen.many.0, &format!(":~{}", quoted(&any_case(self.part))), VALUES)
            }
            Kind::Services => self.logsql_of(
                "",
                &format!("stats by (service_name) count() n, count() if ({ERRORS}) errors"),
                vec![field("service_name"), Column::Number("n"), Column::Number("errors")],
            ),
            Kind::ById => self.newest(&format!("{}:={}", attribute(&chosen.id.0), quoted(self.id))),
            Kind::ByTrace => self.newest(&format!("trace_id:={}", quoted(self.trace))),
            Kind::Ranges if has_few => self.logsql_of(
                &few,
                &format!("stats by (_time:{}s) count() n | sort by (_time)", self.width_secs()),
                vec![Column::Time, Column::Number("n")],
            ),
            Kind::Top | Kind::SqlTop => self.values(&chosen.many.0, ":*", TOP),
            Kind::Keys | Kind::SqlPercentile | Kind::CountAttribute | Kind::FewValues | Kind::Ranges => {
                return None;
            }
        })
    }

    fn count(&self, filter: &str) -> LogsQl {
        self.logsql_of(filter, "stats count() n", vec![Column::Number("n")])
    }

    fn sparkline(&self, filter: &str) -> LogsQl {
        let pipe = format!("stats by (_time:{}s, severity_text) count() n", self.width_secs());
        self.logsql_of(filter, &pipe, vec![Column::Time, field("severity_text"), Column::Number("n")])
    }

    /// The newest of the rows, whole.
    fn newest(&self, filter: &str) -> LogsQl {
        self.logsql_of(filter, &format!("sort by (_time desc) limit {NEWEST}"), vec![Column::Time])
    }

    /// The most frequent values of an attribute in rows that have it, and pass a filter of it.
    fn values(&self, key: &str, filter: &str, limit: usize) -> LogsQl {
        let name = attribute(key);
        let columns = vec![field(&format!("{ATTRIBUTE_PREFIX}{key}")), Column::Number("hits")];
        self.logsql_of(&format!("{name}{filter}"), &format!("top {limit} by ({name})"), columns)
    }

    fn logsql_of(&self, filter: &str, pipes: &str, columns: Vec<Column>) -> LogsQl {
        let space = if filter.is_empty() { "" } else { " " };
        let (start, end) = (rfc3339(self.start_us), rfc3339(self.end_us));
        LogsQl { query: format!("_time:[{start}, {end}){space}{filter} | {pipes}"), columns }
    }

    /// Of a bucket; intervals are whole seconds.
    fn width_secs(&self) -> i64 {
        self.width_us / 1_000_000
    }
}

fn field(name: &str) -> Column {
    Column::Text(name.to_owned())
}

/// The name of the field of an attribute.
fn attribute(key: &str) -> String {
    quoted(&format!("{ATTRIBUTE_PREFIX}{key}"))
}

/// A time as VictoriaLogs takes it, to the nanosecond.
pub(in crate::side_by_side) fn rfc3339(us: i64) -> String {
    DateTime::from_timestamp_micros(us).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S%.9fZ").to_string()
}

/// LogsQL reads texts in double quotes as Go does, and JSON escapes nothing that Go does not know.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A pattern for a text anywhere, in upper or lower case. The filter for parts of texts minds the case.
fn any_case(text: &str) -> String {
    let mut pattern = "(?i)".to_owned();
    for c in text.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::super::{QUESTIONS, Question};
    use super::*;
    use crate::side_by_side::traits::Chosen;

    const DAY_US: i64 = 86_400_000_000;

    fn chosen() -> Chosen {
        Chosen {
            num_rows: 1,
            min_us: 1_768_176_000_000_000,
            max_us: 1_768_176_000_000_000 + DAY_US - 1,
            service: "a \"web\" shop".to_owned(),
            few: ("http.method".to_owned(), "GET".to_owned()),
            few_is_ever_empty: false,
            many: ("user id".to_owned(), vec!["1.5\"".to_owned()]),
            id: ("request_id".to_owned(), vec!["0a\\b".to_owned()]),
            number: "latency".to_owned(),
            traces: vec!["00ff".to_owned()],
            words: ("timed".to_owned(), "request".to_owned()),
        }
    }

    fn logsql(chosen: &Chosen, name: &str) -> Option<LogsQl> {
        let is_it = |question: &Question| question.name == name;
        QUESTIONS.into_iter().find(is_it).unwrap().asked(chosen, 0).logsql()
    }

    #[test]
    fn questions_are_filters_and_pipes() {
        let day = "_time:[2026-01-12T00:00:00.000000000Z, 2026-01-13T00:00:00.000000000Z)";
        let service = r#"{service_name="a \"web\" shop"}"#;
        for (name, query) in [
            ("count, whole range", format!("{day} | stats count() n")),
            ("SQL: count, whole range", format!("{day} | stats count() n")),
            (
                "count, a service and an attribute's value",
                format!(r#"{day} {service} "attr.http.method":="GET" | stats count() n"#),
            ),
            (
                "sparkline, a service, errors",
                format!(
                    r#"{day} {service} severity_text:in("error", "fatal") | stats by (_time:1800s, severity_text) count() n"#
                ),
            ),
            ("count, text in 0.2 % of bodies", format!(r#"{day} _msg:~"(?i)timed" | stats count() n"#)),
            (
                "count, regex with a literal part",
                format!(r#"{day} _msg:~"request[^0-9]{{0,40}}[0-9]" | stats count() n"#),
            ),
            ("newest 100", format!("{day} | sort by (_time desc) limit 100")),
            (
                "rows by request id",
                format!(r#"{day} "attr.request_id":="0a\\b" | sort by (_time desc) limit 100"#),
            ),
            ("rows by trace id", format!(r#"{day} trace_id:="00ff" | sort by (_time desc) limit 100"#)),
            (
                "values of an attribute with few",
                format!(r#"{day} "attr.http.method":* | top 100 by ("attr.http.method")"#),
            ),
            (
                "values with a text, of an attribute with many",
                format!(r#"{day} "attr.user id":~"(?i)1\\.5\"" | top 100 by ("attr.user id")"#),
            ),
            (
                "top 10 of an attribute with many values",
                format!(r#"{day} "attr.user id":* | top 10 by ("attr.user id")"#),
            ),
            (
                "services with counts and errors",
                format!(
                    r#"{day} | stats by (service_name) count() n, count() if (severity_text:in("error", "fatal")) errors"#
                ),
            ),
        ] {
            assert_eq!(logsql(&chosen(), name).unwrap().query, query, "{name}");
        }
    }

    #[test]
    fn what_has_no_exact_answer_is_not_asked() {
        let unasked = |chosen: &Chosen| -> Vec<&str> {
            QUESTIONS
                .iter()
                .map(|question| question.name)
                .filter(|name| logsql(chosen, name).is_none())
                .collect()
        };
        assert_eq!(unasked(&chosen()), ["attribute keys", "SQL: p95 of a number by service"]);
        let few = ("http.method".to_owned(), String::new());
        let chosen = Chosen { few, few_is_ever_empty: true, ..chosen() };
        assert_eq!(
            unasked(&chosen),
            [
                "count, a service and an attribute's value",
                "attribute keys",
                "values of an attribute with few",
                "count ranges, an attribute's value, a seventh",
                "SQL: p95 of a number by service",
            ]
        );
    }

    #[test]
    fn texts_are_quoted_as_go_reads_them() {
        assert_eq!(quoted("a\"b\\c\n\u{1}é"), r#""a\"b\\c\n\u0001é""#);
        assert_eq!(any_case("a.b(c)|[d]{e}^$\\ é-"), r"(?i)a\.b\(c\)\|\[d\]\{e\}\^\$\\ é-");
    }
}
