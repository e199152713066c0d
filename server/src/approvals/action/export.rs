//! Exports of the audit trail.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::AnyConnection;

use super::{Action, By, Changed, Done, Gated, Resource};
use crate::api::activity::export::{Asked, MAX_ASSETS, new_asset, too_many};
use crate::error::ApiError;
use crate::meta::approval::Place;
use crate::meta::export_asset::{self, ExportOwner};

pub(super) const ACTIONS: &[Action] =
    &[Action::new("activity_log.export", "activity_log", "Export entries of the audit trail")];

/// An export of the audit trail.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "write", rename_all = "snake_case")]
pub(crate) enum ExportWrite {
    /// Has a file made.
    Create {
        /// Of which entries, in which form.
        export: Asked,
    },
}

impl Gated for ExportWrite {
    fn actions(&self) -> &'static [Action] {
        ACTIONS
    }

    fn resource_id(&self) -> Option<String> {
        None
    }

    /// Each person has a file of their own for each filter.
    fn natural_key(&self, user_id: i64) -> String {
        format!("{user_id}:{}", self.new_name())
    }

    fn new_name(&self) -> String {
        let Self::Create { export } = self;
        export.name()
    }

    fn detect(&self, _changed: &Changed) -> Vec<&'static Action> {
        ACTIONS.iter().collect()
    }

    /// What an export is of does not change once it is asked for.
    async fn load(
        &self,
        _connection: &mut AnyConnection,
        _place: &Place,
        id: &str,
    ) -> Result<Option<Resource>, ApiError> {
        let Self::Create { export } = self;
        let fields = json!({ "format": export.format(), "filters": export.filters() });
        let fields: Map<String, Value> = fields.as_object().cloned().unwrap_or_default();
        Ok(Some(Resource { id: id.to_owned(), name: export.name(), fields, updated_us: 0 }))
    }

    async fn carry_out(
        &self,
        connection: &mut AnyConnection,
        by: &By<'_>,
        now_us: i64,
    ) -> Result<Done, ApiError> {
        let Self::Create { export } = self;
        let owner = match by.place.project {
            Some(project) => ExportOwner::Project(project),
            None => ExportOwner::Organization(by.place.organization_id.clone()),
        };
        let asset = new_asset(export, owner, by.limits.export_kept_us, now_us);
        match export_asset::create(connection, &asset, by.actor, MAX_ASSETS).await? {
            Some(id) => Ok(Done::to(id)),
            // What is approved is done now or not at all.
            None if by.is_replay => {
                Err(ApiError::validation("max_length", None, too_many().detail().to_owned()))
            }
            None => Err(too_many()),
        }
    }
}
