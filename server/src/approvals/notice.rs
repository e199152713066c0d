//! Who learns what becomes of a request: the audit trail, and by e-mail its approvers and who asked.
//!
//! The entries are told by webhook, Slack and e-mail to whoever has subscribed to them. An e-mail to a person has a
//! destination of its own, which nobody sees and which is forgotten later; it is noted in the transaction of what it
//! tells about, like every notification.

use serde_json::{Map, Value, json};
use sqlx::AnyConnection;
use uuid::Uuid;

use super::Approvals;
use super::lifecycle::num_approvals;
use crate::activity::change::Scope;
use crate::activity::entry::{Actor, Entry};
use crate::api::iso_time;
use crate::delivery::{Message, Notification, Target};
use crate::meta::approval::{self, ApproverConfig, ChangeRequest, RequestState, Vote};
use crate::meta::destination::{self, EventKind, OneShot, Owner};
use crate::meta::{MetaError, membership, notification, outbox, project};

const SCOPE: Scope = Scope::plain("ChangeRequest");
/// Most addresses of one e-mail.
const MAX_ADDRESSES: usize = 50;

/// Puts an entry about a request into the outbox. `to` is the state that it goes to, if it goes to another.
pub(super) async fn tell(
    connection: &mut AnyConnection,
    request: &ChangeRequest,
    actor: &Actor,
    activity: &str,
    to: Option<RequestState>,
    now_us: i64,
) -> Result<(), MetaError> {
    tell_more(connection, request, actor, activity, to, Map::new(), now_us).await
}

/// The same with further facts.
pub(super) async fn tell_more(
    connection: &mut AnyConnection,
    request: &ChangeRequest,
    actor: &Actor,
    activity: &str,
    to: Option<RequestState>,
    more: Map<String, Value>,
    now_us: i64,
) -> Result<(), MetaError> {
    let state = |state: RequestState| Map::from_iter([("state".to_owned(), Value::from(state.as_str()))]);
    let changes = to.map(|to| SCOPE.changes(&state(request.state), &state(to))).unwrap_or_default();
    let context = json!({
        "action_key": request.action_key,
        "resource_type": request.resource_type,
        "resource_id": request.resource_id,
        "requested_by": request.created_by,
    });
    let mut context = context.as_object().cloned().unwrap_or_default();
    context.extend(more);
    let name = description(request);
    let entry = Entry::new(actor, SCOPE.name, activity, &request.id, name, changes).with_context(context);
    outbox::push(connection, &request.place.organization_id, request.place.project, &entry, now_us).await
}

/// What a request is about, for people.
pub(super) fn description(request: &ChangeRequest) -> &str {
    let description = request.intent_display.get("description").and_then(Value::as_str);
    description.unwrap_or(&request.action_key)
}

/// What an e-mail is about.
struct Letter<'a> {
    event: EventKind,
    webhook_type: &'static str,
    title: String,
    lines: Vec<String>,
    to: &'a [String],
}

impl Approvals {
    /// Asks the approvers.
    pub(super) async fn mail_requested(
        &self,
        connection: &mut AnyConnection,
        request: &ChangeRequest,
        now_us: i64,
    ) -> Result<(), MetaError> {
        let lines = vec![until(request)];
        self.mail_approvers(connection, request, &[], ("Approval is needed", lines), now_us).await
    }

    /// Reminds the approvers who have not voted.
    pub(super) async fn mail_reminder(
        &self,
        connection: &mut AnyConnection,
        request: &ChangeRequest,
        votes: &[Vote],
        now_us: i64,
    ) -> Result<(), MetaError> {
        let has = format!("{} of {} approvals are there.", num_approvals(votes), request.snapshot.quorum);
        let lines = vec![has, until(request)];
        self.mail_approvers(connection, request, votes, ("Approval is still needed", lines), now_us).await
    }

