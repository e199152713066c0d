//! Organizations: made, changed and deleted.

use engine::schema::ProjectId;
use sqlx::AnyConnection;
use uuid::Uuid;

use super::{AccountError, members, projects, slug};
use crate::activity::change::Scope;
use crate::activity::entry::{Actor, Entry};
use crate::meta::organization::{Organization, OrganizationSettings};
use crate::meta::{
    Level, Meta, deletion, membership, organization, outbox, project, project_token, role, user,
};

/// What people call the settings of an organization.
const SCOPE: Scope = Scope {
    name: "Organization",
    masked: &[],
    display_names: &[
        ("name", "organization name"),
        ("enforce_2fa", "two-factor authentication requirement"),
        ("members_can_invite", "member invitation permissions"),
        ("members_can_create_projects", "member project creation permissions"),
        ("members_can_use_personal_api_keys", "personal API key permissions"),
        ("allow_publicly_shared_resources", "public sharing permissions"),
        ("default_experiment_stats_method", "default experiment stats method"),
        ("is_ai_data_processing_approved", "third-party AI services"),
    ],
};

/// An organization that was just made.
#[derive(Clone, Debug)]
pub struct NewOrganization {
    /// UUID text.
    pub id: String,
    /// Its first project.
    pub project_id: ProjectId,
}

/// Makes an organization with a first project. Its owner, if it has one yet, finds it as the current organization.
///
/// # Errors
/// When the metadata database fails.
pub async fn create(
    meta: &Meta,
    actor: &Actor,
    owner_id: Option<i64>,
    settings: &OrganizationSettings,
    now_us: i64,
) -> Result<NewOrganization, AccountError> {
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    let id = Uuid::now_v7().to_string();
    let slug = slug::free(connection, &settings.name).await?;
    organization::insert(connection, &id, &slug, settings, now_us).await?;
    let entry = Entry::new(actor, SCOPE.name, "created", &id, &settings.name, vec![]);
    outbox::push(connection, &id, None, &entry, now_us).await?;
    let project_id = projects::insert(connection, actor, &id, "Default project", now_us).await?;
    if let Some(owner_id) = owner_id {
        membership::insert(connection, &id, owner_id, Level::OWNER, now_us).await?;
        user::set_current(connection, owner_id, Some(&id), Some(project_id.0)).await?;
        members::tell(connection, actor, &id, owner_id, "created", vec![], now_us).await?;
    }
    transaction.commit().await?;
    Ok(NewOrganization { id, project_id })
}

/// `change` in a transaction of its own.
///
/// # Errors
/// As `change`.
pub async fn update(
    meta: &Meta,
    actor: &Actor,
    id: &str,
    edit: impl FnOnce(&mut OrganizationSettings),
    now_us: i64,
) -> Result<Organization, AccountError> {
    let mut transaction = meta.begin_write().await?;
    let after = change(&mut transaction, actor, id, edit, now_us).await?;
    transaction.commit().await?;
    Ok(after)
}

/// Changes the settings of an organization and returns it as it is then.
///
/// # Errors
/// [`AccountError::Invalid`] for a role that is not the organization's.
pub(crate) async fn change(
    connection: &mut AnyConnection,
    actor: &Actor,
    id: &str,
    edit: impl FnOnce(&mut OrganizationSettings),
    now_us: i64,
) -> Result<Organization, AccountError> {
    let before = organization::get(connection, id).await?.ok_or(AccountError::NotFound("organization"))?;
    let mut settings = before.settings.clone();
    edit(&mut settings);
    if let Some(role_id) = settings.default_role_id.as_deref()
        && role::get(connection, id, role_id).await?.is_none()
    {
        let detail = "there is no such role in the organization";
        return Err(AccountError::invalid("does_not_exist", "default_role_id", detail));
    }
    let changes = SCOPE.changes(&before.settings.fields(), &settings.fields());
    organization::update(connection, id, &settings, now_us).await?;
    let entry = Entry::new(actor, SCOPE.name, "updated", id, &settings.name, changes);
    outbox::push(connection, id, None, &entry, now_us).await?;
    organization::get(connection, id).await?.ok_or(AccountError::NotFound("organization"))
}

