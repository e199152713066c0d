//! The gate in front of a write.

use serde_json::{Map, Value, json};
use sqlx::{AnyConnection, Executor};

use super::action::{self, Action, By, Changed, Done, Resource, Write};
use super::{Approvals, conditions, failed, gone, notice};
use crate::accounts::keys;
use crate::activity::change::in_words;
use crate::activity::entry::Actor;
use crate::api::iso_time;
use crate::error::ApiError;
use crate::meta::approval::{self, ApprovalPolicy, ChangeRequest, NewChangeRequest, Place, PolicySnapshot};
use crate::meta::personal_api_key::KeyAttributes;
use crate::meta::{membership, role};

/// Most requests of a place that wait.
const MAX_OPEN: i64 = 1_000;
/// Longest value of a field in a description, characters.
const MAX_VALUE_CHARS: usize = 60;
/// Most fields that a description names.
const MAX_FIELDS: usize = 5;

/// What somebody wants done.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    /// Where.
    pub(crate) place: Place,
    /// Who.
    pub(crate) actor: &'a Actor,
    /// The verb of the request.
    pub(crate) method: &'a str,
    /// What.
    pub(crate) write: Write,
}

/// Why it was not done.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// It may not be done, approved or not.
    Refused(ApiError),
    /// It was stored as a request.
    NeedsApproval {
        /// The request.
        request: Box<ChangeRequest>,
        /// Who approves, as the policy says.
        approvers: Map<String, Value>,
        /// Whether the requester is an approver who may not decide this.
        needs_others: bool,
    },
    /// The same is requested already.
    AlreadyRequested(Box<ChangeRequest>),
    /// More than one policy is about it.
    Conflict(Vec<ApprovalPolicy>),
}

impl From<ApiError> for Stopped {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

impl From<crate::meta::MetaError> for Stopped {
    fn from(error: crate::meta::MetaError) -> Self {
        Self::Refused(error.into())
    }
}

/// What the policies say to a write.
enum Verdict {
    Pass,
    Needs(&'static Action, Box<ApprovalPolicy>),
    Conflict(Vec<ApprovalPolicy>),
}

/// A write that was tried, and what it did.
struct Tried {
    done: Done,
    before: Option<Resource>,
    after: Option<Resource>,
    changed: Changed,
}

impl Approvals {
    /// Does it, unless it needs approval: then it is stored as a request. Either is one transaction with the look at the
    /// policies.
    ///
    /// # Errors
    /// [`Stopped`]; only for [`Stopped::NeedsApproval`] something was stored.
    pub(crate) async fn perform(&self, attempt: &Attempt<'_>) -> Result<Done, Stopped> {
        let Attempt { place, actor, write, .. } = attempt;
        let now_us = self.now_us();
        let user_id = actor.user_id.ok_or_else(|| ApiError::internal("a write of nobody"))?;
        let by = By { place, actor, user_id, limits: self.0.limits, is_replay: false };
        let mut transaction = self.meta().begin_write().await?;
        let connection = &mut *transaction;
        let keys: Vec<&str> = write.actions().iter().map(|action| action.key).collect();
        let policies = approval::enabled(connection, place, &keys).await?;
        if policies.is_empty() {
            let done = write.carry_out(connection, &by, now_us).await?;
            transaction.commit().await.map_err(failed)?;
            return Ok(done);
        }
        let tried = attempt_write(connection, write, &by, now_us).await?;
        match judge(connection, &by, write, &tried.changed, &policies).await? {
            Verdict::Pass => {
                transaction.commit().await.map_err(failed)?;
                Ok(tried.done)
            }
            Verdict::Conflict(policies) => Err(Stopped::Conflict(policies)),
            Verdict::Needs(action, policy) => {
                connection.execute("ROLLBACK TO SAVEPOINT tried").await.map_err(failed)?;
                let stopped = self.file(connection, attempt, (action, &policy), &tried, now_us).await?;
                transaction.commit().await.map_err(failed)?;
                Err(stopped)
            }
        }
    }

