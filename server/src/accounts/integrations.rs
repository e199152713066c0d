//! Integrations of a project: made, changed, taken away, and opened by what sends to them.

use serde_json::{Map, Value, json};

use super::AccountError;
use crate::activity::change::Scope;
use crate::activity::entry::{Actor, Entry};
use crate::meta::integration::{self, Integration};
use crate::meta::project::Project;
use crate::meta::{Meta, outbox};
use crate::secret::Secret;
use crate::secret_key::{SecretKey, SecretKeyError};

/// The trail learns that the connection was changed, not what it is.
const SCOPE: Scope = Scope { name: "Integration", masked: &["config"], display_names: &[] };
/// Most integrations of a project.
const MAX_INTEGRATIONS: usize = 100;

/// What a project is connected to, in clear; its debug form hides the secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// A Slack workspace.
    Slack {
        /// The token of the app that posts.
        access_token: Secret,
    },
    /// An address that is called.
    Webhook {
        /// The address, which may hold a secret.
        url: Secret,
        /// By which receivers can tell that it is this server that calls.
        signing_secret: Option<Secret>,
    },
}

impl Connection {
    /// `slack` or `webhook`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Slack { .. } => "slack",
            Self::Webhook { .. } => "webhook",
        }
    }

    /// What everybody in the project may see of it.
    fn shown(&self) -> Value {
        match self {
            Self::Slack { .. } => json!({}),
            Self::Webhook { url, signing_secret } => {
                let address = reqwest::Url::parse(url.reveal()).ok();
                let origin = address.map(|address| address.origin().ascii_serialization());
                json!({ "origin": origin, "is_signed": signing_secret.is_some() })
            }
        }
    }

    fn in_clear(&self) -> String {
        let clear = match self {
            Self::Slack { access_token } => json!({ "access_token": access_token.reveal() }),
            Self::Webhook { url, signing_secret } => {
                json!({ "url": url.reveal(), "signing_secret": signing_secret.as_ref().map(Secret::reveal) })
            }
        };
        clear.to_string()
    }

    fn from_clear(kind: &str, text: &str) -> Option<Self> {
        let clear: Value = serde_json::from_str(text).ok()?;
        let secret = |name: &str| clear[name].as_str().map(|text| Secret::new(text.to_owned()));
        match kind {
            "slack" => Some(Self::Slack { access_token: secret("access_token")? }),
            "webhook" => {
                Some(Self::Webhook { url: secret("url")?, signing_secret: secret("signing_secret") })
            }
            _ => None,
        }
    }
}

/// The place that the secrets of an integration are bound to.
fn context(integration: &Integration) -> String {
    format!("integration {} of project {}", integration.id, integration.project.0)
}

/// What an integration is connected to.
///
/// # Errors
/// [`SecretKeyError::Unsealing`] when it was stored with another secret key.
pub fn open(key: &SecretKey, integration: &Integration) -> Result<Connection, SecretKeyError> {
    let clear = key.open_sealed(&context(integration), &integration.sealed)?;
    Connection::from_clear(&integration.kind, &clear).ok_or(SecretKeyError::Unsealing)
}

/// Connects a project to something.
///
/// # Errors
/// [`AccountError::Invalid`] when it is connected to too much.
pub async fn create(
    meta: &Meta,
    key: &SecretKey,
    actor: &Actor,
    project: &Project,
    (name, connection): (&str, &Connection),
    now_us: i64,
) -> Result<Integration, AccountError> {
    let mut transaction = meta.begin_write().await?;
    let database = &mut *transaction;
    if integration::of_project(database, project.id).await?.len() >= MAX_INTEGRATIONS {
        let detail = format!("a project has at most {MAX_INTEGRATIONS} integrations");
        return Err(AccountError::Invalid { code: "max_length", attr: None, detail });
    }
    let mut made = Integration {
        id: integration::next_id(database).await?,
        project: project.id,
        kind: connection.kind().to_owned(),
        name: name.to_owned(),
        shown: connection.shown().to_string(),
        sealed: String::new(),
        created_by: actor.user_id,
        created_us: now_us,
        updated_us: now_us,
    };
    made.sealed = key.seal(&context(&made), &connection.in_clear())?;
    integration::insert(database, &made).await?;
    let entry = Entry::new(actor, SCOPE.name, "created", made.id, name, vec![]);
    outbox::push(database, &project.organization_id, Some(project.id), &entry, now_us).await?;
    transaction.commit().await?;
    Ok(made)
}

