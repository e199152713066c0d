//! Members of an organization: who may change whose level, and who may remove whom.

use serde_json::json;
use sqlx::AnyConnection;

use super::AccountError;
use crate::activity::change::{Change, Scope};
use crate::activity::entry::{Actor, Entry};
use crate::meta::membership::{self, Membership};
use crate::meta::{Level, Meta, MetaError, organization, outbox, project, user};

const SCOPE: Scope = Scope::plain("OrganizationMembership");

/// `change_level` in a transaction of its own.
///
/// # Errors
/// As `change_level`.
pub async fn set_level(
    meta: &Meta,
    actor: &Actor,
    caller: (i64, Level),
    target: &Membership,
    level: Level,
    now_us: i64,
) -> Result<Membership, AccountError> {
    let mut transaction = meta.begin_write().await?;
    let after = change_level(&mut transaction, actor, caller, target, level, now_us).await?;
    transaction.commit().await?;
    Ok(after)
}

/// Gives a member another level, and returns the membership as it is then.
///
/// # Errors
/// [`AccountError::Forbidden`] unless the caller is an administrator or owner, acts on somebody else who is not above,
/// and grants no more than the own level.
pub(crate) async fn change_level(
    connection: &mut AnyConnection,
    actor: &Actor,
    caller: (i64, Level),
    target: &Membership,
    level: Level,
    now_us: i64,
) -> Result<Membership, AccountError> {
    let (caller_id, caller_level) = caller;
    let target = reread(connection, target).await?;
    if target.user.id == caller_id {
        return Err(AccountError::forbidden("nobody changes the own level"));
    }
    if caller_level < Level::ADMIN {
        return Err(AccountError::forbidden("only administrators and owners change levels"));
    }
    if target.level > caller_level {
        return Err(AccountError::forbidden("the member is above you"));
    }
    if level > caller_level {
        return Err(AccountError::forbidden("you cannot grant more than your own level"));
    }
    membership::set_level(connection, &target.id, level, now_us).await?;
    let named = |level: Level| json!({ "level": level.name() }).as_object().cloned().unwrap_or_default();
    let changes = SCOPE.changes(&named(target.level), &named(level));
    let organization_id = target.organization_id.clone();
    tell(connection, actor, &organization_id, target.user.id, "updated", changes, now_us).await?;
    reread(connection, &target).await
}

