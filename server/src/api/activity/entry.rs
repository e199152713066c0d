//! An entry as it is answered.

use std::collections::HashMap;

use engine::activity::{ActivityEntry, StoredEntry};
use engine::schema::OrganizationId;
use serde_json::{Value, json};

use crate::api::{basic_user, iso_time};
use crate::error::ApiError;
use crate::meta::Meta;
use crate::meta::user::BasicUser;

/// The users that entries name by number; one that was deleted is not among them.
pub(super) async fn users_of(
    meta: &Meta,
    entries: &[StoredEntry],
) -> Result<HashMap<i64, BasicUser>, ApiError> {
    let mut ids: Vec<i64> = entries.iter().filter_map(|stored| stored.entry.user_id).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(meta.users_by_id(&ids).await?)
}

/// The members of a stored entry.
pub(super) fn written(
    organization: OrganizationId,
    stored: &StoredEntry,
    users: &HashMap<i64, BasicUser>,
) -> Value {
    written_entry(organization, &stored.entry, users)
}

/// The members of an entry.
pub(crate) fn written_entry(
    organization: OrganizationId,
    entry: &ActivityEntry,
    users: &HashMap<i64, BasicUser>,
) -> Value {
    json!({
        "id": entry.id.to_string(),
        "user": basic_user::written(entry.user_id.and_then(|id| users.get(&id))),
        "unread": false,
        "team_id": entry.project.map(|project| project.0),
        "organization_id": organization.to_string(),
        "was_impersonated": entry.was_impersonated,
        "is_system": entry.is_system,
        "client": entry.client,
        "ip_address": entry.ip_address,
        "activity": entry.activity,
        "item_id": entry.item_id,
        "scope": entry.scope,
        "detail": detail(entry),
        "created_at": iso_time::format(entry.timestamp_us),
    })
}

/// The detail as it was written; text that is no JSON as text.
fn detail(entry: &ActivityEntry) -> Value {
    let Some(text) = entry.detail.as_deref() else { return Value::Null };
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}
