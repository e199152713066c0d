//! Delivery of the outbox to the engine, each entry once.
//!
//! An entry leaves the outbox after the engine has it. A stop between the two leaves it in both: the first delivery to
//! an organization after a start, and every one after a failure, says so, and the engine leaves out what it has.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use engine::Engine;
use engine::activity::{ActivityEntry, ChainHead, Delivery};
use engine::clock::Clock;
use engine::schema::OrganizationId;
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::checkpoint::Signer;
use super::keeping::Keeping;
use super::subscriptions::{self, Told};
use super::turn::{Turn, Whose};
use crate::error::ApiError;
use crate::meta::outbox::WaitingEntry;
use crate::meta::{Meta, MetaError};

/// How often the outbox is looked at. Who reads the trail does not wait for that.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Entries that are delivered at a time.
const BATCH_ENTRIES: i64 = 500;

/// Why entries were not delivered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrailError {
    /// The metadata do not answer, or hold what is no entry.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The engine does not take them.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// There is no engine any more.
    #[error("the server is stopping")]
    Stopping,
    /// Checkpoints cannot be signed.
    #[error("a checkpoint cannot be signed: {0}")]
    Signing(String),
}

impl From<TrailError> for ApiError {
    fn from(error: TrailError) -> Self {
        match error {
            TrailError::Meta(error) => error.into(),
            TrailError::Engine(error) => error.into(),
            TrailError::Stopping => Self::unavailable("the server is stopping"),
            TrailError::Signing(_) => Self::internal(error),
        }
    }
}

/// The audit trail of a running server.
#[derive(Debug)]
pub(crate) struct ActivityTrail {
    shared: Arc<Shared>,
    stop: CancellationToken,
    looking: parking_lot::Mutex<Option<AbortOnDropHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    meta: Meta,
    /// Not held between two looks, so that the data folder is free as soon as nobody else uses it.
    engine: Weak<Engine>,
    /// The organizations whose outbox has nothing that the engine may have. Held by the delivery that runs.
    certain: Mutex<HashSet<OrganizationId>>,
    turn: Turn,
    keeping: Keeping,
    signer: Signer,
    /// Where people reach the server.
    public_url: String,
    clock: Arc<dyn Clock>,
}

impl ActivityTrail {
    /// Tells the engine what has expired, and begins to deliver.
    ///
    /// # Errors
    /// When the metadata cannot be read: nothing that has expired may be seen because of it.
    pub(crate) async fn start(
        meta: Meta,
        engine: &Arc<Engine>,
        clock: Arc<dyn Clock>,
        public_url: String,
    ) -> Result<Self, MetaError> {
        let signer = Signer::new(meta.clone(), Arc::clone(&clock));
        let keeping = Keeping::start(meta.clone(), engine).await?;
        let turn = Turn::new(engine.writer_id(), !meta.is_file());
        let shared = Arc::new(Shared {
            meta,
            engine: Arc::downgrade(engine),
            certain: Mutex::default(),
            turn,
            keeping,
            signer,
            public_url,
            clock,
        });
        let stop = CancellationToken::new();
        let looking = tokio::spawn(look(Arc::clone(&shared), stop.clone()));
        let looking = parking_lot::Mutex::new(Some(AbortOnDropHandle::new(looking)));
        Ok(Self { shared, stop, looking })
    }

    /// Delivers what waits: when this returns the trail has every entry whose change was committed before the call. Where
    /// several servers share the outbox only one of them has the trail, and this does nothing on the others.
    ///
    /// # Errors
    /// When the metadata or the engine fail; what waits is tried again a second later.
    pub(crate) async fn deliver(&self) -> Result<(), TrailError> {
        self.shared.deliver().await
    }

    /// What signs checkpoints.
    pub(crate) fn signer(&self) -> &Signer {
        &self.shared.signer
    }

    /// Delivers no more, once what is under way has ended: the engine would go on with it and not be free.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        let looking = self.looking.lock().take();
        if let Some(looking) = looking
            && let Err(error) = looking.await
        {
            tracing::error!(%error, "delivering entries of the audit trail has failed");
        }
        let _delivery = self.shared.certain.lock().await;
        if let Err(error) = self.shared.turn.give_back(&self.shared.meta).await {
            tracing::warn!(%error, "another server can deliver entries of the audit trail only in a minute");
        }
    }
}

