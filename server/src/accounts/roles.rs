//! Roles of an organization and who is in them.

use serde_json::{Map, Value, json};
use sqlx::AnyConnection;

use super::AccountError;
use crate::activity::change::Scope;
use crate::activity::entry::{Actor, Entry};
use crate::meta::role::{self, Role, RoleMembership};
use crate::meta::{Meta, membership, outbox};

const SCOPE: Scope = Scope::plain("Role");

/// Makes a role.
///
/// # Errors
/// [`AccountError::Invalid`] when the organization has a role of this name, whatever its case.
pub async fn create(
    meta: &Meta,
    actor: &Actor,
    organization_id: &str,
    name: &str,
    now_us: i64,
) -> Result<Role, AccountError> {
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    require_free(connection, organization_id, name, None).await?;
    let id = role::insert(connection, organization_id, name, actor.user_id, now_us).await?;
    let entry = Entry::new(actor, SCOPE.name, "created", &id, name, vec![]);
    outbox::push(connection, organization_id, None, &entry, now_us).await?;
    let role = role::get(connection, organization_id, &id).await?.ok_or(AccountError::NotFound("role"))?;
    transaction.commit().await?;
    Ok(role)
}

/// Gives a role another name.
///
/// # Errors
/// As [`create`]; [`AccountError::NotFound`] when it is not there any more.
pub async fn rename(
    meta: &Meta,
    actor: &Actor,
    role: &Role,
    name: &str,
    now_us: i64,
) -> Result<Role, AccountError> {
    let organization_id = &role.organization_id;
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    let before =
        role::get(connection, organization_id, &role.id).await?.ok_or(AccountError::NotFound("role"))?;
    require_free(connection, organization_id, name, Some(&role.id)).await?;
    role::rename(connection, &role.id, name).await?;
    let changes = SCOPE.changes(&fields(&before.name), &fields(name));
    let entry = Entry::new(actor, SCOPE.name, "updated", &role.id, name, changes);
    outbox::push(connection, organization_id, None, &entry, now_us).await?;
    transaction.commit().await?;
    Ok(Role { name: name.to_owned(), ..before })
}

/// Removes a role; its members stay in the organization.
///
/// # Errors
/// [`AccountError::NotFound`] when it is not there any more.
pub async fn delete(meta: &Meta, actor: &Actor, role: &Role, now_us: i64) -> Result<(), AccountError> {
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    let organization_id = &role.organization_id;
    role::get(connection, organization_id, &role.id).await?.ok_or(AccountError::NotFound("role"))?;
    role::delete(connection, &role.id).await?;
    let entry = Entry::new(actor, SCOPE.name, "deleted", &role.id, &role.name, vec![]);
    outbox::push(connection, organization_id, None, &entry, now_us).await?;
    transaction.commit().await?;
    Ok(())
}

/// Adds a member of the organization to a role.
///
/// # Errors
/// [`AccountError::Invalid`] when the user is no active member of the organization, or in the role already.
pub async fn add_member(
    meta: &Meta,
    actor: &Actor,
    role: &Role,
    user_uuid: &str,
    now_us: i64,
) -> Result<RoleMembership, AccountError> {
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    let member = membership::of_user_uuid(connection, &role.organization_id, user_uuid).await?;
    let member = member.filter(|member| member.user.is_active).ok_or_else(|| {
        let detail = "the user is no active member of the organization";
        AccountError::invalid("does_not_exist", "user_uuid", detail)
    })?;
    let before = role::members(connection, &role.id).await?;
    if before.iter().any(|in_role| in_role.user.id == member.user.id) {
        return Err(AccountError::invalid("unique", "user_uuid", "the user has the role already"));
    }
    role::add_member(connection, &role.id, member.user.id, now_us).await?;
    let after = role::members(connection, &role.id).await?;
    tell_members(connection, actor, role, &before, &after, now_us).await?;
    let added = after.into_iter().find(|in_role| in_role.user.id == member.user.id);
    transaction.commit().await?;
    added.ok_or(AccountError::NotFound("role membership"))
}

/// Takes a member out of a role.
///
/// # Errors
/// [`AccountError::NotFound`] when the membership is not one of the role.
pub async fn remove_member(
    meta: &Meta,
    actor: &Actor,
    role: &Role,
    role_membership_id: &str,
    now_us: i64,
) -> Result<(), AccountError> {
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    let before = role::members(connection, &role.id).await?;
    if !before.iter().any(|in_role| in_role.id == role_membership_id) {
        return Err(AccountError::NotFound("role membership"));
    }
    role::remove_member(connection, role_membership_id).await?;
    let after = role::members(connection, &role.id).await?;
    tell_members(connection, actor, role, &before, &after, now_us).await?;
    transaction.commit().await?;
    Ok(())
}

async fn require_free(
    connection: &mut AnyConnection,
    organization_id: &str,
    name: &str,
    own_id: Option<&str>,
) -> Result<(), AccountError> {
    match role::by_name(connection, organization_id, name).await? {
        Some(other) if Some(other.id.as_str()) != own_id => {
            let detail = "there is a role of this name in the organization";
            Err(AccountError::invalid("unique", "name", detail))
        }
        _ => Ok(()),
    }
}

async fn tell_members(
    connection: &mut AnyConnection,
    actor: &Actor,
    role: &Role,
    before: &[RoleMembership],
    after: &[RoleMembership],
    now_us: i64,
) -> Result<(), AccountError> {
    let emails = |members: &[RoleMembership]| {
        let mut emails: Vec<&str> = members.iter().map(|member| member.user.email.as_str()).collect();
        emails.sort_unstable();
        json!({ "members": emails }).as_object().cloned().unwrap_or_default()
    };
    let changes = SCOPE.changes(&emails(before), &emails(after));
    let entry = Entry::new(actor, SCOPE.name, "updated", &role.id, &role.name, changes);
    Ok(outbox::push(connection, &role.organization_id, None, &entry, now_us).await?)
}

fn fields(name: &str) -> Map<String, Value> {
    json!({ "name": name }).as_object().cloned().unwrap_or_default()
}
