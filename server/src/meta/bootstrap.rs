//! The first contents of a new installation: one organization, one project, one owner, one key, one token.

use engine::schema::ProjectId;
use uuid::Uuid;

use super::personal_api_key::NewPersonalApiKey;
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

/// Fills a new database, in one transaction; none when it already has an organization.
///
/// # Errors
/// When the database does not answer; then nothing was written.
pub async fn bootstrap(meta: &Meta, now_us: i64) -> Result<Option<Credentials>, MetaError> {
    // IMMEDIATE, so that two processes on one new folder do not both see it empty.
    let mut transaction = meta.pool.begin_with("BEGIN IMMEDIATE").await?;
    if organization::count(&mut transaction).await? > 0 {
        return Ok(None);
    }
    let credentials = Credentials {
        organization_id: Uuid::now_v7(),
        project_id: FIRST_PROJECT,
        ingest_token: Secret::generate(PROJECT_TOKEN_PREFIX)?,
        personal_api_key: Secret::generate(PERSONAL_API_KEY_PREFIX)?,
    };
    let organization_id = credentials.organization_id;
    let owner = NewUser {
        id: FIRST_USER,
        email: "admin@localhost",
        first_name: "Admin",
        organization_id,
        project_id: FIRST_PROJECT.0,
    };
    let key = NewPersonalApiKey {
        user_id: FIRST_USER,
        label: "First key",
        scopes: &["*"],
        scoped_projects: None,
        scoped_organizations: None,
    };
    organization::insert(&mut transaction, organization_id, "My organization", now_us).await?;
    project::insert(&mut transaction, FIRST_PROJECT, organization_id, "Default project", now_us).await?;
    user::insert(&mut transaction, &owner, now_us).await?;
    membership::insert(&mut transaction, organization_id, FIRST_USER, Level::OWNER, now_us).await?;
    personal_api_key::insert(&mut transaction, &credentials.personal_api_key, &key, now_us).await?;
    project_token::insert(&mut transaction, &credentials.ingest_token, FIRST_PROJECT, now_us).await?;
    transaction.commit().await?;
    Ok(Some(credentials))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_new_database_is_filled_once() {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::open(&folder.path().join("meta.db")).await.unwrap();
        let credentials = bootstrap(&meta, 7).await.unwrap().unwrap();
        assert!(bootstrap(&meta, 8).await.unwrap().is_none());

        let project = meta.project_of_token(credentials.ingest_token.reveal()).await.unwrap();
        assert_eq!(project, Some(FIRST_PROJECT));
        assert_eq!(meta.project_of_token("phc_another").await.unwrap(), None);
        let token = meta.token_of_project(FIRST_PROJECT).await.unwrap();
        assert_eq!(token.as_deref(), Some(credentials.ingest_token.reveal()));

        let key = meta.personal_api_key(credentials.personal_api_key.reveal()).await.unwrap().unwrap();
        assert_eq!((key.user_is_active, key.current_project_id), (true, Some(1)));
        assert_eq!(key.scopes, ["*"]);
        let organization = meta.project(FIRST_PROJECT).await.unwrap().unwrap().organization_id;
        assert_eq!(organization, credentials.organization_id.to_string());
        let level = meta.membership_level(&organization, key.user_id).await.unwrap();
        assert_eq!(level, Some(Level::OWNER));
        assert_eq!(meta.membership_level(&organization, 2).await.unwrap(), None);
    }
}
