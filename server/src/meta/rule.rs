//! Rules for a project's logs: which records are dropped, how long rows are kept, what is measured.
//!
//! What a rule says is a JSON text here; those who apply it know what it means.

use engine::schema::ProjectId;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use uuid::Uuid;

use super::user::{self, BasicUser};
use super::{Meta, MetaError, is_unique_violation};

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// Drops records.
    Sampling,
    /// Gives rows days of their own.
    Retention,
    /// Measures records.
    Metric,
}

impl RuleKind {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sampling => "sampling",
            Self::Retention => "retention",
            Self::Metric => "metric",
        }
    }
}

/// What somebody decided about a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleContent {
    /// What people call it.
    pub name: String,
    /// Whether it is applied.
    pub enabled: bool,
    /// Its place: rules with a lower number come first. `None` is after all others.
    pub priority: Option<i64>,
    /// The name of its metric, unique in the project.
    pub metric_name: Option<String>,
    /// The members that its kind has, a JSON object.
    pub definition: String,
}

/// A stored rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// UUID text.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Whether it is applied.
    pub enabled: bool,
    /// Its place.
    pub priority: i64,
    /// The members that its kind has, a JSON object.
    pub definition: String,
    /// 1, and one more with each change.
    pub version: i64,
    /// The user who made it.
    pub created_by: Option<BasicUser>,
    /// Microseconds since the epoch.
    pub created_at_us: i64,
    /// Microseconds since the epoch.
    pub updated_at_us: i64,
}

/// What is done with the records of a project, and the number of its last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectRulesVersion {
    /// The project.
    pub project: ProjectId,
    /// Grows with every change.
    pub version: i64,
    /// See [`super::project::ProjectSettings`].
    pub json_parse_logs: bool,
    /// See [`super::project::ProjectSettings`].
    pub pii_scrub_logs: bool,
}

/// Why a rule was not stored.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// Another rule has this name for its metric.
    #[error("another rule has this metric name")]
    MetricNameTaken,
    /// The project has as many rules of this kind as it may have.
    #[error("a project has at most {0} rules of a kind")]
    TooMany(usize),
    /// The list to reorder by is not that of the project's rules.
    #[error("ordered_ids must name every rule once")]
    OtherIds,
    /// The database.
    #[error(transparent)]
    Meta(#[from] MetaError),
}

impl From<sqlx::Error> for RuleError {
    fn from(error: sqlx::Error) -> Self {
        if is_unique_violation(&error) { Self::MetricNameTaken } else { Self::Meta(error.into()) }
    }
}

/// Most rules of a kind in a project: each is tested on every record.
pub const MAX_RULES: usize = 100;

const COLUMNS: &str =
    "r.id, r.name, r.enabled, r.priority, r.definition, r.version, r.created_at, r.updated_at";

fn read(row: &AnyRow) -> Result<Rule, MetaError> {
    Ok(Rule {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        enabled: row.try_get::<i64, _>(2)? != 0,
        priority: row.try_get(3)?,
        definition: row.try_get(4)?,
        version: row.try_get(5)?,
        created_by: user::basic_from_row(row)?,
        created_at_us: row.try_get(6)?,
        updated_at_us: row.try_get(7)?,
    })
}

async fn count_change(connection: &mut AnyConnection, project: ProjectId) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE projects SET rules_version = rules_version + 1 WHERE id = $1")
        .bind(project.0)
        .execute(connection)
        .await?;
    Ok(())
}

