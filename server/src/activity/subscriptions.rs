//! Who is told of new entries: subscriptions of projects, in the transaction in which an entry leaves the outbox.
//!
//! By then the trail has the entry, so that nobody is told of what cannot be read; and since an entry leaves the outbox
//! once, each is noted once for each destination.

use std::collections::HashMap;

use engine::activity::ActivityEntry;
use engine::query::HiddenEntries;
use engine::schema::{OrganizationId, ProjectId};
use serde_json::Value;

use super::change::in_words;
use super::visibility::{is_hidden, staff_only};
use crate::alerts::notice::encoded;
use crate::api::activity::written_entry;
use crate::delivery::{Message, Notification, outbox};
use crate::meta::activity_subscription::{self, Listener};
use crate::meta::destination::{EventKind, Owner};
use crate::meta::user::BasicUser;
use crate::meta::{Meta, MetaError, outbox as entries};

/// What webhooks are told as `type`.
const WEBHOOK_TYPE: &str = "activity_log.entry_created";
/// Most changes that are told in words.
const MAX_CHANGES: usize = 10;
/// Longest value that is told in words, characters.
const MAX_VALUE_CHARS: usize = 120;

/// What a delivery is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told<'a> {
    /// Whose entries.
    pub(super) organization: OrganizationId,
    /// Where people reach the server.
    pub(super) public_url: &'a str,
    /// The time, microseconds.
    pub(super) now_us: i64,
}

/// Takes entries out of the outbox that the trail has, and notes notifications of them for whoever wants to be told.
pub(super) async fn take(
    meta: &Meta,
    delivery: &Told<'_>,
    delivered: &[ActivityEntry],
) -> Result<(), MetaError> {
    let Told { organization, now_us, .. } = *delivery;
    let mut transaction = meta.begin_write().await?;
    let listeners = activity_subscription::listeners(&mut transaction, &organization.to_string()).await?;
    let users = match listeners.is_empty() {
        true => HashMap::new(),
        false => {
            let ids: Vec<i64> = delivered.iter().filter_map(|entry| entry.user_id).collect();
            meta.users_by_id(&ids).await?
        }
    };
    let hidden = staff_only();
    for entry in delivered {
        // Another process may have taken it out, and told.
        if !entries::forget(&mut transaction, &entry.id.to_string()).await? {
            continue;
        }
        for listener in listeners.iter().filter(|listener| listener.wants(entry, &hidden)) {
            let told = notification(delivery, listener.project, entry, &users);
            let owner = Owner::ActivitySubscription(listener.id);
            outbox::enqueue(&mut transaction, owner, EventKind::ActivityEntry, &told, now_us).await?;
        }
    }
    transaction.commit().await?;
    Ok(())
}

impl Listener {
    /// Whether it is told of an entry: one of its project's trail, noted since it listens, that its filters let through
    /// and that is not for the staff alone.
    fn wants(&self, entry: &ActivityEntry, hidden: &[HiddenEntries]) -> bool {
        let is_in_trail = entry.project.map_or(self.with_organization, |project| project == self.project);
        let allows =
            |list: &[String], text: &str| list.is_empty() || list.iter().any(|listed| listed == text);
        let content = &self.content;
        is_in_trail
            && entry.id.to_string() > self.since_id
            && allows(&content.scopes, &entry.scope)
            && allows(&content.activities, &entry.activity)
            && match &entry.item_id {
                Some(item_id) => allows(&content.item_ids, item_id),
                None => content.item_ids.is_empty(),
            }
            && !is_hidden(entry, hidden)
    }
}

/// What a listener of a project is told.
fn notification(
    delivery: &Told<'_>,
    listener: ProjectId,
    entry: &ActivityEntry,
    users: &HashMap<i64, BasicUser>,
) -> Notification {
    let data = written_entry(delivery.organization, entry, users);
    let who = entry.user_id.and_then(|id| users.get(&id)).map(|user| user.email.clone());
    let who =
        who.unwrap_or_else(|| if entry.user_id.is_some() { "a user".into() } else { "the system".into() });
    let name = data["detail"]["name"].as_str().filter(|name| !name.is_empty());
    let what = name.or(entry.item_id.as_deref()).unwrap_or_default();
    let title = format!("{who}: {} {} {what}", entry.activity, entry.scope);
    let message = Message {
        title: title.trim_end().to_owned(),
        lines: lines(&data["detail"]["changes"]),
        context: entry.project.map_or_else(
            || "Activity of the organization".to_owned(),
            |project| format!("Activity of project {project}"),
        ),
        button: Some(("See the activity".to_owned(), activity_url(delivery.public_url, listener, entry))),
    };
    Notification {
        id: entry.id,
        webhook_type: WEBHOOK_TYPE.to_owned(),
        at_us: entry.timestamp_us,
        data,
        message,
    }
}

/// Where people see what was done to the resource of an entry.
fn activity_url(public_url: &str, project: ProjectId, entry: &ActivityEntry) -> String {
    let scope = format!("{public_url}/project/{project}/activity?scopes={}", encoded(&entry.scope));
    match &entry.item_id {
        Some(item_id) => format!("{scope}&item_ids={}", encoded(item_id)),
        None => scope,
    }
}

