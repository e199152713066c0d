//! Sessions: begun by who shows who they are, ended by their user.

use std::time::Duration;

use super::{AccountError, users};
use crate::activity::entry::Actor;
use crate::meta::Meta;
use crate::meta::session::{self, Session};
use crate::meta::user::{self, User};
use crate::password;
use crate::secret::{SESSION_PREFIX, Secret};

/// A session that was just begun.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Whose it is.
    pub user: User,
    /// The session.
    pub session: Session,
    /// What opens it, which is shown this once.
    pub secret: Secret,
}

/// The active user with an address and a password; none when there is no such user or the password is another. Both
/// take the same time, so that nobody learns which addresses are known.
///
/// # Errors
/// [`AccountError::Password`] when too many passwords are being checked.
pub async fn user_with_password(
    meta: &Meta,
    email: &str,
    password: &Secret,
) -> Result<Option<User>, AccountError> {
    let user = meta.user_by_email(email).await?;
    let hash = match &user {
        Some(user) => meta.password_hash(user.id).await?,
        None => None,
    };
    let is_right = password::verify(password, hash.as_deref()).await?;
    Ok(user.filter(|user| is_right && user.is_active))
}

/// Begins a session of a user, in place of an earlier one if the same browser has one.
///
/// # Errors
/// [`AccountError::NotFound`] when the user is not there or not active any more.
pub async fn begin(
    meta: &Meta,
    actor: &Actor,
    user_id: i64,
    earlier: Option<&Session>,
    lifetime: Duration,
    now_us: i64,
) -> Result<Begun, AccountError> {
    let secret = Secret::generate(SESSION_PREFIX)?;
    let lifetime_us = i64::try_from(lifetime.as_micros()).unwrap_or(i64::MAX);
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    let user = user::get(connection, user_id).await?.filter(|user| user.is_active);
    let user = user.ok_or(AccountError::NotFound("user"))?;
    session::delete_ended(connection, now_us).await?;
    if let Some(earlier) = earlier {
        session::delete(connection, &earlier.id).await?;
    }
    let expires_us = now_us.saturating_add(lifetime_us);
    let session = session::insert(connection, &secret, user.id, expires_us, now_us).await?;
    user::note_log_in(connection, user.id, now_us).await?;
    users::tell(connection, actor, &user, "logged_in", vec![], now_us).await?;
    transaction.commit().await?;
    Ok(Begun { user, session, secret })
}

/// Ends a session, or every session of its user.
///
/// # Errors
/// When the metadata do not answer.
pub async fn end(
    meta: &Meta,
    actor: &Actor,
    ended: &Session,
    everywhere: bool,
    now_us: i64,
) -> Result<(), AccountError> {
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    session::delete(connection, &ended.id).await?;
    if everywhere {
        session::delete_of_user(connection, ended.user_id, None).await?;
    }
    if let Some(user) = user::get(connection, ended.user_id).await? {
        users::tell(connection, actor, &user, "logged_out", vec![], now_us).await?;
    }
    transaction.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::users::UserChange;
    use crate::meta::bootstrap::{FIRST_USER, bootstrap};
    use crate::meta::testing::on_every_backend;

    const DAY: Duration = Duration::from_secs(86_400);

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_user_is_known_by_address_and_password() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 1).await.unwrap();
            let right = secret("correct horse");
            let find = |email: &'static str, password: Secret| {
                let meta = meta.clone();
                async move { user_with_password(&meta, email, &password).await.unwrap().map(|user| user.id) }
            };
            assert_eq!(find("admin@localhost", right.clone()).await, None, "no password yet");
            let hash = password::hash(&right).await.unwrap();
            let change = UserChange { password_hash: Some(hash), ..UserChange::default() };
            users::update(&meta, &Actor::system(), FIRST_USER, change, None, 2).await.unwrap();
            assert_eq!(find(" Admin@LOCALHOST", right.clone()).await, Some(FIRST_USER));
            assert_eq!(find("admin@localhost", secret("wrong horse")).await, None);
            assert_eq!(find("nobody@localhost", right).await, None);
            let told = meta.waiting_entries(9).await.unwrap();
            assert!(!format!("{told:?}").contains("argon2"), "the trail has no hash");
        })
        .await;
    }

    #[tokio::test]
    async fn sessions_begin_and_end_and_are_told() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 1).await.unwrap();
            let actor = Actor::user(FIRST_USER, None, None);
            let one = begin(&meta, &actor, FIRST_USER, None, DAY, 5).await.unwrap();
            assert_eq!(one.session.expires_us, 5 + 86_400_000_000);
            assert_eq!(meta.user(FIRST_USER).await.unwrap().unwrap().last_login_us, Some(5));
            let two = begin(&meta, &actor, FIRST_USER, Some(&one.session), DAY, 6).await.unwrap();
            assert_eq!(meta.session(one.secret.reveal()).await.unwrap(), None, "it was taken over");
            let three = begin(&meta, &actor, FIRST_USER, None, DAY, 7).await.unwrap();
            end(&meta, &actor, &two.session, false, 8).await.unwrap();
            assert_eq!(meta.session(two.secret.reveal()).await.unwrap(), None);
            assert!(meta.session(three.secret.reveal()).await.unwrap().is_some());
            let four = begin(&meta, &actor, FIRST_USER, None, DAY, 9).await.unwrap();
            end(&meta, &actor, &four.session, true, 10).await.unwrap();
            assert_eq!(meta.session(three.secret.reveal()).await.unwrap(), None);
            let told = meta.waiting_entries(9).await.unwrap();
            let told: Vec<_> =
                told.iter().map(|told| (told.entry.scope.as_str(), told.entry.activity.as_str())).collect();
            let (user_in, user_out) = (("User", "logged_in"), ("User", "logged_out"));
            assert_eq!(told, [user_in, user_in, user_in, user_out, user_in, user_out]);
        })
        .await;
    }

    #[tokio::test]
    async fn nobody_who_may_not_act_begins_a_session() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 1).await.unwrap();
            let refused = begin(&meta, &Actor::system(), 99, None, DAY, 5).await.unwrap_err();
            assert!(matches!(refused, AccountError::NotFound("user")), "{refused}");
        })
        .await;
    }
}
