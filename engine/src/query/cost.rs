//! What questions cost, and which sources answered them.
//!
//! Whoever wants to know runs its questions inside [`with_cost`]; each of them finds the meter there, so that no
//! question and no answer has to carry it.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use datafusion::physical_plan::ExecutionPlan;
use parking_lot::Mutex;
use uuid::Uuid;

tokio::task_local! {
    static METER: Arc<CostMeter>;
}

/// What some questions cost. Its text is `key=value` pairs, of which all values are whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryCost {
    /// Questions that were asked.
    pub questions: u64,
    /// Data files of which the catalog knows enough: their number of rows was the answer.
    pub facts: u64,
    /// Data files that were answered from their sidecars, in whole or but for the edges of the range.
    pub sidecars: u64,
    /// Data files whose rows were asked. One that is cut by the range may count here and above.
    pub scanned: u64,
    /// Rows that were decoded or looked at in memory, with each time that a row was.
    pub rows: u64,
    /// Bytes that were asked of the storage.
    pub bytes: u64,
    /// Time that the questions took, microseconds; of several at a time the sum.
    pub elapsed_us: u64,
}

impl fmt::Display for QueryCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { questions, facts, sidecars, scanned, rows, bytes, elapsed_us } = self;
        let ms = elapsed_us.div_ceil(1000);
        write!(
            f,
            "questions={questions} facts={facts} sidecars={sidecars} scanned={scanned} rows={rows} bytes={bytes} ms={ms}"
        )
    }
}

/// Runs `work`, and tells what the questions cost that it asks itself. Those that it leaves to tasks of its own and
/// those whose answers are streams are not in the sum.
pub async fn with_cost<T>(work: impl Future<Output = T>) -> (T, QueryCost) {
    let meter = Arc::new(CostMeter::default());
    let answer = METER.scope(Arc::clone(&meter), work).await;
    (answer, meter.total())
}

/// Adds up what questions cost while they run.
#[derive(Debug, Default)]
pub(super) struct CostMeter {
    questions: AtomicU64,
    elapsed_us: AtomicU64,
    bytes: Arc<AtomicU64>,
    segment_rows: AtomicU64,
    files: Mutex<FilesBySource>,
    /// They count their rows themselves.
    plans: Mutex<Vec<Arc<dyn ExecutionPlan>>>,
}

#[derive(Debug, Default)]
struct FilesBySource {
    facts: HashSet<Uuid>,
    sidecars: HashSet<Uuid>,
    scanned: HashSet<Uuid>,
}

impl CostMeter {
    /// That of the [`with_cost`] around the caller, or else one that nobody reads.
    pub(super) fn current() -> Arc<Self> {
        METER.try_with(Arc::clone).unwrap_or_default()
    }

    pub(super) fn add_question(&self, elapsed: Duration) {
        self.questions.fetch_add(1, Ordering::Relaxed);
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.elapsed_us.fetch_add(elapsed_us, Ordering::Relaxed);
    }

    pub(super) fn add_facts(&self, file: Uuid) {
        self.files.lock().facts.insert(file);
    }

    pub(super) fn add_sidecar(&self, file: Uuid) {
        self.files.lock().sidecars.insert(file);
    }

    pub(super) fn add_scanned(&self, file: Uuid) {
        self.files.lock().scanned.insert(file);
    }

    pub(super) fn add_segment_rows(&self, num_rows: u64) {
        self.segment_rows.fetch_add(num_rows, Ordering::Relaxed);
    }

    /// Where reads of storage are counted.
    pub(super) fn bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes)
    }

    /// Counts the rows of data files that a plan will have read.
    pub(super) fn watch(&self, plan: &Arc<dyn ExecutionPlan>) {
        self.plans.lock().push(Arc::clone(plan));
    }

    /// The files that the catalog knew enough of, and those that their sidecars answered for; by id.
    pub(super) fn answered_without_rows(&self) -> (Vec<Uuid>, Vec<Uuid>) {
        let sorted = |files: &HashSet<Uuid>| {
            let mut sorted: Vec<Uuid> = files.iter().copied().collect();
            sorted.sort_unstable();
            sorted
        };
        let files = self.files.lock();
        (sorted(&files.facts), sorted(&files.sidecars))
    }

    pub(super) fn total(&self) -> QueryCost {
        let files = self.files.lock();
        let scanned_rows: usize = self.plans.lock().iter().map(rows_of_files).sum();
        QueryCost {
            questions: self.questions.load(Ordering::Relaxed),
            facts: files.facts.len() as u64,
            sidecars: files.sidecars.len() as u64,
            scanned: files.scanned.len() as u64,
            rows: self.segment_rows.load(Ordering::Relaxed) + scanned_rows as u64,
            bytes: self.bytes.load(Ordering::Relaxed),
            elapsed_us: self.elapsed_us.load(Ordering::Relaxed),
        }
    }
}

/// The rows that came out of the scans of data files, which are leaves of a plan. Those of memory do not count theirs.
fn rows_of_files(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let children = plan.children();
    if children.is_empty() {
        return plan.metrics().and_then(|metrics| metrics.output_rows()).unwrap_or(0);
    }
    children.into_iter().map(rows_of_files).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_meter_is_that_of_the_nearest_scope() {
        CostMeter::current().add_question(Duration::from_secs(1));
        let ((), outer) = with_cost(async {
            let ((), inner) = with_cost(async {
                CostMeter::current().add_question(Duration::from_micros(1001));
                CostMeter::current().add_facts(Uuid::from_u128(1));
                CostMeter::current().add_facts(Uuid::from_u128(1));
            })
            .await;
            let text = "questions=1 facts=1 sidecars=0 scanned=0 rows=0 bytes=0 ms=2";
            assert_eq!(inner.to_string(), text);
        })
        .await;
        assert_eq!(outer, QueryCost::default());
    }
}
