//! Users who sign on elsewhere: found by the id that the provider has given them, once that is known.

use super::{AccountError, members, users};
use crate::activity::entry::Actor;
use crate::config::SignOnConfig;
use crate::meta::user::{self, NewUser, User};
use crate::meta::{Level, Meta, identity, organization};
use crate::sign_on::Identity;

/// The user who has signed on. Somebody who is seen for the first time is the user with the same verified e-mail
/// address, or becomes a member of the organization that the settings name.
///
/// # Errors
/// [`AccountError::Forbidden`] for an address that the settings do not allow, for a user who is not active, and when
/// nobody is to be made a user.
pub(crate) async fn user(
    meta: &Meta,
    from: &Actor,
    config: &SignOnConfig,
    identity: &Identity,
    now_us: i64,
) -> Result<User, AccountError> {
    let email = identity.verified_email.as_deref().filter(|email| users::require_address(email).is_ok());
    let email =
        email.ok_or_else(|| AccountError::forbidden("the provider knows no verified e-mail address"))?;
    if !config.allows(email) {
        return Err(AccountError::forbidden("addresses of this domain may not sign on here"));
    }
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    let (issuer, subject) = (config.issuer.as_str(), identity.subject.as_str());
    let linked = identity::user_of(connection, issuer, subject).await?;
    let known = match linked {
        Some(user_id) => user::get(connection, user_id).await?,
        None => user::by_email(connection, email).await?,
    };
    let user_id = match known {
        Some(known) if known.is_active => known.id,
        Some(_) => return Err(AccountError::forbidden("this user may not act any more")),
        None => {
            let organization_id = config.organization.as_deref();
            let organization_id = organization_id.ok_or_else(|| {
                AccountError::forbidden("there is no user with this address: be invited first")
            })?;
            if organization::get(connection, organization_id).await?.is_none() {
                return Err(AccountError::NotFound("organization"));
            }
            let cut = |name: &str| name.chars().take(users::MAX_NAME_CHARS).collect::<String>();
            let (first_name, last_name) = (cut(&identity.first_name), cut(&identity.last_name));
            let new = NewUser { email, first_name: &first_name, last_name: &last_name, password_hash: None };
            let user_id = user::insert(connection, &new, now_us).await?;
            let actor = Actor { user_id: Some(user_id), ..from.clone() };
            members::join(connection, &actor, organization_id, user_id, Level::MEMBER, now_us).await?;
            let made = user::get(connection, user_id).await?.ok_or(AccountError::NotFound("user"))?;
            users::tell(connection, &actor, &made, "created", vec![], now_us).await?;
            user_id
        }
    };
    if linked.is_none() {
        identity::insert(connection, issuer, subject, user_id, now_us).await?;
    }
    let user = user::get(connection, user_id).await?.ok_or(AccountError::NotFound("user"))?;
    transaction.commit().await?;
    Ok(user)
}
