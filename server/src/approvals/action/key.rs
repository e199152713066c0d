//! Personal API keys.
//!
//! A key that is made after an approval is shown to nobody: its owner has it replaced, which shows the new text once.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::AnyConnection;

use super::{Action, By, Changed, Done, Gated, Resource};
use crate::accounts::keys;
use crate::api::iso_time;
use crate::error::ApiError;
use crate::meta::approval::Place;
use crate::meta::personal_api_key::{self, KeyAttributes};

pub(super) const ACTIONS: &[Action] =
    &[Action::new("personal_api_key.create", "personal_api_key", "Create a personal API key")];

/// A write of a personal API key.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "write", rename_all = "snake_case")]
pub(crate) enum KeyWrite {
    /// Makes one for whoever asks.
    Create {
        /// The number of its owner.
        user_id: i64,
        /// What it may be used for.
        key: KeyAttributes,
    },
    /// Changes what one of whoever asks may be used for.
    Change {
        /// The number of its owner.
        user_id: i64,
        /// UUID text.
        key_id: String,
        /// All that it may be used for then.
        key: KeyAttributes,
    },
}

impl KeyWrite {
    fn owner(&self) -> i64 {
        match self {
            Self::Create { user_id, .. } | Self::Change { user_id, .. } => *user_id,
        }
    }
}

impl Gated for KeyWrite {
    fn actions(&self) -> &'static [Action] {
        ACTIONS
    }

    fn resource_id(&self) -> Option<String> {
        match self {
            Self::Create { .. } => None,
            Self::Change { key_id, .. } => Some(key_id.clone()),
        }
    }

    /// People ask for keys of their own, each by its label.
    fn natural_key(&self, user_id: i64) -> String {
        format!("{user_id}:{}", self.new_name())
    }

    fn new_name(&self) -> String {
        match self {
            Self::Create { key, .. } | Self::Change { key, .. } => key.label.clone(),
        }
    }

    /// A key that may be used for more than before is as good as a new one.
    fn detect(&self, changed: &Changed) -> Vec<&'static Action> {
        let is_new = match self {
            Self::Create { .. } => true,
            Self::Change { .. } => {
                let fields = changed.fields();
                fields.iter().any(|field| *field != "label" && !is_narrowed(changed, field))
            }
        };
        ACTIONS.iter().filter(|_| is_new).collect()
    }

    async fn load(
        &self,
        connection: &mut AnyConnection,
        _place: &Place,
        id: &str,
    ) -> Result<Option<Resource>, ApiError> {
        let keys = personal_api_key::of_user(connection, self.owner()).await?;
        Ok(keys.into_iter().find(|key| key.id == id).map(|key| {
            let mut fields = keys::fields(&key.attributes);
            fields.insert("expires_at".to_owned(), key.attributes.expires_us.map(iso_time::format).into());
            Resource {
                id: id.to_owned(),
                name: key.attributes.label,
                fields,
                updated_us: key.last_rolled_us.unwrap_or(key.created_us),
            }
        }))
    }

    async fn carry_out(
        &self,
        connection: &mut AnyConnection,
        by: &By<'_>,
        now_us: i64,
    ) -> Result<Done, ApiError> {
        match self {
            Self::Create { user_id, key } => {
                let (made, secret) = keys::make(connection, by.actor, *user_id, key, now_us).await?;
                Ok(Done { resource_id: made.id, secret: Some(secret) })
            }
            Self::Change { user_id, key_id, key } => {
                let edit = |attributes: &mut KeyAttributes| *attributes = key.clone();
                keys::change(connection, by.actor, *user_id, key_id, edit, now_us).await?;
                Ok(Done::to(key_id))
            }
        }
    }
}

/// Whether a restriction only became tighter: a part of the list it was, or a list where there was none.
fn is_narrowed(changed: &Changed, field: &str) -> bool {
    let list = |side: &Map<String, Value>| side.get(field).and_then(Value::as_array).cloned();
    match (list(&changed.before), list(&changed.after)) {
        (Some(before), Some(after)) => after.iter().all(|entry| before.contains(entry)),
        (None, Some(_)) => field != "scopes",
        (_, None) => false,
    }
}