impl Meta {
    /// The rules of a kind, in the order in which they are applied.
    pub async fn rules(&self, project: ProjectId, kind: RuleKind) -> Result<Vec<Rule>, MetaError> {
        let sql = format!(
            "SELECT {COLUMNS}, {} FROM logs_rules r LEFT JOIN users u ON u.id = r.created_by
             WHERE r.project_id = $1 AND r.kind = $2 ORDER BY r.priority, r.created_at, r.id",
            user::BASIC_COLUMNS
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(project.0)
            .bind(kind.as_str())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }

    /// The projects whose settings or rules were ever changed.
    pub async fn rules_versions(&self) -> Result<Vec<ProjectRulesVersion>, MetaError> {
        let rows: Vec<(i64, i64, i64, i64)> = sqlx::query_as(
            "SELECT id, rules_version, json_parse_logs, pii_scrub_logs FROM projects WHERE rules_version > 0 ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await?;
        let read = |(id, version, parse, scrub)| ProjectRulesVersion {
            project: ProjectId(id),
            version,
            json_parse_logs: parse != 0,
            pii_scrub_logs: scrub != 0,
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Adds a rule and gives back its id.
    ///
    /// # Errors
    /// [`RuleError`]; then nothing was stored.
    pub async fn add_rule(
        &self,
        project: ProjectId,
        kind: RuleKind,
        content: &RuleContent,
        user: i64,
        now_us: i64,
    ) -> Result<String, RuleError> {
        let mut transaction = self.begin_write().await?;
        let (count, last): (i64, i64) = sqlx::query_as(
            "SELECT COUNT(*), COALESCE(MAX(priority), -1) FROM logs_rules WHERE project_id = $1 AND kind = $2",
        )
        .bind(project.0)
        .bind(kind.as_str())
        .fetch_one(&mut *transaction)
        .await?;
        if count >= MAX_RULES as i64 {
            return Err(RuleError::TooMany(MAX_RULES));
        }
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
        .bind(user)
        .bind(now_us)
        .execute(&mut *transaction)
        .await?;
        count_change(&mut transaction, project).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Changes a rule; without a priority it keeps its place. Whether there is one.
    ///
    /// # Errors
    /// [`RuleError`]; then nothing was stored.
    pub async fn change_rule(
        &self,
        project: ProjectId,
        kind: RuleKind,
        id: &str,
        content: &RuleContent,
        now_us: i64,
    ) -> Result<bool, RuleError> {
        let mut transaction = self.begin_write().await?;
        let changed = sqlx::query(
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
        .execute(&mut *transaction)
        .await?;
        count_change(&mut transaction, project).await?;
        transaction.commit().await?;
        Ok(changed.rows_affected() > 0)
    }

    /// Removes a rule. Whether there was one.
    pub async fn remove_rule(&self, project: ProjectId, kind: RuleKind, id: &str) -> Result<bool, MetaError> {
        let mut transaction = self.begin_write().await?;
        let removed = sqlx::query("DELETE FROM logs_rules WHERE project_id = $1 AND kind = $2 AND id = $3")
            .bind(project.0)
            .bind(kind.as_str())
            .bind(id.to_owned())
            .execute(&mut *transaction)
            .await?;
        count_change(&mut transaction, project).await?;
        transaction.commit().await?;
        Ok(removed.rows_affected() > 0)
    }

    /// Gives the rules of a kind a new order: `ids` names every one of them once.
    ///
    /// # Errors
    /// [`RuleError::OtherIds`]; then nothing was stored.
    pub async fn reorder_rules(
        &self,
        project: ProjectId,
        kind: RuleKind,
        ids: &[String],
        now_us: i64,
    ) -> Result<(), RuleError> {
        let mut transaction = self.begin_write().await?;
        let mut stored: Vec<(String,)> =
            sqlx::query_as("SELECT id FROM logs_rules WHERE project_id = $1 AND kind = $2")
                .bind(project.0)
                .bind(kind.as_str())
                .fetch_all(&mut *transaction)
                .await?;
        let mut sorted = ids.to_vec();
        sorted.sort();
        stored.sort();
        if !sorted.iter().eq(stored.iter().map(|(id,)| id)) {
            return Err(RuleError::OtherIds);
        }
        for (priority, id) in (0_i64..).zip(ids) {
            sqlx::query(
                "UPDATE logs_rules SET priority = $1, version = version + 1, updated_at = $2
                 WHERE id = $3 AND priority <> $1",
            )
            .bind(priority)
            .bind(now_us)
            .bind(id.clone())
            .execute(&mut *transaction)
            .await?;
        }
        count_change(&mut transaction, project).await?;
        transaction.commit().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::bootstrap::{FIRST_PROJECT, FIRST_USER, bootstrap};
    use super::super::testing::on_every_backend;
    use super::*;

    fn content(name: &str, priority: Option<i64>) -> RuleContent {
        RuleContent { name: name.into(), enabled: true, priority, metric_name: None, definition: "{}".into() }
    }

    async fn names(meta: &Meta) -> Vec<String> {
        let rules = meta.rules(FIRST_PROJECT, RuleKind::Sampling).await.unwrap();
        rules.into_iter().map(|rule| rule.name).collect()
    }

    #[tokio::test]
    async fn rules_have_an_order() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 7).await.unwrap();
            let kind = RuleKind::Sampling;
            let add = async |content: &RuleContent| {
                meta.add_rule(FIRST_PROJECT, kind, content, FIRST_USER, 8).await.unwrap()
            };
            let a = add(&content("a", None)).await;
            let b = add(&content("b", None)).await;
            let c = add(&content("c", Some(0))).await;
            assert_eq!(names(&meta).await, ["a", "c", "b"]);
            let ids = [b.clone(), a.clone(), c.clone()];
            meta.reorder_rules(FIRST_PROJECT, kind, &ids, 9).await.unwrap();
            assert_eq!(names(&meta).await, ["b", "a", "c"]);
            for other in
                [&ids[..2], &[b.clone(), b.clone(), c.clone()], &["x".to_owned(), a.clone(), c.clone()]]
            {
                let error = meta.reorder_rules(FIRST_PROJECT, kind, other, 9).await.unwrap_err();
                assert!(matches!(error, RuleError::OtherIds));
            }
            assert!(meta.change_rule(FIRST_PROJECT, kind, &a, &content("d", None), 10).await.unwrap());
            assert!(
                !meta
                    .change_rule(FIRST_PROJECT, RuleKind::Metric, &a, &content("e", None), 10)
                    .await
                    .unwrap()
            );
            assert_eq!(names(&meta).await, ["b", "d", "c"]);
            assert!(meta.remove_rule(FIRST_PROJECT, kind, &b).await.unwrap());
            assert!(!meta.remove_rule(FIRST_PROJECT, kind, &b).await.unwrap());
            let rules = meta.rules(FIRST_PROJECT, kind).await.unwrap();
            let created_by = rules[0].created_by.as_ref().map(|user| user.id);
            assert_eq!((rules[0].version, rules[0].updated_at_us, created_by), (3, 10, Some(FIRST_USER)));
            assert!(meta.rules_versions().await.unwrap()[0].version >= 6);
        })
        .await;
    }

    #[tokio::test]
    async fn metric_names_are_unique_and_rules_bounded() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 7).await.unwrap();
            let named = RuleContent { metric_name: Some("m".into()), ..content("a", None) };
            meta.add_rule(FIRST_PROJECT, RuleKind::Metric, &named, FIRST_USER, 8).await.unwrap();
            let again =
                meta.add_rule(FIRST_PROJECT, RuleKind::Metric, &named, FIRST_USER, 8).await.unwrap_err();
            assert!(matches!(again, RuleError::MetricNameTaken));
            for index in 0..MAX_RULES {
                let content = content(&index.to_string(), None);
                meta.add_rule(FIRST_PROJECT, RuleKind::Sampling, &content, FIRST_USER, 8).await.unwrap();
            }
            let one_more = content("x", None);
            let error =
                meta.add_rule(FIRST_PROJECT, RuleKind::Sampling, &one_more, FIRST_USER, 8).await.unwrap_err();
            assert!(matches!(error, RuleError::TooMany(_)));
        })
        .await;
    }
}
