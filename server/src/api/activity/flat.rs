//! An entry as one row of a table, for spreadsheets.

use std::collections::HashMap;

use engine::activity::StoredEntry;
use engine::schema::OrganizationId;
use serde_json::{Map, Value};

use crate::api::iso_time;
use crate::meta::user::BasicUser;

/// The columns, in their order.
pub(super) const COLUMNS: [&str; 13] = [
    "id",
    "organization_id",
    "project_id",
    "user_first_name",
    "user_last_name",
    "user_email",
    "activity",
    "scope",
    "item_id",
    "detail",
    "client",
    "ip_address",
    "created_at",
];

/// The cells of an entry; what it has not is empty.
pub(super) fn cells(
    organization: OrganizationId,
    stored: &StoredEntry,
    users: &HashMap<i64, BasicUser>,
) -> [String; COLUMNS.len()] {
    let entry = &stored.entry;
    let user = entry.user_id.and_then(|id| users.get(&id));
    let of_user = |part: fn(&BasicUser) -> &String| user.map(part).cloned().unwrap_or_default();
    [
        entry.id.to_string(),
        organization.to_string(),
        entry.project.map(|project| project.to_string()).unwrap_or_default(),
        of_user(|user| &user.first_name),
        of_user(|user| &user.last_name),
        of_user(|user| &user.email),
        entry.activity.clone(),
        entry.scope.clone(),
        entry.item_id.clone().unwrap_or_default(),
        entry.detail.clone().filter(|detail| detail != "{}").unwrap_or_default(),
        entry.client.clone().unwrap_or_default(),
        entry.ip_address.clone().unwrap_or_default(),
        iso_time::format(entry.timestamp_us),
    ]
}

/// The cells of an entry as an object.
pub(super) fn written(
    organization: OrganizationId,
    stored: &StoredEntry,
    users: &HashMap<i64, BasicUser>,
) -> Value {
    let cells = cells(organization, stored, users);
    let mut row: Map<String, Value> =
        COLUMNS.iter().zip(cells).map(|(column, cell)| ((*column).to_owned(), cell.into())).collect();
    if let Some(project) = stored.entry.project {
        row.insert("project_id".to_owned(), project.0.into());
    }
    Value::Object(row)
}
