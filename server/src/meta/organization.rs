//! Organizations: who owns projects.

use engine::schema::ProjectId;
use serde_json::{Map, Value, json};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::{Meta, MetaError};

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// UUID text.
    pub id: String,
    /// What its members may set.
    pub settings: OrganizationSettings,
    /// Unique in the installation, made from its first name.
    pub slug: String,
    /// False when its members have no access any more.
    pub is_active: bool,
    /// Why not.
    pub is_not_active_reason: Option<String>,
    /// Whether it is being deleted.
    pub is_pending_deletion: bool,
    /// When it was made, microseconds.
    pub created_us: i64,
    /// When it was changed last, microseconds.
    pub updated_us: i64,
}

/// What the administrators of an organization may set. `None` is for what nobody has decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationSettings {
    /// Its name.
    pub name: String,
    /// Whether members need a second factor.
    pub enforce_2fa: Option<bool>,
    /// Whether members below administrators may invite.
    pub members_can_invite: Option<bool>,
    /// Whether members below administrators may make projects.
    pub members_can_create_projects: Option<bool>,
    /// Whether keys of members below administrators are valid.
    pub members_can_use_personal_api_keys: bool,
    /// Whether anything may be shared with the public.
    pub allow_publicly_shared_resources: bool,
    /// Whether rows may be sent to a language model.
    pub is_ai_data_processing_approved: Option<bool>,
    /// Whether rows may be used to train models.
    pub is_ai_training_opted_in: Option<bool>,
    /// A setting of the reference API, kept and returned.
    pub default_experiment_stats_method: Option<String>,
    /// A setting of the reference API, kept and returned.
    pub default_anonymize_ips: bool,
    /// The role of new members.
    pub default_role_id: Option<String>,
}

impl OrganizationSettings {
    /// The defaults.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            enforce_2fa: None,
            members_can_invite: Some(true),
            members_can_create_projects: None,
            members_can_use_personal_api_keys: true,
            allow_publicly_shared_resources: true,
            is_ai_data_processing_approved: None,
            is_ai_training_opted_in: None,
            default_experiment_stats_method: Some("bayesian".to_owned()),
            default_anonymize_ips: false,
            default_role_id: None,
        }
    }

    /// The settings by name, as the audit trail compares them.
    pub fn fields(&self) -> Map<String, Value> {
        let fields = json!({
            "name": self.name,
            "enforce_2fa": self.enforce_2fa,
            "members_can_invite": self.members_can_invite,
            "members_can_create_projects": self.members_can_create_projects,
            "members_can_use_personal_api_keys": self.members_can_use_personal_api_keys,
            "allow_publicly_shared_resources": self.allow_publicly_shared_resources,
            "is_ai_data_processing_approved": self.is_ai_data_processing_approved,
            "is_ai_training_opted_in": self.is_ai_training_opted_in,
            "default_experiment_stats_method": self.default_experiment_stats_method,
            "default_anonymize_ips": self.default_anonymize_ips,
            "default_role_id": self.default_role_id,
        });
        fields.as_object().cloned().unwrap_or_default()
    }
}

const COLUMNS: &str =
    "o.id, o.slug, o.name, o.enforce_2fa, o.members_can_invite, o.members_can_create_projects,
    o.members_can_use_personal_api_keys, o.allow_publicly_shared_resources, o.is_ai_data_processing_approved,
    o.is_ai_training_opted_in, o.default_experiment_stats_method, o.default_anonymize_ips, o.default_role_id,
    o.is_active, o.is_not_active_reason, o.is_pending_deletion, o.created_at, o.updated_at";

fn from_row(row: &AnyRow) -> Result<Organization, MetaError> {
    let truth = |column: &str| Ok::<_, MetaError>(row.try_get::<i64, _>(column)? != 0);
    let maybe =
        |column: &str| Ok::<_, MetaError>(row.try_get::<Option<i64>, _>(column)?.map(|value| value != 0));
    Ok(Organization {
        id: row.try_get("id")?,
        slug: row.try_get("slug")?,
        settings: OrganizationSettings {
            name: row.try_get("name")?,
            enforce_2fa: maybe("enforce_2fa")?,
            members_can_invite: maybe("members_can_invite")?,
            members_can_create_projects: maybe("members_can_create_projects")?,
            members_can_use_personal_api_keys: truth("members_can_use_personal_api_keys")?,
            allow_publicly_shared_resources: truth("allow_publicly_shared_resources")?,
            is_ai_data_processing_approved: maybe("is_ai_data_processing_approved")?,
            is_ai_training_opted_in: maybe("is_ai_training_opted_in")?,
            default_experiment_stats_method: row.try_get("default_experiment_stats_method")?,
            default_anonymize_ips: truth("default_anonymize_ips")?,
            default_role_id: row.try_get("default_role_id")?,
        },
        is_active: truth("is_active")?,
        is_not_active_reason: row.try_get("is_not_active_reason")?,
        is_pending_deletion: truth("is_pending_deletion")?,
        created_us: row.try_get("created_at")?,
        updated_us: row.try_get("updated_at")?,
    })
}

/// Adds an active organization, whose slug must be free.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    id: &str,
    slug: &str,
    settings: &OrganizationSettings,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query(
        "INSERT INTO organizations
           (id, slug, name, members_can_use_personal_api_keys, allow_publicly_shared_resources, default_anonymize_ips,
            is_active, is_pending_deletion, created_at, updated_at)
         VALUES ($1, $2, $3, 1, 1, 0, 1, 0, $4, $4)",
    )
    .bind(id.to_owned())
    .bind(slug.to_owned())
    .bind(settings.name.clone())
    .bind(now_us)
    .execute(&mut *connection)
    .await?;
    update(connection, id, settings, now_us).await
}

