//! Personal API keys: made, changed, replaced and taken away by their owners.

use std::collections::BTreeSet;

use engine::schema::ProjectId;
use serde_json::{Map, Value, json};
use sqlx::AnyConnection;

use super::AccountError;
use crate::activity::change::{Change, Scope};
use crate::activity::entry::{Actor, Entry};
use crate::auth::is_known_scope;
use crate::meta::personal_api_key::{self, KeyAttributes, PersonalApiKey};
use crate::meta::{Meta, membership, outbox, project};
use crate::secret::{PERSONAL_API_KEY_PREFIX, Secret};

const SCOPE: Scope = Scope::plain("PersonalAPIKey");

/// Most keys of a user.
pub const MAX_KEYS_PER_USER: usize = 10;
/// Longest label, characters.
pub const MAX_LABEL_CHARS: usize = 40;

/// `make` in a transaction of its own.
///
/// # Errors
/// As `make`.
pub async fn create(
    meta: &Meta,
    actor: &Actor,
    user_id: i64,
    attributes: &KeyAttributes,
    now_us: i64,
) -> Result<(PersonalApiKey, Secret), AccountError> {
    let mut transaction = meta.begin_write().await?;
    let made = make(&mut transaction, actor, user_id, attributes, now_us).await?;
    transaction.commit().await?;
    Ok(made)
}

/// Makes a key, which is shown this once.
///
/// # Errors
/// [`AccountError::Invalid`] for too many keys, an unknown scope, or a project or organization that is not the
/// owner's.
pub(crate) async fn make(
    connection: &mut AnyConnection,
    actor: &Actor,
    user_id: i64,
    attributes: &KeyAttributes,
    now_us: i64,
) -> Result<(PersonalApiKey, Secret), AccountError> {
    if personal_api_key::of_user(connection, user_id).await?.len() >= MAX_KEYS_PER_USER {
        let detail = format!("a user has at most {MAX_KEYS_PER_USER} keys");
        return Err(AccountError::Invalid { code: "max_length", attr: None, detail });
    }
    validate(connection, user_id, attributes, now_us).await?;
    let key = Secret::generate(PERSONAL_API_KEY_PREFIX)?;
    let id = personal_api_key::insert(connection, &key, user_id, attributes, now_us).await?;
    let made = own(connection, user_id, &id).await?;
    tell(connection, actor, &made, "created", vec![], now_us).await?;
    Ok((made, key))
}

/// `change` in a transaction of its own.
///
/// # Errors
/// As `change`.
pub async fn update(
    meta: &Meta,
    actor: &Actor,
    user_id: i64,
    id: &str,
    edit: impl FnOnce(&mut KeyAttributes),
    now_us: i64,
) -> Result<PersonalApiKey, AccountError> {
    let mut transaction = meta.begin_write().await?;
    let after = change(&mut transaction, actor, user_id, id, edit, now_us).await?;
    transaction.commit().await?;
    Ok(after)
}

/// Changes what a key may be used for, and returns it as it is then.
///
/// # Errors
/// As `make`; [`AccountError::NotFound`] when the user has no such key.
pub(crate) async fn change(
    connection: &mut AnyConnection,
    actor: &Actor,
    user_id: i64,
    id: &str,
    edit: impl FnOnce(&mut KeyAttributes),
    now_us: i64,
) -> Result<PersonalApiKey, AccountError> {
    let before = own(connection, user_id, id).await?;
    let mut attributes = before.attributes.clone();
    edit(&mut attributes);
    validate(connection, user_id, &attributes, now_us).await?;
    personal_api_key::update(connection, id, &attributes).await?;
    let changes = SCOPE.changes(&fields(&before.attributes), &fields(&attributes));
    let after = own(connection, user_id, id).await?;
    tell(connection, actor, &after, "updated", changes, now_us).await?;
    Ok(after)
}

