//! How long projects keep their rows, in days; null is for ever.

use engine::retention::MAX_RETENTION_DAYS;
use engine::schema::ProjectId;

use super::{Meta, MetaError};

impl Meta {
    /// The projects that do not keep their rows for ever, and for how many days they do.
    pub async fn retention_of_projects(&self) -> Result<Vec<(ProjectId, u32)>, MetaError> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT id, retention_days FROM projects WHERE retention_days IS NOT NULL ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|(id, days)| Ok((ProjectId(id), valid_days(days)?))).collect()
    }

    /// For how many days a project keeps its rows; the outer `None` is for no such project, the inner for ever.
    pub async fn retention_of_project(&self, id: ProjectId) -> Result<Option<Option<u32>>, MetaError> {
        let row: Option<(Option<i64>,)> = sqlx::query_as("SELECT retention_days FROM projects WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|(days,)| days.map(valid_days).transpose()).transpose()
    }

    /// Sets for how many days a project keeps its rows. Whether there is such a project.
    pub async fn set_retention_of_project(
        &self,
        id: ProjectId,
        days: Option<u32>,
        now_us: i64,
    ) -> Result<bool, MetaError> {
        let updated = sqlx::query("UPDATE projects SET retention_days = $1, updated_at = $2 WHERE id = $3")
            .bind(days.map(i64::from))
            .bind(now_us)
            .bind(id.0)
            .execute(&self.pool)
            .await?;
        Ok(updated.rows_affected() > 0)
    }
}

pub(super) fn valid_days(days: i64) -> Result<u32, MetaError> {
    let days_in_bounds = u32::try_from(days).ok().filter(|days| (1..=MAX_RETENTION_DAYS).contains(days));
    days_in_bounds.ok_or_else(|| MetaError::Corrupt(format!("a retention of {days} days")))
}

#[cfg(test)]
mod tests {
    use super::super::bootstrap::{FIRST_PROJECT, bootstrap};
    use super::super::testing::on_every_backend;
    use super::*;

    #[tokio::test]
    async fn rows_are_kept_for_ever_until_a_number_of_days_is_set() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 7).await.unwrap();
            assert_eq!(meta.retention_of_project(FIRST_PROJECT).await.unwrap(), Some(None));
            assert_eq!(meta.retention_of_projects().await.unwrap(), []);
            assert!(meta.set_retention_of_project(FIRST_PROJECT, Some(30), 8).await.unwrap());
            assert_eq!(meta.retention_of_project(FIRST_PROJECT).await.unwrap(), Some(Some(30)));
            assert_eq!(meta.retention_of_projects().await.unwrap(), [(FIRST_PROJECT, 30)]);
            assert!(meta.set_retention_of_project(FIRST_PROJECT, None, 9).await.unwrap());
            assert_eq!(meta.retention_of_project(FIRST_PROJECT).await.unwrap(), Some(None));
        })
        .await;
    }

    #[tokio::test]
    async fn a_project_that_is_not_there_has_no_retention() {
        on_every_backend(|meta| async move {
            assert_eq!(meta.retention_of_project(ProjectId(9)).await.unwrap(), None);
            assert!(!meta.set_retention_of_project(ProjectId(9), Some(1), 0).await.unwrap());
        })
        .await;
    }

    #[tokio::test]
    async fn a_number_that_nobody_can_have_set_is_damage() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 7).await.unwrap();
            for days in ["0", "-1", "36501"] {
                sqlx::raw_sql(sqlx::AssertSqlSafe(format!("UPDATE projects SET retention_days = {days}")))
                    .execute(&meta.pool)
                    .await
                    .unwrap();
                let error = meta.retention_of_projects().await.unwrap_err().to_string();
                assert!(error.contains(&format!("a retention of {days} days")), "{error}");
                assert!(meta.retention_of_project(FIRST_PROJECT).await.is_err());
            }
        })
        .await;
    }
}
