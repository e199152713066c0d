//! Access controls of a project: set and taken away.

use serde_json::{Map, Value, json};

use super::AccountError;
use crate::activity::change::Scope;
use crate::activity::entry::{Actor, Entry};
use crate::meta::access_control::{self, AccessControl, AccessLevel, Resource, Target};
use crate::meta::project::Project;
use crate::meta::{Meta, membership, outbox, role};

const SCOPE: Scope = Scope::plain("AccessControl");
/// Most rules of a project.
const MAX_RULES: usize = 10_000;

/// Sets what a target may do with a resource of a project, or takes the rule for it away, and returns the rule.
///
/// # Errors
/// [`AccountError::Invalid`] when the resource does not know the level, or the target is not of the organization.
pub async fn set(
    meta: &Meta,
    actor: &Actor,
    project: &Project,
    (resource, target): (Resource, &Target),
    level: Option<AccessLevel>,
    now_us: i64,
) -> Result<Option<AccessControl>, AccountError> {
    if let Some(level) = level.filter(|level| !resource.levels().contains(level)) {
        let known: Vec<&str> = resource.levels().iter().map(|level| level.name()).collect();
        let detail = format!("{} is not one of {}", level.name(), known.join(", "));
        return Err(AccountError::invalid("invalid_choice", "access_level", detail));
    }
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    let is_there = match target {
        Target::Everyone => true,
        Target::Role(id) => role::get(connection, &project.organization_id, id).await?.is_some(),
        Target::Member(id) => membership::exists(connection, &project.organization_id, id).await?,
    };
    if !is_there {
        let attr = if matches!(target, Target::Role(_)) { "role" } else { "organization_member" };
        return Err(AccountError::invalid("does_not_exist", attr, "the organization has none with this id"));
    }
    let rules = access_control::of_project(connection, project.id).await?;
    let is_meant = |rule: &&AccessControl| rule.resource == resource && rule.target == *target;
    let before = rules.iter().find(is_meant);
    if before.is_none() && level.is_some() && rules.len() >= MAX_RULES {
        let detail = format!("a project has at most {MAX_RULES} access controls");
        return Err(AccountError::Invalid { code: "max_length", attr: None, detail });
    }
    match (level, before) {
        (Some(level), _) => {
            let what = (resource, target);
            access_control::set(connection, project.id, what, level, actor.user_id, now_us).await?;
        }
        (None, Some(before)) => access_control::delete(connection, &before.id).await?,
        (None, None) => {}
    }
    let rules = access_control::of_project(connection, project.id).await?;
    let after = rules.into_iter().find(|rule| is_meant(&rule));
    if let Some(entry) = entry(actor, before, after.as_ref()) {
        outbox::push(connection, &project.organization_id, Some(project.id), &entry, now_us).await?;
    }
    transaction.commit().await?;
    Ok(after)
}

fn entry(actor: &Actor, before: Option<&AccessControl>, after: Option<&AccessControl>) -> Option<Entry> {
    let rule = after.or(before)?;
    let activity = match (before, after) {
        (None, _) => "created",
        (_, None) => "deleted",
        _ => "updated",
    };
    let changes = SCOPE.changes(&fields(before), &fields(after));
    Some(Entry::new(actor, SCOPE.name, activity, &rule.id, rule.resource.name(), changes))
}

fn fields(rule: Option<&AccessControl>) -> Map<String, Value> {
    let Some(rule) = rule else { return Map::new() };
    let (role, member) = match &rule.target {
        Target::Everyone => (None, None),
        Target::Role(id) => (Some(id), None),
        Target::Member(id) => (None, Some(id)),
    };
    let fields = json!({
        "resource": rule.resource.name(),
        "access_level": rule.level.name(),
        "role": role,
        "organization_member": member,
    });
    fields.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::bootstrap::{FIRST_PROJECT, FIRST_USER, bootstrap};
    use crate::meta::testing::on_every_backend;

    #[tokio::test]
    async fn rules_are_set_changed_told_and_go_with_their_target() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 1).await.unwrap();
            let project = meta.project(FIRST_PROJECT).await.unwrap().unwrap();
            let organization_id = project.organization_id.clone();
            let actor = Actor::user(FIRST_USER, None, None);
            let role = crate::accounts::roles::create(&meta, &actor, &organization_id, "R", 2).await.unwrap();
            crate::accounts::roles::add_member(
                &meta,
                &actor,
                &role,
                &meta.user(FIRST_USER).await.unwrap().unwrap().uuid,
                2,
            )
            .await
            .unwrap();
            let to_role = Target::Role(role.id.clone());
            let logs = (Resource::Logs, &to_role);
            let made = set(&meta, &actor, &project, logs, Some(AccessLevel::Viewer), 3).await.unwrap();
            let changed = set(&meta, &actor, &project, logs, Some(AccessLevel::None), 4).await.unwrap();
            assert_eq!(made.unwrap().id, changed.unwrap().id);
            let everyone = (Resource::Logs, &Target::Everyone);
            set(&meta, &actor, &project, everyone, Some(AccessLevel::Editor), 5).await.unwrap();
            let of_user = |project| {
                let (meta, organization_id) = (meta.clone(), organization_id.clone());
                async move {
                    meta.access_controls_of_user(&organization_id, FIRST_USER, project).await.unwrap().len()
                }
            };
            assert_eq!((of_user(None).await, of_user(Some(FIRST_PROJECT)).await), (2, 2));
            let other = Some(engine::schema::ProjectId(9));
            assert_eq!(of_user(other).await, 0);
            crate::accounts::roles::delete(&meta, &actor, &role, 6).await.unwrap();
            assert_eq!(meta.access_controls(FIRST_PROJECT).await.unwrap().len(), 1);
            assert_eq!(set(&meta, &actor, &project, everyone, None, 7).await.unwrap(), None);
            assert_eq!(meta.access_controls(FIRST_PROJECT).await.unwrap(), []);
            let gone = set(&meta, &actor, &project, logs, Some(AccessLevel::Viewer), 8).await.unwrap_err();
            assert!(matches!(gone, AccountError::Invalid { code: "does_not_exist", .. }), "{gone}");
            let told = meta.waiting_entries(99).await.unwrap();
            let told: Vec<_> = told.iter().filter(|told| told.entry.scope == "AccessControl").collect();
            let activities: Vec<_> = told.iter().map(|told| told.entry.activity.as_str()).collect();
            assert_eq!(activities, ["created", "updated", "created", "deleted"]);
        })
        .await;
    }
}
