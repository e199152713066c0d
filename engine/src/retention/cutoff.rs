//! What a policy means at one moment.

use std::sync::{Arc, OnceLock};

use arrow::array::{BooleanArray, RecordBatch};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::{Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, case, lit};

use super::compiled::CompiledRetention;
use crate::buffer::BufferSegment;
use crate::error::{Error, Result};
use crate::schema::{Dataset, UTC};
use crate::storage::DataFile;

/// What a policy means at one moment: which rows have expired.
///
/// The time of a row is the earlier one of its `timestamp` and its `ingested_timestamp`, so that a row dated in
/// the future expires too. A row has expired when its time is before the cutoff of its *kind*: the first rule
/// that is for it, or else the rest.
#[derive(Debug)]
pub struct RetentionCutoff {
    retention: Arc<CompiledRetention>,
    now_us: i64,
    /// By kind, the rest last.
    cutoffs_us: Vec<i64>,
    keep: OnceLock<Arc<dyn PhysicalExpr>>,
}

/// What is known of the times of some rows without reading them, microseconds, both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeBounds {
    /// No `timestamp` is earlier.
    pub min_timestamp_us: i64,
    /// No `timestamp` is later.
    pub max_timestamp_us: i64,
    /// No `ingested_timestamp` is earlier.
    pub min_ingested_us: i64,
    /// No `ingested_timestamp` is later.
    pub max_ingested_us: i64,
}

/// What bounds say of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// None has expired.
    Live,
    /// Some may have expired.
    Straddles,
    /// All have expired.
    Expired,
}

impl RetentionCutoff {
    /// What a policy means at an instant.
    pub fn new(retention: Arc<CompiledRetention>, now_us: i64) -> Self {
        let cutoffs_us = retention.cutoffs(now_us);
        Self { retention, now_us, cutoffs_us, keep: OnceLock::new() }
    }

    /// The policy.
    pub fn retention(&self) -> &Arc<CompiledRetention> {
        &self.retention
    }

    /// The instant.
    pub fn now_us(&self) -> i64 {
        self.now_us
    }

    /// Before which time rows have expired, microseconds: by kind, the rest last. The lowest number there is
    /// stands for never.
    pub fn cutoffs_us(&self) -> &[i64] {
        &self.cutoffs_us
    }

    /// No row of this time or a later one has expired.
    pub fn latest_us(&self) -> i64 {
        self.cutoffs_us.iter().copied().max().unwrap_or(i64::MIN)
    }

    /// Every row before this time has expired.
    pub fn earliest_us(&self) -> i64 {
        self.cutoffs_us.iter().copied().min().unwrap_or(i64::MIN)
    }

    /// What bounds say of rows.
    pub fn standing(&self, bounds: TimeBounds) -> Standing {
        let bounds = match self.retention.dataset() {
            Dataset::Logs => bounds,
            Dataset::Activity => bounds.of_ingestion(),
        };
        if bounds.earliest_us() >= self.latest_us() {
            Standing::Live
        } else if bounds.latest_us() < self.earliest_us() {
            Standing::Expired
        } else {
            Standing::Straddles
        }
    }

    /// Which of some whole rows, in the stored schema, have not expired.
    ///
    /// # Errors
    /// `Internal` when the rows are not in the stored schema.
    pub fn keep(&self, rows: &RecordBatch) -> Result<BooleanArray> {
        let keep = || {
            let tested = self.keep_expression()?.evaluate(rows)?.into_array(rows.num_rows())?;
            Ok(as_boolean_array(&tested)?.clone())
        };
        keep().map_err(|error: datafusion::error::DataFusionError| {
            Error::internal("cannot tell which rows have expired").with_source(error)
        })
    }

    /// The condition that a row has not expired, over the stored schema; never null.
    pub(crate) fn keep_expression(&self) -> DataFusionResult<Arc<dyn PhysicalExpr>> {
        if let Some(keep) = self.keep.get() {
            return Ok(Arc::clone(keep));
        }
        let keep = self.make_keep_expression()?;
        Ok(Arc::clone(self.keep.get_or_init(|| keep)))
    }

    fn make_keep_expression(&self) -> DataFusionResult<Arc<dyn PhysicalExpr>> {
        let Some((&rest_us, rules_us)) = self.cutoffs_us.split_last() else { return Ok(lit(true)) };
        if rules_us.is_empty() {
            return self.is_from(rest_us);
        }
        let conditions = self.retention.conditions().iter().cloned();
        let of_rules =
            conditions.zip(rules_us).map(|(condition, &cutoff_us)| Ok((condition, self.is_from(cutoff_us)?)));
        let by_kind = case(None, of_rules.collect::<DataFusionResult<_>>()?, Some(self.is_from(rest_us)?))?;
        // The first part prunes row groups and pages; the second spares most rows the test of the rules.
        Ok(and(self.is_from(self.earliest_us())?, or(self.is_from(self.latest_us())?, by_kind)))
    }

    /// The condition that a row is of this time or a later one.
    fn is_from(&self, cutoff_us: i64) -> DataFusionResult<Arc<dyn PhysicalExpr>> {
        if cutoff_us == i64::MIN {
            return Ok(lit(true));
        }
        let schema = self.retention.dataset().schema();
        let mut condition: Option<Arc<dyn PhysicalExpr>> = None;
        for name in self.retention.age_columns() {
            let column = Arc::new(Column::new(name, schema.index_of(name)?));
            let cutoff = lit(ScalarValue::TimestampMicrosecond(Some(cutoff_us), Some(UTC.into())));
            let at_least: Arc<dyn PhysicalExpr> = Arc::new(BinaryExpr::new(column, Operator::GtEq, cutoff));
            condition =
                Some(condition.map_or_else(|| Arc::clone(&at_least), |all| and(all, Arc::clone(&at_least))));
        }
        Ok(condition.unwrap_or_else(|| lit(true)))
    }
}

fn and(left: Arc<dyn PhysicalExpr>, right: Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
    Arc::new(BinaryExpr::new(left, Operator::And, right))
}

fn or(left: Arc<dyn PhysicalExpr>, right: Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
    Arc::new(BinaryExpr::new(left, Operator::Or, right))
}

impl TimeBounds {
    /// Those of rows that are as old as it is since they came in.
    fn of_ingestion(self) -> Self {
        Self { min_timestamp_us: self.min_ingested_us, max_timestamp_us: self.max_ingested_us, ..self }
    }

    /// The time of no row is earlier: the earlier one of two minimums is the minimum of the earlier ones.
    pub fn earliest_us(&self) -> i64 {
        self.min_timestamp_us.min(self.min_ingested_us)
    }

    /// The time of no row is later, and it may be that of none.
    pub fn latest_us(&self) -> i64 {
        self.max_timestamp_us.min(self.max_ingested_us)
    }
}

impl From<&DataFile> for TimeBounds {
    fn from(file: &DataFile) -> Self {
        Self {
            min_timestamp_us: file.min_timestamp_us,
            max_timestamp_us: file.max_timestamp_us,
            min_ingested_us: file.min_ingested_us,
            max_ingested_us: file.max_ingested_us,
        }
    }
}

impl From<&BufferSegment> for TimeBounds {
    fn from(segment: &BufferSegment) -> Self {
        Self {
            min_timestamp_us: segment.min_timestamp_us,
            max_timestamp_us: segment.max_timestamp_us,
            min_ingested_us: segment.min_ingested_us,
            max_ingested_us: segment.max_ingested_us,
        }
    }
}
