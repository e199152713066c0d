//! The questions, each for every engine.

mod http;
mod logsql;
mod sql;

use engine::query::interval::Interval;
use reqwest::Method;
use serde_json::Value;

pub(super) use self::logsql::{ATTRIBUTE_PREFIX, Column, LogsQl, rfc3339};
use super::answer::Form;
use super::traits::Chosen;

/// How many rows the newest are.
const NEWEST: usize = 100;
/// How many values of an attribute are asked for.
const VALUES: usize = 100;
/// How many values the top is.
const TOP: usize = 10;
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
    SqlCount,
    SqlTop,
    SqlPercentile,
}

/// A request to Timberline.
#[derive(Clone, Debug)]
pub(super) struct HttpQuestion {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

pub(super) const QUESTIONS: [Question; 22] = {
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
        question("SQL: count, whole range", 0.25, Form::Table, Kind::SqlCount),
        question("SQL: top 10 of an attribute with many values", 0.35, Form::Table, Kind::SqlTop),
        question("SQL: p95 of a number by service", 0.30, Form::Numbers, Kind::SqlPercentile),
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
        match self.kind {
            Kind::ByTrace => !chosen.traces.is_empty(),
            Kind::SqlPercentile => !chosen.number.is_empty(),
            _ => true,
        }
    }

    /// Whether rows need not be looked at for it, but for the edges of its window.
    pub(super) fn is_of_sidecars(&self) -> bool {
        matches!(
            self.kind,
            Kind::CountAll
                | Kind::CountErrorsOfDay
                | Kind::SparklineAll
                | Kind::SparklineErrors
                | Kind::CountNoText
                | Kind::Keys
                | Kind::FewValues
                | Kind::Services
                | Kind::SqlCount
        )
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
    /// How many values are asked for at most, where the most frequent are.
    pub(super) fn max_values(&self) -> Option<usize> {
        match self.kind {
            Kind::FewValues | Kind::ManyValues => Some(VALUES),
            Kind::Top | Kind::SqlTop => Some(TOP),
            _ => None,
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
