//! Change requests in the database.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use uuid::Uuid;

use super::request::{ChangeRequest, NewChangeRequest, Outcome, RequestFilter, RequestState, Validation};
use super::{AT_PLACE, Place, from_json, to_json};
use crate::meta::log_view::Window;
use crate::meta::{Meta, MetaError};

const COLUMNS: &str = "id, organization_id, project_id, action_key, action_version, resource_type, resource_id,
    natural_key, intent, intent_display, policy_snapshot, validation_status, validation_errors, validated_at, state,
    created_by, applied_by, created_at, updated_at, expires_at, applied_at, apply_error, result_data";

/// A statement that reads requests; `condition` is a text of ours.
fn select(condition: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("SELECT {COLUMNS} FROM change_requests WHERE {condition}"))
}

fn from_row(row: &AnyRow) -> Result<ChangeRequest, MetaError> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let maybe = |column: &str| row.try_get::<Option<String>, _>(column);
    let state = text("state")?;
    let project: Option<i64> = row.try_get("project_id")?;
    Ok(ChangeRequest {
        id: text("id")?,
        place: Place {
            organization_id: text("organization_id")?,
            project: project.map(engine::schema::ProjectId),
        },
        action_key: text("action_key")?,
        action_version: row.try_get("action_version")?,
        resource_type: text("resource_type")?,
        resource_id: maybe("resource_id")?,
        natural_key: text("natural_key")?,
        intent: from_json(&text("intent")?, "an intent")?,
        intent_display: from_json(&text("intent_display")?, "an intent")?,
        snapshot: from_json(&text("policy_snapshot")?, "the policy of a request")?,
        validation: Validation::read(&text("validation_status")?, maybe("validation_errors")?.as_deref())?,
        validated_us: row.try_get("validated_at")?,
        state: RequestState::parse(&state)
            .ok_or_else(|| MetaError::Corrupt(format!("a request whose state is {state:?}")))?,
        created_by: row.try_get("created_by")?,
        applied_by: row.try_get("applied_by")?,
        created_us: row.try_get("created_at")?,
        updated_us: row.try_get("updated_at")?,
        expires_us: row.try_get("expires_at")?,
        applied_us: row.try_get("applied_at")?,
        apply_error: text("apply_error")?,
        result_data: maybe("result_data")?
            .map(|text| from_json(&text, "what a request has made"))
            .transpose()?,
    })
}

/// Stores a request, pending; its id.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    new: &NewChangeRequest,
    now_us: i64,
) -> Result<String, MetaError> {
    let id = Uuid::now_v7().to_string();
    sqlx::query(
        "INSERT INTO change_requests
           (id, organization_id, project_id, action_key, action_version, resource_type, resource_id, natural_key,
            intent, intent_display, policy_snapshot, validation_status, state, created_by, created_at, updated_at,
            expires_at, apply_error)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'valid', 'pending', $12, $13, $13, $14, '')",
    )
    .bind(id.clone())
    .bind(new.place.organization_id.clone())
    .bind(new.place.project.map(|project| project.0))
    .bind(new.action_key)
    .bind(new.action_version)
    .bind(new.resource_type)
    .bind(new.resource_id.clone())
    .bind(new.natural_key.clone())
    .bind(to_json(&new.intent))
    .bind(to_json(&new.intent_display))
    .bind(to_json(&new.snapshot))
    .bind(new.created_by)
    .bind(now_us)
    .bind(new.expires_us)
    .execute(connection)
    .await?;
    Ok(id)
}

/// The request with an id, wherever it belongs.
pub(crate) async fn get(
    connection: &mut AnyConnection,
    id: &str,
) -> Result<Option<ChangeRequest>, MetaError> {
    let row = sqlx::query(select("id = $1")).bind(id.to_owned()).fetch_optional(connection).await?;
    row.as_ref().map(from_row).transpose()
}

