//! Approvals as people meet them: policies, the gate in front of writes, votes, and what becomes of requests.

mod actions;
mod gate;
mod policies;
mod requests;
mod told;

use axum::http::Method;
use serde_json::{Value, json};
use server::accounts::roles;
use server::activity::entry::Actor;
use server::meta::Level;

use super::harness::{Answer, NOW_US, TestServer};
use super::people::{Person, person};

const PROJECT: &str = "/api/projects/1";

/// A server with an owner, whose key is the server's own, and three members.
struct Office {
    server: TestServer,
    ann: Person,
    bob: Person,
    eve: Person,
}

impl Office {
    async fn open() -> Self {
        Self::of(TestServer::start().await).await
    }

    async fn of(server: TestServer) -> Self {
        let ann = person(&server, "ann", Level::MEMBER).await;
        let bob = person(&server, "bob", Level::MEMBER).await;
        let eve = person(&server, "eve", Level::MEMBER).await;
        Self { server, ann, bob, eve }
    }

    async fn send(&self, key: &str, method: Method, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.server.request_as(key, method, path, body).await
    }

    async fn get(&self, key: &str, path: &str) -> Answer {
        self.server.request_as(key, Method::GET, path, "").await
    }

    /// The path of the organization.
    fn organization(&self) -> String {
        format!("/api/organizations/{}", self.server.credentials.organization_id)
    }

    /// A policy of a place, made by the owner.
    async fn policy(&self, place: &str, policy: Value) -> Value {
        let path = format!("{place}/approval_policies/");
        let made = self.send(self.server.key(), Method::POST, &path, policy).await;
        assert_eq!(made.status, 201, "{}", made.json());
        made.json()
    }

    /// A policy of the first project under which some people approve.
    async fn needs(&self, action_key: &str, quorum: i64, approvers: &[&Person]) -> Value {
        let users: Vec<i64> = approvers.iter().map(|person| person.id).collect();
        let config = json!({ "quorum": quorum, "users": users });
        self.policy(PROJECT, json!({ "action_key": action_key, "approver_config": config })).await
    }

    /// A write that became a request.
    async fn gated(&self, key: &str, method: Method, path: &str, body: Value) -> Value {
        let answer = self.send(key, method, path, body).await;
        assert_eq!(answer.status, 409, "{}", answer.json());
        answer.json()
    }

    async fn decide(&self, person: &Person, place: &str, request: &Value, what: &str, body: Value) -> Answer {
        let id = request["change_request_id"].as_str().unwrap();
        self.send(&person.key, Method::POST, &format!("{place}/change_requests/{id}/{what}/"), body).await
    }

    async fn approve(&self, person: &Person, request: &Value) -> Answer {
        self.decide(person, PROJECT, request, "approve", json!({})).await
    }

    /// A request as somebody sees it.
    async fn seen(&self, person: &Person, request: &Value) -> Value {
        let id = request["change_request_id"].as_str().unwrap();
        let seen = self.get(&person.key, &format!("{PROJECT}/change_requests/{id}/")).await;
        assert_eq!(seen.status, 200, "{}", seen.json());
        seen.json()
    }

    /// A role with some members.
    async fn role(&self, name: &str, members: &[&Person]) -> String {
        let meta = self.server.state.meta();
        let organization = self.server.credentials.organization_id.to_string();
        let role = roles::create(meta, &Actor::system(), &organization, name, NOW_US).await.unwrap();
        for member in members {
            roles::add_member(meta, &Actor::system(), &role, &member.uuid, NOW_US).await.unwrap();
        }
        role.id
    }
}

fn alert(name: &str) -> Value {
    json!({ "name": name, "filters": { "serviceNames": ["api"] }, "threshold_count": 10 })
}
