//! The settings of an organization.

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::{Action, By, Done, Gated, Resource};
use crate::accounts::organizations;
use crate::api::OrganizationChange;
use crate::error::ApiError;
use crate::meta::approval::Place;
use crate::meta::organization;

pub(super) const ACTIONS: &[Action] =
    &[Action::new("organization.update", "organization", "Change the settings of the organization")];

/// A write of an organization.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "write", rename_all = "snake_case")]
pub(crate) enum OrganizationWrite {
    /// Changes its settings.
    Change {
        /// UUID text.
        organization_id: String,
        /// What is not said stays.
        change: OrganizationChange,
    },
}

impl Gated for OrganizationWrite {
    fn actions(&self) -> &'static [Action] {
        ACTIONS
    }

    fn resource_id(&self) -> Option<String> {
        let Self::Change { organization_id, .. } = self;
        Some(organization_id.clone())
    }

    async fn load(
        &self,
        connection: &mut AnyConnection,
        place: &Place,
        _id: &str,
    ) -> Result<Option<Resource>, ApiError> {
        let found = organization::get(connection, &place.organization_id).await?;
        Ok(found.map(|organization| Resource {
            id: organization.id,
            name: organization.settings.name.clone(),
            fields: organization.settings.fields(),
            updated_us: organization.updated_us,
        }))
    }

    async fn carry_out(
        &self,
        connection: &mut AnyConnection,
        by: &By<'_>,
        now_us: i64,
    ) -> Result<Done, ApiError> {
        let Self::Change { change, .. } = self;
        let (change, id) = (change.clone(), &by.place.organization_id);
        let edit = |settings: &mut _| change.apply(settings);
        organizations::change(connection, by.actor, id, edit, now_us).await?;
        Ok(Done::to(id))
    }
}