/// Replaces the text of a key, which is shown this once; the earlier one is not valid any more.
///
/// # Errors
/// [`AccountError::NotFound`] when the user has no such key.
pub async fn roll(
    meta: &Meta,
    actor: &Actor,
    user_id: i64,
    id: &str,
    now_us: i64,
) -> Result<(PersonalApiKey, Secret), AccountError> {
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    own(connection, user_id, id).await?;
    let key = Secret::generate(PERSONAL_API_KEY_PREFIX)?;
    personal_api_key::roll(connection, id, &key, now_us).await?;
    let after = own(connection, user_id, id).await?;
    tell(connection, actor, &after, "rolled", vec![], now_us).await?;
    transaction.commit().await?;
    Ok((after, key))
}

/// Takes a key away.
///
/// # Errors
/// [`AccountError::NotFound`] when the user has no such key.
pub async fn delete(
    meta: &Meta,
    actor: &Actor,
    user_id: i64,
    id: &str,
    now_us: i64,
) -> Result<(), AccountError> {
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    let key = own(connection, user_id, id).await?;
    personal_api_key::delete(connection, id).await?;
    tell(connection, actor, &key, "deleted", vec![], now_us).await?;
    transaction.commit().await?;
    Ok(())
}

async fn own(connection: &mut AnyConnection, user_id: i64, id: &str) -> Result<PersonalApiKey, AccountError> {
    let keys = personal_api_key::of_user(connection, user_id).await?;
    keys.into_iter().find(|key| key.id == id).ok_or(AccountError::NotFound("personal API key"))
}

async fn validate(
    connection: &mut AnyConnection,
    user_id: i64,
    attributes: &KeyAttributes,
    now_us: i64,
) -> Result<(), AccountError> {
    if attributes.scopes.is_empty() {
        return Err(AccountError::invalid("required", "scopes", "at least one scope is needed"));
    }
    if let Some(unknown) = attributes.scopes.iter().find(|scope| !is_known_scope(scope)) {
        return Err(AccountError::invalid("invalid_choice", "scopes", format!("{unknown:?} is no scope")));
    }
    if attributes.expires_us.is_some_and(|expires_us| expires_us <= now_us) {
        return Err(AccountError::invalid("invalid_input", "expires_at", "it has passed already"));
    }
    for &id in attributes.scoped_projects.iter().flatten() {
        let organization = project::get(connection, ProjectId(id)).await?.map(|found| found.organization_id);
        let is_own = match &organization {
            Some(organization) => membership::of_user(connection, organization, user_id).await?.is_some(),
            None => false,
        };
        if !is_own {
            let detail = format!("project {id} is none of the owner's");
            return Err(AccountError::invalid("does_not_exist", "scoped_teams", detail));
        }
    }
    for id in attributes.scoped_organizations.iter().flatten() {
        if membership::of_user(connection, id, user_id).await?.is_none() {
            let detail = format!("{id} is none of the owner's organizations");
            return Err(AccountError::invalid("does_not_exist", "scoped_organizations", detail));
        }
    }
    Ok(())
}

/// Tells every place that the key reaches: its projects, its organizations, or all of its owner's.
async fn tell(
    connection: &mut AnyConnection,
    actor: &Actor,
    key: &PersonalApiKey,
    activity: &str,
    changes: Vec<Change>,
    now_us: i64,
) -> Result<(), AccountError> {
    let entry = Entry::new(actor, SCOPE.name, activity, &key.id, &key.attributes.label, changes);
    if let Some(projects) = &key.attributes.scoped_projects {
        for &id in projects {
            if let Some(project) = project::get(connection, ProjectId(id)).await? {
                outbox::push(connection, &project.organization_id, Some(project.id), &entry, now_us).await?;
            }
        }
        return Ok(());
    }
    let organizations = organizations_of(connection, key.user_id, &key.attributes).await?;
    for organization in organizations {
        outbox::push(connection, &organization, None, &entry, now_us).await?;
    }
    Ok(())
}

/// The organizations that a key for no project in particular reaches: its own, or all of its owner's.
async fn organizations_of(
    connection: &mut AnyConnection,
    user_id: i64,
    attributes: &KeyAttributes,
) -> Result<BTreeSet<String>, AccountError> {
    Ok(match &attributes.scoped_organizations {
        Some(organizations) => organizations.iter().cloned().collect(),
        None => membership::organizations_of_user(connection, user_id).await?.into_iter().collect(),
    })
}