/// Changes in words; details of other systems may have any form.
fn lines(changes: &Value) -> Vec<String> {
    let changes = changes.as_array().map_or(&[][..], Vec::as_slice);
    let line = |change: &Value| {
        let field = change["field"].as_str()?;
        let side = |side: &str| in_words(&change[side], MAX_VALUE_CHARS);
        Some(format!("{field}: {} → {}", side("before"), side("after")))
    };
    let mut lines: Vec<String> = changes.iter().take(MAX_CHANGES).filter_map(line).collect();
    if changes.len() > MAX_CHANGES {
        lines.push(format!("and {} more", changes.len() - MAX_CHANGES));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::meta::activity_subscription::SubscriptionContent;

    fn entry(project: Option<i64>, scope: &str, activity: &str) -> ActivityEntry {
        ActivityEntry {
            id: Uuid::now_v7(),
            timestamp_us: 5,
            project: project.map(ProjectId),
            user_id: None,
            was_impersonated: Some(false),
            is_system: Some(true),
            client: None,
            ip_address: None,
            scope: scope.to_owned(),
            activity: activity.to_owned(),
            item_id: Some("7".to_owned()),
            detail: None,
        }
    }

    fn listener(content: SubscriptionContent) -> Listener {
        Listener {
            id: Uuid::nil(),
            project: ProjectId(1),
            with_organization: false,
            content,
            since_id: String::new(),
        }
    }

    fn wants(listener: &Listener, entry: &ActivityEntry) -> bool {
        listener.wants(entry, &staff_only())
    }

    #[test]
    fn a_subscription_is_told_of_its_own_trail_alone() {
        let own = listener(SubscriptionContent::default());
        let with_organization = Listener { with_organization: true, ..own.clone() };
        for (project, expected, with) in [(Some(1), true, true), (Some(2), false, false), (None, false, true)]
        {
            let entry = entry(project, "Role", "created");
            assert_eq!(
                (wants(&own, &entry), wants(&with_organization, &entry)),
                (expected, with),
                "{project:?}"
            );
        }
    }

    #[test]
    fn every_filter_must_let_an_entry_through() {
        let list = |text: &str| vec!["other".to_owned(), text.to_owned()];
        let content = SubscriptionContent {
            scopes: list("Role"),
            activities: list("created"),
            item_ids: list("7"),
            ..SubscriptionContent::default()
        };
        let picky = listener(content);
        assert!(wants(&picky, &entry(Some(1), "Role", "created")));
        assert!(!wants(&picky, &entry(Some(1), "role", "created")), "case matters");
        assert!(!wants(&picky, &entry(Some(1), "Role", "deleted")));
        let unnumbered = ActivityEntry { item_id: None, ..entry(Some(1), "Role", "created") };
        assert!(!wants(&picky, &unnumbered));
        assert!(wants(&listener(SubscriptionContent::default()), &unnumbered));
    }

    #[test]
    fn nobody_is_told_of_what_was_before_or_is_for_the_staff() {
        let old = entry(Some(1), "Role", "created");
        let late =
            Listener { since_id: Uuid::now_v7().to_string(), ..listener(SubscriptionContent::default()) };
        assert!(!wants(&late, &old));
        assert!(wants(&late, &entry(Some(1), "Role", "created")));
        let everything = listener(SubscriptionContent::default());
        assert!(!wants(&everything, &entry(Some(1), "User", "updated")));
        let log_in = entry(Some(1), "User", "logged_in");
        assert!(wants(&everything, &log_in));
        assert!(!wants(&everything, &ActivityEntry { was_impersonated: Some(true), ..log_in }));
    }

    #[test]
    fn an_entry_is_told_in_words_and_as_data() {
        let changes: Vec<Value> = (0..12)
            .map(|index| json!({ "field": format!("f{index}"), "before": null, "after": "x".repeat(200) }))
            .collect();
        let detail = json!({ "name": "Admins", "changes": changes });
        let entry = ActivityEntry { detail: Some(detail.to_string()), ..entry(Some(1), "Role", "updated") };
        let delivery = Told {
            organization: OrganizationId(Uuid::nil()),
            public_url: "https://logs.example.org",
            now_us: 0,
        };
        let entry = ActivityEntry { item_id: Some("7 & 8".to_owned()), ..entry };
        let told = notification(&delivery, ProjectId(3), &entry, &HashMap::new());
        let (_, link) = told.message.button.unwrap();
        assert_eq!(link, "https://logs.example.org/project/3/activity?scopes=Role&item_ids=7%20%26%208");
        assert_eq!(told.message.title, "the system: updated Role Admins");
        assert_eq!(told.message.lines.len(), 11);
        assert_eq!(told.message.lines[0], format!("f0: nothing → {}…", "x".repeat(120)));
        assert_eq!(told.message.lines[10], "and 2 more");
        assert_eq!((told.id, &told.data["detail"]), (entry.id, &detail));
        assert_eq!((&told.data["team_id"], &told.data["user"]), (&json!(1), &Value::Null));
    }
}
