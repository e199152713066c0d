//! Deletions: what goes with a project or an organization, and what is still to be removed outside of this database.

use engine::schema::ProjectId;
use sqlx::AnyConnection;
use uuid::Uuid;

use super::{Meta, MetaError};

/// Tables with what belongs to one project, those first that others refer to last. [`tests`] tells of one that is
/// missing.
const OF_PROJECT: [&str; 15] = [
    "change_request_votes",
    "change_requests",
    "approval_policies",
    "notifications",
    "destinations",
    "activity_subscriptions",
    "access_controls",
    "integrations",
    "project_tokens",
    "log_views",
    "export_assets",
    "logs_rules",
    "log_alert_events",
    "log_alert_services",
    "log_alerts",
];

/// Something whose data are still to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// UUID text.
    pub id: String,
    /// Whose.
    pub organization_id: String,
    /// A project that is gone; without one the whole organization goes.
    pub project: Option<ProjectId>,
    /// Since when, microseconds.
    pub requested_us: i64,
}

/// Notes that data are to be removed.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    organization_id: &str,
    project: Option<ProjectId>,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query(
        "INSERT INTO deletions (id, organization_id, deleted_project_id, requested_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(organization_id.to_owned())
    .bind(project.map(|project| project.0))
    .bind(now_us)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes a project with everything that belongs to it, and notes that its data are to be removed.
pub(crate) async fn remove_project(
    connection: &mut AnyConnection,
    organization_id: &str,
    project: ProjectId,
    now_us: i64,
) -> Result<(), MetaError> {
    for table in OF_PROJECT {
        let sql = sqlx::AssertSqlSafe(format!("DELETE FROM {table} WHERE project_id = $1"));
        sqlx::query(sql).bind(project.0).execute(&mut *connection).await?;
    }
    for sql in [
        "UPDATE users SET current_project_id = NULL WHERE current_project_id = $1",
        "DELETE FROM projects WHERE id = $1",
    ] {
        sqlx::query(sql).bind(project.0).execute(&mut *connection).await?;
    }
    insert(connection, organization_id, Some(project), now_us).await
}

/// Removes an organization that has no projects any more. Its users stay: they may be in others.
pub(crate) async fn remove_organization(connection: &mut AnyConnection, id: &str) -> Result<(), MetaError> {
    for sql in [
        "DELETE FROM role_memberships WHERE role_id IN (SELECT id FROM roles WHERE organization_id = $1)",
        "DELETE FROM roles WHERE organization_id = $1",
        "DELETE FROM change_request_votes WHERE organization_id = $1",
        "DELETE FROM change_requests WHERE organization_id = $1",
        "DELETE FROM approval_policies WHERE organization_id = $1",
        "DELETE FROM invites WHERE organization_id = $1",
        "DELETE FROM export_assets WHERE organization_id = $1",
        "DELETE FROM memberships WHERE organization_id = $1",
        "UPDATE users SET current_organization_id = NULL WHERE current_organization_id = $1",
        "DELETE FROM organizations WHERE id = $1",
    ] {
        sqlx::query(sql).bind(id.to_owned()).execute(&mut *connection).await?;
    }
    Ok(())
}

impl Meta {
    /// What is still to be removed, projects before their organizations, oldest first.
    pub async fn deletions(&self) -> Result<Vec<Deletion>, MetaError> {
        let rows: Vec<(String, String, Option<i64>, i64)> = sqlx::query_as(
            "SELECT id, organization_id, deleted_project_id, requested_at FROM deletions
             ORDER BY CASE WHEN deleted_project_id IS NULL THEN 1 ELSE 0 END, requested_at, id",
        )
        .fetch_all(&self.pool)
        .await?;
        let deletion = |(id, organization_id, project, requested_us): (_, _, Option<i64>, _)| Deletion {
            id,
            organization_id,
            project: project.map(ProjectId),
            requested_us,
        };
        Ok(rows.into_iter().map(deletion).collect())
    }

    /// Forgets a deletion that is done.
    pub async fn forget_deletion(&self, id: &str) -> Result<(), MetaError> {
        sqlx::query("DELETE FROM deletions WHERE id = $1").bind(id.to_owned()).execute(&self.pool).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::FILE_NAME;

    /// What a table of an organization is called in [`remove_organization`], or why it is not there.
    const OF_ORGANIZATION: [&str; 11] = [
        "projects",
        "roles",
        "change_request_votes",
        "change_requests",
        "approval_policies",
        "invites",
        "memberships",
        "export_assets",
        "outbox",
        "deletions",
        // The trail outlives the organization, and so does what proves it.
        "activity_checkpoints",
    ];

    async fn tables_with(column: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::open(&folder.path().join(FILE_NAME)).await.unwrap();
        let tables: Vec<(String,)> = sqlx::query_as(
            "SELECT t.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
             WHERE t.type = 'table' AND c.name = $1 ORDER BY t.name",
        )
        .bind(column.to_owned())
        .fetch_all(&meta.pool)
        .await
        .unwrap();
        tables.into_iter().map(|(name,)| name).collect()
    }

    #[tokio::test]
    async fn every_table_goes_with_what_it_belongs_to() {
        for table in tables_with("project_id").await {
            // The trail is still to be told of the deletion itself.
            assert!(table == "outbox" || OF_PROJECT.contains(&table.as_str()), "{table} is left behind");
        }
        for table in tables_with("organization_id").await {
            assert!(OF_ORGANIZATION.contains(&table.as_str()), "{table} is left behind");
        }
    }
}
