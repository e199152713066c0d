//! The first contents of a new installation: one organization, one project, one owner, one key, one token.

use engine::schema::ProjectId;
use uuid::Uuid;

use super::organization::OrganizationSettings;
use super::personal_api_key::KeyAttributes;
use super::project::ProjectSettings;
use super::user::NewUser;
use super::{
    Level, Meta, MetaError, membership, organization, personal_api_key, project, project_token, user,
};
use crate::secret::{PERSONAL_API_KEY_PREFIX, PROJECT_TOKEN_PREFIX, Secret};

/// The project that a new installation begins with.
pub const FIRST_PROJECT: ProjectId = ProjectId(1);
/// The owner of a new installation.
pub const FIRST_USER: i64 = 1;

/// What a new installation shows its owner, once.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The first organization.
    pub organization_id: Uuid,
    /// The first project.
    pub project_id: ProjectId,
    /// Sends records into the project.
    pub ingest_token: Secret,
    /// May do everything.
    pub personal_api_key: Secret,
}

/// Fills a new database, in one transaction; none when it has had an organization: the last one may be deleted.
///
/// # Errors
/// When the database does not answer; then nothing was written.
pub async fn bootstrap(meta: &Meta, now_us: i64) -> Result<Option<Credentials>, MetaError> {
    // Two processes on one new folder must not both see it empty.
    let mut transaction = meta.begin_write().await?;
    if user::count(&mut transaction).await? > 0 || organization::count(&mut transaction).await? > 0 {
        return Ok(None);
    }
    let credentials = Credentials {
        organization_id: Uuid::now_v7(),
        project_id: FIRST_PROJECT,
        ingest_token: Secret::generate(PROJECT_TOKEN_PREFIX)?,
        personal_api_key: Secret::generate(PERSONAL_API_KEY_PREFIX)?,
    };
    let organization_id = credentials.organization_id.to_string();
    let connection = &mut *transaction;
    let settings = OrganizationSettings::named("My organization");
    organization::insert(connection, &organization_id, "my-organization", &settings, now_us).await?;
    let settings = ProjectSettings::named("Default project");
    let project = project::insert(connection, &organization_id, &settings, now_us).await?;
    let owner = NewUser { email: "admin@localhost", first_name: "Admin", last_name: "", password_hash: None };
    let owner = user::insert(connection, &owner, now_us).await?;
    user::set_current(connection, owner, Some(&organization_id), Some(project.0)).await?;
    membership::insert(connection, &organization_id, owner, Level::OWNER, now_us).await?;
    let key = KeyAttributes {
        label: "First key".to_owned(),
        scopes: vec!["*".to_owned()],
        ..KeyAttributes::default()
    };
    personal_api_key::insert(connection, &credentials.personal_api_key, owner, &key, now_us).await?;
    let token = &credentials.ingest_token;
    project_token::insert(connection, token, "First token", project, Some(owner), now_us).await?;
    transaction.commit().await?;
    Ok(Some(credentials))
}

#[cfg(test)]
mod tests {
    use super::super::testing::on_every_backend;
    use super::*;

    #[tokio::test]
    async fn a_new_database_is_filled_once() {
        on_every_backend(|meta| async move {
            let credentials = bootstrap(&meta, 7).await.unwrap().unwrap();
            assert!(bootstrap(&meta, 8).await.unwrap().is_none());

            let project = meta.project_of_token(credentials.ingest_token.reveal()).await.unwrap();
            assert_eq!(project, Some(FIRST_PROJECT));
            assert_eq!(meta.project_of_token("phc_another").await.unwrap(), None);
            let token = meta.token_of_project(FIRST_PROJECT).await.unwrap();
            assert_eq!(token.as_deref(), Some(credentials.ingest_token.reveal()));

            let found = meta.personal_api_key(credentials.personal_api_key.reveal()).await.unwrap();
            let (key, user) = found.unwrap();
            assert_eq!((user.is_active, user.current_project_id), (true, Some(1)));
            assert_eq!(key.attributes.scopes, ["*"]);
            let organization = meta.project(FIRST_PROJECT).await.unwrap().unwrap().organization_id;
            assert_eq!(organization, credentials.organization_id.to_string());
            let level = meta.membership_level(&organization, user.id).await.unwrap();
            assert_eq!(level, Some(Level::OWNER));
            assert_eq!(meta.membership_level(&organization, 2).await.unwrap(), None);
        })
        .await;
    }
}
