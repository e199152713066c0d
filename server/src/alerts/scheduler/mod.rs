//! Checks the alerts that are due, once a minute.
//!
//! A run takes what is due with leases, so that several servers share the work ([`crate::meta::alert`]), asks the
//! engine few questions for many alerts ([`count`], [`known`]), decides ([`decide`]), and writes what was decided
//! together with what is to be sent ([`save`]). What takes longer than moments is counted beside the runs, so that nothing waits for it. What a stop or
//! a crash leaves undone is due still.

mod cells;
mod count;
mod decide;
mod known;
mod save;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use engine::Engine;
use engine::clock::Clock;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::worker::Worker;
use super::MINUTE_US;
use crate::meta::{Meta, MetaError};

pub(crate) use self::worker::AlertCounts;

/// How often the clock is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often leases are renewed; a third of how long they last.
const RENEW_INTERVAL: Duration = Duration::from_secs(20);
const DAY_US: i64 = 24 * 60 * MINUTE_US;
/// How long the history of alerts is kept.
const KEPT_US: i64 = 90 * DAY_US;

/// The checks of a running server.
#[derive(Debug)]
pub(crate) struct AlertScheduler {
    worker: Arc<Worker>,
    stop: CancellationToken,
    tasks: parking_lot::Mutex<Option<[AbortOnDropHandle<()>; 2]>>,
}

impl AlertScheduler {
    /// Checks what is due now, and goes on once a minute.
    pub(crate) fn start(meta: Meta, engine: &Arc<Engine>, clock: Arc<dyn Clock>, public_url: String) -> Self {
        let stop = CancellationToken::new();
        let worker = Arc::new(Worker::new(meta, engine, clock, public_url, stop.clone()));
        let spawn = |task| AbortOnDropHandle::new(task);
        let tasks = [
            spawn(tokio::spawn(watch(Arc::clone(&worker), stop.clone()))),
            spawn(tokio::spawn(renew(Arc::clone(&worker), stop.clone()))),
        ];
        Self { worker, stop, tasks: parking_lot::Mutex::new(Some(tasks)) }
    }

    /// Checks everything that is due now, and returns when it is done, what takes long too.
    ///
    /// # Errors
    /// When the metadata database does not answer.
    pub(crate) async fn check_due(&self) -> Result<(), MetaError> {
        self.worker.run().await?;
        self.worker.finish_slow().await;
        Ok(())
    }

    /// What was counted.
    pub(crate) fn counts(&self) -> &AlertCounts {
        self.worker.counts()
    }

    /// Checks no more. What is being counted is given up: it is due still.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        let tasks = self.tasks.lock().take();
        for task in tasks.into_iter().flatten() {
            if let Err(error) = task.await {
                tracing::error!(%error, "checking alerts has failed");
            }
        }
        self.worker.finish_slow().await;
    }
}

/// A run at the start, for what was due while no server ran, and one at the beginning of each minute; a minute that
/// passes during a run has none of its own.
async fn watch(worker: Arc<Worker>, stop: CancellationToken) {
    let (mut minute, mut day) = (None, None);
    while !stop.is_cancelled() {
        let now_us = worker.now_us();
        let is_new = |last: &mut Option<i64>, width_us: i64| {
            let current = now_us.div_euclid(width_us);
            last.replace(current) != Some(current)
        };
        if is_new(&mut minute, MINUTE_US)
            && let Err(error) = worker.run().await
        {
            tracing::error!(%error, "cannot check alerts");
        }
        if is_new(&mut day, DAY_US)
            && let Err(error) = worker.expire(now_us - KEPT_US).await
        {
            tracing::error!(%error, "cannot let the history of alerts expire");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
    }
}

async fn renew(worker: Arc<Worker>, stop: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RENEW_INTERVAL) => {}
        }
        if let Err(error) = worker.renew_leases().await {
            tracing::error!(%error, "cannot renew the leases of alerts");
        }
    }
}
