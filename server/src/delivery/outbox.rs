//! What is to be sent is noted in the transaction of what it tells about, so that there is never one without the other.

use sqlx::AnyConnection;

use super::Notification;
use crate::meta::destination::{EventKind, Owner};
use crate::meta::{MetaError, notification};

/// Most notifications that wait for one destination; what would be one more is not sent there, which the destination
/// says of itself.
const MAX_WAITING: i64 = 10_000;

/// Notes a notification for every destination that an owner has for a kind of event; how many these are. It is sent
/// soon after the transaction is committed.
///
/// # Errors
/// When the metadata database fails.
pub(crate) async fn enqueue(
    connection: &mut AnyConnection,
    owner: Owner,
    event: EventKind,
    told: &Notification,
    now_us: i64,
) -> Result<usize, MetaError> {
    let destinations = notification::destinations_of(connection, owner, event).await?;
    if destinations.is_empty() {
        return Ok(0);
    }
    let content = serde_json::to_string(told).expect("BUG: a notification is always JSON");
    let mut noted = 0;
    for (destination, project) in destinations {
        if notification::has_waiting(connection, &destination, MAX_WAITING).await? {
            let reason = format!("more than {MAX_WAITING} notifications wait for it");
            notification::note_failure(connection, &destination, &reason, now_us).await?;
            continue;
        }
        let new = (told.id, content.as_str());
        notification::insert(connection, &destination, project, new, now_us).await?;
        noted += 1;
    }
    Ok(noted)
}