/// Sets what may be set.
pub(crate) async fn update(
    connection: &mut AnyConnection,
    id: &str,
    settings: &OrganizationSettings,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query(
        "UPDATE organizations SET name = $1, enforce_2fa = $2, members_can_invite = $3,
           members_can_create_projects = $4, members_can_use_personal_api_keys = $5,
           allow_publicly_shared_resources = $6, is_ai_data_processing_approved = $7, is_ai_training_opted_in = $8,
           default_experiment_stats_method = $9, default_anonymize_ips = $10, default_role_id = $11, updated_at = $12
         WHERE id = $13",
    )
    .bind(settings.name.clone())
    .bind(settings.enforce_2fa.map(i64::from))
    .bind(settings.members_can_invite.map(i64::from))
    .bind(settings.members_can_create_projects.map(i64::from))
    .bind(i64::from(settings.members_can_use_personal_api_keys))
    .bind(i64::from(settings.allow_publicly_shared_resources))
    .bind(settings.is_ai_data_processing_approved.map(i64::from))
    .bind(settings.is_ai_training_opted_in.map(i64::from))
    .bind(settings.default_experiment_stats_method.clone())
    .bind(i64::from(settings.default_anonymize_ips))
    .bind(settings.default_role_id.clone())
    .bind(now_us)
    .bind(id.to_owned())
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that an organization is being deleted: nobody has access to it any more.
pub(crate) async fn begin_deletion(
    connection: &mut AnyConnection,
    id: &str,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query("UPDATE organizations SET is_pending_deletion = 1, updated_at = $1 WHERE id = $2")
        .bind(now_us)
        .bind(id.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

/// An organization.
pub(crate) async fn get(connection: &mut AnyConnection, id: &str) -> Result<Option<Organization>, MetaError> {
    let sql = format!("SELECT {COLUMNS} FROM organizations o WHERE o.id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.to_owned()).fetch_optional(connection).await?;
    row.as_ref().map(from_row).transpose()
}

/// Whether a slug is taken.
pub(crate) async fn has_slug(connection: &mut AnyConnection, slug: &str) -> Result<bool, MetaError> {
    let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM organizations WHERE slug = $1")
        .bind(slug.to_owned())
        .fetch_one(connection)
        .await?;
    Ok(count > 0)
}

/// How many organizations there are.
pub(super) async fn count(connection: &mut AnyConnection) -> Result<i64, MetaError> {
    let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM organizations").fetch_one(connection).await?;
    Ok(count)
}

impl Meta {
    /// The organization with an id.
    pub async fn organization(&self, id: &str) -> Result<Option<Organization>, MetaError> {
        get(&mut *self.pool.acquire().await?, id).await
    }

    /// The organizations that a user is a member of, oldest first.
    pub async fn organizations_of_user(&self, user_id: i64) -> Result<Vec<Organization>, MetaError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM organizations o JOIN memberships m ON m.organization_id = o.id
             WHERE m.user_id = $1 ORDER BY o.created_at, o.id"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(user_id).fetch_all(&self.pool).await?;
        rows.iter().map(from_row).collect()
    }

    /// Whether the organization of a project lets models see its data; it does until it has decided otherwise.
    pub async fn ai_is_approved(&self, project: ProjectId) -> Result<bool, MetaError> {
        let row: Option<(Option<i64>,)> = sqlx::query_as(
            "SELECT o.is_ai_data_processing_approved
             FROM projects p JOIN organizations o ON o.id = p.organization_id WHERE p.id = $1",
        )
        .bind(project.0)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.is_some_and(|(approved,)| approved != Some(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::on_every_backend;
    use super::*;

    #[tokio::test]
    async fn settings_are_kept() {
        on_every_backend(|meta| async move {
            let mut transaction = meta.begin_write().await.unwrap();
            let settings = OrganizationSettings::named("Acme");
            insert(&mut transaction, "a", "acme", &settings, 5).await.unwrap();
            assert!(has_slug(&mut transaction, "acme").await.unwrap());
            assert!(!has_slug(&mut transaction, "acm").await.unwrap());
            transaction.commit().await.unwrap();
            let stored = meta.organization("a").await.unwrap().unwrap();
            assert_eq!((&stored.settings, stored.is_active, stored.created_us), (&settings, true, 5));

            let changed = OrganizationSettings {
                name: "Acme & Söhne".into(),
                enforce_2fa: Some(false),
                members_can_invite: None,
                members_can_create_projects: Some(true),
                members_can_use_personal_api_keys: false,
                allow_publicly_shared_resources: false,
                is_ai_data_processing_approved: Some(false),
                is_ai_training_opted_in: Some(true),
                default_experiment_stats_method: None,
                default_anonymize_ips: true,
                default_role_id: Some("r".into()),
            };
            let mut transaction = meta.begin_write().await.unwrap();
            update(&mut transaction, "a", &changed, 6).await.unwrap();
            begin_deletion(&mut transaction, "a", 7).await.unwrap();
            transaction.commit().await.unwrap();
            let stored = meta.organization("a").await.unwrap().unwrap();
            assert_eq!((stored.settings, stored.is_pending_deletion, stored.updated_us), (changed, true, 7));
            assert_eq!(meta.organization("b").await.unwrap(), None);
        })
        .await;
    }
}
