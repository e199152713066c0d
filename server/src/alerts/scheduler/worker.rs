//! Runs: what is due is taken, counted, decided and written.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use engine::Engine;
use engine::clock::Clock;
use engine::stats::Durations;
use futures::StreamExt;
use futures::stream;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::count::{Counted, Planned, Unit};
use super::decide::Outcome;
use super::save::{Saved, save};
use crate::alerts::failure::Failure;
use crate::alerts::machine::Finding;
use crate::alerts::schedule::{Grid, date_to};
use crate::alerts::services::MAX_SERVICES;
use crate::alerts::settings::GroupBy;
use crate::api::alert_filters;
use crate::meta::alert::{Alert, break_config};
use crate::meta::{Meta, MetaError};

/// Alerts that are taken at a time.
const MAX_TAKEN: i64 = 500;
/// Alerts that are written in one transaction.
const MAX_SAVED: usize = 50;
/// Questions of a run at a time.
const NUM_QUESTIONS: usize = 4;
/// Questions beside the runs at a time.
const NUM_SLOW_QUESTIONS: usize = 2;
/// Questions that take longer are asked beside the runs.
const QUICK: Duration = Duration::from_secs(2);
/// Questions that take longer fail.
const LONGEST: Duration = Duration::from_secs(30);
/// A run takes no more after this.
const LONGEST_RUN: Duration = Duration::from_secs(10 * 60);

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct AlertCounts {
    /// Checks that were written and had counted.
    pub(crate) counted: AtomicU64,
    /// Checks that failed in a way that passes.
    pub(crate) failed: AtomicU64,
    /// Checks that failed by their alert's fault.
    pub(crate) refused: AtomicU64,
    /// Checks whose alert was changed meanwhile.
    pub(crate) discarded: AtomicU64,
    /// Questions to the engine.
    pub(crate) questions: AtomicU64,
    /// Notices that were to be sent.
    pub(crate) notices: AtomicU64,
    /// Runs.
    pub(crate) runs: Durations,
}

/// What checks.
#[derive(Debug)]
pub(super) struct Worker {
    meta: Meta,
    /// Not held between two runs, so that its folder is free as soon as nobody else uses it.
    engine: Weak<Engine>,
    clock: Arc<dyn Clock>,
    public_url: String,
    /// By which the database knows who has taken an alert.
    owner: String,
    stop: CancellationToken,
    /// One run at a time.
    turn: Mutex<()>,
    /// Questions that are asked beside the runs.
    slow: TaskTracker,
    slow_slots: Arc<Semaphore>,
    /// Runs and slow questions under way: while there are any, leases are renewed.
    num_busy: AtomicUsize,
    counts: AlertCounts,
}

impl Worker {
    pub(super) fn new(
        meta: Meta,
        engine: &Arc<Engine>,
        clock: Arc<dyn Clock>,
        public_url: String,
        stop: CancellationToken,
    ) -> Self {
        Self {
            meta,
            engine: Arc::downgrade(engine),
            clock,
            public_url,
            owner: Uuid::now_v7().to_string(),
            stop,
            turn: Mutex::default(),
            slow: TaskTracker::new(),
            slow_slots: Arc::new(Semaphore::new(NUM_SLOW_QUESTIONS)),
            num_busy: AtomicUsize::new(0),
            counts: AlertCounts::default(),
        }
    }

    pub(super) fn now_us(&self) -> i64 {
        self.clock.now_us()
    }

    pub(super) fn counts(&self) -> &AlertCounts {
        &self.counts
    }

    /// Renews the leases on what is being checked.
    pub(super) async fn renew_leases(&self) -> Result<(), MetaError> {
        match self.num_busy.load(Ordering::SeqCst) {
            0 => Ok(()),
            _ => self.meta.renew_alert_leases(&self.owner, self.now_us()).await,
        }
    }

    /// Lets history from before an instant go.
    pub(super) async fn expire(&self, before_us: i64) -> Result<(), MetaError> {
        let num_expired = self.meta.expire_alert_events(before_us).await?;
        if num_expired > 0 {
            tracing::info!(num_expired, "history of alerts has expired");
        }
        Ok(())
    }

