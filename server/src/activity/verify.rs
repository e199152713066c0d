//! The proof that nothing was changed or taken away of an organization's trail, before its retention.
//!
//! Every hash is computed anew from the entry and the hash before. The first entry that is left must be number 1, or
//! follow the end that a signed checkpoint tells of; and every checkpoint within what is left must tell of an entry
//! that is there with that hash. So an entry that was changed, added between others, or removed shows, and with a
//! checkpoint that was kept elsewhere also a chain that was computed anew from its beginning or cut at its end.

use engine::activity::{ChainHead, StoredEntry, entry_hash};
use engine::catalog::Snapshot;
use engine::schema::OrganizationId;
use engine::{Engine, ErrorKind};

use super::checkpoint::{hex, is_signed, parse_hash};
use crate::meta::activity::StoredCheckpoint;
use crate::meta::{Meta, MetaError};

/// Entries that are held in memory at a time.
const PART_ENTRIES: i64 = 10_000;

/// What became of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Whose trail.
    pub organization: OrganizationId,
    /// How many entries were checked.
    pub num_entries: u64,
    /// Number of the first entry that is left; none without entries.
    pub first_sequence: Option<i64>,
    /// Where the chain ends, as far as it was checked.
    pub end: ChainHead,
    /// How many checkpoints were met.
    pub num_checkpoints: usize,
    /// What is wrong, the first such thing; none when nothing is.
    pub fault: Option<Fault>,
}

/// Why a trail cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The checkpoints cannot be read.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The entries cannot be read.
    #[error(transparent)]
    Engine(#[from] engine::Error),
}

/// What is wrong with a trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Number of the first entry that is not what it was.
    pub sequence: i64,
    /// Its id, when there is such an entry.
    pub entry_id: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

impl Fault {
    fn at(sequence: i64, reason: impl Into<String>) -> Self {
        Self { sequence, entry_id: None, reason: reason.into() }
    }

    fn of(entry: &StoredEntry, reason: impl Into<String>) -> Self {
        let entry_id = Some(entry.entry.id.to_string());
        Self { sequence: entry.link.sequence, entry_id, reason: reason.into() }
    }
}

/// Checks the trail of an organization against itself, its own checkpoints, and those that were kept elsewhere. Reads
/// all of it as it is at one moment, in bounded memory, while entries may come and expire.
///
/// # Errors
/// When it cannot be read for another reason than damage.
pub async fn verify(
    engine: &Engine,
    meta: &Meta,
    organization: OrganizationId,
    elsewhere: &[StoredCheckpoint],
) -> Result<Verification, VerifyError> {
    let id = organization.to_string();
    let elsewhere = || elsewhere.iter().filter(|checkpoint| checkpoint.organization_id == id).cloned();
    // What was signed before the moment must be met. What has expired at that moment was signed before that, so that
    // it is found after it.
    let mut expected = meta.checkpoints(&id).await?;
    let snapshot = engine.activity_snapshot(organization);
    let mut known = meta.checkpoints(&id).await?;
    expected.extend(elsewhere());
    known.extend(elsewhere());
    let mut state = Verification {
        organization,
        num_entries: 0,
        first_sequence: None,
        end: ChainHead::default(),
        num_checkpoints: 0,
        fault: None,
    };
    state.fault = known.iter().find(|checkpoint| !is_signed(checkpoint)).map(|checkpoint| {
        Fault::at(checkpoint.sequence, "the signature of a checkpoint is not that of its key")
    });
    if state.fault.is_some() {
        return Ok(state);
    }
    match walk(engine, &snapshot, &known, &mut state).await {
        Err(error) if error.kind() == ErrorKind::CorruptData => {
            state.fault = Some(Fault::at(state.end.sequence + 1, error.message().to_owned()));
        }
        walked => walked?,
    }
    if state.fault.is_none()
        && let Some(beyond) = expected.iter().find(|checkpoint| checkpoint.sequence > state.end.sequence)
    {
        let last = beyond.sequence;
        let reason = format!("a checkpoint tells of entries up to {last}, and the trail ends before");
        state.fault = Some(Fault::at(state.end.sequence + 1, reason));
    }
    Ok(state)
}

async fn walk(
    engine: &Engine,
    snapshot: &Snapshot,
    checkpoints: &[StoredCheckpoint],
    state: &mut Verification,
) -> Result<(), engine::Error> {
    let first = engine.chain_start_in(snapshot).await?;
    (state.end, state.fault) = beginning(first, checkpoints);
    state.first_sequence = first;
    let last = engine.chain_head_in(snapshot).await?.sequence;
    while state.fault.is_none() && state.end.sequence < last {
        let from = state.end.sequence + 1;
        let part = engine.chain_part_in(snapshot, from..from.saturating_add(PART_ENTRIES)).await?;
        if part.is_empty() {
            state.fault = Some(Fault::at(from, "the entry is missing"));
        }
        for entry in &part {
            state.fault = step(state, entry, checkpoints);
            if state.fault.is_some() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// What comes before the first entry that is left, and what is wrong with the place where it begins.
fn beginning(first: Option<i64>, checkpoints: &[StoredCheckpoint]) -> (ChainHead, Option<Fault>) {
    let expired = checkpoints.iter().filter(|checkpoint| checkpoint.kept_from_us.is_some());
    let end_of = |checkpoint: &StoredCheckpoint| {
        let hash = parse_hash(&checkpoint.hash)?;
        Some(ChainHead { sequence: checkpoint.sequence, hash })
    };
    let wanted = match first {
        Some(1) => return (ChainHead::default(), None),
        Some(first) => first - 1,
        // Nothing is left: all up to the last entry that has expired.
        None => match expired.clone().max_by_key(|checkpoint| checkpoint.sequence) {
            Some(last) => return (end_of(last).unwrap_or_default(), None),
            None => return (ChainHead::default(), None),
        },
    };
    match expired.clone().find(|checkpoint| checkpoint.sequence == wanted).and_then(end_of) {
        Some(end) => (end, None),
        None => {
            let last_expired = expired.map(|checkpoint| checkpoint.sequence).max().unwrap_or(0);
            let reason =
                format!("the entry is missing: no checkpoint says that entries up to {wanted} have expired");
            (ChainHead::default(), Some(Fault::at(last_expired + 1, reason)))
        }
    }
}

/// Goes over one entry; what is wrong with it.
fn step(state: &mut Verification, entry: &StoredEntry, checkpoints: &[StoredCheckpoint]) -> Option<Fault> {
    let wanted = state.end.sequence + 1;
    let found = entry.link.sequence;
    if found < wanted {
        return Some(Fault::of(entry, "there are two entries with this number"));
    }
    if found > wanted {
        return Some(Fault::at(wanted, format!("the entry is missing: the next one is number {found}")));
    }
    match entry_hash(entry.link.version, &state.end, state.organization, &entry.entry) {
        None => {
            let reason =
                format!("the entry has version {} of the chain, which is not known", entry.link.version);
            return Some(Fault::of(entry, reason));
        }
        Some(hash) if hash != entry.link.hash => {
            return Some(Fault::of(entry, "the entry is not what was stored: its hash is another one"));
        }
        Some(hash) => state.end = ChainHead { sequence: found, hash },
    }
    state.num_entries += 1;
    let here = checkpoints.iter().filter(|checkpoint| checkpoint.sequence == found);
    for checkpoint in here {
        if checkpoint.hash != hex(&state.end.hash) {
            return Some(Fault::of(entry, "a checkpoint tells of another entry with this number"));
        }
        state.num_checkpoints += 1;
    }
    None
}
