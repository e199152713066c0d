//! Services: how much each logs, and when.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;

use datafusion::common::Result as DataFusionResult;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::prelude::Expr;

use super::context::QueryContext;
use super::filter::has_service;
use super::groups::ERROR_SEVERITIES;
use super::interval::{Interval, SPARKLINE_BUCKETS};
use super::model::LogFilter;
use super::planner::{CellQuestion, CellTotal, GroupBy, answer_from_cells};
use super::session::QuerySession;
use super::time_range::{ResolvedRange, TimeRange};
use super::top::Top;
use crate::catalog::Snapshot;
use crate::error::Result;

/// A request for services.
#[derive(Clone, Debug, PartialEq)]
pub struct ServicesRequest {
    /// Which rows.
    pub filter: LogFilter,
    /// Of which time, with its end.
    pub range: ResolvedRange,
    /// How many services are wanted.
    pub limit: NonZeroUsize,
    /// How many of them have a sparkline.
    pub max_sparklines: usize,
}

/// The services of rows, all numbers exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// The services with the most rows, then by name.
    pub services: Vec<ServiceTotals>,
    /// The number of all services.
    pub total_services: u64,
    /// The rows over time of the first services, by time, then by name; only buckets with rows.
    pub sparkline: Vec<ServiceBucket>,
}

/// How much a service logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceTotals {
    /// Its name; empty for rows without one.
    pub service_name: String,
    /// Number of rows.
    pub log_count: u64,
    /// How many of them are of severity `trace` or `debug`.
    pub debug: u64,
    /// Of severity `info`.
    pub info: u64,
    /// Of severity `warn`.
    pub warn: u64,
    /// Of severity `error` or `fatal`.
    pub error: u64,
}

/// The rows of one service in one time bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceBucket {
    /// Where the bucket begins, microseconds.
    pub time_us: i64,
    /// The service's name; empty for rows without one.
    pub service_name: String,
    /// Number of rows, at least 1.
    pub count: u64,
}

impl QueryContext {
    /// The services of the rows of a range that pass the filter. Rows that have to be read are read twice.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn services(&self, snapshot: &Snapshot, request: &ServicesRequest) -> Result<Services> {
        let earliest_us = self.earliest_of(snapshot, &request.range).await?;
        let range = request.range.closed(earliest_us);
        let interval = Interval::choose(range.start_us, request.range.interval_to_us, SPARKLINE_BUCKETS);
        let (limit, max_sparklines) = (request.limit, request.max_sparklines);
        let work = move |session, filter: Expr| async move {
            if range.is_empty() {
                return Ok(Services::default());
            }
            let mut answer = services(&session, &filter, range, limit).await?;
            let first = answer.services.iter().take(max_sparklines);
            let names: Vec<String> = first.map(|service| service.service_name.clone()).collect();
            answer.sparkline = sparkline(&session, filter, range, &names, &interval).await?;
            Ok(answer)
        };
        self.run(snapshot, &request.filter, work).await
    }
}

/// What is counted apart, and the severities that it is.
const SEVERITIES: [(&str, &[&str]); 4] =
    [("debug", &["trace", "debug"]), ("info", &["info"]), ("warn", &["warn"]), ("error", &ERROR_SEVERITIES)];

/// The totals of the services, without their sparkline.
async fn services(
    session: &QuerySession,
    condition: &Expr,
    range: TimeRange,
    limit: NonZeroUsize,
) -> DataFusionResult<Services> {
    let mut counts = ServiceCounts::new(session.reserve("services"));
    let group_by = GroupBy::ServiceAndSeverity;
    let question = CellQuestion { condition, range, interval: None, group_by };
    let rest = answer_from_cells(session, &question, |total| counts.add(total)).await?;
    rest.visit_cells(session, &question, |total| counts.add(total)).await?;
    counts.ranked(limit, session.reserve("services of the list"))
}

/// The rows of a service: all, then by severity as in [`SEVERITIES`].
type Counts = (u64, [u64; 4]);

/// How much each service logs, in memory that counts as the query's.
struct ServiceCounts {
    by_name: HashMap<String, Counts>,
    reservation: MemoryReservation,
}

impl ServiceCounts {
    /// What a service without its name takes up, generously.
    const SERVICE_BYTES: usize = 160;

    fn new(reservation: MemoryReservation) -> Self {
        Self { by_name: HashMap::new(), reservation }
    }

    fn add(&mut self, total: &CellTotal<'_>) -> DataFusionResult<()> {
        if !self.by_name.contains_key(total.service) {
            self.reservation.try_grow(Self::SERVICE_BYTES + total.service.len())?;
            self.by_name.insert(total.service.to_owned(), Counts::default());
        }
        let Some((log_count, by_severity)) = self.by_name.get_mut(total.service) else { return Ok(()) };
        *log_count += total.num_rows;
        for (count, (_, severities)) in by_severity.iter_mut().zip(SEVERITIES) {
            if severities.contains(&total.severity) {
                *count += total.num_rows;
            }
        }
        Ok(())
    }

    /// The services with the most rows, without a sparkline.
    fn ranked(self, limit: NonZeroUsize, reservation: MemoryReservation) -> DataFusionResult<Services> {
        let mut top = Top::new(limit.get(), reservation);
        let total_services = self.by_name.len() as u64;
        for (name, counts) in self.by_name {
            let rank = i64::try_from(counts.0).unwrap_or(i64::MAX);
            top.offer(rank, counts, || Ok(vec![name]))?;
        }
        let service =
            |(values, (log_count, [debug, info, warn, error])): (Vec<String>, Counts)| ServiceTotals {
                service_name: values.into_iter().next().unwrap_or_default(),
                log_count,
                debug,
                info,
                warn,
                error,
            };
        let services = top.into_ranked().map(service).collect();
        Ok(Services { services, total_services, sparkline: Vec::new() })
    }
}

/// The rows of some services over time.
async fn sparkline(
    session: &QuerySession,
    filter: Expr,
    range: TimeRange,
    names: &[String],
    interval: &Interval,
) -> DataFusionResult<Vec<ServiceBucket>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let condition = filter.and(has_service(names));
    // At most as many as there are buckets and names.
    let mut counts: BTreeMap<(i64, String), u64> = BTreeMap::new();
    let question =
        CellQuestion { condition: &condition, range, interval: Some(interval), group_by: GroupBy::Service };
    let mut add = |total: &CellTotal<'_>| {
        *counts.entry((total.bucket_us, total.service.to_owned())).or_default() += total.num_rows;
        Ok(())
    };
    let rest = answer_from_cells(session, &question, &mut add).await?;
    rest.visit_cells(session, &question, &mut add).await?;
    let bucket = |((time_us, service_name), count)| ServiceBucket { time_us, service_name, count };
    Ok(counts.into_iter().map(bucket).collect())
}
