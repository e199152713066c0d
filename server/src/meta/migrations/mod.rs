//! The numbered steps that bring a metadata database to the schema this version knows.
//!
//! A step that has shipped is never edited: the database remembers its checksum. A change is a new step.

use std::borrow::Cow;

use futures::future::BoxFuture;
use sqlx::SqlSafeStr;
use sqlx::error::BoxDynError;
use sqlx::migrate::{Migration, MigrationSource, MigrationType};

/// Number, description and text of each step.
const STEPS: &[(i64, &str, &str)] = &[(
    1,
    "organizations, users, projects and keys",
    include_str!("0001_organizations_users_projects_keys.sql"),
)];

/// The newest schema that this version knows.
pub(super) const NEWEST: i64 = STEPS[STEPS.len() - 1].0;

/// The steps as sqlx's migrator takes them; sqlx's own macro would need its macros feature.
#[derive(Debug)]
pub(super) struct Steps;

impl MigrationSource<'static> for Steps {
    fn resolve(self) -> BoxFuture<'static, Result<Vec<Migration>, BoxDynError>> {
        let migrations = STEPS.iter().map(|(version, description, sql)| {
            Migration::new(*version, Cow::Borrowed(description), MigrationType::Simple, sql.into_sql_str(), false)
        });
        Box::pin(std::future::ready(Ok(migrations.collect())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_without_gaps() {
        let numbers: Vec<i64> = STEPS.iter().map(|step| step.0).collect();
        assert_eq!(numbers, (1..=NEWEST).collect::<Vec<_>>());
    }

    #[test]
    fn steps_use_only_types_that_both_databases_share() {
        for (version, _, sql) in STEPS {
            for word in ["BOOLEAN", "TIMESTAMP", "JSONB", "SERIAL", "AUTOINCREMENT", "DATETIME", " UUID"] {
                assert!(!sql.to_uppercase().contains(word), "step {version} uses {word}");
            }
        }
    }
}
