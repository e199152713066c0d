//! Drop rules: what they say, and what they decide about rows.
//!
//! Rules are asked in their order. One whose scope a row is not in says nothing about it; the first one that says
//! something decides, and a row that none says anything about is kept.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, FixedSizeBinaryArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Int32Type, SchemaRef, UInt32Type};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::bucket::{RateLimit, TokenBucket};
use super::condition::Condition;
use crate::error::{Error, Result};
use crate::ingest::DecodedLogs;
use crate::query::model::LogFilter;
use crate::schema::columns;

/// A drop rule.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingRule {
    /// Tells rules apart.
    pub id: String,
    /// Tells the states of one rule apart.
    pub version: i64,
    /// Which rows it is asked about; `None` is all.
    pub scope: Option<LogFilter>,
    /// What it says.
    pub action: SamplingAction,
}

/// What a drop rule says.
#[derive(Clone, Debug, PartialEq)]
pub enum SamplingAction {
    /// Drops what one of the filters finds, and says nothing about other rows.
    Drop {
        /// At least one.
        any_of: Vec<LogFilter>,
    },
    /// Decides by severity.
    BySeverity {
        /// For trace and debug, info, warn, error and fatal; `None` says nothing.
        levels: [Option<LevelAction>; 4],
        /// Rows that are kept whatever their severity.
        always_keep: Option<LogFilter>,
    },
    /// Keeps what is within the limit and drops what is beyond it.
    RateLimit {
        /// Which rows share the limit; it says nothing about others. `None` is all.
        filter: Option<LogFilter>,
        /// How much.
        limit: RateLimit,
    },
}

/// What happens to rows of one severity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LevelAction {
    /// All are kept.
    Keep,
    /// All are dropped.
    Drop,
    /// This share of them is kept, from 0 to 1: whole traces, and of rows without a trace some at random.
    Sample(f64),
}

/// The drop rules of a project, ready to decide. Rate limits keep their tokens in memory.
#[derive(Debug, Default)]
pub struct SamplingRules(Vec<CompiledSampling>);

/// A rule, ready to decide.
#[derive(Clone, Debug)]
pub(crate) struct CompiledSampling {
    rule: SamplingRule,
    scope: Option<Condition>,
    /// The filters of the action.
    conditions: Vec<Condition>,
    /// Shared with the same version of the rule that was compiled before.
    bucket: Arc<Mutex<Option<TokenBucket>>>,
}

/// When rows are decided about, and by what chance those without a trace.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment<'a> {
    /// As they come in.
    Ingest { now_us: i64 },
    /// Of stored rows: when each came in, and its id in the place of chance.
    Stored { ingested_us: &'a [i64], uuid: &'a FixedSizeBinaryArray },
}

/// What a rule says about some rows.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Rows it decides to keep.
    pub(crate) kept: BooleanBuffer,
    /// Rows it decides to drop.
    pub(crate) dropped: BooleanBuffer,
    /// How many were decided by chance, having no trace.
    pub(crate) num_by_chance: u64,
}

impl SamplingRules {
    /// Compiles rules in their order. Rate limits of rules that have not changed keep the tokens of `before`.
    ///
    /// # Errors
    /// `InvalidRequest` or `LimitExceeded` naming the condition that means nothing or too much.
    pub fn compile(rules: Vec<SamplingRule>, before: Option<&Self>) -> Result<Self> {
        let compile = |rule: SamplingRule| {
            let mut compiled = CompiledSampling::new(rule)?;
            let same = |old: &&CompiledSampling| {
                (&old.rule.id, old.rule.version) == (&compiled.rule.id, compiled.rule.version)
            };
            if let Some(old) = before.and_then(|before| before.0.iter().find(same)) {
                compiled.bucket = Arc::clone(&old.bucket);
            }
            Ok(compiled)
        };
        rules.into_iter().map(compile).collect::<Result<_>>().map(Self)
    }

    /// The rows that are kept.
    ///
    /// # Errors
    /// `Internal` when the rows are not decoded rows.
    pub fn apply(&self, logs: DecodedLogs, now_us: i64) -> Result<DecodedLogs> {
        if self.0.is_empty() || logs.num_rows() == 0 {
            return Ok(logs);
        }
        let keep = self.keep(&logs.batch, now_us)?;
        if keep.count_set_bits() == keep.len() {
            return Ok(logs);
        }
        let batch = retained(&logs.batch, keep)?;
        Ok(DecodedLogs { batch, rejected: logs.rejected })
    }

