//! Policies in the database, each change with its entry of the audit trail.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use uuid::Uuid;

use super::policy::{ApprovalPolicy, ApproverConfig, PolicyContent, PolicyError};
use super::{AT_PLACE, Place, from_json, to_json};
use crate::activity::change::{Change, Scope};
use crate::activity::entry::{Actor, Entry};
use crate::meta::log_view::Window;
use crate::meta::{Meta, MetaError, outbox, role, user};

const SCOPE: Scope = Scope::plain("ApprovalPolicy");

const COLUMNS: &str = "p.id, p.organization_id, p.project_id, p.action_key, p.conditions, p.approver_config,
    p.allow_self_approve, p.bypass_levels, p.bypass_roles, p.expires_after_us, p.enabled, p.created_at, p.updated_at";

/// A statement that reads policies; `condition` is a text of ours.
fn select(condition: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "SELECT {COLUMNS}, {} FROM approval_policies p LEFT JOIN users u ON u.id = p.created_by WHERE {condition}",
        user::BASIC_COLUMNS
    ))
}

fn from_row(row: &AnyRow) -> Result<ApprovalPolicy, MetaError> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let project: Option<i64> = row.try_get("project_id")?;
    Ok(ApprovalPolicy {
        id: text("id")?,
        place: Place {
            organization_id: text("organization_id")?,
            project: project.map(engine::schema::ProjectId),
        },
        content: PolicyContent {
            action_key: text("action_key")?,
            conditions: from_json(&text("conditions")?, "conditions of a policy")?,
            approver_config: from_json(&text("approver_config")?, "approvers of a policy")?,
            allow_self_approve: row.try_get::<i64, _>("allow_self_approve")? != 0,
            bypass_levels: from_json(&text("bypass_levels")?, "levels of a policy")?,
            bypass_roles: from_json(&text("bypass_roles")?, "roles of a policy")?,
            expires_after_us: row.try_get("expires_after_us")?,
            enabled: row.try_get::<i64, _>("enabled")? != 0,
        },
        created_by: user::basic_from_row(row)?,
        created_us: row.try_get("created_at")?,
        updated_us: row.try_get("updated_at")?,
    })
}

/// The enabled policies for any of some actions that count at a place: its own, and those of the whole organization.
pub(crate) async fn enabled(
    connection: &mut AnyConnection,
    place: &Place,
    action_keys: &[&str],
) -> Result<Vec<ApprovalPolicy>, MetaError> {
    if action_keys.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<String> = (3..3 + action_keys.len()).map(|number| format!("${number}")).collect();
    let condition = format!(
        "p.organization_id = $1 AND (p.project_id IS NULL OR p.project_id = $2) AND p.enabled = 1
         AND p.action_key IN ({}) ORDER BY p.id",
        numbers.join(", ")
    );
    let mut query =
        sqlx::query(select(&condition)).bind(place.organization_id.clone()).bind(place.project_number());
    for key in action_keys {
        query = query.bind((*key).to_owned());
    }
    query.fetch_all(connection).await?.iter().map(from_row).collect()
}

