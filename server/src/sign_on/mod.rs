//! Signing on with an OpenID Connect provider: authorization code flow with PKCE.
//!
//! What begins a sign-on is kept in a cookie of the browser that has begun it, so that no other browser can end it and
//! the server need not remember it. Where the provider answers and by which keys it signs is asked each time: sign-ons
//! are rare, and keys change.

mod token;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::config::SignOnConfig;
use crate::secret::Secret;
pub(crate) use token::Identity;
use token::{Expected, KeySet};

/// Longest time of one request to the provider.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer of the provider.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// Most sign-ons that ask the provider at a time.
const MAX_UNDER_WAY: usize = 16;

/// The provider that the settings name.
#[derive(Debug)]
pub(crate) struct Provider {
    config: SignOnConfig,
    client: reqwest::Client,
    under_way: Semaphore,
}

/// What a browser that signs on keeps until it comes back.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    /// Comes back with the code.
    pub(crate) state: Secret,
    /// Comes back in the identity token.
    pub(crate) nonce: Secret,
    /// Shows the provider that who asks for the token has begun the sign-on.
    pub(crate) verifier: Secret,
}

/// Why a sign-on failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignOnError {
    /// Too many others are under way.
    #[error("too many are signing on")]
    Busy,
    /// The provider cannot be asked.
    #[error("the provider does not answer")]
    Request(#[from] reqwest::Error),
    /// The provider's answer is not what it must be.
    #[error("the provider's answer is not valid: {0}")]
    Answer(&'static str),
    /// The provider does not take the code, or its token is not valid.
    #[error("{0}")]
    Refused(&'static str),
    /// The operating system gave no random bytes.
    #[error("cannot get random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

/// What a provider says of itself.
#[derive(Debug, Deserialize)]
struct Discovered {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Tokens {
    id_token: String,
}

impl Started {
    /// Makes what nobody can guess.
    pub(crate) fn new() -> Result<Self, SignOnError> {
        let secret = || Secret::generate("");
        Ok(Self { state: secret()?, nonce: secret()?, verifier: secret()? })
    }
}

impl Provider {
    /// The provider of the settings.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(config: &SignOnConfig) -> reqwest::Result<Self> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(Policy::none()).build()?;
        Ok(Self { config: config.clone(), client, under_way: Semaphore::new(MAX_UNDER_WAY) })
    }

    /// Where a browser goes to sign on; it comes back to `redirect_uri`.
    pub(crate) async fn address(&self, started: &Started, redirect_uri: &str) -> Result<Url, SignOnError> {
        let _under_way = self.under_way.try_acquire().map_err(|_| SignOnError::Busy)?;
        let address = self.discover().await?.authorization_endpoint;
        let mut address =
            Url::parse(&address).map_err(|_| SignOnError::Answer("it has no address to sign on at"))?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(started.verifier.reveal().as_bytes()));
        address
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("scope", "openid email profile")
            .append_pair("client_id", &self.config.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("state", started.state.reveal())
            .append_pair("nonce", started.nonce.reveal())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(address)
    }

    /// Who has signed on with a code.
    pub(crate) async fn identity(
        &self,
        started: &Started,
        code: &str,
        redirect_uri: &str,
        now_us: i64,
    ) -> Result<Identity, SignOnError> {
        let _under_way = self.under_way.try_acquire().map_err(|_| SignOnError::Busy)?;
        let provider = self.discover().await?;
        let tokens = self.exchange(&provider, started, code, redirect_uri).await?;
        let keys: KeySet = answer(self.client.get(provider.jwks_uri)).await?;
        let expected = Expected {
            issuer: &self.config.issuer,
            client_id: &self.config.client_id,
            nonce: started.nonce.reveal(),
            now_secs: now_us.div_euclid(1_000_000),
        };
        token::verify(&tokens.id_token, &keys, &expected).map_err(SignOnError::Refused)
    }

    async fn discover(&self) -> Result<Discovered, SignOnError> {
        let issuer = &self.config.issuer;
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let discovered: Discovered = answer(self.client.get(address)).await?;
        // Else one provider could speak for another.
        if discovered.issuer != *issuer {
            return Err(SignOnError::Answer("it is another issuer"));
        }
        Ok(discovered)
    }

    async fn exchange(
        &self,
        provider: &Discovered,
        started: &Started,
        code: &str,
        redirect_uri: &str,
    ) -> Result<Tokens, SignOnError> {
        let SignOnConfig { client_id, client_secret, .. } = &self.config;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", started.verifier.reveal()),
        ];
        let methods = provider.token_endpoint_auth_methods_supported.as_deref();
        let takes_basic =
            methods.is_none_or(|methods| methods.iter().any(|way| way == "client_secret_basic"));
        let request = self.client.post(&provider.token_endpoint);
        let request = match client_secret {
            Some(secret) if takes_basic => {
                request.basic_auth(encoded(client_id), Some(encoded(secret.reveal())))
            }
            Some(secret) => {
                form.extend([("client_id", client_id.as_str()), ("client_secret", secret.reveal())]);
                request
            }
            None => {
                form.push(("client_id", client_id));
                request
            }
        };
        answer(request.form(&form)).await
    }
}

/// A JSON answer, bounded.
async fn answer<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, SignOnError> {
    let mut response = request.header("accept", "application/json").send().await?;
    match response.status().as_u16() {
        200 => {}
        400..=499 => return Err(SignOnError::Refused("the provider has refused")),
        _ => return Err(SignOnError::Answer("its status is no success")),
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER_BYTES {
            return Err(SignOnError::Answer("it is too large"));
        }
    }
    serde_json::from_slice(&body).map_err(|_| SignOnError::Answer("a member is missing or wrong"))
}

/// As the specification wants credentials in a header: encoded like a form.
fn encoded(text: &str) -> String {
    Url::parse_with_params("http://x", [("a", text)])
        .ok()
        .and_then(|url| url.query().and_then(|query| query.strip_prefix("a=").map(str::to_owned)))
        .unwrap_or_default()
}
