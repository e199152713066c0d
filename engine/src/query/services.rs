//! Services: how much each logs, and when.

use std::num::NonZeroUsize;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result as DataFusionResult;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::ExprFunctionExt;
use datafusion::prelude::{Expr, ident, lit};
use futures::StreamExt;

use super::context::QueryContext;
use super::filter::{has_service, has_severity, in_range};
use super::groups::{ERROR_SEVERITIES, totals};
use super::interval::{Interval, SPARKLINE_BUCKETS};
use super::model::LogFilter;
use super::session::QuerySession;
use super::time_bucket::time_bucket;
use super::time_range::ResolvedRange;
use super::top::Top;
use crate::catalog::Snapshot;
use crate::error::Result;
use crate::schema::columns;

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
    /// The services of the rows of a range that pass the filter. Two scans of one snapshot.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn services(&self, snapshot: &Snapshot, request: &ServicesRequest) -> Result<Services> {
        let earliest_us = self.earliest_of(snapshot, &request.range).await?;
        let range = request.range.closed(earliest_us);
        if range.is_empty() {
            return Ok(Services::default());
        }
        let interval = Interval::choose(range.start_us, request.range.interval_to_us, SPARKLINE_BUCKETS);
        let (limit, max_sparklines) = (request.limit, request.max_sparklines);
        let work = move |session, filter: Expr| async move {
            let condition = in_range(range).and(filter);
            let mut answer = services(&session, condition.clone(), limit).await?;
            let first = answer.services.iter().take(max_sparklines);
            let names: Vec<String> = first.map(|service| service.service_name.clone()).collect();
            answer.sparkline = sparkline(&session, condition, &names, &interval).await?;
            Ok(answer)
        };
        self.run(snapshot, &request.filter, work).await
    }
}

const LOG_COUNT: &str = "log_count";

/// What is counted apart, and the severities that it is.
const SEVERITIES: [(&str, &[&str]); 4] =
    [("debug", &["trace", "debug"]), ("info", &["info"]), ("warn", &["warn"]), ("error", &ERROR_SEVERITIES)];

/// The totals of the services, without their sparkline.
async fn services(
    session: &QuerySession,
    condition: Expr,
    limit: NonZeroUsize,
) -> DataFusionResult<Services> {
    let mut counts = vec![count(lit(1)).alias(LOG_COUNT)];
    for (name, severities) in SEVERITIES {
        counts.push(count(lit(1)).filter(has_severity(severities)).build()?.alias(name));
    }
    let query = session.rows_where(condition)?.aggregate(vec![ident(columns::SERVICE_NAME)], counts)?;
    let mut top = Top::new(limit.get(), session.reserve("services"));
    let mut answer = Services::default();
    let mut batches = query.execute_stream().await?;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let names = cast(batch.column(0), &DataType::Utf8)?;
        let names = names.as_string::<i32>();
        let log_counts = totals::<Int64Type>(&batch, LOG_COUNT)?;
        let [debug, info, warn, error] = SEVERITIES.map(|(name, _)| totals::<Int64Type>(&batch, name));
        let by_severity = [debug?, info?, warn?, error?];
        answer.total_services += batch.num_rows() as u64;
        for row in 0..batch.num_rows() {
            let rank = log_counts.value(row);
            let by_severity = by_severity.map(|counts| counts.value(row).unsigned_abs());
            top.offer(rank, (rank.unsigned_abs(), by_severity), || Ok(vec![names.value(row).to_owned()]))?;
        }
    }
    let service =
        |(values, (log_count, [debug, info, warn, error])): (Vec<String>, (u64, [u64; 4]))| ServiceTotals {
            service_name: values.into_iter().next().unwrap_or_default(),
            log_count,
            debug,
            info,
            warn,
            error,
        };
    answer.services = top.into_ranked().map(service).collect();
    Ok(answer)
}

/// The rows of some services over time.
async fn sparkline(
    session: &QuerySession,
    condition: Expr,
    names: &[String],
    interval: &Interval,
) -> DataFusionResult<Vec<ServiceBucket>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let query = session.rows_where(condition.and(has_service(names)))?.aggregate(
        vec![time_bucket(interval), ident(columns::SERVICE_NAME)],
        vec![count(lit(1)).alias(LOG_COUNT)],
    )?;
    let mut buckets = Vec::new();
    for batch in &session.collect(query).await?.batches {
        let times = batch.column(0).as_primitive::<Int64Type>();
        let names = cast(batch.column(1), &DataType::Utf8)?;
        let names = names.as_string::<i32>();
        let counts = totals::<Int64Type>(batch, LOG_COUNT)?;
        buckets.extend((0..batch.num_rows()).map(|row| ServiceBucket {
            time_us: times.value(row),
            service_name: names.value(row).to_owned(),
            count: counts.value(row).unsigned_abs(),
        }));
    }
    buckets.sort();
    Ok(buckets)
}