/// The active members of an organization who are approvers: those who are named, and those of the roles.
pub(crate) async fn recipients(
    connection: &mut AnyConnection,
    organization_id: &str,
    approvers: &ApproverConfig,
) -> Result<Vec<(i64, String)>, MetaError> {
    let mut found: Vec<(i64, String)> = Vec::new();
    for &id in &approvers.users {
        let member = crate::meta::membership::of_user(connection, organization_id, id).await?;
        found.extend(member.filter(|member| member.user.is_active).map(|member| (id, member.user.email)));
    }
    for role_id in &approvers.roles {
        if role::get(connection, organization_id, role_id).await?.is_some() {
            let members = role::members(connection, role_id).await?;
            found.extend(members.into_iter().map(|member| (member.user.id, member.user.email)));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

async fn get(
    connection: &mut AnyConnection,
    place: &Place,
    id: &str,
) -> Result<Option<ApprovalPolicy>, MetaError> {
    let condition = "p.organization_id = $1 AND COALESCE(p.project_id, 0) = $2 AND p.id = $3";
    let row = sqlx::query(select(condition))
        .bind(place.organization_id.clone())
        .bind(place.project_number())
        .bind(id.to_owned())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(from_row).transpose()
}

async fn require_roles(
    connection: &mut AnyConnection,
    place: &Place,
    content: &PolicyContent,
) -> Result<(), PolicyError> {
    for id in &content.bypass_roles {
        if role::get(connection, &place.organization_id, id).await?.is_none() {
            return Err(PolicyError::UnknownRole(id.clone()));
        }
    }
    Ok(())
}

async fn tell(
    connection: &mut AnyConnection,
    place: &Place,
    actor: &Actor,
    activity: &str,
    (id, name): (&str, &str),
    changes: Vec<Change>,
    now_us: i64,
) -> Result<(), MetaError> {
    let entry = Entry::new(actor, SCOPE.name, activity, id, name, changes);
    outbox::push(connection, &place.organization_id, place.project, &entry, now_us).await
}

impl Meta {
    /// The policies of a place that a filter lets through, newest first, and how many there are in all.
    pub async fn approval_policies(
        &self,
        place: &Place,
        action_key: Option<&str>,
        enabled: Option<bool>,
        window: Window,
    ) -> Result<(Vec<ApprovalPolicy>, i64), MetaError> {
        const WANTED: &str = "($3 = '' OR action_key = $3) AND ($4 = -1 OR enabled = $4)";
        let action_key = action_key.unwrap_or_default().to_owned();
        let enabled = enabled.map_or(-1, i64::from);
        let sql =
            AssertSqlSafe(format!("SELECT COUNT(*) FROM approval_policies WHERE {AT_PLACE} AND {WANTED}"));
        let (count,): (i64,) = sqlx::query_as(sql)
            .bind(place.organization_id.clone())
            .bind(place.project_number())
            .bind(action_key.clone())
            .bind(enabled)
            .fetch_one(&self.pool)
            .await?;
        let condition =
            format!("{AT_PLACE} AND {WANTED} ORDER BY p.created_at DESC, p.id DESC LIMIT $5 OFFSET $6");
        let rows = sqlx::query(select(&condition))
            .bind(place.organization_id.clone())
            .bind(place.project_number())
            .bind(action_key)
            .bind(enabled)
            .bind(window.limit)
            .bind(window.offset)
            .fetch_all(&self.pool)
            .await?;
        Ok((rows.iter().map(from_row).collect::<Result<_, _>>()?, count))
    }

    /// One policy of a place.
    pub async fn approval_policy(
        &self,
        place: &Place,
        id: &str,
    ) -> Result<Option<ApprovalPolicy>, MetaError> {
        get(&mut *self.pool.acquire().await?, place, id).await
    }

    /// Whether a place has a policy for an action.
    pub async fn has_approval_policy(&self, place: &Place, action_key: &str) -> Result<bool, MetaError> {
        let sql = AssertSqlSafe(format!(
            "SELECT COUNT(*) FROM approval_policies WHERE {AT_PLACE} AND action_key = $3"
        ));
        let (count,): (i64,) = sqlx::query_as(sql)
            .bind(place.organization_id.clone())
            .bind(place.project_number())
            .bind(action_key.to_owned())
            .fetch_one(&self.pool)
            .await?;
        Ok(count > 0)
    }

    /// Adds a policy and gives back its id.
    ///
    /// # Errors
    /// [`PolicyError`]; then nothing was stored.
    pub async fn add_approval_policy(
        &self,
        place: &Place,
        content: &PolicyContent,
        actor: &Actor,
        max_policies: i64,
        now_us: i64,
    ) -> Result<String, PolicyError> {
        let mut transaction = self.begin_write().await?;
        let connection = &mut *transaction;
        require_roles(connection, place, content).await?;
        let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM approval_policies WHERE {AT_PLACE}"));
        let (count,): (i64,) = sqlx::query_as(sql)
            .bind(place.organization_id.clone())
            .bind(place.project_number())
            .fetch_one(&mut *connection)
            .await?;
        if count >= max_policies {
            return Err(PolicyError::TooMany(max_policies));
        }
        let id = Uuid::now_v7().to_string();
        sqlx::query(
            "INSERT INTO approval_policies
               (id, organization_id, project_id, action_key, conditions, approver_config, allow_self_approve,
                bypass_levels, bypass_roles, expires_after_us, enabled, created_by, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)",
        )
        .bind(id.clone())
        .bind(place.organization_id.clone())
        .bind(place.project.map(|project| project.0))
        .bind(content.action_key.clone())
        .bind(to_json(&content.conditions))
        .bind(to_json(&content.approver_config))
        .bind(i64::from(content.allow_self_approve))
        .bind(to_json(&content.bypass_levels))
        .bind(to_json(&content.bypass_roles))
        .bind(content.expires_after_us)
        .bind(i64::from(content.enabled))
        .bind(actor.user_id)
        .bind(now_us)
        .execute(&mut *connection)
        .await?;
        tell(connection, place, actor, "created", (&id, &content.action_key), vec![], now_us).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Replaces what can be written of a policy. Whether there is one. Requests that were made before keep what they
    /// were made under.
    ///
    /// # Errors
    /// [`PolicyError`]; then nothing was stored.
    pub async fn change_approval_policy(
        &self,
        place: &Place,
        id: &str,
        content: &PolicyContent,
        actor: &Actor,
        now_us: i64,
    ) -> Result<bool, PolicyError> {
        let mut transaction = self.begin_write().await?;
        let connection = &mut *transaction;
        let Some(before) = get(connection, place, id).await? else { return Ok(false) };
        require_roles(connection, place, content).await?;
        sqlx::query(
            "UPDATE approval_policies SET action_key = $1, conditions = $2, approver_config = $3,
               allow_self_approve = $4, bypass_levels = $5, bypass_roles = $6, expires_after_us = $7, enabled = $8,
               updated_at = $9 WHERE id = $10",
        )
        .bind(content.action_key.clone())
        .bind(to_json(&content.conditions))
        .bind(to_json(&content.approver_config))
        .bind(i64::from(content.allow_self_approve))
        .bind(to_json(&content.bypass_levels))
        .bind(to_json(&content.bypass_roles))
        .bind(content.expires_after_us)
        .bind(i64::from(content.enabled))
        .bind(now_us)
        .bind(id.to_owned())
        .execute(&mut *connection)
        .await?;
        let changes = SCOPE.changes(&before.content.fields(), &content.fields());
        tell(connection, place, actor, "updated", (id, &content.action_key), changes, now_us).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Removes a policy. Whether there was one.
    pub async fn remove_approval_policy(
        &self,
        place: &Place,
        id: &str,
        actor: &Actor,
        now_us: i64,
    ) -> Result<bool, MetaError> {
        let mut transaction = self.begin_write().await?;
        let connection = &mut *transaction;
        let Some(policy) = get(connection, place, id).await? else { return Ok(false) };
        sqlx::query("DELETE FROM approval_policies WHERE id = $1")
            .bind(id.to_owned())
            .execute(&mut *connection)
            .await?;
        tell(connection, place, actor, "deleted", (id, &policy.content.action_key), vec![], now_us).await?;
        transaction.commit().await?;
        Ok(true)
    }
}
