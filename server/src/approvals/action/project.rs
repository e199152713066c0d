//! The settings of a project.

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::{Action, By, Done, Gated, Resource, project_of};
use crate::accounts::projects;
use crate::api::ProjectChange;
use crate::error::ApiError;
use crate::meta::approval::Place;
use crate::meta::project;

pub(super) const ACTIONS: &[Action] =
    &[Action::new("project.update", "project", "Change the settings of a project")];

/// A write of a project.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "write", rename_all = "snake_case")]
pub(crate) enum ProjectWrite {
    /// Changes its settings.
    Change {
        /// The project's number.
        project_id: i64,
        /// What is not said stays.
        change: ProjectChange,
    },
}

impl Gated for ProjectWrite {
    fn actions(&self) -> &'static [Action] {
        ACTIONS
    }

    fn resource_id(&self) -> Option<String> {
        let Self::Change { project_id, .. } = self;
        Some(project_id.to_string())
    }

    async fn load(
        &self,
        connection: &mut AnyConnection,
        place: &Place,
        id: &str,
    ) -> Result<Option<Resource>, ApiError> {
        let found = project::get(connection, project_of(place)?).await?;
        Ok(found.map(|project| Resource {
            id: id.to_owned(),
            name: project.settings.name.clone(),
            fields: project.settings.fields(),
            updated_us: project.updated_us,
        }))
    }

    async fn carry_out(
        &self,
        connection: &mut AnyConnection,
        by: &By<'_>,
        now_us: i64,
    ) -> Result<Done, ApiError> {
        let Self::Change { project_id, change } = self;
        let change = change.clone();
        let edit = |settings: &mut _| change.apply(settings);
        projects::change(connection, by.actor, project_of(by.place)?, edit, now_us).await?;
        Ok(Done::to(project_id))
    }
}
