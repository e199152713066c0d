//! Requests to receivers: bounded in time, without redirects, and to addresses of users only where they may lead.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, Url};

use super::address::{Blocked, Guard, GuardedResolver};
use super::outcome::{Outcome, asked_wait};
use crate::config::DeliveryConfig;
use crate::secret::Secret;

/// Longest time of one request, with its answer.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// What receivers are told about who calls.
const USER_AGENT: &str = concat!("timberline/", env!("CARGO_PKG_VERSION"));
/// Most bytes of an answer that are read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What requests are made with.
pub(super) struct Http {
    /// For addresses that users give.
    guarded: Client,
    /// For addresses that the settings give.
    open: Client,
    guard: Arc<Guard>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("guard", &self.guard).finish_non_exhaustive()
    }
}

fn client() -> ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        .timeout(REQUEST_TIMEOUT)
        .redirect(Policy::none())
        // A connection that the other side has ended meanwhile would fail a try.
        .pool_max_idle_per_host(0)
}

impl Http {
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn new(config: &DeliveryConfig) -> reqwest::Result<Self> {
        let guard = Arc::new(Guard {
            allows_private: config.allow_private_targets,
            allowed: config.allowed_targets.clone(),
        });
        let resolver = Arc::new(GuardedResolver(Arc::clone(&guard)));
        // A proxy would resolve names itself, and nobody would look at where they lead.
        let guarded = client().no_proxy().dns_resolver(resolver).build()?;
        Ok(Self { guarded, open: client().build()?, guard })
    }

    /// A request to an address that a user has given.
    pub(super) fn post_to_user(&self, url: &Secret) -> Result<RequestBuilder, Outcome> {
        let parsed = Url::parse(url.reveal()).map_err(|_| Outcome::refused("the address is malformed"))?;
        self.guard.check_url(&parsed).map_err(|blocked| Outcome::refused(blocked.to_string()))?;
        Ok(self.guarded.post(parsed))
    }

    /// A request to an address of the settings.
    pub(super) fn post(&self, url: &str) -> RequestBuilder {
        self.open.post(url)
    }
}

/// Sends a request whose answer is its status.
pub(super) async fn send(request: RequestBuilder, now_us: i64) -> Outcome {
    match request.send().await {
        Ok(response) => of_head(&response, now_us),
        Err(error) => of_error(&error),
    }
}

/// Sends a request whose answer has a body that matters; the status must be one of success.
pub(super) async fn send_and_read(request: RequestBuilder, now_us: i64) -> Result<Vec<u8>, Outcome> {
    let mut response = request.send().await.map_err(|error| of_error(&error))?;
    match of_head(&response, now_us) {
        Outcome::Taken => {}
        failed => return Err(failed),
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| of_error(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(Outcome::refused("the receiver's answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn of_head(response: &Response, now_us: i64) -> Outcome {
    Outcome::of_status(response.status().as_u16(), asked_wait(response.headers(), now_us))
}

/// The error itself has the address in it, and goes nowhere.
fn of_error(error: &reqwest::Error) -> Outcome {
    if let Some(blocked) = blocked(error) {
        return Outcome::refused(blocked.to_string());
    }
    if error.is_timeout() {
        return Outcome::later(format!("no answer within {} seconds", REQUEST_TIMEOUT.as_secs()));
    }
    if error.is_builder() {
        return Outcome::refused("the address is malformed");
    }
    Outcome::later(if error.is_connect() { "no connection" } else { "the connection broke" })
}

fn blocked<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Blocked> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(blocked) = error.downcast_ref() {
            return Some(blocked);
        }
        cause = error.source();
    }
    None
}