    async fn mail_approvers(
        &self,
        connection: &mut AnyConnection,
        request: &ChangeRequest,
        votes: &[Vote],
        (title, lines): (&str, Vec<String>),
        now_us: i64,
    ) -> Result<(), MetaError> {
        if !self.0.sends_mail {
            return Ok(());
        }
        let approvers = ApproverConfig {
            quorum: request.snapshot.quorum,
            users: request.snapshot.users.clone(),
            roles: request.snapshot.roles.clone(),
        };
        let found = approval::recipients(connection, &request.place.organization_id, &approvers).await?;
        let waited_for = found.into_iter().filter(|(id, _)| votes.iter().all(|vote| vote.user_id != *id));
        let to: Vec<String> = waited_for.map(|(_, email)| email).collect();
        let letter = Letter {
            event: EventKind::ApprovalRequested,
            webhook_type: "approval.requested",
            title: format!("{title}: {}", description(request)),
            lines,
            to: &to,
        };
        self.mail(connection, request, &letter, now_us).await
    }

    /// Tells who asked.
    pub(super) async fn mail_requester(
        &self,
        connection: &mut AnyConnection,
        request: &ChangeRequest,
        (what, line): (&str, String),
        now_us: i64,
    ) -> Result<(), MetaError> {
        if !self.0.sends_mail {
            return Ok(());
        }
        let organization = &request.place.organization_id;
        let member = membership::of_user(connection, organization, request.created_by).await?;
        let to: Vec<String> = member
            .into_iter()
            .filter(|member| member.user.is_active)
            .map(|member| member.user.email)
            .collect();
        let letter = Letter {
            event: EventKind::ApprovalResolved,
            webhook_type: "approval.resolved",
            title: format!("Your change request {what}: {}", description(request)),
            lines: vec![line].into_iter().filter(|line| !line.is_empty()).collect(),
            to: &to,
        };
        self.mail(connection, request, &letter, now_us).await
    }

    /// Notes an e-mail. An address or a secret that cannot be used only means that nobody is told.
    async fn mail(
        &self,
        connection: &mut AnyConnection,
        request: &ChangeRequest,
        letter: &Letter<'_>,
        now_us: i64,
    ) -> Result<(), MetaError> {
        let Some(project) = project_of(connection, request).await? else { return Ok(()) };
        let url = match request.place.project {
            Some(project) => format!("{}/project/{project}/approvals/{}", self.0.public_url, request.id),
            None => format!(
                "{}/organization/{}/approvals/{}",
                self.0.public_url, request.place.organization_id, request.id
            ),
        };
        let told = Notification {
            id: Uuid::now_v7(),
            webhook_type: letter.webhook_type.to_owned(),
            at_us: now_us,
            data: json!({ "change_request_id": request.id, "action_key": request.action_key }),
            message: Message {
                title: letter.title.clone(),
                lines: letter.lines.clone(),
                context: format!("Action {}", request.action_key),
                button: Some(("See the change request".to_owned(), url)),
            },
        };
        let content = serde_json::to_string(&told).expect("BUG: a notification is always JSON");
        for addresses in letter.to.chunks(MAX_ADDRESSES) {
            let Ok(request_id) = Uuid::parse_str(&request.id) else { return Ok(()) };
            let target = Target::Email { addresses: addresses.to_vec() };
            let new = OneShot {
                owner: Owner::ChangeRequest(request_id),
                project_id: project,
                event: letter.event,
                target: &target,
            };
            match destination::create_one_shot(connection, &self.0.key, &new, now_us).await {
                Ok(id) => {
                    let about = (told.id, content.as_str());
                    notification::insert(connection, &id.to_string(), project, about, now_us).await?;
                }
                Err(destination::DestinationError::Meta(error)) => return Err(error),
                Err(error) => tracing::warn!(%error, "somebody is not told of a change request"),
            }
        }
        Ok(())
    }
}

fn until(request: &ChangeRequest) -> String {
    format!("It can be approved until {}.", iso_time::format(request.expires_us))
}

/// The project that an e-mail is counted to: the request's, or the oldest of its organization.
async fn project_of(
    connection: &mut AnyConnection,
    request: &ChangeRequest,
) -> Result<Option<engine::schema::ProjectId>, MetaError> {
    if request.place.project.is_some() {
        return Ok(request.place.project);
    }
    let projects = project::of_organization(connection, &request.place.organization_id).await?;
    Ok(projects.first().map(|project| project.id))
}
