//! Users: made by whoever administers the installation.

use super::{AccountError, members};
use crate::activity::entry::Actor;
use crate::meta::user::{self, NewUser, User};
use crate::meta::{Level, Meta, organization};

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
/// [`AccountError::Invalid`] for an address that cannot be one, or whose user is a member already;
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
    let user_id = match user::by_email(connection, new.email).await? {
        Some(known) => known.id,
        None => {
            let NewMember { email, first_name, last_name, password_hash, .. } = *new;
            user::insert(connection, &NewUser { email, first_name, last_name, password_hash }, now_us).await?
        }
    };
    members::join(connection, actor, new.organization_id, user_id, new.level, now_us).await?;
    let user = user::get(connection, user_id).await?.ok_or(AccountError::NotFound("user"))?;
    transaction.commit().await?;
    Ok(user)
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
