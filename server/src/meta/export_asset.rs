//! Exports that are made in the background: what was asked for, and how far it is.

use engine::schema::ProjectId;

use super::log_view::Window;
use super::{Meta, MetaError, counter, outbox};
use crate::activity::entry::{Actor, Entry};

/// Type of the resource in the audit trail.
const SCOPE: &str = "ExportedAsset";

/// An export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportAsset {
    /// Never used twice.
    pub id: i64,
    /// Whose rows.
    pub project: ProjectId,
    /// Who asked.
    pub created_by: Option<i64>,
    /// A media type.
    pub export_format: String,
    /// With its extension.
    pub filename: String,
    /// JSON text of the body that asked.
    pub request: String,
    /// How far it is.
    pub state: ExportState,
    /// How often making it was begun and not given up in order.
    pub attempts: i64,
    /// Microseconds; relative times of the request count from here.
    pub created_us: i64,
    /// When it is removed, microseconds.
    pub expires_us: i64,
}

/// How far an export is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportState {
    /// It is being made or waits for that.
    Pending,
    /// Its file is there.
    Ready,
    /// It will never be there.
    Failed {
        /// Why, for the caller.
        error: String,
        /// 400 when the request was wrong, 500 else.
        status: i64,
    },
}

/// An export to make.
#[derive(Clone, Debug)]
pub struct NewExportAsset {
    /// Whose rows.
    pub project: ProjectId,
    /// A media type.
    pub export_format: &'static str,
    /// With its extension.
    pub filename: String,
    /// JSON text of the body.
    pub request: String,
    /// Microseconds.
    pub created_us: i64,
    /// Microseconds.
    pub expires_us: i64,
}

const SELECT: &str =
    "SELECT id, project_id, created_by, export_format, filename, request, state, error, error_status,
        attempts, created_at, expires_at FROM export_assets";

type AssetRow =
    (i64, i64, Option<i64>, String, String, String, String, Option<String>, Option<i64>, i64, i64, i64);

impl Meta {
    /// Adds an export. None when the project has `max_assets` already.
    pub async fn create_export_asset(
        &self,
        asset: &NewExportAsset,
        actor: &Actor,
        max_assets: i64,
    ) -> Result<Option<i64>, MetaError> {
        let mut transaction = self.begin_write().await?;
        let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM export_assets WHERE project_id = $1")
            .bind(asset.project.0)
            .fetch_one(&mut *transaction)
            .await?;
        if count >= max_assets {
            return Ok(None);
        }
        let id = counter::next(&mut transaction, "export_assets").await?;
        sqlx::query(
            "INSERT INTO export_assets
               (id, project_id, created_by, export_format, filename, request, state, attempts, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, 'pending', 0, $7, $8)",
        )
        .bind(id)
        .bind(asset.project.0)
        .bind(actor.user_id)
        .bind(asset.export_format)
        .bind(asset.filename.clone())
        .bind(asset.request.clone())
        .bind(asset.created_us)
        .bind(asset.expires_us)
        .execute(&mut *transaction)
        .await?;
        let entry = Entry::new(actor, SCOPE, "exported", id, &asset.filename, vec![]);
        outbox::push_for_project(&mut transaction, asset.project, &entry, asset.created_us).await?;
        transaction.commit().await?;
        Ok(Some(id))
    }

    /// One export of a project.
    pub async fn export_asset(&self, project: ProjectId, id: i64) -> Result<Option<ExportAsset>, MetaError> {
        let text = format!("{SELECT} WHERE project_id = $1 AND id = $2");
        let row: Option<AssetRow> = sqlx::query_as(sqlx::AssertSqlSafe(text))
            .bind(project.0)
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        row.map(from_row).transpose()
    }

    /// The exports of a project, newest first, and how many there are in all; of one user when there is one.
    pub async fn export_assets(
        &self,
        project: ProjectId,
        created_by: Option<i64>,
        window: Window,
    ) -> Result<(Vec<ExportAsset>, i64), MetaError> {
        // A null user means everybody, and an id is never negative.
        let user = created_by.unwrap_or(-1);
        let condition = "WHERE project_id = $1 AND ($2 < 0 OR created_by = $2)";
        let text = format!("SELECT COUNT(*) FROM export_assets {condition}");
        let (count,): (i64,) = sqlx::query_as(sqlx::AssertSqlSafe(text))
            .bind(project.0)
            .bind(user)
            .fetch_one(&self.pool)
            .await?;
        let text = format!("{SELECT} {condition} ORDER BY id DESC LIMIT $3 OFFSET $4");
        let rows: Vec<AssetRow> = sqlx::query_as(sqlx::AssertSqlSafe(text))
            .bind(project.0)
            .bind(user)
            .bind(window.limit)
            .bind(window.offset)
            .fetch_all(&self.pool)
            .await?;
        Ok((rows.into_iter().map(from_row).collect::<Result<_, _>>()?, count))
    }