/// The open request that asks for the same as a new one would, if there is one.
pub(crate) async fn open_duplicate(
    connection: &mut AnyConnection,
    new: &NewChangeRequest,
) -> Result<Option<ChangeRequest>, MetaError> {
    let condition = format!(
        "{AT_PLACE} AND action_key = $3 AND resource_type = $4 AND COALESCE(resource_id, '') = $5
         AND natural_key = $6 AND state IN ('pending', 'approved') ORDER BY created_at LIMIT 1"
    );
    let row = sqlx::query(select(&condition))
        .bind(new.place.organization_id.clone())
        .bind(new.place.project_number())
        .bind(new.action_key)
        .bind(new.resource_type)
        .bind(new.resource_id.clone().unwrap_or_default())
        .bind(new.natural_key.clone())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// How many requests of a place are open.
pub(crate) async fn count_open(connection: &mut AnyConnection, place: &Place) -> Result<i64, MetaError> {
    let sql = AssertSqlSafe(format!(
        "SELECT COUNT(*) FROM change_requests WHERE {AT_PLACE} AND state IN ('pending', 'approved')"
    ));
    let (count,): (i64,) = sqlx::query_as(sql)
        .bind(place.organization_id.clone())
        .bind(place.project_number())
        .fetch_one(connection)
        .await?;
    Ok(count)
}

/// Notes what became of an open request. The caller has read in this transaction that it is open.
pub(crate) async fn set_outcome(
    connection: &mut AnyConnection,
    request: &ChangeRequest,
    outcome: &Outcome,
    now_us: i64,
) -> Result<(), MetaError> {
    let (result, error) = match outcome {
        Outcome::Applied { result_data } => (Some(to_json(result_data)), ""),
        Outcome::Failed { apply_error } => (None, apply_error.as_str()),
        Outcome::Approved | Outcome::Rejected | Outcome::Expired => (None, ""),
    };
    let is_applied = result.is_some();
    sqlx::query(
        "UPDATE change_requests SET state = $1, updated_at = $2, applied_at = $3, applied_by = $4, apply_error = $5,
           result_data = $6 WHERE id = $7",
    )
    .bind(outcome.state().as_str())
    .bind(now_us)
    .bind(is_applied.then_some(now_us))
    .bind(is_applied.then_some(request.created_by))
    .bind(error.to_owned())
    .bind(result)
    .bind(request.id.clone())
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes whether a request could be applied now.
pub(crate) async fn set_validation(
    connection: &mut AnyConnection,
    id: &str,
    validation: &Validation,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query(
        "UPDATE change_requests SET validation_status = $1, validation_errors = $2, validated_at = $3, updated_at = $3
         WHERE id = $4",
    )
    .bind(validation.as_str())
    .bind(validation.errors().map(|errors| to_json(&errors)))
    .bind(now_us)
    .bind(id.to_owned())
    .execute(connection)
    .await?;
    Ok(())
}

impl Meta {
    /// The requests of a place that a filter lets through, newest first, and how many there are in all.
    pub async fn change_requests(
        &self,
        place: &Place,
        filter: &RequestFilter,
        window: Window,
    ) -> Result<(Vec<ChangeRequest>, i64), MetaError> {
        let states: Vec<String> = match &filter.states {
            None => vec!["1 = 1".to_owned()],
            Some(states) => states.iter().map(|state| format!("state = '{}'", state.as_str())).collect(),
        };
        let states = if states.is_empty() { "1 = 0".to_owned() } else { states.join(" OR ") };
        let condition = format!(
            "{AT_PLACE} AND ({states}) AND ($3 = '' OR action_key = $3) AND ($4 = -1 OR created_by = $4)
             AND ($5 = '' OR resource_type = $5) AND ($6 = '' OR resource_id = $6)"
        );
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM change_requests WHERE {condition}"));
        let (count,): (i64,) = sqlx::query_as(sql)
            .bind(place.organization_id.clone())
            .bind(place.project_number())
            .bind(text(&filter.action_key))
            .bind(filter.requester.unwrap_or(-1))
            .bind(text(&filter.resource_type))
            .bind(text(&filter.resource_id))
            .fetch_one(&self.pool)
            .await?;
        let rows =
            sqlx::query(select(&format!("{condition} ORDER BY created_at DESC, id DESC LIMIT $7 OFFSET $8")))
                .bind(place.organization_id.clone())
                .bind(place.project_number())
                .bind(text(&filter.action_key))
                .bind(filter.requester.unwrap_or(-1))
                .bind(text(&filter.resource_type))
                .bind(text(&filter.resource_id))
                .bind(window.limit)
                .bind(window.offset)
                .fetch_all(&self.pool)
                .await?;
        Ok((rows.iter().map(from_row).collect::<Result<_, _>>()?, count))
    }

    /// One request of a place.
    pub async fn change_request(&self, place: &Place, id: &str) -> Result<Option<ChangeRequest>, MetaError> {
        let found = get(&mut *self.pool.acquire().await?, id).await?;
        Ok(found.filter(|found| found.place == *place))
    }

    /// Ids of requests in a state, beyond an id in the order of ids, at most `limit`.
    pub(crate) async fn change_requests_in(
        &self,
        state: RequestState,
        after_id: &str,
        limit: i64,
    ) -> Result<Vec<String>, MetaError> {
        self.ids("state = $1 AND id > $2 AND created_at <= $4", state, after_id, limit, i64::MAX).await
    }

    /// Ids of open requests whose time is over, beyond an id.
    pub(crate) async fn overdue_change_requests(
        &self,
        after_id: &str,
        limit: i64,
        now_us: i64,
    ) -> Result<Vec<String>, MetaError> {
        let condition = "(state = $1 OR state = 'approved') AND id > $2 AND expires_at <= $4";
        self.ids(condition, RequestState::Pending, after_id, limit, now_us).await
    }

    /// Ids of pending requests that expire until a time and of which nobody was reminded, beyond an id.
    pub(crate) async fn change_requests_to_remind(
        &self,
        after_id: &str,
        limit: i64,
        until_us: i64,
    ) -> Result<Vec<String>, MetaError> {
        let condition = "state = $1 AND id > $2 AND expires_at <= $4 AND reminded_at IS NULL";
        self.ids(condition, RequestState::Pending, after_id, limit, until_us).await
    }

    async fn ids(
        &self,
        condition: &str,
        state: RequestState,
        after_id: &str,
        limit: i64,
        us: i64,
    ) -> Result<Vec<String>, MetaError> {
        let sql = format!("SELECT id FROM change_requests WHERE {condition} ORDER BY id LIMIT $3");
        let rows: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(state.as_str())
            .bind(after_id.to_owned())
            .bind(limit)
            .bind(us)
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }
}

/// Notes that approvers were reminded of a request.
pub(crate) async fn set_reminded(
    connection: &mut AnyConnection,
    id: &str,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query("UPDATE change_requests SET reminded_at = $1 WHERE id = $2")
        .bind(now_us)
        .bind(id.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}