/// Begins the deletion of an organization: from now on nobody has access to it, and nothing more is taken in. Its
/// projects with their data, its people and it itself are removed soon after.
///
/// # Errors
/// [`AccountError::NotFound`] when it is not there any more.
pub async fn delete(meta: &Meta, actor: &Actor, id: &str, now_us: i64) -> Result<(), AccountError> {
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    let before = organization::get(connection, id).await?.ok_or(AccountError::NotFound("organization"))?;
    for project in project::of_organization(connection, id).await? {
        for token in project_token::of_project(connection, project.id).await? {
            project_token::delete(connection, project.id, &token.id).await?;
        }
    }
    organization::begin_deletion(connection, id, now_us).await?;
    deletion::insert(connection, id, None, now_us).await?;
    let entry = Entry::new(actor, SCOPE.name, "deleted", id, &before.settings.name, vec![]);
    outbox::push(connection, id, None, &entry, now_us).await?;
    transaction.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::meta::bootstrap::{FIRST_USER, bootstrap};
    use crate::meta::testing::on_every_backend;

    #[tokio::test]
    async fn an_organization_comes_with_an_owner_and_a_project() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 1).await.unwrap();
            let actor = Actor::user(FIRST_USER, None, None);
            let settings = OrganizationSettings::named("My Organization");
            let made = create(&meta, &actor, Some(FIRST_USER), &settings, 2).await.unwrap();
            assert_eq!(made.project_id, ProjectId(2));
            assert_eq!(meta.organization(&made.id).await.unwrap().unwrap().slug, "my-organization-2");
            let owner = meta.user(FIRST_USER).await.unwrap().unwrap();
            assert_eq!(owner.current_organization_id.as_deref(), Some(made.id.as_str()));
            assert_eq!(owner.current_project_id, Some(2));
            assert_eq!(meta.membership_level(&made.id, FIRST_USER).await.unwrap(), Some(Level::OWNER));
            assert!(meta.token_of_project(made.project_id).await.unwrap().is_some());
            let told: Vec<_> = meta.waiting_entries(9).await.unwrap();
            let told: Vec<_> =
                told.iter().map(|told| (told.entry.scope.as_str(), told.project_id.is_some())).collect();
            assert_eq!(told, [("Organization", false), ("Project", true), ("OrganizationMembership", false)]);
        })
        .await;
    }

    #[tokio::test]
    async fn a_change_is_told_field_by_field() {
        on_every_backend(|meta| async move {
            let id = bootstrap(&meta, 1).await.unwrap().unwrap().organization_id.to_string();
            let change = |settings: &mut OrganizationSettings| settings.enforce_2fa = Some(true);
            let after = update(&meta, &Actor::system(), &id, change, 5).await.unwrap();
            assert_eq!((after.settings.enforce_2fa, after.updated_us), (Some(true), 5));
            update(&meta, &Actor::system(), &id, |_| {}, 6).await.unwrap();
            let told = meta.waiting_entries(9).await.unwrap();
            assert_eq!(told.len(), 1, "a change of nothing is not told");
            assert_eq!(
                serde_json::to_value(&told[0].entry.detail.changes).unwrap(),
                json!([{ "type": "Organization", "action": "created",
                         "field": "two-factor authentication requirement", "before": null, "after": true }])
            );
            let foreign = |settings: &mut OrganizationSettings| settings.default_role_id = Some("x".into());
            let refused = update(&meta, &Actor::system(), &id, foreign, 7).await.unwrap_err();
            assert!(matches!(refused, AccountError::Invalid { code: "does_not_exist", .. }), "{refused}");
        })
        .await;
    }

    #[tokio::test]
    async fn nothing_is_sent_to_an_organization_that_is_being_deleted() {
        on_every_backend(|meta| async move {
            let credentials = bootstrap(&meta, 1).await.unwrap().unwrap();
            let id = credentials.organization_id.to_string();
            delete(&meta, &Actor::system(), &id, 5).await.unwrap();
            assert!(meta.organization(&id).await.unwrap().unwrap().is_pending_deletion);
            assert_eq!(meta.project_of_token(credentials.ingest_token.reveal()).await.unwrap(), None);
        })
        .await;
    }
}
