//! Whose turn it is to deliver the outbox, where several servers share it.
//!
//! One server at a time delivers, by a lease in the metadata. It keeps the lease while it runs, so that the chain of an
//! organization stays in one place, gives it back when it stops, and loses it a minute after it was killed, unless it is
//! started again on the same data folder. Who has a database of its own never asks.

use std::sync::atomic::{AtomicI64, Ordering};

use uuid::Uuid;

use crate::meta::{Meta, MetaError};

/// By which the database knows the lease.
const JOB: &str = "activity_trail";
/// How long a lease lasts, microseconds.
const LEASE_US: i64 = 60 * 1_000_000;
/// How long it is relied on before it is renewed, microseconds: far less, so that a delivery under way ends within it.
const RELIED_ON_US: i64 = LEASE_US / 3;
/// Stands for no lease.
const NEVER: i64 = i64::MIN;

/// A server's share in the deliveries.
#[derive(Debug)]
pub(super) struct Turn {
    /// The data folder's id, of which one process at a time has the engine.
    owner: String,
    /// Whether other servers may deliver the same outbox.
    is_shared: bool,
    /// When the lease was renewed last, microseconds; [`NEVER`] without one.
    renewed_us: AtomicI64,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// This server's, as it was before.
    Still,
    /// This server's from now on: another one may have delivered before.
    Now,
    /// Another server's.
    Others,
}

impl Turn {
    pub(super) fn new(owner: Uuid, is_shared: bool) -> Self {
        Self { owner: owner.to_string(), is_shared, renewed_us: AtomicI64::new(NEVER) }
    }

    /// Takes the lease or renews it.
    ///
    /// # Errors
    /// When the metadata do not answer; then it is nobody's turn.
    pub(super) async fn take(&self, meta: &Meta, now_us: i64) -> Result<Whose, MetaError> {
        if !self.is_shared {
            return Ok(Whose::Still);
        }
        let renewed_us = self.renewed_us.load(Ordering::Acquire);
        let age_us = now_us.saturating_sub(renewed_us);
        if renewed_us != NEVER && (0..RELIED_ON_US).contains(&age_us) {
            return Ok(Whose::Still);
        }
        // Whatever happens now, it is not relied on any longer.
        self.renewed_us.store(NEVER, Ordering::Release);
        if !meta.take_job(JOB, &self.owner, now_us, LEASE_US).await? {
            return Ok(Whose::Others);
        }
        self.renewed_us.store(now_us, Ordering::Release);
        let was_held = renewed_us != NEVER && (0..LEASE_US).contains(&age_us);
        Ok(if was_held { Whose::Still } else { Whose::Now })
    }

    /// Lets another server deliver.
    ///
    /// # Errors
    /// When the metadata do not answer: the lease runs out by itself.
    pub(super) async fn give_back(&self, meta: &Meta) -> Result<(), MetaError> {
        if self.renewed_us.swap(NEVER, Ordering::AcqRel) == NEVER {
            return Ok(());
        }
        meta.give_job_back(JOB, &self.owner).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::testing::on_every_backend;

    const SECOND: i64 = 1_000_000;

    #[tokio::test]
    async fn one_server_delivers_until_it_stops_or_is_gone() {
        on_every_backend(|meta| async move {
            let (one, other) = (Turn::new(Uuid::from_u128(1), true), Turn::new(Uuid::from_u128(2), true));
            let take = async |turn: &Turn, second: i64| turn.take(&meta, second * SECOND).await.unwrap();
            assert_eq!(take(&one, 0).await, Whose::Now);
            assert_eq!(take(&other, 1).await, Whose::Others);
            assert_eq!(take(&one, 5).await, Whose::Still, "without asking");
            assert_eq!(take(&one, 25).await, Whose::Still, "renewed");
            assert_eq!(take(&other, 84).await, Whose::Others);
            // The first one is silent for longer than its lease.
            assert_eq!(take(&other, 85).await, Whose::Now);
            assert_eq!(take(&one, 86).await, Whose::Others);
            other.give_back(&meta).await.unwrap();
            assert_eq!(take(&one, 87).await, Whose::Now);
            other.give_back(&meta).await.unwrap();
            assert_eq!(take(&other, 88).await, Whose::Others, "it gave back what it had not");
            assert_eq!(take(&one, 86).await, Whose::Now, "a clock that went back asks again");
            let again = Turn::new(Uuid::from_u128(1), true);
            assert_eq!(take(&again, 87).await, Whose::Now, "the same folder after a kill");
        })
        .await;
    }

    #[tokio::test]
    async fn a_server_with_a_database_of_its_own_takes_no_lease() {
        on_every_backend(|meta| async move {
            let (alone, shared) = (Turn::new(Uuid::from_u128(1), false), Turn::new(Uuid::from_u128(2), true));
            assert_eq!(alone.take(&meta, 0).await.unwrap(), Whose::Still);
            assert_eq!(shared.take(&meta, 1).await.unwrap(), Whose::Now);
            assert_eq!(alone.take(&meta, 2).await.unwrap(), Whose::Still);
            alone.give_back(&meta).await.unwrap();
        })
        .await;
    }
}