    fn keep(&self, rows: &RecordBatch, now_us: i64) -> Result<BooleanBuffer> {
        let mut dropped = BooleanBuffer::new_unset(rows.num_rows());
        let mut open = BooleanBuffer::new_set(rows.num_rows());
        for rule in &self.0 {
            if open.count_set_bits() == 0 {
                break;
            }
            let verdict = rule.decide(rows, &open, &Moment::Ingest { now_us })?;
            dropped = &dropped | &verdict.dropped;
            open = &open & &!&(&verdict.dropped | &verdict.kept);
        }
        Ok(!&dropped)
    }
}

/// Some rows, without anything of the others in the batch's buffers.
fn retained(batch: &RecordBatch, keep: BooleanBuffer) -> Result<RecordBatch> {
    let cannot = |error| Error::internal("cannot drop rows of a batch").with_source(error);
    let filtered = filter_record_batch(batch, &BooleanArray::new(keep, None)).map_err(cannot)?;
    let columns = filtered.columns().iter().map(|column| match column.data_type() {
        DataType::Utf8View => Ok(Arc::new(column.as_string_view().gc()) as _),
        dictionary @ DataType::Dictionary(..) => {
            cast(column, &DataType::Utf8).and_then(|text| cast(&text, dictionary))
        }
        _ => Ok(Arc::clone(column)),
    });
    let columns = columns.collect::<std::result::Result<_, _>>().map_err(cannot)?;
    RecordBatch::try_new(filtered.schema(), columns).map_err(cannot)
}

impl CompiledSampling {
    /// Compiles a rule.
    ///
    /// # Errors
    /// As [`SamplingRules::compile`].
    pub(crate) fn new(rule: SamplingRule) -> Result<Self> {
        let scope = rule.scope.as_ref().map(Condition::new).transpose()?;
        let filters: Vec<&LogFilter> = match &rule.action {
            SamplingAction::Drop { any_of } => any_of.iter().collect(),
            SamplingAction::BySeverity { always_keep: filter, .. }
            | SamplingAction::RateLimit { filter, .. } => filter.iter().collect(),
        };
        let conditions = filters.into_iter().map(Condition::new).collect::<Result<_>>()?;
        Ok(Self { rule, scope, conditions, bucket: Arc::default() })
    }

    /// The columns that it reads.
    pub(crate) fn columns(&self) -> Vec<String> {
        let conditions = self.scope.iter().chain(&self.conditions).flat_map(Condition::columns);
        let decided = match &self.rule.action {
            SamplingAction::Drop { .. } => &[][..],
            SamplingAction::BySeverity { .. } => &[columns::SEVERITY_TEXT, columns::TRACE_ID],
            SamplingAction::RateLimit { .. } => &[columns::BYTES_UNCOMPRESSED],
        };
        conditions.chain(decided.iter().map(|name| (*name).to_owned())).collect()
    }

    /// Whether what it says depends on the rows that came before.
    pub(crate) fn is_rate_limit(&self) -> bool {
        matches!(self.rule.action, SamplingAction::RateLimit { .. })
    }

    /// The same over rows of another schema, with tokens of its own.
    ///
    /// # Errors
    /// `Internal` when the schema lacks its columns.
    pub(crate) fn over(&self, schema: &SchemaRef) -> Result<Self> {
        let over = |condition: &Condition| condition.over(schema);
        Ok(Self {
            rule: self.rule.clone(),
            scope: self.scope.as_ref().map(over).transpose()?,
            conditions: self.conditions.iter().map(over).collect::<Result<_>>()?,
            bucket: Arc::default(),
        })
    }

