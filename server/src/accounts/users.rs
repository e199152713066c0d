//! Users: made by whoever administers the installation or by an invitation, changed by themselves.

use engine::schema::ProjectId;
use serde_json::{Map, Value, json};
use sqlx::AnyConnection;

use super::{AccountError, members};
use crate::activity::change::{Change, Scope};
use crate::activity::entry::{Actor, Entry};
use crate::meta::user::{self, NewUser, User};
use crate::meta::{Level, Meta, MetaError, membership, organization, outbox, project, session};
use crate::password;
use crate::secret::Secret;

const SCOPE: Scope = Scope { name: "User", masked: &["email", "password"], display_names: &[] };

/// Longest e-mail address, characters.
pub const MAX_EMAIL_CHARS: usize = 254;
/// Longest first or last name, characters.
pub const MAX_NAME_CHARS: usize = 150;

/// A user to add to an organization.
#[derive(Clone, Copy, Debug)]
pub struct NewMember<'a> {
    /// UUID text.
    pub organization_id: &'a str,
    /// Unique in the installation, whatever its case.
    pub email: &'a str,
    /// How to address the user.
    pub first_name: &'a str,
    /// The rest of the name.
    pub last_name: &'a str,
    /// What the user will be in the organization.
    pub level: Level,
    /// Of the password of a new user; none for a user who has none.
    pub password_hash: Option<&'a str>,
}

/// Adds a user to an organization. Somebody with this e-mail address who is a user already stays the same user.
///
/// # Errors
/// [`AccountError::Invalid`] for an address that cannot be one, or whose user is a member already or has the password
/// to choose;
/// [`AccountError::NotFound`] when there is no such organization.
pub async fn create(
    meta: &Meta,
    actor: &Actor,
    new: &NewMember<'_>,
    now_us: i64,
) -> Result<User, AccountError> {
    require_address(new.email)?;
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    if organization::get(connection, new.organization_id).await?.is_none() {
        return Err(AccountError::NotFound("organization"));
    }
    let known = user::by_email(connection, new.email).await?;
    if known.is_some() && new.password_hash.is_some() {
        let detail = "this is a user already, who keeps the password";
        return Err(AccountError::invalid("unique", "email", detail));
    }
    let is_new = known.is_none();
    let user_id = match known {
        Some(known) => known.id,
        None => {
            let NewMember { email, first_name, last_name, password_hash, .. } = *new;
            user::insert(connection, &NewUser { email, first_name, last_name, password_hash }, now_us).await?
        }
    };
    members::join(connection, actor, new.organization_id, user_id, new.level, now_us).await?;
    let user = user::get(connection, user_id).await?.ok_or(AccountError::NotFound("user"))?;
    if is_new {
        tell(connection, actor, &user, "created", vec![], now_us).await?;
    }
    transaction.commit().await?;
    Ok(user)
}

/// What users change of themselves; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// How to address the user.
    pub first_name: Option<String>,
    /// The rest of the name.
    pub last_name: Option<String>,
    /// What the user says to be in the organization; the inner none is nothing.
    pub role_at_organization: Option<Option<String>>,
    /// Of another password. Every session but the one that changes it ends.
    pub password_hash: Option<String>,
    /// What `@current` is to mean.
    pub current: Option<Current>,
}

/// What `@current` means for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Current {
    /// An organization by its UUID, and its first project.
    Organization(String),
    /// A project, and its organization.
    Project(i64),
}

/// Changes a user, who keeps one session if the password is changed in it.
///
/// # Errors
/// [`AccountError::NotFound`] when there is no such user; [`AccountError::Invalid`] for an organization or project that
/// is none of the user's.
pub async fn update(
    meta: &Meta,
    actor: &Actor,
    user_id: i64,
    change: UserChange,
    kept_session: Option<&str>,
    now_us: i64,
) -> Result<User, AccountError> {
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    let before = user::get(connection, user_id).await?.ok_or(AccountError::NotFound("user"))?;
    let UserChange { first_name, last_name, role_at_organization, password_hash, current } = change;
    let mut after = before.clone();
    after.first_name = first_name.unwrap_or(after.first_name);
    after.last_name = last_name.unwrap_or(after.last_name);
    after.role_at_organization = role_at_organization.unwrap_or(after.role_at_organization);
    user::set_profile(connection, &after).await?;
    let (mut fields_before, mut fields_after) = (fields(&before), fields(&after));
    if let Some(hash) = password_hash {
        let earlier = user::password_hash(connection, user_id).await?;
        user::set_password_hash(connection, user_id, &hash).await?;
        session::delete_of_user(connection, user_id, kept_session).await?;
        fields_before.insert("password".to_owned(), earlier.into());
        fields_after.insert("password".to_owned(), hash.into());
    }
    if let Some(current) = current {
        set_current(connection, user_id, current).await?;
    }
    let changes = SCOPE.changes(&fields_before, &fields_after);
    let after = user::get(connection, user_id).await?.ok_or(AccountError::NotFound("user"))?;
    tell(connection, actor, &after, "updated", changes, now_us).await?;
    transaction.commit().await?;
    Ok(after)
}