    /// The export that has waited longest, whose attempts are one more from now on.
    pub async fn begin_export(&self) -> Result<Option<ExportAsset>, MetaError> {
        let text = format!("{SELECT} WHERE state = 'pending' ORDER BY id LIMIT 1");
        let row: Option<AssetRow> =
            sqlx::query_as(sqlx::AssertSqlSafe(text)).fetch_optional(&self.pool).await?;
        let Some(asset) = row.map(from_row).transpose()? else { return Ok(None) };
        sqlx::query("UPDATE export_assets SET attempts = attempts + 1 WHERE id = $1")
            .bind(asset.id)
            .execute(&self.pool)
            .await?;
        Ok(Some(ExportAsset { attempts: asset.attempts + 1, ..asset }))
    }

    /// An attempt was given up in order and does not count.
    pub async fn give_back_export(&self, id: i64) -> Result<(), MetaError> {
        sqlx::query("UPDATE export_assets SET attempts = attempts - 1 WHERE id = $1")
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// An export has an end.
    pub async fn end_export(
        &self,
        id: i64,
        content_bytes: u64,
        state: &ExportState,
    ) -> Result<(), MetaError> {
        let (word, error, status) = match state {
            ExportState::Pending => ("pending", None, None),
            ExportState::Ready => ("ready", None, None),
            ExportState::Failed { error, status } => ("failed", Some(error.clone()), Some(*status)),
        };
        sqlx::query(
            "UPDATE export_assets SET state = $1, error = $2, error_status = $3, content_bytes = $4 WHERE id = $5",
        )
        .bind(word)
        .bind(error)
        .bind(status)
        .bind(i64::try_from(content_bytes).unwrap_or(i64::MAX))
        .bind(id)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Removes the exports whose time is over; their ids.
    pub async fn remove_expired_exports(&self, now_us: i64) -> Result<Vec<i64>, MetaError> {
        let ids: Vec<(i64,)> =
            sqlx::query_as("DELETE FROM export_assets WHERE expires_at <= $1 RETURNING id")
                .bind(now_us)
                .fetch_all(&self.pool)
                .await?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }

    /// Whether there is an export with an id.
    pub async fn has_export(&self, id: i64) -> Result<bool, MetaError> {
        let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM export_assets WHERE id = $1")
            .bind(id)
            .fetch_one(&self.pool)
            .await?;
        Ok(count > 0)
    }

    /// How many exports are asked for and not made yet.
    pub async fn num_pending_exports(&self) -> Result<i64, MetaError> {
        let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM export_assets WHERE state = 'pending'")
            .fetch_one(&self.pool)
            .await?;
        Ok(count)
    }

    /// The exports whose files are there.
    pub async fn ready_exports(&self) -> Result<Vec<i64>, MetaError> {
        let ids: Vec<(i64,)> = sqlx::query_as("SELECT id FROM export_assets WHERE state = 'ready'")
            .fetch_all(&self.pool)
            .await?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }
}

fn from_row(row: AssetRow) -> Result<ExportAsset, MetaError> {
    let (
        id,
        project,
        created_by,
        export_format,
        filename,
        request,
        state,
        error,
        status,
        attempts,
        created,
        expires,
    ) = row;
    let state = match state.as_str() {
        "pending" => ExportState::Pending,
        "ready" => ExportState::Ready,
        "failed" => ExportState::Failed { error: error.unwrap_or_default(), status: status.unwrap_or(500) },
        other => return Err(MetaError::Corrupt(format!("an export in the state {other:?}"))),
    };
    Ok(ExportAsset {
        id,
        project: ProjectId(project),
        created_by,
        export_format,
        filename,
        request,
        state,
        attempts,
        created_us: created,
        expires_us: expires,
    })
}
