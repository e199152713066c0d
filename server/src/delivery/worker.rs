//! The work in the background: notifications that are due are claimed and sent, many at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use engine::clock::Clock;
use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::courier::{Courier, DeliveryCounts, DeliveryError};
use crate::config::ServerConfig;
use crate::meta::Meta;
use crate::secret_key::SecretKey;

/// Notifications that are sent at a time, at most one to each destination: one that is slow holds up no other.
const MAX_UNDER_WAY: usize = 64;
/// How often the outbox is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often what is too old is removed.
const SWEEP_INTERVAL_US: i64 = 3_600 * 1_000_000;

/// The sending of notifications by a running server.
#[derive(Debug)]
pub(crate) struct Delivery {
    courier: Arc<Courier>,
    wake: Arc<Notify>,
    stop: CancellationToken,
    working: parking_lot::Mutex<Option<AbortOnDropHandle<()>>>,
}

impl Delivery {
    /// Goes on with what waits.
    ///
    /// # Errors
    /// When TLS cannot be set up, or the metadata database fails.
    pub(crate) async fn start(
        meta: Meta,
        key: Arc<SecretKey>,
        config: &ServerConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, DeliveryError> {
        if meta.is_file() {
            // What this process had claimed before it was stopped need not wait for the lease to run out.
            meta.end_leases().await?;
        }
        let courier = Arc::new(Courier::new(meta, key, config, Arc::clone(&clock))?);
        let (wake, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let work = work(Arc::clone(&courier), clock, Arc::clone(&wake), stop.clone());
        let working = parking_lot::Mutex::new(Some(AbortOnDropHandle::new(tokio::spawn(work))));
        Ok(Self { courier, wake, stop, working })
    }

    /// Something is to be sent; without this it is seen a second later.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// What was done since the start.
    pub(crate) fn counts(&self) -> &DeliveryCounts {
        &self.courier.counts
    }

    /// Sends no more, once what is under way has ended, which takes seconds at most.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        let working = self.working.lock().take();
        if let Some(working) = working
            && let Err(error) = working.await
        {
            tracing::error!(%error, "sending notifications has failed");
        }
    }
}

async fn work(courier: Arc<Courier>, clock: Arc<dyn Clock>, wake: Arc<Notify>, stop: CancellationToken) {
    let mut under_way = UnderWay::default();
    let mut swept_us = i64::MIN;
    while !stop.is_cancelled() {
        under_way.begin(&courier).await;
        let now_us = clock.now_us();
        if now_us.saturating_sub(swept_us) >= SWEEP_INTERVAL_US {
            swept_us = now_us;
            if let Err(error) = courier.sweep().await {
                tracing::error!(%error, "cannot remove old notifications");
            }
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            true = under_way.end_one() => {}
            () = wake.notified() => {}
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
    }
    while under_way.end_one().await {}
}

/// What is being sent.
#[derive(Debug, Default)]
struct UnderWay {
    tasks: JoinSet<()>,
    /// Where each task sends to. A clock that is moved makes leases run out; nothing is sent twice for that.
    destinations: HashMap<Id, Uuid>,
}

impl UnderWay {
    /// Begins to send what is due.
    async fn begin(&mut self, courier: &Arc<Courier>) {
        let free = MAX_UNDER_WAY - self.tasks.len();
        if free == 0 {
            return;
        }
        let busy: Vec<Uuid> = self.destinations.values().copied().collect();
        match courier.claim(free, &busy).await {
            Ok(claims) => {
                for claim in claims {
                    let (courier, destination) = (Arc::clone(courier), claim.destination.id);
                    let task = self.tasks.spawn(async move { courier.deliver(claim).await });
                    self.destinations.insert(task.id(), destination);
                }
            }
            Err(error) => tracing::error!(%error, "cannot look for notifications to send"),
        }
    }

    /// Waits for one to end; false when there is none.
    async fn end_one(&mut self) -> bool {
        let Some(ended) = self.tasks.join_next_with_id().await else { return false };
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        self.destinations.remove(&id);
        if let Err(error) = ended {
            // The notification is claimed again when the lease has run out.
            tracing::error!(%error, "sending a notification has failed");
        }
        true
    }
}
