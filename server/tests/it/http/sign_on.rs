//! Signing on with a provider, from the browser's first call to its session.

use axum::http::Method;
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use super::browser::Browser;
use super::harness::{Answer, TestServer};
use super::people::person;
use super::provider::{CLIENT_ID, CLIENT_SECRET, TestProvider};

const START: &str = "/api/sign_on/";

async fn start(provider: &TestProvider, domains: &[&str]) -> TestServer {
    TestServer::start_with(|config| {
        config.sign_on.issuer = provider.issuer().to_owned();
        config.sign_on.client_id = CLIENT_ID.to_owned();
        config.sign_on.client_secret = Some(server::secret::Secret::new(CLIENT_SECRET.to_owned()));
        config.sign_on.email_domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
    })
    .await
}

/// The same with an organization that whoever signs on joins.
async fn start_joining(provider: &TestProvider) -> TestServer {
    let server = start(provider, &["example.org"]).await;
    let organization = server.credentials.organization_id.to_string();
    server.restart_with(|config| config.sign_on.organization = Some(organization)).await
}

/// Goes to the provider and comes back with a code: the path of the callback.
async fn to_provider(browser: &mut Browser, server: &TestServer, path: &str) -> String {
    let answer = browser.call(server, Method::GET, path, json!({})).await;
    assert_eq!(answer.status, 302, "{:?}", answer.body);
    let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    let back = client.get(answer.header("location")).send().await.unwrap();
    let back = back.headers()["location"].to_str().unwrap().to_owned();
    back.strip_prefix("http://localhost").expect("back to the server").to_owned()
}

async fn sign_on(browser: &mut Browser, server: &TestServer) -> Answer {
    let callback = to_provider(browser, server, START).await;
    browser.call(server, Method::GET, &callback, json!({})).await
}

fn refused(status: u16, code: &str) -> (u16, String, Value) {
    (status, code.to_owned(), Value::Null)
}

#[tokio::test]
async fn somebody_new_joins_and_stays_the_same_user() {
    let provider = TestProvider::start().await;
    let server = start_joining(&provider).await;
    let mut browser = Browser::default();
    let callback = to_provider(&mut browser, &server, "/api/sign_on/?next=/logs?a=b").await;
    let back = browser.call(&server, Method::GET, &callback, json!({})).await;
    assert_eq!((back.status.as_u16(), back.header("location")), (303, "/logs?a=b"));
    let names: Vec<&str> = browser.cookies.keys().map(String::as_str).collect();
    assert_eq!(names, ["csrftoken", "timberline_session"]);
    let me = browser.call(&server, Method::GET, "/api/users/@me", json!({})).await.json();
    assert_eq!(
        (&me["email"], &me["first_name"], &me["last_name"], &me["has_password"]),
        (&json!("Eve@example.org"), &json!("Eve"), &json!("Moss"), &json!(false))
    );
    let organization = browser.call(&server, Method::GET, "/api/organizations/@current", json!({})).await;
    assert_eq!(organization.json()["membership_level"], 1);
    let first =
        browser.call(&server, Method::PATCH, "/api/users/@me", json!({ "password": "a password" })).await;
    assert_eq!(first.json()["has_password"], true, "who has just signed on may set a first password");

    provider.claim(json!({ "email": "moved@example.org" }));
    let mut again = Browser::default();
    assert_eq!(sign_on(&mut again, &server).await.status, 303);
    let same = again.call(&server, Method::GET, "/api/users/@me", json!({})).await.json();
    assert_eq!(same["id"], me["id"], "the subject decides, not the address");
}

