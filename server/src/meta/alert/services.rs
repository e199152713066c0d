//! Where the services of alerts stand, when each has a state of its own.

use std::collections::{BTreeMap, HashMap};

use engine::schema::ProjectId;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::{placeholders, state};
use crate::alerts::machine::{AlertState, Standing};
use crate::meta::{Meta, MetaError};

/// Ids of one statement.
const MAX_IDS: usize = 500;

/// A service of an alert after a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceStanding {
    /// Its name.
    pub(crate) service: String,
    /// Where it stands; none when that is as new.
    pub(crate) standing: Option<Standing>,
}

impl Meta {
    /// The services of alerts that are not as new, by alert and name.
    pub(crate) async fn alert_services(
        &self,
        ids: &[String],
    ) -> Result<HashMap<String, BTreeMap<String, Standing>>, MetaError> {
        let mut services: HashMap<String, BTreeMap<String, Standing>> = HashMap::new();
        for part in ids.chunks(MAX_IDS) {
            let sql = format!(
                "SELECT alert_id, service_name, state, last_notified_at FROM log_alert_services
                 WHERE alert_id IN ({})",
                placeholders(1, part.len())
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for id in part {
                query = query.bind(id.clone());
            }
            for row in query.fetch_all(&self.pool).await? {
                let standing = Standing {
                    state: state(&row, "state")?,
                    last_notified_us: row.try_get("last_notified_at")?,
                    ..Standing::NEW
                };
                let of_alert = services.entry(row.try_get("alert_id")?).or_default();
                of_alert.insert(row.try_get("service_name")?, standing);
            }
        }
        Ok(services)
    }
}

/// Writes where services of an alert stand.
pub(super) async fn save(
    connection: &mut AnyConnection,
    (project, alert_id): (ProjectId, &str),
    services: &[ServiceStanding],
) -> Result<(), MetaError> {
    for ServiceStanding { service, standing } in services {
        let statement = match standing {
            Some(standing) => sqlx::query(
                "INSERT INTO log_alert_services (alert_id, project_id, service_name, state, last_notified_at)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (alert_id, service_name)
                 DO UPDATE SET state = excluded.state, last_notified_at = excluded.last_notified_at",
            )
            .bind(alert_id.to_owned())
            .bind(project.0)
            .bind(service.clone())
            .bind(standing.state.as_str())
            .bind(standing.last_notified_us),
            None => sqlx::query("DELETE FROM log_alert_services WHERE alert_id = $1 AND service_name = $2")
                .bind(alert_id.to_owned())
                .bind(service.clone()),
        };
        statement.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Has no service of an alert fire any more. When people were told of them stays, for the cooldown.
pub(super) async fn calm(connection: &mut AnyConnection, alert_id: &str) -> Result<(), MetaError> {
    sqlx::query("UPDATE log_alert_services SET state = $1 WHERE alert_id = $2")
        .bind(AlertState::NotFiring.as_str())
        .bind(alert_id.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets the services of an alert.
pub(super) async fn forget(connection: &mut AnyConnection, alert_id: &str) -> Result<(), MetaError> {
    sqlx::query("DELETE FROM log_alert_services WHERE alert_id = $1")
        .bind(alert_id.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}
