//! Projects and the tokens that send to them.

use engine::schema::ProjectId;
use sqlx::AnyConnection;

use super::AccountError;
use crate::activity::change::Scope;
use crate::activity::entry::{Actor, Entry};
use crate::meta::project::{self, Project, ProjectSettings};
use crate::meta::project_token::{self, ProjectToken};
use crate::meta::{Meta, deletion, organization, outbox};
use crate::secret::{PROJECT_TOKEN_PREFIX, Secret};

const SCOPE: Scope = Scope::plain("Project");
const TOKEN_SCOPE: Scope = Scope::plain("Team");
/// Most tokens of a project.
const MAX_TOKENS: usize = 100;

/// Makes a project with one token.
///
/// # Errors
/// [`AccountError::NotFound`] when there is no such organization.
pub async fn create(
    meta: &Meta,
    actor: &Actor,
    organization_id: &str,
    name: &str,
    now_us: i64,
) -> Result<Project, AccountError> {
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    if organization::get(connection, organization_id).await?.is_none() {
        return Err(AccountError::NotFound("organization"));
    }
    let id = insert(connection, actor, organization_id, name, now_us).await?;
    let project = project::get(connection, id).await?.ok_or(AccountError::NotFound("project"))?;
    transaction.commit().await?;
    Ok(project)
}

/// Adds a project with one token, and tells the trail.
pub(super) async fn insert(
    connection: &mut AnyConnection,
    actor: &Actor,
    organization_id: &str,
    name: &str,
    now_us: i64,
) -> Result<ProjectId, AccountError> {
    let id = project::insert(connection, organization_id, &ProjectSettings::named(name), now_us).await?;
    let token = Secret::generate(PROJECT_TOKEN_PREFIX)?;
    project_token::insert(connection, &token, "First token", id, actor.user_id, now_us).await?;
    let entry = Entry::new(actor, SCOPE.name, "created", id.0, name, vec![]);
    outbox::push(connection, organization_id, Some(id), &entry, now_us).await?;
    Ok(id)
}

/// `change` in a transaction of its own.
///
/// # Errors
/// As `change`.
pub async fn update(
    meta: &Meta,
    actor: &Actor,
    id: ProjectId,
    edit: impl FnOnce(&mut ProjectSettings),
    now_us: i64,
) -> Result<Project, AccountError> {
    let mut transaction = meta.begin_write().await?;
    let after = change(&mut transaction, actor, id, edit, now_us).await?;
    transaction.commit().await?;
    Ok(after)
}

/// Changes the settings of a project and returns it as it is then.
///
/// # Errors
/// [`AccountError::NotFound`] when it is not there any more.
pub(crate) async fn change(
    connection: &mut AnyConnection,
    actor: &Actor,
    id: ProjectId,
    edit: impl FnOnce(&mut ProjectSettings),
    now_us: i64,
) -> Result<Project, AccountError> {
    let before = project::get(connection, id).await?.ok_or(AccountError::NotFound("project"))?;
    let mut settings = before.settings.clone();
    edit(&mut settings);
    project::update(connection, id, &settings, now_us).await?;
    let changes = SCOPE.changes(&before.settings.fields(), &settings.fields());
    let entry = Entry::new(actor, SCOPE.name, "updated", id.0, &settings.name, changes);
    outbox::push(connection, &before.organization_id, Some(id), &entry, now_us).await?;
    project::get(connection, id).await?.ok_or(AccountError::NotFound("project"))
}

/// Deletes a project: nobody finds it from now on, and its data are removed soon after.
///
/// # Errors
/// [`AccountError::NotFound`] when it is not there any more.
pub async fn delete(meta: &Meta, actor: &Actor, id: ProjectId, now_us: i64) -> Result<(), AccountError> {
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    let before = project::get(connection, id).await?.ok_or(AccountError::NotFound("project"))?;
    deletion::remove_project(connection, &before.organization_id, id, now_us).await?;
    let entry = Entry::new(actor, SCOPE.name, "deleted", id.0, &before.settings.name, vec![]);
    outbox::push(connection, &before.organization_id, Some(id), &entry, now_us).await?;
    transaction.commit().await?;
    Ok(())
}

