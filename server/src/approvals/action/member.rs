//! How much the members of an organization may do.

use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use sqlx::AnyConnection;

use super::{Action, By, Done, Gated, Resource};
use crate::accounts::members;
use crate::error::ApiError;
use crate::meta::approval::Place;
use crate::meta::{Level, membership};

pub(super) const ACTIONS: &[Action] = &[Action::new(
    "organization_member.update",
    "organization_member",
    "Give a member of the organization another level",
)];

/// A write of a membership.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "write", rename_all = "snake_case")]
pub(crate) enum MemberWrite {
    /// Gives a member another level.
    Change {
        /// UUID text.
        user_uuid: String,
        /// 1, 8 or 15.
        level: i64,
    },
}

impl Gated for MemberWrite {
    fn actions(&self) -> &'static [Action] {
        ACTIONS
    }

    fn resource_id(&self) -> Option<String> {
        let Self::Change { user_uuid, .. } = self;
        Some(user_uuid.clone())
    }

    async fn load(
        &self,
        connection: &mut AnyConnection,
        place: &Place,
        id: &str,
    ) -> Result<Option<Resource>, ApiError> {
        let found = membership::of_user_uuid(connection, &place.organization_id, id).await?;
        Ok(found.map(|member| Resource {
            id: id.to_owned(),
            name: member.user.email.clone(),
            fields: Map::from_iter([("level".to_owned(), json!(member.level.0))]),
            updated_us: member.updated_us,
        }))
    }

    /// With the level that whoever asks has now: nobody grants what they have lost meanwhile.
    async fn carry_out(
        &self,
        connection: &mut AnyConnection,
        by: &By<'_>,
        now_us: i64,
    ) -> Result<Done, ApiError> {
        let Self::Change { user_uuid, level } = self;
        let organization = &by.place.organization_id;
        let target = membership::of_user_uuid(connection, organization, user_uuid).await?;
        let target = target.ok_or_else(|| ApiError::not_found("member not found"))?;
        let caller = membership::of_user(connection, organization, by.user_id).await?;
        let caller = (by.user_id, caller.map_or(Level(0), |caller| caller.level));
        members::change_level(connection, by.actor, caller, &target, Level(*level), now_us).await?;
        Ok(Done::to(user_uuid))
    }
}
