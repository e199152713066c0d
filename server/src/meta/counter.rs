//! Numbers that are given out once: a deleted project's number must not come back, since its rows bear it.

use sqlx::AnyConnection;

use super::MetaError;

/// The next number of a kind; the first is 1.
pub(super) async fn next(connection: &mut AnyConnection, kind: &str) -> Result<i64, MetaError> {
    let (value,): (i64,) = sqlx::query_as(
        "INSERT INTO counters (name, value) VALUES ($1, 1)
         ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value",
    )
    .bind(kind.to_owned())
    .fetch_one(connection)
    .await?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::super::testing::on_every_backend;
    use super::*;

    #[tokio::test]
    async fn a_number_is_given_out_once() {
        on_every_backend(|meta| async move {
            let mut transaction = meta.begin_write().await.unwrap();
            let mut numbers = Vec::new();
            for kind in ["projects", "projects", "users", "projects"] {
                numbers.push(next(&mut transaction, kind).await.unwrap());
            }
            assert_eq!(numbers, [1, 2, 1, 3]);
        })
        .await;
    }
}
