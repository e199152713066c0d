//! Rules for a project's logs: which records are dropped, how long rows are kept, what is measured.
//!
//! What a rule says is a JSON text here; those who apply it know what it means. `change` is how rules are written,
//! with an entry of the audit trail for each change.

mod change;

use engine::schema::ProjectId;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::user::{self, BasicUser};
use super::{Meta, MetaError, is_unique_violation};

pub(crate) use change::{add, change, fields, find, remove, reorder};

/// What a rule is about.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
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
    #[serde(with = "json_text")]
    pub definition: String,
}

/// A JSON text as the JSON that it is.
mod json_text {
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub(super) fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<Value>(text).map_err(S::Error::custom)?.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.is_object() { Ok(value.to_string()) } else { Err(D::Error::custom("expected an object")) }
    }
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

/// The rules of a kind, in the order in which they are applied.
pub(crate) async fn of_project(
    connection: &mut AnyConnection,
    project: ProjectId,
    kind: RuleKind,
) -> Result<Vec<Rule>, MetaError> {
    let sql = format!(
        "SELECT {COLUMNS}, {} FROM logs_rules r LEFT JOIN users u ON u.id = r.created_by
             WHERE r.project_id = $1 AND r.kind = $2 ORDER BY r.priority, r.created_at, r.id",
        user::BASIC_COLUMNS
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(project.0)
        .bind(kind.as_str())
        .fetch_all(connection)
        .await?;
    rows.iter().map(read).collect()
}

impl Meta {
    /// The rules of a kind, in the order in which they are applied.
    pub async fn rules(&self, project: ProjectId, kind: RuleKind) -> Result<Vec<Rule>, MetaError> {
        of_project(&mut *self.pool.acquire().await?, project, kind).await
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
}

#[cfg(test)]
mod tests {
    use super::super::bootstrap::{FIRST_PROJECT, FIRST_USER, bootstrap};
    use super::super::testing::on_every_backend;
    use super::*;
    use crate::activity::entry::Actor;

    fn ann() -> Actor {
        Actor::user(FIRST_USER, None, None)
    }

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
                meta.add_rule(FIRST_PROJECT, kind, content, &ann(), 8).await.unwrap()
            };
            let a = add(&content("a", None)).await;
            let b = add(&content("b", None)).await;
            let c = add(&content("c", Some(0))).await;
            assert_eq!(names(&meta).await, ["a", "c", "b"]);
            let ids = [b.clone(), a.clone(), c.clone()];
            meta.reorder_rules(FIRST_PROJECT, kind, &ids, &ann(), 9).await.unwrap();
            assert_eq!(names(&meta).await, ["b", "a", "c"]);
            for other in
                [&ids[..2], &[b.clone(), b.clone(), c.clone()], &["x".to_owned(), a.clone(), c.clone()]]
            {
                let error = meta.reorder_rules(FIRST_PROJECT, kind, other, &ann(), 9).await.unwrap_err();
                assert!(matches!(error, RuleError::OtherIds));
            }
            assert!(
                meta.change_rule(FIRST_PROJECT, kind, &a, &content("d", None), &ann(), 10).await.unwrap()
            );
            assert!(
                !meta
                    .change_rule(FIRST_PROJECT, RuleKind::Metric, &a, &content("e", None), &ann(), 10)
                    .await
                    .unwrap()
            );
            assert_eq!(names(&meta).await, ["b", "d", "c"]);
            assert!(meta.remove_rule(FIRST_PROJECT, kind, &b, &ann(), 11).await.unwrap());
            assert!(!meta.remove_rule(FIRST_PROJECT, kind, &b, &ann(), 11).await.unwrap());
            let rules = meta.rules(FIRST_PROJECT, kind).await.unwrap();
            let created_by = rules[0].created_by.as_ref().map(|user| user.id);
            assert_eq!((rules[0].version, rules[0].updated_at_us, created_by), (3, 10, Some(FIRST_USER)));
            assert!(meta.rules_versions().await.unwrap()[0].version >= 6);
            let told = meta.waiting_entries(99).await.unwrap();
            let told: Vec<_> = told.iter().map(|told| told.entry.activity.as_str()).collect();
            let expected =
                ["created", "created", "created", "updated", "updated", "updated", "updated", "deleted"];
            assert_eq!(told, expected);
        })
        .await;
    }

    #[tokio::test]
    async fn metric_names_are_unique_and_rules_bounded() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 7).await.unwrap();
            let named = RuleContent { metric_name: Some("m".into()), ..content("a", None) };
            meta.add_rule(FIRST_PROJECT, RuleKind::Metric, &named, &ann(), 8).await.unwrap();
            let again = meta.add_rule(FIRST_PROJECT, RuleKind::Metric, &named, &ann(), 8).await.unwrap_err();
            assert!(matches!(again, RuleError::MetricNameTaken));
            for index in 0..MAX_RULES {
                let content = content(&index.to_string(), None);
                meta.add_rule(FIRST_PROJECT, RuleKind::Sampling, &content, &ann(), 8).await.unwrap();
            }
            let one_more = content("x", None);
            let error =
                meta.add_rule(FIRST_PROJECT, RuleKind::Sampling, &one_more, &ann(), 8).await.unwrap_err();
            assert!(matches!(error, RuleError::TooMany(_)));
        })
        .await;
    }
}
