//! Saved views, which everybody in a project shares.

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::{Action, By, Changed, Done, Gated, Resource, project_of};
use crate::error::ApiError;
use crate::meta::approval::Place;
use crate::meta::log_view;

pub(super) const ACTIONS: &[Action] = &[Action::new("logs_view.delete", "logs_view", "Delete a saved view")];

/// A write of a saved view.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "write", rename_all = "snake_case")]
pub(crate) enum ViewWrite {
    /// Removes one.
    Delete {
        /// Unique in its project.
        short_id: String,
    },
}

impl Gated for ViewWrite {
    fn actions(&self) -> &'static [Action] {
        ACTIONS
    }

    fn resource_id(&self) -> Option<String> {
        let Self::Delete { short_id } = self;
        Some(short_id.clone())
    }

    fn detect(&self, _changed: &Changed) -> Vec<&'static Action> {
        ACTIONS.iter().collect()
    }

    async fn load(
        &self,
        connection: &mut AnyConnection,
        place: &Place,
        id: &str,
    ) -> Result<Option<Resource>, ApiError> {
        let found = log_view::get(connection, project_of(place)?, id).await?;
        Ok(found.map(|view| Resource {
            id: view.short_id.clone(),
            name: view.name.clone(),
            fields: view.content().fields(),
            updated_us: view.updated_us,
        }))
    }

    async fn carry_out(
        &self,
        connection: &mut AnyConnection,
        by: &By<'_>,
        now_us: i64,
    ) -> Result<Done, ApiError> {
        let Self::Delete { short_id } = self;
        match log_view::remove(connection, project_of(by.place)?, short_id, by.actor, now_us).await? {
            true => Ok(Done::to(short_id)),
            false => Err(ApiError::not_found("view not found")),
        }
    }
}
