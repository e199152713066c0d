//! An OpenID Connect provider on a socket: discovery, authorization with PKCE, tokens and keys.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use axum::extract::{Form, Query, State};
use axum::http::header::{AUTHORIZATION, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::harness::NOW_US;

pub(super) const CLIENT_ID: &str = "time berline";
pub(super) const CLIENT_SECRET: &str = "hush: hush";

/// A provider at which one person is signed on, always.
#[derive(Clone)]
pub(super) struct TestProvider(Arc<Shared>);

struct Shared {
    issuer: String,
    key: EcdsaKeyPair,
    codes: Mutex<HashMap<String, BTreeMap<String, String>>>,
    /// Claims of the next tokens, over those that are right.
    claims: Mutex<Value>,
    /// What the next tokens are signed as, when that is not what their key is for.
    is_forged: Mutex<bool>,
}

impl TestProvider {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        let shared = Shared {
            issuer,
            key,
            codes: Mutex::default(),
            claims: Mutex::new(json!({})),
            is_forged: Mutex::new(false),
        };
        let provider = Self(Arc::new(shared));
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discover))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/keys", get(keys))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        provider
    }

    pub(super) fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Sets claims of the next tokens; null takes one away.
    pub(super) fn claim(&self, claims: Value) {
        *self.0.claims.lock().unwrap() = claims;
    }

    /// Makes the next tokens say that they need no signature.
    pub(super) fn forge(&self, is_forged: bool) {
        *self.0.is_forged.lock().unwrap() = is_forged;
    }

    fn sign(&self, nonce: &str) -> String {
        let mut claims = json!({
            "iss": self.0.issuer, "aud": CLIENT_ID, "sub": "person-1", "nonce": nonce,
            "iat": NOW_US / 1_000_000, "exp": NOW_US / 1_000_000 + 300,
            "email": "Eve@example.org", "email_verified": true, "given_name": "Eve", "family_name": "Moss",
        });
        for (name, value) in self.0.claims.lock().unwrap().as_object().unwrap() {
            claims[name] = value.clone();
        }
        let is_forged = *self.0.is_forged.lock().unwrap();
        let header = json!({ "alg": if is_forged { "none" } else { "ES256" }, "kid": "k1" });
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.0.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

async fn discover(State(provider): State<TestProvider>) -> Json<Value> {
    let issuer = provider.issuer();
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize?tenant=1"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }))
}

async fn authorize(
    State(provider): State<TestProvider>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Response {
    let is = |name: &str, expected: &str| asked.get(name).is_some_and(|value| value == expected);
    assert!(is("tenant", "1") && is("response_type", "code") && is("client_id", CLIENT_ID), "{asked:?}");
    assert!(is("scope", "openid email profile") && is("code_challenge_method", "S256"), "{asked:?}");
    let code = format!("code {}", asked["state"]);
    let mut back = reqwest::Url::parse(&asked["redirect_uri"]).unwrap();
    back.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked["state"]);
    provider.0.codes.lock().unwrap().insert(code, asked);
    (StatusCode::FOUND, [(LOCATION, back.to_string())]).into_response()
}

/// A code works once, for the client and the redirect that it was made for, with the verifier of its challenge.
async fn token(
    State(provider): State<TestProvider>,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    let refuse = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    let credentials = STANDARD.encode("time+berline:hush%3A+hush");
    if headers[AUTHORIZATION] != format!("Basic {credentials}").as_str() {
        return refuse("invalid_client");
    }
    let Some(asked) = provider.0.codes.lock().unwrap().remove(&form["code"]) else {
        return refuse("invalid_grant");
    };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(form["code_verifier"].as_bytes()));
    let is_right = form["grant_type"] == "authorization_code"
        && form["redirect_uri"] == asked["redirect_uri"]
        && challenge == asked["code_challenge"];
    if !is_right {
        return refuse("invalid_grant");
    }
    let id_token = provider.sign(&asked["nonce"]);
    Json(json!({ "access_token": "a", "token_type": "Bearer", "id_token": id_token })).into_response()
}

async fn keys(State(provider): State<TestProvider>) -> Json<Value> {
    let point = provider.0.key.public_key().as_ref();
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    Json(json!({ "keys": [
        { "kty": "oct", "kid": "other", "k": "AAAA" },
        { "kty": "EC", "use": "sig", "kid": "k1", "alg": "ES256", "crv": "P-256",
          "x": part(&point[1..33]), "y": part(&point[33..]) },
    ] }))
}
