//! What the commands share that talk to a running server.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use super::CliError;
use crate::secret::Secret;

/// Where a server is, unless something else is said.
pub(super) const DEFAULT_URL: &str = "http://127.0.0.1:4318";
/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a request is repeated that the server cannot take at the moment.
const MAX_ATTEMPTS: u32 = 120;
/// The longest pause before it is repeated.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// A key or a token as an argument.
pub(super) fn secret(text: &str) -> Result<Secret, String> {
    match text.trim() {
        "" => Err("it is empty".to_owned()),
        text => Ok(Secret::new(text.to_owned())),
    }
}

/// A client without a limit on the time of an answer: the server has its own.
pub(super) fn client() -> Result<Client, CliError> {
    Client::builder().connect_timeout(CONNECT_TIMEOUT).build().map_err(|error| CliError::Remote(told(&error)))
}

/// An address below a server's.
pub(super) fn address(url: &str, path: &str) -> String {
    format!("{}{path}", url.trim_end_matches('/'))
}

/// Sends a request and gives the answer's JSON.
pub(super) async fn ask(request: RequestBuilder) -> Result<Value, CliError> {
    serde_json::from_slice(&send(request).await?).map_err(|_| malformed())
}

/// Sends a request and gives the answer. A request that the server has no room for is repeated.
pub(super) async fn send(request: RequestBuilder) -> Result<Bytes, CliError> {
    let response = accepted(request).await?;
    answer(response.status(), response).await
}

/// Sends a request and gives a successful answer before its body is there. A request that the server has no room for
/// is repeated.
pub(super) async fn stream(request: RequestBuilder) -> Result<Response, CliError> {
    let response = accepted(request).await?;
    match response.status() {
        status if status.is_success() => Ok(response),
        status => Err(answer(status, response).await.err().unwrap_or_else(malformed)),
    }
}

/// The next piece of an answer's body; none when it is whole.
pub(super) async fn next_piece(response: &mut Response) -> Result<Option<Bytes>, CliError> {
    response.chunk().await.map_err(|error| CliError::Remote(told(&error)))
}

async fn accepted(request: RequestBuilder) -> Result<Response, CliError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let again = request.try_clone();
        let response = request_of(again)?.send().await.map_err(|error| CliError::Remote(told(&error)))?;
        match response.status() {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS if attempts < MAX_ATTEMPTS => {
                tokio::time::sleep(pause(&response)).await;
            }
            _ => return Ok(response),
        }
    }
}

fn request_of(request: Option<RequestBuilder>) -> Result<RequestBuilder, CliError> {
    request.ok_or_else(|| CliError::Remote("the request cannot be repeated".to_owned()))
}

async fn answer(status: StatusCode, response: Response) -> Result<Bytes, CliError> {
    let bytes = response.bytes().await.map_err(|error| CliError::Remote(told(&error)))?;
    if status.is_success() {
        return Ok(bytes);
    }
    let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let detail = body["detail"].as_str().or_else(|| body["error"].as_str()).unwrap_or("no reason is given");
    Err(CliError::Remote(format!("the server answers {}: {detail}", status.as_u16())))
}

/// What answers is something else.
pub(super) fn malformed() -> CliError {
    CliError::Remote("the answer is not that of a Timberline server".to_owned())
}

fn pause(response: &Response) -> Duration {
    let secs = response.headers().get(RETRY_AFTER).and_then(|secs| secs.to_str().ok()?.parse().ok());
    Duration::from_secs(secs.unwrap_or(1)).min(MAX_PAUSE)
}

/// An error with its causes and without the address, whose query string could hold a secret.
fn told(error: &reqwest::Error) -> String {
    let mut text = if error.is_connect() { "cannot reach the server".to_owned() } else { error.to_string() };
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_secret_is_refused() {
        assert!(secret(" ").is_err());
        assert_eq!(secret(" phx_a\n").unwrap().reveal(), "phx_a");
    }

    #[test]
    fn an_address_has_one_slash_between_server_and_path() {
        assert_eq!(address("http://a/", "/v1/logs"), "http://a/v1/logs");
        assert_eq!(address("http://a/base", "/v1/logs"), "http://a/base/v1/logs");
    }
}
