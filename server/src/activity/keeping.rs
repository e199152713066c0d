//! How the oldest entries expire, where an organization does not keep them for ever.
//!
//! Only what was stored first expires, whatever its date, so that what is left is the end of the chain. Before anything
//! does, a signed checkpoint says where what is left begins.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use engine::Engine;
use engine::retention::RetentionPolicy;
use engine::schema::TableId;

use super::checkpoint::Signer;
use super::trail::{TrailError, organization_id};
use crate::meta::{Meta, MetaError};

/// How often entries expire, microseconds: each time leaves a checkpoint.
const INTERVAL_US: i64 = 3_600 * 1_000_000;
const DAY_US: i64 = 86_400 * 1_000_000;

/// Lets entries expire.
#[derive(Debug)]
pub(super) struct Keeping {
    meta: Meta,
    due_us: AtomicI64,
}

impl Keeping {
    /// Tells the engine what has expired.
    pub(super) async fn start(meta: Meta, engine: &Engine) -> Result<Self, MetaError> {
        for (organization, kept_from_us) in meta.kept_from().await? {
            tell(engine, &organization, kept_from_us)?;
        }
        Ok(Self { meta, due_us: AtomicI64::new(i64::MIN) })
    }

    /// Whether it is time to look.
    pub(super) fn is_due(&self, now_us: i64) -> bool {
        now_us >= self.due_us.load(Ordering::Relaxed)
    }

    /// Lets expire what organizations do not keep any longer, by the engine's removal time, which does not believe a
    /// clock that jumps.
    pub(super) async fn let_expire(
        &self,
        engine: &Engine,
        signer: &Signer,
        now_us: i64,
    ) -> Result<(), TrailError> {
        self.due_us.store(now_us.saturating_add(INTERVAL_US), Ordering::Relaxed);
        let known: HashMap<String, i64> = self.meta.kept_from().await?;
        for (text, days) in self.meta.activity_retention().await? {
            let kept_from_us = engine.removal_time_us().saturating_sub(i64::from(days) * DAY_US);
            if known.get(&text).is_some_and(|known_us| *known_us >= kept_from_us) {
                continue;
            }
            let organization = organization_id(&text)?;
            let end = engine.chain_head_before(organization, kept_from_us).await?;
            if end.sequence == 0 {
                continue;
            }
            signer.sign(organization, end, Some(kept_from_us)).await?;
            tell(engine, &text, kept_from_us)?;
            tracing::info!(%organization, sequence = end.sequence, "entries of the audit trail have expired");
        }
        Ok(())
    }
}

fn tell(engine: &Engine, organization: &str, kept_from_us: i64) -> Result<(), MetaError> {
    let table = TableId::activity(organization_id(organization)?);
    engine
        .set_retention(table, RetentionPolicy::kept_from(kept_from_us))
        .map_err(|error| MetaError::Corrupt(format!("a retention that cannot be applied: {error}")))
}