async fn look(shared: Arc<Shared>, stop: CancellationToken) {
    let mut looks = interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = looks.tick() => {}
        }
        match shared.deliver().await {
            Ok(()) => {}
            Err(TrailError::Stopping) => return,
            Err(error) => tracing::error!(%error, "cannot deliver entries of the audit trail"),
        }
        if shared.keeping.is_due(shared.clock.now_us())
            && let Err(error) = shared.let_expire().await
        {
            tracing::error!(%error, "cannot let entries of the audit trail expire");
        }
    }
}

impl Shared {
    async fn deliver(&self) -> Result<(), TrailError> {
        let mut certain = self.certain.lock().await;
        loop {
            match self.turn.take(&self.meta, self.clock.now_us()).await? {
                Whose::Still => {}
                Whose::Now => certain.clear(),
                Whose::Others => return Ok(()),
            }
            let waiting = self.meta.waiting_entries(BATCH_ENTRIES).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            let engine = self.engine.upgrade().ok_or(TrailError::Stopping)?;
            let mut by_organization: BTreeMap<OrganizationId, Vec<WaitingEntry>> = BTreeMap::new();
            for entry in waiting {
                let organization = organization_id(&entry.organization_id)?;
                by_organization.entry(organization).or_default().push(entry);
            }
            for (organization, waiting) in by_organization {
                let delivery =
                    if certain.remove(&organization) { Delivery::First } else { Delivery::PerhapsAgain };
                let entries = waiting.iter().map(entry_of).collect::<Result<Vec<_>, _>>()?;
                drop(waiting);
                self.append(&engine, organization, &entries, delivery).await?;
                let told = Told { organization, public_url: &self.public_url, now_us: self.clock.now_us() };
                subscriptions::take(&self.meta, &told, &entries).await?;
                certain.insert(organization);
            }
        }
    }

    async fn append(
        &self,
        engine: &Arc<Engine>,
        organization: OrganizationId,
        entries: &[ActivityEntry],
        delivery: Delivery,
    ) -> Result<(), TrailError> {
        // A chain of which nothing is left goes on where its last checkpoint ends.
        let floor = match delivery {
            Delivery::First => ChainHead::default(),
            Delivery::PerhapsAgain => self.signer.last_end(organization).await?,
        };
        let appended = engine.append_activity(organization, entries.to_vec(), delivery, floor).await?;
        if appended.num_new < entries.len() {
            let num_known = entries.len() - appended.num_new;
            tracing::info!(%organization, num_known, "entries of the outbox were in the trail already");
        }
        Ok(())
    }

    async fn let_expire(&self) -> Result<(), TrailError> {
        let engine = self.engine.upgrade().ok_or(TrailError::Stopping)?;
        self.keeping.let_expire(&engine, &self.signer, self.clock.now_us()).await
    }
}

/// The id of an organization as the engine has it.
pub(crate) fn organization_id(text: &str) -> Result<OrganizationId, MetaError> {
    let id = Uuid::parse_str(text);
    id.map(OrganizationId).map_err(|_| MetaError::Corrupt(format!("an organization with the id {text:?}")))
}

fn entry_of(waiting: &WaitingEntry) -> Result<ActivityEntry, MetaError> {
    let entry = &waiting.entry;
    let id = Uuid::parse_str(&waiting.id)
        .map_err(|_| MetaError::Corrupt(format!("an entry of the outbox with the id {:?}", waiting.id)))?;
    Ok(ActivityEntry {
        id,
        timestamp_us: waiting.created_us,
        project: waiting.project_id,
        user_id: entry.user_id,
        was_impersonated: Some(entry.was_impersonated),
        is_system: Some(entry.user_id.is_none()),
        client: entry.client.clone(),
        ip_address: entry.ip_address.map(|address| address.to_string()),
        scope: entry.scope.clone(),
        activity: entry.activity.clone(),
        item_id: entry.item_id.clone(),
        detail: entry.detail_text(),
    })
}