/// Makes another token that sends to a project.
///
/// # Errors
/// [`AccountError::Invalid`] when the project has too many.
pub async fn create_token(
    meta: &Meta,
    actor: &Actor,
    project: &Project,
    label: &str,
    now_us: i64,
) -> Result<ProjectToken, AccountError> {
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    if project_token::of_project(connection, project.id).await?.len() >= MAX_TOKENS {
        let detail = format!("a project has at most {MAX_TOKENS} tokens");
        return Err(AccountError::Invalid { code: "max_length", attr: None, detail });
    }
    let token = Secret::generate(PROJECT_TOKEN_PREFIX)?;
    let id = project_token::insert(connection, &token, label, project.id, actor.user_id, now_us).await?;
    let made = project_token::of_project(connection, project.id).await?;
    tell_token(connection, actor, project, "token created", label, now_us).await?;
    transaction.commit().await?;
    made.into_iter().find(|token| token.id == id).ok_or(AccountError::NotFound("token"))
}

/// Takes a token away: what is sent with it is refused from now on.
///
/// # Errors
/// [`AccountError::NotFound`] when the project has no such token.
pub async fn delete_token(
    meta: &Meta,
    actor: &Actor,
    project: &Project,
    token_id: &str,
    now_us: i64,
) -> Result<(), AccountError> {
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    let tokens = project_token::of_project(connection, project.id).await?;
    let token = tokens.iter().find(|token| token.id == token_id).ok_or(AccountError::NotFound("token"))?;
    project_token::delete(connection, project.id, token_id).await?;
    tell_token(connection, actor, project, "token deleted", &token.label, now_us).await?;
    transaction.commit().await?;
    Ok(())
}

/// The trail learns the label of a token, never the token.
async fn tell_token(
    connection: &mut AnyConnection,
    actor: &Actor,
    project: &Project,
    activity: &str,
    label: &str,
    now_us: i64,
) -> Result<(), AccountError> {
    let entry = Entry::new(actor, TOKEN_SCOPE.name, activity, project.id.0, label, vec![]);
    Ok(outbox::push(connection, &project.organization_id, Some(project.id), &entry, now_us).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::bootstrap::{FIRST_PROJECT, bootstrap};
    use crate::meta::testing::on_every_backend;

    #[tokio::test]
    async fn a_token_sends_until_it_is_taken_away() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 1).await.unwrap();
            let project = meta.project(FIRST_PROJECT).await.unwrap().unwrap();
            let system = Actor::system();
            let made = create_token(&meta, &system, &project, "collector", 2).await.unwrap();
            assert_eq!(meta.project_of_token(&made.token).await.unwrap(), Some(FIRST_PROJECT));
            assert_eq!(meta.tokens_of_project(FIRST_PROJECT).await.unwrap().len(), 2);
            delete_token(&meta, &system, &project, &made.id, 3).await.unwrap();
            assert_eq!(meta.project_of_token(&made.token).await.unwrap(), None);
            let gone = delete_token(&meta, &system, &project, &made.id, 4).await.unwrap_err();
            assert!(matches!(gone, AccountError::NotFound("token")), "{gone}");
            let told = meta.waiting_entries(9).await.unwrap();
            assert_eq!(told.len(), 2);
            assert!(!format!("{told:?}").contains(&made.token), "the trail holds no token");
        })
        .await;
    }

    #[tokio::test]
    async fn settings_are_changed_and_told() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 1).await.unwrap();
            let change = |settings: &mut ProjectSettings| {
                settings.retention_days = Some(30);
                settings.receive_org_level_activity_logs = true;
            };
            let after = update(&meta, &Actor::system(), FIRST_PROJECT, change, 2).await.unwrap();
            assert_eq!(after.settings.retention_days, Some(30));
            let told = meta.waiting_entries(9).await.unwrap();
            let changes = told[0].entry.detail.changes.as_ref().unwrap();
            let fields: Vec<_> = changes.iter().map(|change| change.field.as_deref()).collect();
            assert_eq!(fields, [Some("receive_org_level_activity_logs"), Some("retention_days")]);
        })
        .await;
    }
}
