//! Reading a body that may be large, slow or endless, within bounds.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use futures::StreamExt;

use super::BUSY;
use super::budget::Reservation;
use crate::error::ApiError;

/// Bounds of one body.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimits {
    /// Most bytes.
    pub(super) max_bytes: usize,
    /// A body that takes longer is given up, so that a sender that stalls does not hold memory for ever.
    pub(super) max_time: Duration,
}

/// Reads a body within its limits, and reserves its bytes as they come.
///
/// # Errors
/// 413 beyond the limit, 503 when the budget is spent, 408 when it takes too long, 400 when it breaks off.
pub(super) async fn read(
    body: Body,
    headers: &HeaderMap,
    limits: BodyLimits,
    reservation: &mut Reservation,
) -> Result<Vec<u8>, ApiError> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limits.max_bytes as u64) {
        return Err(too_large(limits.max_bytes));
    }
    match tokio::time::timeout(limits.max_time, collect(body, limits.max_bytes, reservation)).await {
        Ok(read) => read,
        Err(_) => Err(ApiError::request_timeout()),
    }
}

async fn collect(body: Body, limit_bytes: usize, reservation: &mut Reservation) -> Result<Vec<u8>, ApiError> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| ApiError::bad_request("the request body broke off"))?;
        if chunk.len() > limit_bytes - bytes.len() {
            return Err(too_large(limit_bytes));
        }
        reservation.grow(chunk.len()).map_err(|_| ApiError::unavailable(BUSY))?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn too_large(limit_bytes: usize) -> ApiError {
    ApiError::too_large(format!("the request body is larger than {limit_bytes} bytes"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use futures::stream;

    use super::super::budget::IngestBudget;
    use super::*;

    fn limits(max_bytes: usize) -> BodyLimits {
        BodyLimits { max_bytes, max_time: Duration::from_secs(600) }
    }

    async fn read_chunks(
        chunks: &[&'static str],
        limit_bytes: usize,
        budget_bytes: usize,
    ) -> Result<String, u16> {
        let chunks: Vec<Result<&'static str, std::io::Error>> =
            chunks.iter().map(|chunk| Ok(*chunk)).collect();
        let body = Body::from_stream(stream::iter(chunks));
        let mut reservation = IngestBudget::new(budget_bytes).reservation();
        let read = read(body, &HeaderMap::new(), limits(limit_bytes), &mut reservation).await;
        read.map(|bytes| String::from_utf8(bytes).unwrap()).map_err(|error| error.status().as_u16())
    }

    #[tokio::test]
    async fn a_body_within_its_bounds_is_read_whole() {
        assert_eq!(read_chunks(&["ab", "", "cd"], 4, 4).await, Ok("abcd".into()));
        assert_eq!(read_chunks(&[], 4, 4).await, Ok(String::new()));
    }

    #[tokio::test]
    async fn a_body_stops_at_the_limit_and_at_the_budget() {
        assert_eq!(read_chunks(&["ab", "cde"], 4, 100).await, Err(413));
        assert_eq!(read_chunks(&["ab", "cd"], 100, 3).await, Err(503));
    }

    #[tokio::test]
    async fn a_declared_length_beyond_the_limit_is_refused_unread() {
        let headers = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from_static("5"))]);
        let endless = Body::from_stream(stream::pending::<Result<&'static str, std::io::Error>>());
        let mut reservation = IngestBudget::new(100).reservation();
        assert_eq!(read(endless, &headers, limits(4), &mut reservation).await.unwrap_err().status(), 413);
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let endless = Body::from_stream(stream::pending::<Result<&'static str, std::io::Error>>());
        let mut reservation = IngestBudget::new(100).reservation();
        let limits = BodyLimits { max_time: Duration::ZERO, ..limits(4) };
        assert_eq!(
            read(endless, &HeaderMap::new(), limits, &mut reservation).await.unwrap_err().status(),
            408
        );
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_a_bad_request() {
        let broken = stream::iter([Ok("ab"), Err(std::io::Error::other("reset"))]);
        let mut reservation = IngestBudget::new(100).reservation();
        let read = read(Body::from_stream(broken), &HeaderMap::new(), limits(4), &mut reservation).await;
        assert_eq!(read.unwrap_err().status(), 400);
    }
}