#[tokio::test]
async fn a_user_with_the_same_verified_address_is_found() {
    let provider = TestProvider::start().await;
    let server = start(&provider, &[]).await;
    let answer = sign_on(&mut Browser::default(), &server).await;
    assert_eq!(answer.refusal(), refused(403, "permission_denied"), "nobody is made a user");
    let member = person(&server, "eve", server::meta::Level::MEMBER).await;
    let mut browser = Browser::default();
    assert_eq!(sign_on(&mut browser, &server).await.status, 303);
    let me = browser.call(&server, Method::GET, "/api/users/@me", json!({})).await.json();
    assert_eq!(me["id"], member.id);
    server.change_metadata("UPDATE users SET is_active = 0 WHERE email_key = 'eve@example.org'").await;
    assert_eq!(sign_on(&mut Browser::default(), &server).await.refusal(), refused(403, "permission_denied"));
}

#[tokio::test]
async fn a_token_that_proves_nothing_is_refused() {
    let provider = TestProvider::start().await;
    let server = start_joining(&provider).await;
    for claims in [
        json!({ "iss": "http://other" }),
        json!({ "aud": "another client" }),
        json!({ "exp": 1 }),
        json!({ "nonce": "of another sign-on" }),
        json!({ "sub": null }),
    ] {
        provider.claim(claims.clone());
        let answer = sign_on(&mut Browser::default(), &server).await;
        assert_eq!(answer.refusal(), refused(401, "authentication_failed"), "{claims}");
    }
    for claims in
        [json!({ "email_verified": false }), json!({ "email": null }), json!({ "email": "eve@evil.example" })]
    {
        provider.claim(claims.clone());
        let answer = sign_on(&mut Browser::default(), &server).await;
        assert_eq!(answer.refusal(), refused(403, "permission_denied"), "{claims}");
    }
    provider.claim(json!({}));
    provider.forge(true);
    let answer = sign_on(&mut Browser::default(), &server).await;
    assert_eq!(answer.refusal(), refused(401, "authentication_failed"));
}

#[tokio::test]
async fn only_the_browser_that_has_begun_a_sign_on_ends_it_and_once() {
    let provider = TestProvider::start().await;
    let server = start_joining(&provider).await;
    let mut browser = Browser::default();
    let callback = to_provider(&mut browser, &server, START).await;
    let mut other = Browser::default();
    let without = other.call(&server, Method::GET, &callback, json!({})).await;
    assert_eq!(without.refusal(), refused(401, "authentication_failed"));
    to_provider(&mut other, &server, START).await;
    let foreign = other.call(&server, Method::GET, &callback, json!({})).await;
    assert_eq!(foreign.refusal(), refused(401, "authentication_failed"));
    let began = browser.clone();
    let denied = callback.split_once("&state=").unwrap().1;
    let denied = format!("/api/sign_on/callback?error=access_denied&state={denied}");
    let denied = browser.call(&server, Method::GET, &denied, json!({})).await;
    assert_eq!(denied.refusal(), refused(401, "authentication_failed"));
    assert_eq!(browser.call(&server, Method::GET, &callback, json!({})).await.status, 303);
    let again = began.clone().call(&server, Method::GET, &callback, json!({})).await;
    assert_eq!(again.refusal(), refused(401, "authentication_failed"), "a code works once");
}

#[tokio::test]
async fn there_is_nothing_without_a_provider_and_503_without_its_answer() {
    let server = TestServer::start().await;
    for path in [START, "/api/sign_on/callback/"] {
        let answer = Browser::default().call(&server, Method::GET, path, json!({})).await;
        assert_eq!(answer.refusal(), refused(404, "not_found"));
    }
    let server = TestServer::start_with(|config| {
        config.sign_on.issuer = "http://127.0.0.1:1".to_owned();
        config.sign_on.client_id = CLIENT_ID.to_owned();
    })
    .await;
    let answer = Browser::default().call(&server, Method::GET, START, json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
    let provider = TestProvider::start().await;
    let server = TestServer::start_with(|config| {
        config.sign_on.issuer = format!("{}/", provider.issuer());
        config.sign_on.client_id = CLIENT_ID.to_owned();
    })
    .await;
    let answer = Browser::default().call(&server, Method::GET, START, json!({})).await;
    assert_eq!(answer.status, 503, "it does not name itself like this");
}