async fn set_current(
    connection: &mut AnyConnection,
    user_id: i64,
    current: Current,
) -> Result<(), AccountError> {
    let (attr, organization_id, project_id) = match current {
        Current::Organization(id) => {
            let projects = project::of_organization(connection, &id).await?;
            ("set_current_organization", Some(id), projects.first().map(|project| project.id.0))
        }
        Current::Project(id) => {
            let project = project::get(connection, ProjectId(id)).await?;
            ("set_current_team", project.map(|project| project.organization_id), Some(id))
        }
    };
    let own = match &organization_id {
        Some(id) => membership::of_user(connection, id, user_id).await?,
        None => None,
    };
    if own.is_none() {
        return Err(AccountError::invalid("does_not_exist", attr, "this is none of yours"));
    }
    Ok(user::set_current(connection, user_id, organization_id.as_deref(), project_id).await?)
}

/// Puts an entry about a user into the outbox, for every organization that the user is in.
pub(super) async fn tell(
    connection: &mut AnyConnection,
    actor: &Actor,
    user: &User,
    activity: &str,
    changes: Vec<Change>,
    now_us: i64,
) -> Result<(), MetaError> {
    let name = format!("{} {}", user.first_name, user.last_name).trim().to_owned();
    let entry = Entry::new(actor, SCOPE.name, activity, user.id, name, changes);
    for organization in membership::organizations_of_user(connection, user.id).await? {
        outbox::push(connection, &organization, None, &entry, now_us).await?;
    }
    Ok(())
}

fn fields(user: &User) -> Map<String, Value> {
    let fields = json!({
        "first_name": user.first_name,
        "last_name": user.last_name,
        "role_at_organization": user.role_at_organization,
    });
    fields.as_object().cloned().unwrap_or_default()
}

/// Hashes a password that somebody has chosen.
///
/// # Errors
/// [`AccountError::Invalid`] for one that is too short or too long, [`AccountError::Password`] when too many are being
/// hashed.
pub async fn hash_chosen_password(chosen: &Secret) -> Result<String, AccountError> {
    let text = chosen.reveal();
    if text.chars().count() < password::MIN_CHARS {
        let detail = format!("a password has at least {} characters", password::MIN_CHARS);
        return Err(AccountError::invalid("min_length", "password", detail));
    }
    if text.len() > password::MAX_BYTES {
        let detail = format!("a password has at most {} bytes", password::MAX_BYTES);
        return Err(AccountError::invalid("max_length", "password", detail));
    }
    Ok(password::hash(chosen).await?)
}