/// Takes a member out of an organization.
///
/// # Errors
/// [`AccountError::Forbidden`] unless it is the caller, or the caller is an administrator or owner and not below;
/// also for the last owner, without whom nobody could manage the organization.
pub async fn remove(
    meta: &Meta,
    actor: &Actor,
    caller: (i64, Level),
    target: &Membership,
    now_us: i64,
) -> Result<(), AccountError> {
    let (caller_id, caller_level) = caller;
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    let target = reread(connection, target).await?;
    let is_self = target.user.id == caller_id;
    if !is_self && (caller_level < Level::ADMIN || target.level > caller_level) {
        return Err(AccountError::forbidden(
            "only administrators and owners remove members, and none above them",
        ));
    }
    let organization_id = target.organization_id.clone();
    if target.level == Level::OWNER && membership::count_owners(connection, &organization_id).await? <= 1 {
        return Err(AccountError::forbidden("the last owner cannot leave the organization"));
    }
    tell(connection, actor, &organization_id, target.user.id, "deleted", vec![], now_us).await?;
    membership::delete(connection, &target).await?;
    if target.user.current_organization_id.as_deref() == Some(organization_id.as_str()) {
        user::set_current(connection, target.user.id, None, None).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Adds a user to an organization, as a member of its default role if it has one, and makes it the user's current
/// organization.
pub(super) async fn join(
    connection: &mut AnyConnection,
    actor: &Actor,
    organization_id: &str,
    user_id: i64,
    level: Level,
    now_us: i64,
) -> Result<(), AccountError> {
    if membership::of_user(connection, organization_id, user_id).await?.is_some() {
        return Err(AccountError::invalid("unique", "email", "the user is a member already"));
    }
    membership::insert(connection, organization_id, user_id, level, now_us).await?;
    let organization = organization::get(connection, organization_id).await?;
    let default_role = organization.and_then(|organization| organization.settings.default_role_id);
    if let Some(role_id) = default_role {
        crate::meta::role::add_member(connection, &role_id, user_id, now_us).await?;
    }
    let projects = project::of_organization(connection, organization_id).await?;
    let first_project = projects.first().map(|project| project.id.0);
    user::set_current(connection, user_id, Some(organization_id), first_project).await?;
    tell(connection, actor, organization_id, user_id, "created", vec![], now_us).await?;
    Ok(())
}

/// Puts an entry about a member into the outbox, while the member is one.
pub(super) async fn tell(
    connection: &mut AnyConnection,
    actor: &Actor,
    organization_id: &str,
    user_id: i64,
    activity: &str,
    changes: Vec<Change>,
    now_us: i64,
) -> Result<(), MetaError> {
    let Some(member) = membership::of_user(connection, organization_id, user_id).await? else {
        return Ok(());
    };
    let organization = organization::get(connection, organization_id).await?;
    let organization_name = organization.map(|organization| organization.settings.name).unwrap_or_default();
    let user_name = format!("{} {}", member.user.first_name, member.user.last_name).trim().to_owned();
    let name = format!("{user_name} ({}) in {organization_name}", member.user.email);
    let context = json!({
        "organization_id": organization_id,
        "organization_name": organization_name,
        "user_id": user_id,
        "user_email": member.user.email,
        "user_name": user_name,
        "level": member.level.name(),
    });
    let entry = Entry::new(actor, SCOPE.name, activity, &member.id, name, changes)
        .with_context(context.as_object().cloned().unwrap_or_default());
    outbox::push(connection, organization_id, None, &entry, now_us).await
}

/// The membership as it is in this transaction.
async fn reread(connection: &mut AnyConnection, seen: &Membership) -> Result<Membership, AccountError> {
    let now = membership::of_user(connection, &seen.organization_id, seen.user.id).await?;
    now.ok_or(AccountError::NotFound("member"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::users::{self, NewMember};
    use crate::meta::bootstrap::bootstrap;
    use crate::meta::testing::on_every_backend;

    /// An organization with its owner and one user of each level: the organization and the users by level.
    async fn members(meta: &Meta) -> (String, Vec<(Level, i64)>) {
        let id = bootstrap(meta, 1).await.unwrap().unwrap().organization_id.to_string();
        let mut users = Vec::new();
        for (name, level) in Level::ALL {
            let email = format!("{name}@example.org");
            let new = NewMember {
                organization_id: &id,
                email: &email,
                first_name: name,
                last_name: "",
                level,
                password_hash: None,
            };
            let user = users::create(meta, &Actor::system(), &new, 2).await.unwrap();
            users.push((level, user.id));
        }
        (id, users)
    }

    #[tokio::test]
    async fn levels_are_granted_by_those_who_are_not_below() {
        on_every_backend(|meta| async move {
            let (id, users) = members(&meta).await;
            for &(caller_level, caller) in &users {
                for &(target_level, target) in &users {
                    for (_, wanted) in Level::ALL {
                        let member = meta.membership(&id, target).await.unwrap().unwrap();
                        let set =
                            set_level(&meta, &Actor::system(), (caller, caller_level), &member, wanted, 3)
                                .await;
                        let may = caller != target
                            && caller_level >= Level::ADMIN
                            && target_level <= caller_level
                            && wanted <= caller_level;
                        assert_eq!(set.is_ok(), may, "{caller_level:?} sets {target_level:?} to {wanted:?}");
                        if let Ok(after) = set {
                            assert_eq!(after.level, wanted);
                            let mut transaction = meta.begin_write().await.unwrap();
                            membership::set_level(&mut transaction, &member.id, target_level, 4)
                                .await
                                .unwrap();
                            transaction.commit().await.unwrap();
                        }
                    }
                }
            }
        })
        .await;
    }

    #[tokio::test]
    async fn members_leave_and_are_removed_by_those_who_are_not_below() {
        on_every_backend(|meta| async move {
            let (id, users) = members(&meta).await;
            let of = |level: Level| users.iter().find(|(of, _)| *of == level).unwrap().1;
            let (member, admin, owner) = (of(Level::MEMBER), of(Level::ADMIN), of(Level::OWNER));
            let system = Actor::system();
            let target = meta.membership(&id, owner).await.unwrap().unwrap();
            assert!(remove(&meta, &system, (admin, Level::ADMIN), &target, 5).await.is_err());
            let target = meta.membership(&id, admin).await.unwrap().unwrap();
            assert!(remove(&meta, &system, (member, Level::MEMBER), &target, 5).await.is_err());
            let target = meta.membership(&id, member).await.unwrap().unwrap();
            remove(&meta, &system, (member, Level::MEMBER), &target, 5).await.unwrap();
            assert_eq!(meta.membership(&id, member).await.unwrap(), None);
            assert_eq!(meta.user(member).await.unwrap().unwrap().current_organization_id, None);
            let gone = remove(&meta, &system, (owner, Level::OWNER), &target, 5).await.unwrap_err();
            assert!(matches!(gone, AccountError::NotFound("member")), "{gone}");
        })
        .await;
    }

    #[tokio::test]
    async fn the_last_owner_stays() {
        on_every_backend(|meta| async move {
            let (id, users) = members(&meta).await;
            let owner = users[2].1;
            let first = meta.membership(&id, 1).await.unwrap().unwrap();
            let system = Actor::system();
            remove(&meta, &system, (1, Level::OWNER), &first, 5).await.unwrap();
            let last = meta.membership(&id, owner).await.unwrap().unwrap();
            let refused = remove(&meta, &system, (owner, Level::OWNER), &last, 6).await.unwrap_err();
            assert!(matches!(refused, AccountError::Forbidden(_)), "{refused}");
        })
        .await;
    }
}