/// The organizations that a key reaches anything of.
///
/// # Errors
/// When the metadata database fails.
pub(crate) async fn reach(
    connection: &mut AnyConnection,
    user_id: i64,
    attributes: &KeyAttributes,
) -> Result<BTreeSet<String>, AccountError> {
    let Some(projects) = &attributes.scoped_projects else {
        return organizations_of(connection, user_id, attributes).await;
    };
    let mut organizations = BTreeSet::new();
    for &id in projects {
        organizations
            .extend(project::get(connection, ProjectId(id)).await?.map(|found| found.organization_id));
    }
    Ok(organizations)
}

/// What a key may be used for, by name.
pub(crate) fn fields(attributes: &KeyAttributes) -> Map<String, Value> {
    let fields = json!({
        "label": attributes.label,
        "scopes": attributes.scopes,
        "scoped_teams": attributes.scoped_projects,
        "scoped_organizations": attributes.scoped_organizations,
        "expires_at": attributes.expires_us,
    });
    fields.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::bootstrap::{FIRST_USER, bootstrap};
    use crate::meta::testing::on_every_backend;

    fn attributes(scopes: &[&str]) -> KeyAttributes {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        KeyAttributes { label: "ci".into(), scopes, ..KeyAttributes::default() }
    }

    #[tokio::test]
    async fn a_rolled_key_has_another_text() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 1).await.unwrap();
            let system = Actor::system();
            let (made, first) =
                create(&meta, &system, FIRST_USER, &attributes(&["logs:read"]), 2).await.unwrap();
            let (rolled, second) = roll(&meta, &system, FIRST_USER, &made.id, 3).await.unwrap();
            assert_eq!((rolled.last_rolled_us, rolled.attributes), (Some(3), made.attributes));
            assert!(meta.personal_api_key(first.reveal()).await.unwrap().is_none());
            assert!(meta.personal_api_key(second.reveal()).await.unwrap().is_some());
            delete(&meta, &system, FIRST_USER, &made.id, 4).await.unwrap();
            assert!(meta.personal_api_key(second.reveal()).await.unwrap().is_none());
            let told = meta.waiting_entries(9).await.unwrap();
            let told: Vec<_> = told.iter().map(|told| told.entry.activity.as_str()).collect();
            assert_eq!(told, ["created", "rolled", "deleted"]);
        })
        .await;
    }

    #[tokio::test]
    async fn a_key_cannot_reach_further_than_its_owner() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 1).await.unwrap();
            let foreign_project = KeyAttributes { scoped_projects: Some(vec![1, 99]), ..attributes(&["*"]) };
            let foreign_organization =
                KeyAttributes { scoped_organizations: Some(vec!["x".into()]), ..attributes(&["*"]) };
            let ended = KeyAttributes { expires_us: Some(5), ..attributes(&["*"]) };
            for (wrong, expected) in [
                (attributes(&[]), "scopes"),
                (attributes(&["logs:read", "logs:delete"]), "scopes"),
                (foreign_project, "scoped_teams"),
                (foreign_organization, "scoped_organizations"),
                (ended, "expires_at"),
            ] {
                let refused = create(&meta, &Actor::system(), FIRST_USER, &wrong, 5).await.unwrap_err();
                assert!(
                    matches!(refused, AccountError::Invalid { attr: Some(attr), .. } if attr == expected),
                    "{refused}"
                );
            }
            assert_eq!(meta.waiting_entries(9).await.unwrap().len(), 0);
        })
        .await;
    }

    #[tokio::test]
    async fn a_user_has_a_bounded_number_of_keys() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 1).await.unwrap();
            for _ in 1..MAX_KEYS_PER_USER {
                create(&meta, &Actor::system(), FIRST_USER, &attributes(&["*"]), 2).await.unwrap();
            }
            let refused =
                create(&meta, &Actor::system(), FIRST_USER, &attributes(&["*"]), 2).await.unwrap_err();
            assert!(matches!(refused, AccountError::Invalid { attr: None, .. }), "{refused}");
        })
        .await;
    }
}