/// Whether a text can be an e-mail address: one `@` with something on both sides, and no white space. Whether
/// somebody reads it is not known before somebody has been written to.
///
/// # Errors
/// [`AccountError::Invalid`] when it cannot.
pub fn require_address(email: &str) -> Result<(), AccountError> {
    let email = email.trim();
    let mut sides = email.split('@');
    let has_two_sides = matches!(
        (sides.next(), sides.next(), sides.next()),
        (Some(local), Some(domain), None) if !local.is_empty() && !domain.is_empty()
    );
    let is_plain = !email.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    if has_two_sides && is_plain && email.chars().count() <= MAX_EMAIL_CHARS {
        return Ok(());
    }
    Err(AccountError::invalid("invalid_input", "email", format!("{email:?} is not an e-mail address")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::bootstrap::bootstrap;
    use crate::meta::testing::on_every_backend;

    #[test]
    fn an_address_has_two_sides_and_no_white_space() {
        for email in ["a@b", " Ann@example.org ", "x.y+z@sub.example.org"] {
            assert!(require_address(email).is_ok(), "{email}");
        }
        for email in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\n", &format!("{}@b", "x".repeat(253))] {
            assert!(require_address(email).is_err() || email == "a@b\n", "{email}");
        }
    }

    #[tokio::test]
    async fn users_change_themselves_and_the_trail_has_no_password() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 1).await.unwrap();
            let system = Actor::system();
            let change = UserChange {
                first_name: Some("Ann".to_owned()),
                role_at_organization: Some(Some("engineering".to_owned())),
                password_hash: Some("$a".to_owned()),
                ..UserChange::default()
            };
            let after = update(&meta, &system, 1, change, None, 2).await.unwrap();
            assert_eq!((after.first_name.as_str(), after.last_name.as_str()), ("Ann", ""));
            assert_eq!(meta.password_hash(1).await.unwrap().as_deref(), Some("$a"));
            let told = meta.waiting_entries(9).await.unwrap();
            assert_eq!((told.len(), told[0].entry.activity.as_str()), (1, "updated"));
            let changes = told[0].entry.detail.changes.as_ref().unwrap();
            let of_password =
                changes.iter().find(|change| change.field.as_deref() == Some("password")).unwrap();
            assert_eq!((&of_password.before, &of_password.after), (&Value::Null, &json!("masked")));
            update(&meta, &system, 1, UserChange::default(), None, 3).await.unwrap();
            assert_eq!(meta.waiting_entries(9).await.unwrap().len(), 1, "nothing was changed");
        })
        .await;
    }

    #[tokio::test]
    async fn the_current_project_is_one_of_the_users_own() {
        on_every_backend(|meta| async move {
            let first = bootstrap(&meta, 1).await.unwrap().unwrap().organization_id.to_string();
            let system = Actor::system();
            let settings = crate::meta::organization::OrganizationSettings::named("Second");
            let second =
                crate::accounts::organizations::create(&meta, &system, None, &settings, 2).await.unwrap();
            let set = |current: Current| {
                let change = UserChange { current: Some(current), ..UserChange::default() };
                let (meta, system) = (meta.clone(), system.clone());
                async move { update(&meta, &system, 1, change, None, 3).await }
            };
            for foreign in [
                Current::Organization(second.id.clone()),
                Current::Organization("none".to_owned()),
                Current::Project(2),
                Current::Project(99),
            ] {
                let refused = set(foreign).await.unwrap_err();
                assert!(matches!(refused, AccountError::Invalid { code: "does_not_exist", .. }), "{refused}");
            }
            let new = NewMember {
                organization_id: &second.id,
                email: "admin@localhost",
                first_name: "",
                last_name: "",
                level: Level::MEMBER,
                password_hash: None,
            };
            create(&meta, &system, &new, 4).await.unwrap();
            let there = set(Current::Organization(first.clone())).await.unwrap();
            assert_eq!(there.current_project_id, Some(1));
            let there = set(Current::Project(2)).await.unwrap();
            assert_eq!(there.current_organization_id, Some(second.id));
        })
        .await;
    }

    #[tokio::test]
    async fn a_known_address_is_the_same_user_in_another_organization() {
        on_every_backend(|meta| async move {
            let first = bootstrap(&meta, 1).await.unwrap().unwrap().organization_id.to_string();
            let system = Actor::system();
            let settings = crate::meta::organization::OrganizationSettings::named("Second");
            let second =
                crate::accounts::organizations::create(&meta, &system, None, &settings, 2).await.unwrap();
            let new = |organization_id| NewMember {
                organization_id,
                email: "ann@example.org",
                first_name: "Ann",
                last_name: "Lee",
                level: Level::MEMBER,
                password_hash: None,
            };
            let one = create(&meta, &system, &new(&first), 3).await.unwrap();
            assert_eq!(one.current_project_id, Some(1));
            let two = create(&meta, &system, &new(&second.id), 4).await.unwrap();
            assert_eq!((one.id, two.current_project_id), (two.id, Some(2)));
            let again = create(&meta, &system, &new(&first), 5).await.unwrap_err();
            assert!(matches!(again, AccountError::Invalid { code: "unique", .. }), "{again}");
            let nowhere = create(&meta, &system, &new("none"), 5).await.unwrap_err();
            assert!(matches!(nowhere, AccountError::NotFound("organization")), "{nowhere}");
            assert_eq!(meta.organizations_of_user(one.id).await.unwrap().len(), 2);
        })
        .await;
    }
}
