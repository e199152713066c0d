//! A user as it is shown beside what the user has made.

use serde_json::{Value, json};

use crate::meta::user::BasicUser;

/// The user's members; what is not kept is null or empty.
pub(crate) fn written(user: Option<&BasicUser>) -> Value {
    let Some(user) = user else { return Value::Null };
    json!({
        "id": user.id,
        "uuid": user.uuid,
        "distinct_id": null,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "is_email_verified": null,
        "hedgehog_config": null,
        "role_at_organization": user.role_at_organization,
    })
}
