//! Who a user is at a provider that users sign on with.

use sqlx::AnyConnection;

use super::MetaError;

/// Notes that somebody at a provider is a user.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    issuer: &str,
    subject: &str,
    user_id: i64,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query("INSERT INTO user_identities (issuer, subject, user_id, created_at) VALUES ($1, $2, $3, $4)")
        .bind(issuer.to_owned())
        .bind(subject.to_owned())
        .bind(user_id)
        .bind(now_us)
        .execute(connection)
        .await?;
    Ok(())
}

/// The number of the user who somebody at a provider is.
pub(crate) async fn user_of(
    connection: &mut AnyConnection,
    issuer: &str,
    subject: &str,
) -> Result<Option<i64>, MetaError> {
    let found: Option<(i64,)> =
        sqlx::query_as("SELECT user_id FROM user_identities WHERE issuer = $1 AND subject = $2")
            .bind(issuer.to_owned())
            .bind(subject.to_owned())
            .fetch_optional(connection)
            .await?;
    Ok(found.map(|(user_id,)| user_id))
}