/// Gives an integration another name or connection of the same kind.
///
/// # Errors
/// [`AccountError::NotFound`] when it is not there any more.
pub async fn update(
    meta: &Meta,
    key: &SecretKey,
    actor: &Actor,
    (project, id): (&Project, i64),
    (name, connection): (Option<&str>, Option<&Connection>),
    now_us: i64,
) -> Result<Integration, AccountError> {
    let mut transaction = meta.begin_write().await?;
    let database = &mut *transaction;
    let before = integration::get(database, project.id, id).await?;
    let before = before.ok_or(AccountError::NotFound("integration"))?;
    let mut after = Integration { updated_us: now_us, ..before.clone() };
    if let Some(name) = name {
        name.clone_into(&mut after.name);
    }
    if let Some(connection) = connection {
        after.shown = connection.shown().to_string();
        after.sealed = key.seal(&context(&after), &connection.in_clear())?;
    }
    integration::update(database, &after).await?;
    let changes = SCOPE.changes(&fields(&before), &fields(&after));
    let entry = Entry::new(actor, SCOPE.name, "updated", id, &after.name, changes);
    outbox::push(database, &project.organization_id, Some(project.id), &entry, now_us).await?;
    transaction.commit().await?;
    Ok(after)
}

/// Takes an integration away.
///
/// # Errors
/// [`AccountError::NotFound`] when it is not there any more.
pub async fn delete(
    meta: &Meta,
    actor: &Actor,
    project: &Project,
    id: i64,
    now_us: i64,
) -> Result<(), AccountError> {
    let mut transaction = meta.begin_write().await?;
    let database = &mut *transaction;
    let before = integration::get(database, project.id, id).await?;
    let before = before.ok_or(AccountError::NotFound("integration"))?;
    integration::delete(database, id).await?;
    let entry = Entry::new(actor, SCOPE.name, "deleted", id, &before.name, vec![]);
    outbox::push(database, &project.organization_id, Some(project.id), &entry, now_us).await?;
    transaction.commit().await?;
    Ok(())
}

/// Secrets are told apart as they are stored, and masked.
fn fields(integration: &Integration) -> Map<String, Value> {
    let fields = json!({ "name": integration.name, "config": integration.sealed });
    fields.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::bootstrap::{FIRST_PROJECT, bootstrap};
    use crate::meta::testing::on_every_backend;

    fn webhook(url: &str) -> Connection {
        Connection::Webhook {
            url: Secret::new(url.to_owned()),
            signing_secret: Some(Secret::new("s3".into())),
        }
    }

    #[tokio::test]
    async fn a_connection_is_kept_sealed_and_told_without_its_secrets() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 1).await.unwrap();
            let key = SecretKey::parse(&"a".repeat(64)).unwrap();
            let project = meta.project(FIRST_PROJECT).await.unwrap().unwrap();
            let system = Actor::system();
            let first = webhook("https://example.org/hooks/very-secret");
            let made = create(&meta, &key, &system, &project, ("Pager", &first), 2).await.unwrap();
            assert_eq!(meta.integration(FIRST_PROJECT, made.id).await.unwrap().as_ref(), Some(&made));
            assert_eq!(open(&key, &made).unwrap(), first);
            assert_eq!(made.shown, json!({ "origin": "https://example.org", "is_signed": true }).to_string());
            let second = webhook("https://example.org/hooks/other-secret");
            let target = (&project, made.id);
            let to = (Some("Pager 2"), Some(&second));
            let changed = update(&meta, &key, &system, target, to, 3).await.unwrap();
            assert_eq!(open(&key, &changed).unwrap(), second);
            let moved = Integration { id: made.id + 1, ..changed.clone() };
            assert!(open(&key, &moved).is_err(), "secrets are bound to their integration");
            delete(&meta, &system, &project, made.id, 4).await.unwrap();
            let gone = delete(&meta, &system, &project, made.id, 5).await.unwrap_err();
            assert!(matches!(gone, AccountError::NotFound("integration")), "{gone}");
            let told = format!("{:?}", meta.waiting_entries(9).await.unwrap());
            assert!(told.contains("masked") && !told.contains("secret") && !told.contains("v1:"), "{told}");
        })
        .await;
    }
}
