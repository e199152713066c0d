//! Votes: what approvers said, each once.

use std::collections::HashMap;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use uuid::Uuid;

use super::ChangeRequest;
use crate::meta::{Meta, MetaError};

/// Requests that one statement looks for.
const MAX_REQUESTS_AT_ONCE: usize = 500;

/// What an approver says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Approved,
    /// No, which is final.
    Rejected,
}

impl Decision {
    /// The word of the API, and as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }

    fn parse(word: &str) -> Result<Self, MetaError> {
        match word {
            "approved" => Ok(Self::Approved),
            "rejected" => Ok(Self::Rejected),
            other => Err(MetaError::Corrupt(format!("a vote that is {other:?}"))),
        }
    }
}

/// A vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// UUID text.
    pub id: String,
    /// The request, UUID text.
    pub request_id: String,
    /// Who voted.
    pub user_id: i64,
    /// What.
    pub decision: Decision,
    /// Why; may be empty.
    pub reason: String,
    /// Microseconds.
    pub created_us: i64,
}

/// Stores a vote of somebody who has not voted yet.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    request: &ChangeRequest,
    user_id: i64,
    (decision, reason): (Decision, &str),
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query(
        "INSERT INTO change_request_votes
           (id, change_request_id, organization_id, project_id, user_id, decision, reason, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(request.id.clone())
    .bind(request.place.organization_id.clone())
    .bind(request.place.project.map(|project| project.0))
    .bind(user_id)
    .bind(decision.as_str())
    .bind(reason.to_owned())
    .bind(now_us)
    .execute(connection)
    .await?;
    Ok(())
}

const COLUMNS: &str = "id, change_request_id, user_id, decision, reason, created_at";

fn from_row(row: &AnyRow) -> Result<Vote, MetaError> {
    Ok(Vote {
        id: row.try_get("id")?,
        request_id: row.try_get("change_request_id")?,
        user_id: row.try_get("user_id")?,
        decision: Decision::parse(&row.try_get::<String, _>("decision")?)?,
        reason: row.try_get("reason")?,
        created_us: row.try_get("created_at")?,
    })
}

/// The votes on a request, oldest first.
pub(crate) async fn of_request(
    connection: &mut AnyConnection,
    request_id: &str,
) -> Result<Vec<Vote>, MetaError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM change_request_votes WHERE change_request_id = $1 ORDER BY created_at, id"
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(request_id.to_owned()).fetch_all(connection).await?;
    rows.iter().map(from_row).collect()
}

impl Meta {
    /// The votes on requests by the request's id, oldest first; requests without any are left out.
    pub async fn change_request_votes(
        &self,
        requests: &[ChangeRequest],
    ) -> Result<HashMap<String, Vec<Vote>>, MetaError> {
        let mut votes: HashMap<String, Vec<Vote>> = HashMap::new();
        for requests in requests.chunks(MAX_REQUESTS_AT_ONCE) {
            let places: Vec<String> = (1..=requests.len()).map(|place| format!("${place}")).collect();
            let sql = format!(
                "SELECT {COLUMNS} FROM change_request_votes WHERE change_request_id IN ({}) ORDER BY created_at, id",
                places.join(", ")
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for request in requests {
                query = query.bind(request.id.clone());
            }
            for row in query.fetch_all(&self.pool).await? {
                let vote = from_row(&row)?;
                votes.entry(vote.request_id.clone()).or_default().push(vote);
            }
        }
        Ok(votes)
    }
}