    /// Waits for what is asked beside the runs.
    pub(super) async fn finish_slow(&self) {
        self.slow.close();
        self.slow.wait().await;
        self.slow.reopen();
    }

    /// Checks everything that is due; what takes long goes on after it.
    pub(super) async fn run(self: &Arc<Self>) -> Result<(), MetaError> {
        let _turn = self.turn.lock().await;
        let Some(engine) = self.engine.upgrade() else { return Ok(()) };
        let begun = Instant::now();
        self.num_busy.fetch_add(1, Ordering::SeqCst);
        let mut undone = Vec::new();
        let taken = self.take_all(&engine, begun, &mut undone).await;
        // Only now, so that the run does not take them again.
        let freed = self.meta.free_alerts(&self.owner, &undone).await;
        self.num_busy.fetch_sub(1, Ordering::SeqCst);
        self.counts.runs.record(begun.elapsed());
        taken.and(freed)
    }

    async fn take_all(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        begun: Instant,
        undone: &mut Vec<String>,
    ) -> Result<(), MetaError> {
        while !self.stop.is_cancelled() && begun.elapsed() < LONGEST_RUN {
            let now_us = self.now_us();
            let taken = self.meta.take_due_alerts(&self.owner, MAX_TAKEN, now_us).await?;
            if taken.is_empty() {
                break;
            }
            let planned = self.plan(taken, now_us, undone).await?;
            let checks = Unit::of(planned).into_iter().map(|unit| self.check(engine, unit, now_us));
            let mut checks = stream::iter(checks).buffer_unordered(NUM_QUESTIONS);
            while let Some(left) = checks.next().await {
                undone.extend(left);
            }
        }
        Ok(())
    }

    /// What each alert counts; those of which it cannot be read are broken.
    async fn plan(
        &self,
        taken: Vec<Alert>,
        now_us: i64,
        undone: &mut Vec<String>,
    ) -> Result<Vec<Planned>, MetaError> {
        let by_service = taken.iter().filter(|alert| alert.settings.group_by == GroupBy::Service);
        let by_service: Vec<String> = by_service.map(|alert| alert.id.clone()).collect();
        let mut standings = self.meta.alert_services(&by_service).await?;
        let mut planned = Vec::with_capacity(taken.len());
        for alert in taken {
            match alert_filters(&alert.settings.filters) {
                Ok(filter) => {
                    let grid = Grid::of_project(alert.project, alert.settings.check_interval_minutes);
                    // What this server has taken in can be counted at once: nothing is waited for.
                    let date_to_us = date_to(grid.anchor(alert.next_check_us, now_us), Some(now_us));
                    let services = standings.remove(&alert.id).unwrap_or_default();
                    planned.push(Planned { alert, filter, date_to_us, services });
                }
                Err(reason) => {
                    if let Err(error) = self.break_config(&alert, &reason, now_us).await {
                        tracing::error!(%error, alert = alert.id, "cannot break an alert");
                        undone.push(alert.id);
                    }
                }
            }
        }
        Ok(planned)
    }

    async fn break_config(&self, alert: &Alert, reason: &str, now_us: i64) -> Result<(), MetaError> {
        let mut transaction = self.meta.begin_write().await?;
        let is_broken = break_config(&mut transaction, alert, reason, now_us).await?;
        transaction.commit().await?;
        if is_broken {
            tracing::warn!(alert = alert.id, reason, "the filters of an alert cannot be read");
        }
        Ok(())
    }

    /// Checks alerts that are counted together, or leaves them for beside the run. Those that are due still.
    async fn check(self: &Arc<Self>, engine: &Arc<Engine>, unit: Unit, now_us: i64) -> Vec<String> {
        match self.ask(engine, &unit, QUICK).await {
            Asked::Stopped => ids(&unit),
            Asked::TooLong => {
                self.check_beside(engine, unit, now_us);
                Vec::new()
            }
            Asked::Answered(found) => self.settle(engine, unit, found, now_us).await,
        }
    }

