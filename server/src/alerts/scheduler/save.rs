//! How what checks decided is written: the state, the rows of history and what is to be sent, all or none.

use uuid::Uuid;

use super::decide::Outcome;
use crate::delivery::outbox;
use crate::meta::alert::save_check;
use crate::meta::destination::Owner;
use crate::meta::{Meta, MetaError};

/// How outcomes were written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Saved {
    /// Checks that were written.
    pub(super) num_saved: u64,
    /// Notifications that go with them.
    pub(super) num_notices: u64,
    /// Alerts that were changed since they were taken, or could not be written: they are due still.
    pub(super) unsaved: Vec<String>,
}

/// Writes outcomes in one transaction; when that fails, each in its own.
pub(super) async fn save(meta: &Meta, outcomes: &[Outcome], now_us: i64) -> Saved {
    if let Ok(saved) = save_together(meta, outcomes, now_us).await {
        return saved;
    }
    let mut all = Saved::default();
    for outcome in outcomes {
        match save_together(meta, std::slice::from_ref(outcome), now_us).await {
            Ok(saved) => {
                all.num_saved += saved.num_saved;
                all.num_notices += saved.num_notices;
                all.unsaved.extend(saved.unsaved);
            }
            Err(error) => {
                tracing::error!(%error, alert = outcome.alert_id(), "cannot write the check of an alert");
                all.unsaved.push(outcome.alert_id().to_owned());
            }
        }
    }
    all
}

async fn save_together(meta: &Meta, outcomes: &[Outcome], now_us: i64) -> Result<Saved, MetaError> {
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    let mut saved = Saved::default();
    for outcome in outcomes {
        if !save_check(connection, &outcome.checked, now_us).await? {
            saved.unsaved.push(outcome.alert_id().to_owned());
            continue;
        }
        saved.num_saved += 1;
        for (event, told) in &outcome.notices {
            let id = Uuid::parse_str(outcome.alert_id())
                .map_err(|_| MetaError::Corrupt(format!("an alert with the id {:?}", outcome.alert_id())))?;
            outbox::enqueue(connection, Owner::LogAlert(id), *event, told, now_us).await?;
            saved.num_notices += 1;
        }
    }
    transaction.commit().await?;
    Ok(saved)
}
