//! Jobs that run at night.

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

use crate::keys;
use crate::line::{Line, say};

const JOBS: [&str; 5] =
    ["close-ledger", "send-invoices", "rebuild-statements", "expire-vouchers", "export-warehouse"];

/// Progress, completion and failures of jobs.
pub(super) fn billing(line: &mut Line<'_>) {
    let job = line.random.pick(&JOBS);
    let run = line.random.word() as u32;
    let duration_us = line.takes_us(9_000_000);
    let seconds = duration_us as f64 / 1e6;
    let num_items = line.random.between(100, 90_000);
    if line.fails() {
        line.severity = SeverityNumber::Error;
        say!(
            line,
            "job {job} run {run:08x} aborted after {num_items} items and {seconds:.1}s: customer account {} has no tax region",
            line.request.user_id()
        );
        line.text(keys::ERROR_TYPE, "MissingTaxRegion");
        line.event_name = "job.failed";
    } else if line.random.chance(120) {
        say!(
            line,
            "job {job} run {run:08x} completed: {num_items} items in {seconds:.1}s, {} skipped, next run tomorrow 01:00",
            line.random.below(300)
        );
        line.event_name = "job.completed";
    } else {
        line.severity = SeverityNumber::Debug;
        say!(
            line,
            "job {job} run {run:08x}: chunk {} committed, {num_items} items, {:.0} items/s, heap {} MiB",
            line.random.between(1, 400),
            f64::from(num_items) / seconds.max(0.001),
            line.random.between(200, 1_900)
        );
    }
    line.text(keys::JOB, job);
    line.int(keys::DB_ROWS, num_items);
    line.duration(duration_us);
    line.int(keys::PROCESS_ID, line.request.item % 30_000 + 300);
    line.list(keys::TAGS, &["batch", job]);
}
