//! How rules are written: each change with its entry of the audit trail, in one transaction.

use engine::schema::ProjectId;
use serde_json::{Map, Value, json};
use sqlx::AnyConnection;
use uuid::Uuid;

use super::{MAX_RULES, Rule, RuleContent, RuleError, RuleKind, of_project};
use crate::activity::change::{Change, Scope};
use crate::activity::entry::{Actor, Entry};
use crate::meta::{Meta, MetaError, outbox};

impl Meta {
    /// `add` in a transaction of its own.
    ///
    /// # Errors
    /// As `add`.
    pub async fn add_rule(
        &self,
        project: ProjectId,
        kind: RuleKind,
        content: &RuleContent,
        actor: &Actor,
        now_us: i64,
    ) -> Result<String, RuleError> {
        let mut transaction = self.begin_write().await?;
        let id = add(&mut transaction, (project, kind), content, actor, now_us).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// `change` in a transaction of its own.
    ///
    /// # Errors
    /// As `change`.
    pub async fn change_rule(
        &self,
        project: ProjectId,
        kind: RuleKind,
        id: &str,
        content: &RuleContent,
        actor: &Actor,
        now_us: i64,
    ) -> Result<bool, RuleError> {
        let mut transaction = self.begin_write().await?;
        let changed = change(&mut transaction, (project, kind), id, content, actor, now_us).await?;
        transaction.commit().await?;
        Ok(changed)
    }

    /// `remove` in a transaction of its own.
    ///
    /// # Errors
    /// When the metadata database fails.
    pub async fn remove_rule(
        &self,
        project: ProjectId,
        kind: RuleKind,
        id: &str,
        actor: &Actor,
        now_us: i64,
    ) -> Result<bool, MetaError> {
        let mut transaction = self.begin_write().await?;
        let removed = remove(&mut transaction, (project, kind), id, actor, now_us).await?;
        transaction.commit().await?;
        Ok(removed)
    }

    /// `reorder` in a transaction of its own.
    ///
    /// # Errors
    /// As `reorder`.
    pub async fn reorder_rules(
        &self,
        project: ProjectId,
        kind: RuleKind,
        ids: &[String],
        actor: &Actor,
        now_us: i64,
    ) -> Result<(), RuleError> {
        let mut transaction = self.begin_write().await?;
        reorder(&mut transaction, (project, kind), ids, actor, now_us).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Adds a rule and gives back its id.
///
/// # Errors
/// [`RuleError`].
pub(crate) async fn add(
    connection: &mut AnyConnection,
    (project, kind): (ProjectId, RuleKind),
    content: &RuleContent,
    actor: &Actor,
    now_us: i64,
) -> Result<String, RuleError> {
    let rules = of_project(connection, project, kind).await?;
    if rules.len() >= MAX_RULES {
        return Err(RuleError::TooMany(MAX_RULES));
    }
    let last = rules.iter().map(|rule| rule.priority).max().unwrap_or(-1);
    let id = Uuid::now_v7().to_string();
    sqlx::query(
        "INSERT INTO logs_rules (id, project_id, kind, name, enabled, priority, metric_name, definition, version,
         created_by, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10, $10)",
    )
    .bind(id.clone())
    .bind(project.0)
    .bind(kind.as_str())
    .bind(content.name.clone())
    .bind(i64::from(content.enabled))
    .bind(content.priority.unwrap_or(last.saturating_add(1)))
    .bind(content.metric_name.clone())
    .bind(content.definition.clone())
    .bind(actor.user_id)
    .bind(now_us)
    .execute(&mut *connection)
    .await?;
    count_change(connection, project).await?;
    let entry = Entry::new(actor, scope(kind).name, "created", &id, &content.name, vec![]);
    outbox::push_for_project(connection, project, &entry, now_us).await?;
    Ok(id)
}

/// Changes a rule; without a priority it keeps its place. Whether there is one.
///
/// # Errors
/// [`RuleError`].
pub(crate) async fn change(
    connection: &mut AnyConnection,
    (project, kind): (ProjectId, RuleKind),
    id: &str,
    content: &RuleContent,
    actor: &Actor,
    now_us: i64,
) -> Result<bool, RuleError> {
    let Some(before) = find(connection, (project, kind), id).await? else { return Ok(false) };
    sqlx::query(
        "UPDATE logs_rules SET name = $1, enabled = $2, priority = COALESCE($3, priority), metric_name = $4,
         definition = $5, version = version + 1, updated_at = $6 WHERE project_id = $7 AND kind = $8 AND id = $9",
    )
    .bind(content.name.clone())
    .bind(i64::from(content.enabled))
    .bind(content.priority)
    .bind(content.metric_name.clone())
    .bind(content.definition.clone())
    .bind(now_us)
    .bind(project.0)
    .bind(kind.as_str())
    .bind(id.to_owned())
    .execute(&mut *connection)
    .await?;
    count_change(connection, project).await?;
    if let Some(after) = find(connection, (project, kind), id).await? {
        tell_update(connection, project, kind, actor, (&before, &after), now_us).await?;
    }
    Ok(true)
}

/// Removes a rule. Whether there was one.
///
/// # Errors
/// When the metadata database fails.
pub(crate) async fn remove(
    connection: &mut AnyConnection,
    (project, kind): (ProjectId, RuleKind),
    id: &str,
    actor: &Actor,
    now_us: i64,
) -> Result<bool, MetaError> {
    let Some(rule) = find(connection, (project, kind), id).await? else { return Ok(false) };
    sqlx::query("DELETE FROM logs_rules WHERE project_id = $1 AND kind = $2 AND id = $3")
        .bind(project.0)
        .bind(kind.as_str())
        .bind(id.to_owned())
        .execute(&mut *connection)
        .await?;
    count_change(connection, project).await?;
    let entry = Entry::new(actor, scope(kind).name, "deleted", id, &rule.name, vec![]);
    outbox::push_for_project(connection, project, &entry, now_us).await?;
    Ok(true)
}

/// Gives the rules of a kind a new order: `ids` names every one of them once.
///
/// # Errors
/// [`RuleError::OtherIds`].
pub(crate) async fn reorder(
    connection: &mut AnyConnection,
    (project, kind): (ProjectId, RuleKind),
    ids: &[String],
    actor: &Actor,
    now_us: i64,
) -> Result<(), RuleError> {
    let stored = of_project(connection, project, kind).await?;
    let mut given: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut known: Vec<&str> = stored.iter().map(|rule| rule.id.as_str()).collect();
    given.sort_unstable();
    known.sort_unstable();
    if given != known {
        return Err(RuleError::OtherIds);
    }
    for (priority, id) in (0_i64..).zip(ids) {
        let Some(before) = stored.iter().find(|rule| rule.id == *id && rule.priority != priority) else {
            continue;
        };
        sqlx::query(
            "UPDATE logs_rules SET priority = $1, version = version + 1, updated_at = $2 WHERE id = $3",
        )
        .bind(priority)
        .bind(now_us)
        .bind(id.clone())
        .execute(&mut *connection)
        .await?;
        let after = Rule { priority, ..before.clone() };
        tell_update(connection, project, kind, actor, (before, &after), now_us).await?;
    }
    count_change(connection, project).await?;
    Ok(())
}

/// The rule of a kind with an id.
pub(crate) async fn find(
    connection: &mut AnyConnection,
    (project, kind): (ProjectId, RuleKind),
    id: &str,
) -> Result<Option<Rule>, MetaError> {
    Ok(of_project(connection, project, kind).await?.into_iter().find(|rule| rule.id == id))
}

/// Running servers look for the number of the last change.
async fn count_change(connection: &mut AnyConnection, project: ProjectId) -> Result<(), MetaError> {
    sqlx::query("UPDATE projects SET rules_version = rules_version + 1 WHERE id = $1")
        .bind(project.0)
        .execute(connection)
        .await?;
    Ok(())
}

async fn tell_update(
    connection: &mut AnyConnection,
    project: ProjectId,
    kind: RuleKind,
    actor: &Actor,
    (before, after): (&Rule, &Rule),
    now_us: i64,
) -> Result<(), MetaError> {
    let changes: Vec<Change> = scope(kind).changes(&fields(before), &fields(after));
    let entry = Entry::new(actor, scope(kind).name, "updated", &after.id, &after.name, changes);
    outbox::push_for_project(connection, project, &entry, now_us).await
}

fn scope(kind: RuleKind) -> Scope {
    Scope::plain(match kind {
        RuleKind::Sampling => "LogsExclusionRule",
        RuleKind::Retention => "LogsRetentionRule",
        RuleKind::Metric => "LogsMetricRule",
    })
}

/// What people see of a rule, by name.
pub(crate) fn fields(rule: &Rule) -> Map<String, Value> {
    let definition: Value = serde_json::from_str(&rule.definition).unwrap_or_default();
    let mut fields = definition.as_object().cloned().unwrap_or_default();
    fields.insert("name".to_owned(), json!(rule.name));
    fields.insert("enabled".to_owned(), json!(rule.enabled));
    fields.insert("priority".to_owned(), json!(rule.priority));
    fields
}
