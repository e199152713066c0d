//! Which numbers there are, and where they come from.

use std::sync::atomic::Ordering;

use engine::stats::{CountedDurations, EngineStats};

use super::exposition::Exposition;
use super::{IngestCounts, Telemetry};
use crate::alerts::scheduler::AlertCounts;
use crate::delivery::DeliveryCounts;
use crate::meta::notification::Waiting;
use crate::state::AppState;

/// All numbers as text. Those of a metadata database that does not answer are left out.
pub(crate) async fn gather(state: &AppState) -> String {
    let waiting_notifications = state.meta().waiting_notifications().await.ok();
    let waiting_exports = state.meta().num_pending_exports().await.ok();
    let mut text = Exposition::default();
    text.family("timberline_build_info", "gauge", "The version that runs.");
    text.series("timberline_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    if let Some(bytes) = resident_bytes() {
        text.gauge("process_resident_memory_bytes", "Memory of the process.", bytes);
    }
    state.telemetry().write(&mut text);
    write_engine(&mut text, &state.engine().stats());
    text.gauge(
        "timberline_live_tails",
        "Live tails that are followed now.",
        state.tail_subscribers().count(),
    );
    if let Some(count) = waiting_exports {
        text.gauge("timberline_exports_waiting", "Exports that are asked for and not made yet.", count);
    }
    state.delivery().counts().write(&mut text);
    if let Some(waiting) = waiting_notifications {
        write_waiting(&mut text, waiting, state.clock().now_us());
    }
    write_alerts(&mut text, state).await;
    text.into_text()
}

async fn write_alerts(text: &mut Exposition, state: &AppState) {
    let now_us = state.clock().now_us();
    if let Ok(count) = state.meta().num_active_alerts().await {
        text.gauge("timberline_alerts_active", "Alerts that are switched on and not broken.", count);
    }
    if let Ok(oldest_us) = state.meta().oldest_due_alert(now_us).await {
        let late_us = oldest_us.map_or(0, |oldest_us| (now_us - oldest_us).max(0));
        let help = "How long the alert waits to be checked that has waited longest.";
        text.gauge("timberline_alerts_lag_seconds", help, late_us as f64 / 1e6);
    }
    state.alerts().counts().write(text);
}

impl AlertCounts {
    fn write(&self, text: &mut Exposition) {
        const NAME: &str = "timberline_alert_checks_total";
        text.family(NAME, "counter", "Checks of alerts, by outcome.");
        for (outcome, count) in [
            ("counted", &self.counted),
            ("failed", &self.failed),
            ("refused", &self.refused),
            ("discarded", &self.discarded),
        ] {
            text.series(NAME, &[("outcome", outcome)], count.load(Ordering::Relaxed));
        }
        for (name, help, count) in [
            ("timberline_alert_questions_total", "Questions asked for checks of alerts.", &self.questions),
            ("timberline_alert_notices_total", "Notices that checks of alerts led to.", &self.notices),
        ] {
            text.counter(name, help, count.load(Ordering::Relaxed));
        }
        let help = "Runs over the alerts that were due.";
        text.histogram("timberline_alert_run_duration_seconds", help, &self.runs.counted());
    }
}

impl Telemetry {
    fn write(&self, text: &mut Exposition) {
        const NAME: &str = "timberline_http_request_duration_seconds";
        text.family(NAME, "histogram", "Time until the head of an answer, by route, method and status.");
        for (kind, durations) in &*self.requests.read() {
            let status = kind.status.to_string();
            let labels = [("endpoint", &*kind.route), ("method", kind.method), ("status", &status)];
            text.durations(NAME, &labels, &durations.counted());
        }
        self.ingest.write(text);
    }
}