    /// Where a key of a user belongs: to the one organization that it reaches and that has a policy about keys, or to
    /// any where none has.
    ///
    /// # Errors
    /// [`Stopped::Conflict`] when several have.
    pub(crate) async fn place_of_key(&self, user_id: i64, key: &KeyAttributes) -> Result<Place, Stopped> {
        let keys: Vec<&str> = action::of_keys().map(|action| action.key).collect();
        let mut transaction = self.meta().begin_write().await?;
        let connection = &mut *transaction;
        let (mut place, mut found) = (Place::organization(""), Vec::new());
        for id in keys::reach(connection, user_id, key).await.map_err(ApiError::from)? {
            if membership::of_user(connection, &id, user_id).await?.is_none() {
                continue;
            }
            let here = Place::organization(&id);
            let policies = approval::enabled(connection, &here, &keys).await?;
            if !policies.is_empty() {
                place = here;
                found.extend(policies);
            }
        }
        if found.len() > 1 { Err(Stopped::Conflict(found)) } else { Ok(place) }
    }

    /// Stores what was tried as a request.
    async fn file(
        &self,
        connection: &mut AnyConnection,
        attempt: &Attempt<'_>,
        (action, policy): (&'static Action, &ApprovalPolicy),
        tried: &Tried,
        now_us: i64,
    ) -> Result<Stopped, Stopped> {
        let created_by = attempt.actor.user_id.unwrap_or_default();
        let new = NewChangeRequest {
            place: attempt.place.clone(),
            action_key: action.key,
            action_version: action.version,
            resource_type: action.resource_type,
            resource_id: attempt.write.resource_id(),
            natural_key: attempt.write.natural_key(created_by),
            intent: intent(attempt, tried),
            intent_display: display(attempt, action, tried),
            snapshot: snapshot(policy),
            created_by,
            expires_us: now_us.saturating_add(policy.content.expires_after_us),
        };
        if let Some(open) = approval::open_duplicate(connection, &new).await? {
            return Ok(Stopped::AlreadyRequested(Box::new(open)));
        }
        if approval::count_open(connection, &attempt.place).await? >= MAX_OPEN {
            let detail = format!("at most {MAX_OPEN} change requests wait for approval");
            return Err(ApiError::validation("max_length", None, detail).into());
        }
        let id = approval::insert(connection, &new, now_us).await?;
        let request = gone(approval::get(connection, &id).await?)?;
        notice::tell(connection, &request, attempt.actor, "created", None, now_us).await?;
        self.mail_requested(connection, &request, now_us).await?;
        let approvers =
            approval::recipients(connection, &attempt.place.organization_id, &policy.content.approvers())
                .await?;
        let is_approver = approvers.iter().any(|(id, _)| *id == created_by);
        Ok(Stopped::NeedsApproval {
            request: Box::new(request),
            approvers: policy.content.approver_config.clone(),
            needs_others: is_approver && !policy.content.allow_self_approve,
        })
    }
}

/// Does a write behind a savepoint, so that it can be taken back.
async fn attempt_write(
    connection: &mut AnyConnection,
    write: &Write,
    by: &By<'_>,
    now_us: i64,
) -> Result<Tried, ApiError> {
    let before = match write.resource_id() {
        Some(id) => write.load(connection, by.place, &id).await?,
        None => None,
    };
    connection.execute("SAVEPOINT tried").await.map_err(failed)?;
    let done = write.carry_out(connection, by, now_us).await?;
    let after = write.load(connection, by.place, &done.resource_id).await?;
    let changed = Changed::between(before.as_ref(), after.as_ref());
    Ok(Tried { done, before, after, changed })
}

async fn judge(
    connection: &mut AnyConnection,
    by: &By<'_>,
    write: &Write,
    changed: &Changed,
    policies: &[ApprovalPolicy],
) -> Result<Verdict, ApiError> {
    let policies_of = |action: &Action| {
        let of_action: Vec<&ApprovalPolicy> =
            policies.iter().filter(|policy| policy.content.action_key == action.key).collect();
        // The project's own comes first.
        let own = of_action.iter().find(|policy| policy.place.project.is_some());
        own.or(of_action.first()).map(|chosen| ((*chosen).clone(), of_action.clone()))
    };
    let found = write.detect(changed).into_iter().filter_map(|action| Some((action, policies_of(action)?)));
    let mut found: Vec<_> = found.collect();
    if found.len() > 1 {
        return Ok(Verdict::Conflict(found.into_iter().map(|(_, (chosen, _))| chosen).collect()));
    }
    let Some((action, (chosen, of_action))) = found.pop() else { return Ok(Verdict::Pass) };
    let is_meant = |policy: &ApprovalPolicy| {
        conditions::are_met(&policy.content.conditions, &changed.before, &changed.after)
    };
    if of_action.len() > 1 && of_action.iter().all(|policy| is_meant(policy)) {
        return Ok(Verdict::Conflict(of_action.into_iter().cloned().collect()));
    }
    if may_bypass(connection, by, &chosen).await? || !is_meant(&chosen) {
        return Ok(Verdict::Pass);
    }
    Ok(Verdict::Needs(action, Box::new(chosen)))
}

/// Whether whoever asks needs no approval: by the very level, or by a role in this organization.
async fn may_bypass(
    connection: &mut AnyConnection,
    by: &By<'_>,
    policy: &ApprovalPolicy,
) -> Result<bool, ApiError> {
    let organization = &by.place.organization_id;
    let member = membership::of_user(connection, organization, by.user_id).await?;
    if member.is_some_and(|member| policy.content.bypass_levels.contains(&member.level.0)) {
        return Ok(true);
    }
    let roles = role::of_user(connection, organization, by.user_id).await?;
    Ok(roles.iter().any(|role| policy.content.bypass_roles.contains(role)))
}

fn snapshot(policy: &ApprovalPolicy) -> PolicySnapshot {
    let approvers = policy.content.approvers();
    PolicySnapshot {
        quorum: approvers.quorum,
        users: approvers.users,
        roles: approvers.roles,
        allow_self_approve: policy.content.allow_self_approve,
        conditions: policy.content.conditions.clone(),
        bypass_org_membership_levels: policy.content.bypass_levels.clone(),
        bypass_roles: policy.content.bypass_roles.clone(),
    }
}

fn name(attempt: &Attempt<'_>, tried: &Tried) -> String {
    let stored = tried.before.as_ref().or(tried.after.as_ref()).map(|resource| resource.name.clone());
    stored.unwrap_or_else(|| attempt.write.new_name())
}

fn intent(attempt: &Attempt<'_>, tried: &Tried) -> Map<String, Value> {
    let before = tried.before.as_ref();
    let intent = json!({
        "current_state": tried.changed.before,
        "gated_changes": tried.changed.after,
        "full_request_data": attempt.write,
        "preconditions": {
            "version": before.map(Resource::version),
            "updated_at": before.map(|before| iso_time::format(before.updated_us)),
        },
        "http_method": attempt.method,
        "triggered_paths": tried.changed.fields(),
        "resource_id": attempt.write.resource_id(),
        "resource_name": name(attempt, tried),
    });
    intent.as_object().cloned().unwrap_or_default()
}

fn display(attempt: &Attempt<'_>, action: &Action, tried: &Tried) -> Map<String, Value> {
    let Changed { before, after } = &tried.changed;
    let side = |side: &Map<String, Value>, field: &str| side.get(field).cloned().unwrap_or_default();
    let fields = tried.changed.fields();
    let changes: Vec<Value> = fields
        .iter()
        .map(|field| json!({ "field": field, "before": side(before, field), "after": side(after, field) }))
        .collect();
    let mut description = format!("{}: {}", action.description, name(attempt, tried));
    if !before.is_empty() && !after.is_empty() {
        let shown = |state: &Map<String, Value>, field: &str| in_words(&side(state, field), MAX_VALUE_CHARS);
        let words = fields
            .iter()
            .take(MAX_FIELDS)
            .map(|field| format!("{field} {} → {}", shown(before, field), shown(after, field)));
        let mut words: Vec<String> = words.collect();
        if fields.len() > MAX_FIELDS {
            words.push(format!("and {} more", fields.len() - MAX_FIELDS));
        }
        description.push_str(&format!(" ({})", words.join(", ")));
    }
    let display = json!({
        "description": description,
        "before": before,
        "after": after,
        "changes": changes,
        "triggered_paths": fields,
    });
    display.as_object().cloned().unwrap_or_default()
}