    fn check_beside(self: &Arc<Self>, engine: &Arc<Engine>, unit: Unit, now_us: i64) {
        self.num_busy.fetch_add(1, Ordering::SeqCst);
        let (worker, engine) = (Arc::clone(self), Arc::clone(engine));
        self.slow.spawn(async move {
            let left = worker.check_slowly(&engine, unit, now_us).await;
            worker.num_busy.fetch_sub(1, Ordering::SeqCst);
            if let Err(error) = worker.meta.free_alerts(&worker.owner, &left).await {
                tracing::error!(%error, "cannot give alerts back");
            }
        });
    }

    async fn check_slowly(self: &Arc<Self>, engine: &Arc<Engine>, unit: Unit, now_us: i64) -> Vec<String> {
        let asked = {
            let Ok(_slot) = self.slow_slots.acquire().await else { return ids(&unit) };
            self.ask(engine, &unit, LONGEST).await
        };
        match asked {
            Asked::Stopped => ids(&unit),
            Asked::TooLong => self.settle(engine, unit, Err(Failure::out_of_time()), now_us).await,
            Asked::Answered(found) => self.settle(engine, unit, found, now_us).await,
        }
    }

    async fn ask(&self, engine: &Engine, unit: &Unit, longest: Duration) -> Asked {
        self.counts.questions.fetch_add(1, Ordering::Relaxed);
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Asked::Stopped,
            counted = timeout(longest, unit.count(engine)) => match counted {
                Err(_) => Asked::TooLong,
                Ok(Ok(counted)) => Asked::Answered(Ok(counted)),
                Ok(Err(error)) => {
                    let failure = Failure::of_engine(&error);
                    if failure.finding() == Finding::TransientFailure {
                        tracing::error!(%error, "cannot count for an alert");
                    }
                    Asked::Answered(Err(failure))
                }
            },
        }
    }

    /// Decides and writes. A failure of a shared question that is somebody's fault is everybody's only when each
    /// fails alone. Those that are due still.
    async fn settle(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        unit: Unit,
        found: Result<Vec<Counted>, Failure>,
        now_us: i64,
    ) -> Vec<String> {
        let is_permanent =
            found.as_ref().is_err_and(|failure| failure.finding() == Finding::PermanentFailure);
        if is_permanent && let Some(alone) = unit.split() {
            alone.into_iter().for_each(|unit| self.check_beside(engine, unit, now_us));
            return Vec::new();
        }
        let found: Vec<Result<Counted, Failure>> = match found {
            Ok(counted) => counted.into_iter().map(bounded).collect(),
            Err(failure) => vec![Err(failure); unit.planned().len()],
        };
        let mut left = Vec::new();
        let both: Vec<_> = unit.planned().iter().zip(&found).collect();
        for part in both.chunks(MAX_SAVED) {
            let outcomes: Vec<Outcome> = part
                .iter()
                .map(|(planned, found)| Outcome::decide(planned, found, now_us, &self.public_url))
                .collect();
            let Saved { num_saved, num_notices, unsaved } = save(&self.meta, &outcomes, now_us).await;
            let counter = match part.first().map(|(_, found)| found) {
                Some(Err(failure)) if failure.finding() == Finding::TransientFailure => &self.counts.failed,
                Some(Err(_)) => &self.counts.refused,
                _ => &self.counts.counted,
            };
            counter.fetch_add(num_saved, Ordering::Relaxed);
            self.counts.notices.fetch_add(num_notices, Ordering::Relaxed);
            self.counts.discarded.fetch_add(unsaved.len() as u64, Ordering::Relaxed);
            left.extend(unsaved);
        }
        left
    }
}

/// How a question ended.
enum Asked {
    /// The server stops.
    Stopped,
    /// There was no answer in time.
    TooLong,
    /// What was counted, or why not.
    Answered(Result<Vec<Counted>, Failure>),
}

/// An alert for each service looks at so many of them and no more.
fn bounded(counted: Counted) -> Result<Counted, Failure> {
    let num_services = counted
        .services
        .as_ref()
        .map_or(0, |services| services.counts.keys().chain(&services.known).collect::<BTreeSet<_>>().len());
    if num_services > MAX_SERVICES { Err(Failure::too_many_services(num_services)) } else { Ok(counted) }
}

fn ids(unit: &Unit) -> Vec<String> {
    unit.planned().iter().map(|planned| planned.alert.id.clone()).collect()
}