impl IngestCounts {
    fn write(&self, text: &mut Exposition) {
        const NAME: &str = "timberline_ingest_requests_total";
        text.family(NAME, "counter", "Requests that sent records, by outcome.");
        for (outcome, count) in [
            ("taken", &self.taken),
            ("refused", &self.refused),
            ("throttled", &self.throttled),
            ("unavailable", &self.unavailable),
            ("failed", &self.failed),
        ] {
            text.series(NAME, &[("outcome", outcome)], count.load(Ordering::Relaxed));
        }
        for (name, help, count) in [
            ("timberline_ingest_rows_total", "Records that are durable.", &self.rows),
            (
                "timberline_ingest_rejected_rows_total",
                "Records that were rejected in answered requests.",
                &self.rejected_rows,
            ),
            (
                "timberline_ingest_bytes_total",
                "Bytes of bodies that were taken, as they were sent.",
                &self.bytes,
            ),
        ] {
            text.counter(name, help, count.load(Ordering::Relaxed));
        }
    }
}

impl DeliveryCounts {
    fn write(&self, text: &mut Exposition) {
        const NAME: &str = "timberline_notifications_total";
        text.family(
            NAME,
            "counter",
            "Notifications by outcome, once for each destination; tries that are repeated.",
        );
        for (outcome, count) in [("sent", &self.sent), ("failed", &self.failed), ("retried", &self.retried)] {
            text.series(NAME, &[("outcome", outcome)], count.load(Ordering::Relaxed));
        }
    }
}

fn write_waiting(text: &mut Exposition, waiting: Waiting, now_us: i64) {
    const US_PER_SECOND: i64 = 1_000_000;
    let age_us = waiting.oldest_us.map_or(0, |oldest_us| now_us.saturating_sub(oldest_us).max(0));
    let name = "timberline_notifications_waiting";
    text.gauge(
        name,
        "Notifications that are to be sent, once for each destination.",
        waiting.num_notifications,
    );
    let name = "timberline_notifications_oldest_waiting_seconds";
    text.gauge(name, "How long the oldest of them has waited.", age_us / US_PER_SECOND);
}

fn write_engine(text: &mut Exposition, stats: &EngineStats) {
    for (name, help, value) in [
        ("timberline_buffer_bytes", "Memory of fresh rows.", stats.buffer_bytes),
        ("timberline_buffer_limit_bytes", "The most that fresh rows may take.", stats.max_buffer_bytes),
        ("timberline_wal_bytes", "Size of the write-ahead log's files.", stats.wal_bytes),
        ("timberline_wal_limit_bytes", "The most that the write-ahead log may take.", stats.max_wal_bytes),
        ("timberline_data_files", "Live data files.", stats.num_data_files),
        ("timberline_data_bytes", "Size of live data files.", stats.data_bytes),
        ("timberline_data_rows", "Rows in live data files.", stats.num_rows),
        (
            "timberline_compaction_waiting_bytes",
            "Size of the data files that merges due now would read.",
            stats.compaction_waiting_bytes,
        ),
        ("timberline_query_tasks", "Tasks that answer questions.", stats.num_query_tasks),
    ] {
        text.gauge(name, help, value);
    }
    let durations: [(&str, &str, &CountedDurations); 3] = [
        (
            "timberline_wal_commit_duration_seconds",
            "Write and fsync of the write-ahead log, once for each group of requests.",
            &stats.wal_commits,
        ),
        ("timberline_flush_duration_seconds", "Flushes of fresh rows to data files.", &stats.flushes),
        ("timberline_compaction_duration_seconds", "Merges of data files.", &stats.merges),
    ];
    for (name, help, counted) in durations {
        text.histogram(name, help, counted);
    }
    let hits = "timberline_sidecar_cache_hits_total";
    text.counter(hits, "Parts of sidecars that were asked for and in memory.", stats.sidecar_cache_hits);
    let misses = "timberline_sidecar_cache_misses_total";
    text.counter(misses, "Parts of sidecars that were asked for and read.", stats.sidecar_cache_misses);
    let failures = "timberline_flush_failures_total";
    text.counter(failures, "Flushes that failed and are repeated.", stats.num_failed_flushes);
    let failures = "timberline_compaction_failures_total";
    text.counter(failures, "Merges that failed and are repeated.", stats.num_failed_merges);
}

/// Memory of this process; none where the system does not tell.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
