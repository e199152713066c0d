//! What the runner asks: the API's questions with a window that moves, and the query sets.

use std::time::{Duration, Instant};

use anyhow::Result;
use data::LogSpec;
use engine::Engine;
use engine::query::model::{
    AttributeMaps, Breakdown, FilterLeaf, FilterNode, LogFilter, LogQuery, Namespace, Operand, Operator,
    Order, RankBy, Scalar,
};
use engine::query::{LowerBound, ResolvedRange, SparklineRequest, TimeRange};

use crate::activity::organization;
use crate::load::PROJECT;
use crate::query_set::SetQuery;

/// How far the window moves from one repetition to the next, so that no answer can be a remembered one.
const WINDOW_STEP_US: i64 = 7 * 60 * 1_000_000;
const DAY_US: i64 = 24 * 3_600 * 1_000_000;
const NEWEST: usize = 100;

/// One question.
#[derive(Clone, Debug)]
pub struct Question {
    /// What the report calls it.
    pub name: String,
    ask: Ask,
}

#[derive(Clone, Debug)]
enum Ask {
    Count { filter: LogFilter, length_us: Option<i64> },
    Newest(LogFilter),
    Sparkline(LogFilter),
    Sql(SetQuery),
}

/// A question's time, and how much came back.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// From asking until the whole answer was there.
    pub elapsed: Duration,
    /// The count for a count, else the number of rows or lines.
    pub size: u64,
}

/// All questions: the API's first, then the query sets.
pub fn all(queries: Vec<SetQuery>) -> Vec<Question> {
    let api = api_questions().into_iter().map(|(name, ask)| Question { name: name.to_owned(), ask });
    let sets = queries.into_iter().map(|query| Question {
        name: format!("{}/{}: {}", query.set, query.name, query.question),
        ask: Ask::Sql(query),
    });
    api.chain(sets).collect()
}

fn api_questions() -> Vec<(&'static str, Ask)> {
    let any = LogFilter::default;
    let errors = || LogFilter { severity_levels: vec!["error".into(), "fatal".into()], ..any() };
    let service = |name: &str| LogFilter { service_names: vec![name.to_owned()], ..any() };
    let text = |term: &str| LogFilter { search_term: term.to_owned(), ..any() };
    let not_found = LogFilter {
        properties: vec![attribute_is("http.response.status_code", "404")],
        ..service("storefront")
    };
    let gateway_errors = || LogFilter { service_names: vec!["api-gateway".into()], ..errors() };
    let count = |filter| Ask::Count { filter, length_us: None };
    vec![
        ("count: everything", count(any())),
        ("count: errors of one day", Ask::Count { filter: errors(), length_us: Some(DAY_US) }),
        ("count: one service, one attribute value", count(not_found)),
        ("count: text in few bodies", count(text("upstream timed out"))),
        ("count: text in no body", count(text("zanzibar pomegranate"))),
        ("sparkline: everything by severity", Ask::Sparkline(any())),
        ("sparkline: errors of one service", Ask::Sparkline(gateway_errors())),
        ("newest 100: everything", Ask::Newest(any())),
        ("newest 100: errors of one service", Ask::Newest(gateway_errors())),
        ("newest 100: text", Ask::Newest(text("upstream timed out"))),
    ]
}

fn attribute_is(key: &str, value: &str) -> FilterNode {
    FilterNode::Leaf(FilterLeaf {
        path: "filterGroup".to_owned(),
        key: key.to_owned(),
        namespace: Namespace::LogAttribute,
        operator: Operator::Exact,
        operand: Operand::One(Scalar::Text(value.to_owned())),
    })
}

impl Question {
    /// Asks once; the window of the API's questions moves with the repetition.
    ///
    /// # Errors
    /// What the engine answers.
    pub async fn ask(&self, engine: &Engine, spec: &LogSpec, repetition: u32) -> Result<Answer> {
        let started = Instant::now();
        let shift_us = WINDOW_STEP_US * i64::from(repetition);
        let window = TimeRange { start_us: spec.start_us + shift_us, end_us: spec.end_us + shift_us };
        let size = match &self.ask {
            Ask::Count { filter, length_us } => {
                let end_us = length_us.map_or(window.end_us, |length_us| window.start_us + length_us);
                engine.count_logs(PROJECT, filter.clone(), TimeRange { end_us, ..window }).await?
            }
            Ask::Newest(filter) => {
                engine.query_logs(PROJECT, newest(filter.clone(), window)).await?.rows.len() as u64
            }
            Ask::Sparkline(filter) => {
                engine.sparkline(PROJECT, sparkline(filter.clone(), window)).await?.len() as u64
            }
            Ask::Sql(query) => query.answer(engine, PROJECT, organization()).await?.lines().count() as u64,
        };
        Ok(Answer { elapsed: started.elapsed(), size })
    }
}

fn newest(filter: LogFilter, range: TimeRange) -> LogQuery {
    LogQuery {
        filter,
        range,
        order: Order::Latest,
        limit: NEWEST,
        after: None,
        ingested_from_us: None,
        attributes: AttributeMaps::Included,
    }
}

fn sparkline(filter: LogFilter, window: TimeRange) -> SparklineRequest {
    let range = ResolvedRange {
        from: LowerBound::At(window.start_us),
        to_us: window.end_us,
        interval_to_us: window.end_us,
    };
    SparklineRequest { filter, range, breakdown: Breakdown::Severity, rank_by: RankBy::Count }
}
