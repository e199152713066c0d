//! Invitations: who may invite whom, and what becomes of an invitation.

use serde_json::json;
use sqlx::AnyConnection;

use super::{AccountError, members, users};
use crate::activity::entry::{Actor, Entry};
use crate::auth::Member;
use crate::meta::invite::{self, Invite};
use crate::meta::user::{NewUser, User};
use crate::meta::{Level, Meta, membership, organization, outbox, user};
use crate::secret::{INVITE_PREFIX, Secret};

const SCOPE: &str = "OrganizationInvite";
/// How long an invitation can be accepted.
const VALID_US: i64 = 3 * 24 * 3_600 * 1_000_000;
/// Longest message of an inviter, characters.
pub const MAX_MESSAGE_CHARS: usize = 2_000;
/// Most invitations of an organization at a time.
const MAX_INVITES: i64 = 1_000;

/// An invitation to make.
#[derive(Clone, Debug)]
pub struct NewInvite {
    /// For whom it is.
    pub target_email: String,
    /// How to address the invited.
    pub first_name: String,
    /// What the invited will be.
    pub level: Level,
    /// What the inviter says.
    pub message: Option<String>,
}

/// Invites somebody, and returns the secret of the link, which is shown this once.
///
/// # Errors
/// [`AccountError::Forbidden`] when the inviter may not invite, or invites above the own level;
/// [`AccountError::Invalid`] for an address that is none or a member's.
pub async fn create(
    meta: &Meta,
    actor: &Actor,
    inviter: (&User, &Member),
    new: NewInvite,
    now_us: i64,
) -> Result<(Invite, Secret), AccountError> {
    let (user, Member { organization, level }) = inviter;
    if *level < Level::ADMIN && organization.settings.members_can_invite == Some(false) {
        return Err(AccountError::forbidden("only administrators and owners may invite here"));
    }
    if new.level > *level {
        return Err(AccountError::forbidden("you cannot grant more than your own level"));
    }
    users::require_address(&new.target_email)
        .map_err(|error| AccountError::invalid("invalid_input", "target_email", error.to_string()))?;
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    if let Some(known) = user::by_email(connection, &new.target_email).await?
        && membership::of_user(connection, &organization.id, known.id).await?.is_some()
    {
        return Err(AccountError::invalid("unique", "target_email", "this is a member already"));
    }
    if invite::count(connection, &organization.id).await? >= MAX_INVITES {
        let detail = format!("an organization has at most {MAX_INVITES} open invitations");
        return Err(AccountError::Invalid { code: "max_length", attr: None, detail });
    }
    let invite = Invite {
        id: invite::new_id(),
        organization_id: organization.id.clone(),
        target_email: new.target_email,
        first_name: new.first_name,
        level: new.level,
        message: new.message,
        created_by: user.id,
        created_us: now_us,
        updated_us: now_us,
        expires_us: now_us.saturating_add(VALID_US),
    };
    let secret = Secret::generate(INVITE_PREFIX)?;
    invite::insert(connection, &invite, &secret).await?;
    tell(connection, actor, &invite, "created", now_us).await?;
    transaction.commit().await?;
    Ok((invite, secret))
}

/// Takes an invitation back.
///
/// # Errors
/// [`AccountError::NotFound`] when the organization has no such invitation.
pub async fn delete(
    meta: &Meta,
    actor: &Actor,
    organization_id: &str,
    id: &str,
    now_us: i64,
) -> Result<(), AccountError> {
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    let invite = invite::get(connection, organization_id, id).await?;
    let invite = invite.ok_or(AccountError::NotFound("invite"))?;
    invite::delete(connection, id).await?;
    tell(connection, actor, &invite, "deleted", now_us).await?;
    transaction.commit().await?;
    Ok(())
}

/// Who accepts an invitation.
#[derive(Clone, Copy, Debug)]
pub enum Joining<'a> {
    /// Somebody who is a user already.
    Known(&'a User),
    /// Somebody who becomes one, under the address that was invited.
    New {
        /// How to address the user.
        first_name: &'a str,
        /// The rest of the name.
        last_name: &'a str,
        /// Of the chosen password.
        password_hash: &'a str,
    },
}

/// Accepts the invitation that a secret opens: it and all others of the address to the organization are gone then.
///
/// # Errors
/// [`AccountError::NotFound`] for a secret that opens nothing or has ended; [`AccountError::Forbidden`] when it is
/// for another address; [`AccountError::Invalid`] when its user exists or is a member already.
pub async fn accept(
    meta: &Meta,
    from: &Actor,
    secret: &str,
    joining: Joining<'_>,
    now_us: i64,
) -> Result<User, AccountError> {
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    let invite = invite::by_secret(connection, secret).await?;
    let invite =
        invite.filter(|invite| now_us < invite.expires_us).ok_or(AccountError::NotFound("invite"))?;
    let is_new = matches!(joining, Joining::New { .. });
    let user_id = match joining {
        Joining::Known(user) if user.email.to_lowercase() == invite.target_email.to_lowercase() => user.id,
        Joining::Known(_) => return Err(AccountError::forbidden("the invitation is for another address")),
        Joining::New { first_name, last_name, password_hash } => {
            if user::by_email(connection, &invite.target_email).await?.is_some() {
                let detail = "there is a user with this address: log in and accept then";
                return Err(AccountError::invalid("unique", "email", detail));
            }
            let email = &invite.target_email;
            let new = NewUser { email, first_name, last_name, password_hash: Some(password_hash) };
            user::insert(connection, &new, now_us).await?
        }
    };
    let actor = Actor { user_id: Some(user_id), ..from.clone() };
    members::join(connection, &actor, &invite.organization_id, user_id, invite.level, now_us).await?;
    invite::delete_of_address(connection, &invite.organization_id, &invite.target_email).await?;
    let user = user::get(connection, user_id).await?.ok_or(AccountError::NotFound("user"))?;
    if is_new {
        users::tell(connection, &actor, &user, "created", vec![], now_us).await?;
    }
    transaction.commit().await?;
    Ok(user)
}

/// The invitation that a secret opens, as long as it can be accepted.
///
/// # Errors
/// [`AccountError::NotFound`] for a secret that opens nothing or has ended.
pub async fn find(meta: &Meta, secret: &str, now_us: i64) -> Result<Invite, AccountError> {
    let invite = meta.invite_of_secret(secret).await?;
    invite.filter(|invite| now_us < invite.expires_us).ok_or(AccountError::NotFound("invite"))
}

async fn tell(
    connection: &mut AnyConnection,
    actor: &Actor,
    invite: &Invite,
    activity: &str,
    now_us: i64,
) -> Result<(), AccountError> {
    let organization_id = &invite.organization_id;
    let organization = organization::get(connection, organization_id).await?;
    let organization_name = organization.map(|organization| organization.settings.name).unwrap_or_default();
    let inviter = user::get(connection, invite.created_by).await?;
    let context = json!({
        "organization_id": organization_id,
        "organization_name": organization_name,
        "target_email": invite.target_email,
        "inviter_user_id": invite.created_by,
        "inviter_user_email": inviter.as_ref().map(|inviter| &inviter.email),
        "inviter_user_name": inviter.as_ref().map(|inviter| &inviter.first_name),
        "level": invite.level.name(),
    });
    let name = format!("{} to {organization_name}", invite.target_email);
    let entry = Entry::new(actor, SCOPE, activity, &invite.id, name, vec![])
        .with_context(context.as_object().cloned().unwrap_or_default());
    Ok(outbox::push(connection, organization_id, None, &entry, now_us).await?)
}