    /// What it says about those of some rows that are open.
    ///
    /// # Errors
    /// `Internal` when the rows lack its columns.
    pub(crate) fn decide(
        &self,
        rows: &RecordBatch,
        open: &BooleanBuffer,
        moment: &Moment<'_>,
    ) -> Result<Verdict> {
        let asked = match &self.scope {
            Some(scope) => open & &scope.test(rows)?,
            None => open.clone(),
        };
        let mut found = BooleanBuffer::new_unset(rows.num_rows());
        for condition in &self.conditions {
            found = &found | &condition.test(rows)?;
        }
        match &self.rule.action {
            SamplingAction::Drop { .. } => Ok(Verdict {
                kept: BooleanBuffer::new_unset(rows.num_rows()),
                dropped: &asked & &found,
                num_by_chance: 0,
            }),
            SamplingAction::BySeverity { levels, .. } => by_severity(levels, rows, &asked, &found, moment),
            SamplingAction::RateLimit { limit, .. } => {
                let asked = if self.conditions.is_empty() { asked } else { &asked & &found };
                self.by_rate(limit, rows, &asked, moment)
            }
        }
    }

    fn by_rate(
        &self,
        limit: &RateLimit,
        rows: &RecordBatch,
        asked: &BooleanBuffer,
        moment: &Moment<'_>,
    ) -> Result<Verdict> {
        let sizes = column(rows, columns::BYTES_UNCOMPRESSED)?.as_primitive::<UInt32Type>();
        let mut kept = vec![false; rows.num_rows()];
        let mut bucket = self.bucket.lock();
        for row in asked.set_indices() {
            let now_us = match moment {
                Moment::Ingest { now_us } => *now_us,
                Moment::Stored { ingested_us, .. } => ingested_us[row],
            };
            let bucket = bucket.get_or_insert_with(|| TokenBucket::full(limit, now_us));
            bucket.fill(limit, now_us);
            let cost = if limit.counts_bytes { f64::from(sizes.value(row)) } else { 1.0 };
            kept[row] = bucket.take(limit, cost);
        }
        let kept = BooleanBuffer::from(kept);
        Ok(Verdict { dropped: asked & &!&kept, kept, num_by_chance: 0 })
    }
}

fn by_severity(
    levels: &[Option<LevelAction>; 4],
    rows: &RecordBatch,
    asked: &BooleanBuffer,
    always_keep: &BooleanBuffer,
    moment: &Moment<'_>,
) -> Result<Verdict> {
    let severities = column(rows, columns::SEVERITY_TEXT)?.as_dictionary::<Int32Type>();
    let names = severities.values().as_string::<i32>();
    let trace_ids = column(rows, columns::TRACE_ID)?.as_fixed_size_binary();
    let chance = RandomState::new();
    let (mut kept, mut dropped) = (vec![false; rows.num_rows()], vec![false; rows.num_rows()]);
    let mut num_by_chance = 0;
    for row in asked.set_indices() {
        let action = severities.key(row).and_then(|key| levels[level_of(names.value(key))?]);
        let keep = match action {
            _ if always_keep.value(row) => true,
            None => continue,
            Some(LevelAction::Keep) => true,
            Some(LevelAction::Drop) => false,
            Some(LevelAction::Sample(share)) => {
                let trace_id = trace_ids.value(row);
                let fraction = match moment {
                    _ if trace_id.iter().any(|byte| *byte != 0) => fraction_of(trace_id),
                    Moment::Ingest { .. } => f64::from((chance.hash_one(row) >> 32) as u32) / FRACTIONS,
                    Moment::Stored { uuid, .. } => {
                        num_by_chance += 1;
                        fraction_of(uuid.value(row))
                    }
                };
                fraction < share
            }
        };
        kept[row] = keep;
        dropped[row] = !keep;
    }
    Ok(Verdict { kept: kept.into(), dropped: dropped.into(), num_by_chance })
}

/// How many fractions there are.
const FRACTIONS: f64 = 4_294_967_296.0;

/// A number from 0 to below 1 that is the same for the same id, on every machine: the first 32 bits of its SHA-256.
fn fraction_of(id: &[u8]) -> f64 {
    let hash = Sha256::digest(id);
    let first = [hash[0], hash[1], hash[2], hash[3]];
    f64::from(u32::from_be_bytes(first)) / FRACTIONS
}

/// The place of a severity among the levels of a rule.
fn level_of(severity: &str) -> Option<usize> {
    match severity {
        "trace" | "debug" => Some(0),
        "info" => Some(1),
        "warn" => Some(2),
        "error" | "fatal" => Some(3),
        _ => None,
    }
}

fn column<'b>(rows: &'b RecordBatch, name: &str) -> Result<&'b arrow::array::ArrayRef> {
    rows.column_by_name(name).ok_or_else(|| Error::internal(format!("rows lack the column {name}")))
}
