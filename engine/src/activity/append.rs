//! Adding entries to the chain of their organization, each once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use uuid::Uuid;

use super::chain::{CHAIN_VERSION, ChainHead, entry_hash};
use super::entry::{ActivityEntry, ChainLink, encode_entries};
use crate::Engine;
use crate::error::{Error, Result};
use crate::schema::{OrganizationId, TableId};

/// What is known of entries that are to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// They were never given to the engine.
    First,
    /// They may have been: those that are stored already are left out. Costs a look into the rows of their times.
    PerhapsAgain,
}

/// Entries that were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Where the chain ends now.
    pub head: ChainHead,
    /// How many were not stored before.
    pub num_new: usize,
}

/// Where the chains of organizations end. An organization's entries are added one call after another.
#[derive(Debug, Default)]
pub(crate) struct ActivityChains(Mutex<HashMap<OrganizationId, Chain>>);

/// None until it is read, and while it is not known what became of an attempt.
type Chain = Arc<tokio::sync::Mutex<Option<ChainHead>>>;

impl ActivityChains {
    fn of(&self, organization: OrganizationId) -> Chain {
        Arc::clone(self.0.lock().entry(organization).or_default())
    }
}

impl Engine {
    /// Adds entries to the end of an organization's chain, in their order, all or none. When this returns they survive
    /// a crash, and questions see them, each once. `floor` is an end that the chain is known to have had: it goes on
    /// from there when retention has left nothing of it.
    ///
    /// # Errors
    /// As [`Engine::ingest`]: nothing was added, or it is not known, and the call can be repeated with
    /// [`Delivery::PerhapsAgain`].
    pub async fn append_activity(
        self: &Arc<Self>,
        organization: OrganizationId,
        entries: Vec<ActivityEntry>,
        delivery: Delivery,
        floor: ChainHead,
    ) -> Result<Appended> {
        let engine = Arc::clone(self);
        // A task of its own: a caller that goes away must not leave a commit behind that the next one knows nothing of.
        let work = async move { engine.append_entries(organization, entries, delivery, floor).await };
        tokio::spawn(work)
            .await
            .map_err(|error| Error::internal("adding entries was ended").with_source(error))?
    }

    async fn append_entries(
        &self,
        organization: OrganizationId,
        mut entries: Vec<ActivityEntry>,
        delivery: Delivery,
        floor: ChainHead,
    ) -> Result<Appended> {
        let chain = self.chains.of(organization);
        let mut chain = chain.lock().await;
        let table = TableId::activity(organization);
        // With what has expired: the chain goes on from it.
        let snapshot = self.tables.snapshot(table, None);
        let head = match *chain {
            Some(head) => head,
            None => {
                let stored = self.queries.chain_head(&snapshot).await?;
                if stored.sequence >= floor.sequence { stored } else { floor }
            }
        };
        let mut seen: HashSet<Uuid> = match delivery {
            Delivery::First => HashSet::new(),
            Delivery::PerhapsAgain => self.queries.stored_entries(&snapshot, &entries).await?,
        };
        entries.retain(|entry| seen.insert(entry.id));
        drop(snapshot);
        let num_new = entries.len();
        if num_new == 0 {
            *chain = Some(head);
            return Ok(Appended { head, num_new });
        }
        let (linked, head) = link(organization, head, entries)?;
        *chain = None;
        self.ingest_rows(table, encode_entries(&linked)?).await?;
        *chain = Some(head);
        Ok(Appended { head, num_new })
    }
}

/// Gives entries their places after `head`.
fn link(
    organization: OrganizationId,
    mut head: ChainHead,
    entries: Vec<ActivityEntry>,
) -> Result<(Vec<(ActivityEntry, ChainLink)>, ChainHead)> {
    let mut linked = Vec::with_capacity(entries.len());
    for entry in entries {
        let hash = entry_hash(CHAIN_VERSION, &head, organization, &entry)
            .ok_or_else(|| Error::internal("the encoding of the chain is not known"))?;
        head = ChainHead { sequence: head.sequence + 1, hash };
        linked.push((entry, ChainLink { sequence: head.sequence, version: CHAIN_VERSION, hash }));
    }
    Ok((linked, head))
}
