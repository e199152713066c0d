//! Exports that are made in the background: what was asked for, and how far it is.

use engine::schema::ProjectId;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

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
    pub owner: ExportOwner,
    /// Of what.
    pub kind: ExportKind,
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

/// Whose rows an export has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportOwner {
    /// Those of a project.
    Project(ProjectId),
    /// Those of a whole organization, UUID text.
    Organization(String),
}

impl ExportOwner {
    /// What stands in the columns of the project and of the organization.
    fn columns(&self) -> (Option<i64>, Option<String>) {
        match self {
            Self::Project(project) => (Some(project.0), None),
            Self::Organization(id) => (None, Some(id.clone())),
        }
    }
}

impl From<ProjectId> for ExportOwner {
    fn from(project: ProjectId) -> Self {
        Self::Project(project)
    }
}

/// What an export has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// Log records.
    Logs,
    /// Entries of the audit trail: only who asked may have them.
    Activity,
}

impl ExportKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Activity => "activity",
        }
    }
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
    pub owner: ExportOwner,
    /// Of what.
    pub kind: ExportKind,
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
    "SELECT id, project_id, organization_id, kind, created_by, export_format, filename, request, state, error, error_status,
        attempts, created_at, expires_at FROM export_assets";

/// The condition that an export is of the project $1 or of the organization $2; 0 and empty stand for none.
const OF_OWNER: &str = "COALESCE(project_id, 0) = $1 AND COALESCE(organization_id, '') = $2";

/// Adds an export; its id. None when there are `max_assets` already.
///
/// # Errors
/// When the metadata database fails.
pub(crate) async fn create(
    connection: &mut AnyConnection,
    asset: &NewExportAsset,
    actor: &Actor,
    max_assets: i64,
) -> Result<Option<i64>, MetaError> {
    let (project, organization) = asset.owner.columns();
    let (count,): (i64,) = sqlx::query_as(
        "SELECT COUNT(*) FROM export_assets
         WHERE COALESCE(project_id, 0) = $1 AND COALESCE(organization_id, '') = $2",
    )
    .bind(project.unwrap_or(0))
    .bind(organization.clone().unwrap_or_default())
    .fetch_one(&mut *connection)
    .await?;
    if count >= max_assets {
        return Ok(None);
    }
    let id = counter::next(connection, "export_assets").await?;
    sqlx::query(
        "INSERT INTO export_assets
           (id, project_id, created_by, export_format, filename, request, state, attempts, created_at, expires_at,
            organization_id, kind)
         VALUES ($1, $2, $3, $4, $5, $6, 'pending', 0, $7, $8, $9, $10)",
    )
    .bind(id)
    .bind(project)
    .bind(actor.user_id)
    .bind(asset.export_format)
    .bind(asset.filename.clone())
    .bind(asset.request.clone())
    .bind(asset.created_us)
    .bind(asset.expires_us)
    .bind(organization.clone())
    .bind(asset.kind.as_str())
    .execute(&mut *connection)
    .await?;
    let entry = Entry::new(actor, SCOPE, "exported", id, &asset.filename, vec![]);
    match &asset.owner {
        ExportOwner::Project(project) => {
            outbox::push_for_project(connection, *project, &entry, asset.created_us).await?;
        }
        ExportOwner::Organization(id) => {
            outbox::push(connection, id, None, &entry, asset.created_us).await?;
        }
    }
    Ok(Some(id))
}

impl Meta {
    /// `create` in a transaction of its own.
    ///
    /// # Errors
    /// When the metadata database fails.
    pub async fn create_export_asset(
        &self,
        asset: &NewExportAsset,
        actor: &Actor,
        max_assets: i64,
    ) -> Result<Option<i64>, MetaError> {
        let mut transaction = self.begin_write().await?;
        let id = create(&mut transaction, asset, actor, max_assets).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// One export of a project or an organization.
    pub async fn export_asset(&self, owner: &ExportOwner, id: i64) -> Result<Option<ExportAsset>, MetaError> {
        let text = format!("{SELECT} WHERE {OF_OWNER} AND id = $3");
        let (project, organization) = owner.columns();
        let row = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(project.unwrap_or(0))
            .bind(organization.unwrap_or_default())
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(from_row).transpose()
    }

    /// The exports of a project or an organization that a user may see, newest first, and how many there are in all:
    /// the user's own, and with `with_others` those of logs that others have asked for.
    pub async fn export_assets(
        &self,
        owner: &ExportOwner,
        user_id: i64,
        with_others: bool,
        window: Window,
    ) -> Result<(Vec<ExportAsset>, i64), MetaError> {
        let (project, organization) = owner.columns();
        let (project, organization) = (project.unwrap_or(0), organization.unwrap_or_default());
        let condition = format!("WHERE {OF_OWNER} AND (created_by = $3 OR ($4 = 1 AND kind = 'logs'))");
        let text = format!("SELECT COUNT(*) FROM export_assets {condition}");
        let (count,): (i64,) = sqlx::query_as(sqlx::AssertSqlSafe(text))
            .bind(project)
            .bind(organization.clone())
            .bind(user_id)
            .bind(i64::from(with_others))
            .fetch_one(&self.pool)
            .await?;
        let text = format!("{SELECT} {condition} ORDER BY id DESC LIMIT $5 OFFSET $6");
        let rows = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(project)
            .bind(organization)
            .bind(user_id)
            .bind(i64::from(with_others))
            .bind(window.limit)
            .bind(window.offset)
            .fetch_all(&self.pool)
            .await?;
        Ok((rows.iter().map(from_row).collect::<Result<_, _>>()?, count))
    }

    /// The export that has waited longest, whose attempts are one more from now on.
    pub async fn begin_export(&self) -> Result<Option<ExportAsset>, MetaError> {
        let text = format!("{SELECT} WHERE state = 'pending' ORDER BY id LIMIT 1");
        let row = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_optional(&self.pool).await?;
        let Some(asset) = row.as_ref().map(from_row).transpose()? else { return Ok(None) };
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

fn from_row(row: &AnyRow) -> Result<ExportAsset, MetaError> {
    let owner = match (row.try_get::<Option<i64>, _>(1)?, row.try_get::<Option<String>, _>(2)?) {
        (Some(project), None) => ExportOwner::Project(ProjectId(project)),
        (None, Some(organization)) => ExportOwner::Organization(organization),
        _ => return Err(MetaError::Corrupt("an export of nobody".to_owned())),
    };
    let kind = match row.try_get::<String, _>(3)?.as_str() {
        "logs" => ExportKind::Logs,
        "activity" => ExportKind::Activity,
        other => return Err(MetaError::Corrupt(format!("an export of {other:?}"))),
    };
    let state = match row.try_get::<String, _>(8)?.as_str() {
        "pending" => ExportState::Pending,
        "ready" => ExportState::Ready,
        "failed" => ExportState::Failed {
            error: row.try_get::<Option<String>, _>(9)?.unwrap_or_default(),
            status: row.try_get::<Option<i64>, _>(10)?.unwrap_or(500),
        },
        other => return Err(MetaError::Corrupt(format!("an export in the state {other:?}"))),
    };
    Ok(ExportAsset {
        id: row.try_get(0)?,
        owner,
        kind,
        created_by: row.try_get(4)?,
        export_format: row.try_get(5)?,
        filename: row.try_get(6)?,
        request: row.try_get(7)?,
        state,
        attempts: row.try_get(11)?,
        created_us: row.try_get(12)?,
        expires_us: row.try_get(13)?,
    })
}
